//! A unix socket as a transport of the HTTP client's.
//!
//! Its traits are not covered by the client's promise of stability; what is used of them is what
//! its own TCP transport uses.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use socket2::{Domain, SockAddr, Socket, Type};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

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
    type Out = UnixTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<UnixTransport>, Error> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A listener whose queue is full makes connect(2) wait, for as long as it may write.
        socket.set_write_timeout(wait(details.timeout)?)?;
        let address = SockAddr::unix(&self.0)?;
        socket.connect(&address).map_err(|error| failed(error, details.timeout))?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(UnixTransport { stream: socket.into(), buffers }))
    }
}

#[derive(Debug)]
pub(super) struct UnixTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let begun = Instant::now();
        let wait = wait(timeout)?;
        let mut output = &self.buffers.output()[..amount];
        // A timeout of the socket is for each write, ours for all of them.
        while !output.is_empty() {
            let left = match wait.map(|wait| wait.checked_sub(begun.elapsed())) {
                Some(Some(left)) if !left.is_zero() => Some(left),
                Some(_) => return Err(Error::Timeout(timeout.reason)),
                None => None,
            };
            self.stream.set_write_timeout(left)?;
            match self.stream.write(output) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => output = &output[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error, timeout)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(wait(timeout)?)?;
        let read = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| failed(error, timeout))?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Connections are never kept, so nobody asks.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// How long a system call may take; an error when there is no time left.
fn wait(timeout: NextTimeout) -> Result<Option<std::time::Duration>, Error> {
    if timeout.after.is_not_happening() {
        return Ok(None);
    }
    if timeout.after.is_zero() {
        return Err(Error::Timeout(timeout.reason));
    }
    Ok(Some(*timeout.after))
}

fn failed(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
