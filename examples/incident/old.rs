//! The design that failed: everything on one thread, and no deadline anywhere.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::stage::{Stage, ask_upstream, listen};

/// It runs until the process ends: nothing can stop a thread that waits for a socket without a
/// deadline, which is the point.
pub struct Server {
    pub address: SocketAddr,
}

impl Server {
    /// With an upstream the handler asks it; without one it answers by itself.
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
        // The handshake, on the accept path: it waits for the client as long as it takes.
        if session.complete_io(&mut stream).is_err() {
            continue;
        }
        let mut tls = StreamOwned::new(session, stream);
        let mut request = [0; 1024];
        if tls.read(&mut request).is_err() {
            continue;
        }
        if let Some(upstream) = upstream {
            // The upstream, from the handler: it waits for that one, too.
            let _ = ask_upstream(upstream);
        }
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n");
    }
}
