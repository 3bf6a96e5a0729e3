//! The design that failed: one thread does everything, without a deadline.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::stage::{Stage, listen, request_upstream};

/// A server that runs until the process ends: its thread waits for sockets without a deadline, so
/// nothing can stop it.
pub struct Server {
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server whose handler requests the upstream, if there is one.
    pub fn start(stage: &Stage, upstream: Option<SocketAddr>) -> io::Result<Server> {
        let (listener, address) = listen()?;
        let config = Arc::clone(&stage.server);
        std::thread::Builder::new()
            .name("old-server".to_owned())
            .spawn(move || serve(&listener, &config, upstream))?;
        Ok(Server { address })
    }
}

fn serve(listener: &TcpListener, config: &Arc<ServerConfig>, upstream: Option<SocketAddr>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let Ok(mut session) = ServerConnection::new(Arc::clone(config)) else { continue };
        let mut stream = stream;
        // The accepting thread does the handshake, and waits for the client without a deadline.
        if session.complete_io(&mut stream).is_err() {
            continue;
        }
        let mut tls = StreamOwned::new(session, stream);
        let mut request = [0; 1024];
        if tls.read(&mut request).is_err() {
            continue;
        }
        if let Some(upstream) = upstream {
            // The handler waits for the upstream, also without a deadline.
            let _ = request_upstream(upstream);
        }
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n");
    }
}
