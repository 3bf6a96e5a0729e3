//! Session over a pair of unix sockets, for tests without an engine.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use super::super::limits::Settings;
use super::super::memory_limit::MemoryLimit;
use super::super::socket::Stream;
use super::Session;

/// Session and the ends of its connection, none of which blocks.
pub(crate) struct Paired {
    pub(crate) session: Session,
    pub(crate) client: UnixStream,
    /// Another handle to the server's end.
    pub(crate) server: UnixStream,
    pub(crate) memory: Arc<MemoryLimit>,
}

impl Paired {
    pub(crate) fn new(settings: Settings) -> Paired {
        let (client, server) = UnixStream::pair().unwrap();
        client.set_nonblocking(true).unwrap();
        server.set_nonblocking(true).unwrap();
        let stream = Stream::Unix(mio::net::UnixStream::from_std(server.try_clone().unwrap()));
        let memory = Arc::new(MemoryLimit::new(settings.max_buffered_bytes));
        let settings = Arc::new(settings);
        let session = Session::new(stream, None, &settings, &memory, None, Instant::now());
        Paired { session, client, server, memory }
    }
}
