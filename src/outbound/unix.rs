//! Connector of the HTTP client (ureq) for unix sockets.

use std::fmt;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector};

use super::transport::SocketTransport;

/// Connects to the unix socket at one path, and ignores the host of the URL.
pub(super) struct UnixConnector(PathBuf);

impl UnixConnector {
    pub(super) fn new(path: &Path) -> UnixConnector {
        UnixConnector(path.to_owned())
    }
}

impl fmt::Debug for UnixConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnixConnector").field(&self.0).finish()
    }
}

impl Connector for UnixConnector {
    type Out = SocketTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<SocketTransport>, Error> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A full accept queue blocks connect(2), which the write timeout (SO_SNDTIMEO) bounds.
        socket.set_write_timeout(SocketTransport::time_left(details.timeout)?)?;
        let address = SockAddr::unix(&self.0)?;
        socket
            .connect(&address)
            .map_err(|error| SocketTransport::failure(error, details.timeout))?;
        Ok(Some(SocketTransport::new(socket, details)))
    }
}
