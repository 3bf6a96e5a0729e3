//! A unix socket as a transport of the HTTP client's.

use std::fmt;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector};

use crate::outbound::SocketTransport;

/// Connects to one socket, whatever host a URL names.
pub(super) struct UnixConnector(PathBuf);

impl UnixConnector {
    pub(super) fn to(path: &Path) -> UnixConnector {
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
        // A listener whose queue is full makes connect(2) wait, for as long as it may write.
        socket.set_write_timeout(SocketTransport::time_left(details.timeout)?)?;
        let address = SockAddr::unix(&self.0)?;
        socket
            .connect(&address)
            .map_err(|error| SocketTransport::failure(error, details.timeout))?;
        Ok(Some(SocketTransport::new(socket, details)))
    }
}
