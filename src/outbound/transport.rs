//! Sockets as transports of the HTTP client (ureq).
//!
//! ureq excludes these traits from its promise of stability, so this file uses only those parts of them
//! that ureq's own TCP transport uses. It replaces that transport, which tries one address after the
//! other.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use socket2::Socket;
use ureq::Error;
use ureq::unversioned::transport::time;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};

use super::buffers::GrowingBuffers;
use super::connect::connect;
use super::proxy::ProxyConnector;
use super::tls::ClientTls;
use super::tls_transport::TlsConnector;

/// Returns the connector of every HTTP client that speaks over TCP: through the client's proxy if
/// it has one, by Happy Eyeballs, and with TLS for `https`.
pub(crate) fn connector(tls: ClientTls) -> impl Connector {
    ().chain(ProxyConnector).chain(RaceConnector).chain(TlsConnector(tls))
}

/// Connects to the addresses that the resolver returned, in their order.
#[derive(Debug)]
struct RaceConnector;

impl<In: Transport> Connector<In> for RaceConnector {
    type Out = Either<In, SocketTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(transport) = chained {
            return Ok(Some(Either::A(transport)));
        }
        let deadline = match details.now + details.timeout.after {
            time::Instant::NotHappening => None,
            time::Instant::Exact(at) => Some(at),
            time::Instant::AlreadyHappened => return Err(Error::Timeout(details.timeout.reason)),
        };
        let socket =
            connect(&details.addrs, deadline).map_err(|error| Error::Other(Box::new(error)))?;
        Ok(Some(Either::B(SocketTransport::new(socket, details))))
    }
}

/// Returns the time that is left for connecting, of which the socket's connect has used a part.
pub(super) fn remaining(details: &ConnectionDetails<'_>) -> Result<NextTimeout, Error> {
    let mut timeout = details.timeout;
    if let time::Duration::Exact(limit) = timeout.after {
        let left = match ((details.current_time)(), details.now) {
            (time::Instant::Exact(now), time::Instant::Exact(begun)) => {
                limit.saturating_sub(now.saturating_duration_since(begun))
            }
            _ => limit,
        };
        if left.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        timeout.after = left.into();
    }
    Ok(timeout)
}

/// Connected stream socket in blocking mode, over TCP or a unix socket.
pub(super) struct SocketTransport {
    socket: Socket,
    buffers: GrowingBuffers,
}

impl SocketTransport {
    pub(super) fn new(socket: Socket, details: &ConnectionDetails<'_>) -> SocketTransport {
        SocketTransport { socket, buffers: GrowingBuffers::new(details) }
    }

    /// Sends bytes that are not in the output buffer.
    pub(super) fn send(&mut self, bytes: &[u8], timeout: NextTimeout) -> Result<(), Error> {
        write_all(&self.socket, bytes, timeout)
    }

    /// Returns the time that a system call may take, for one of the socket's timeouts.
    ///
    /// # Errors
    /// No time is left.
    pub(super) fn time_left(timeout: NextTimeout) -> Result<Option<Duration>, Error> {
        if timeout.after.is_not_happening() {
            return Ok(None);
        }
        if timeout.after.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        Ok(Some(*timeout.after))
    }

    /// Converts the error of a system call. The socket's own timeout becomes that of the client.
    pub(super) fn failure(error: io::Error, timeout: NextTimeout) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
            _ => error.into(),
        }
    }
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        write_all(&self.socket, &self.buffers.output()[..amount], timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let begun = Instant::now();
        let wait = Self::time_left(timeout)?;
        self.buffers.free_output();
        let read = loop {
            let left = match wait.map(|wait| wait.checked_sub(begun.elapsed())) {
                Some(Some(left)) if !left.is_zero() => Some(left),
                Some(_) => return Err(Error::Timeout(timeout.reason)),
                None => None,
            };
            self.socket.set_read_timeout(left)?;
            match self.socket.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| Self::failure(error, timeout))?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Returns false: no client of this program keeps a connection for a later request.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// Writes all of the output, within one timeout.
fn write_all(mut socket: &Socket, mut output: &[u8], timeout: NextTimeout) -> Result<(), Error> {
    let begun = Instant::now();
    let wait = SocketTransport::time_left(timeout)?;
    // The socket's timeout bounds one write; `timeout` bounds all of them together.
    while !output.is_empty() {
        let left = match wait.map(|wait| wait.checked_sub(begun.elapsed())) {
            Some(Some(left)) if !left.is_zero() => Some(left),
            Some(_) => return Err(Error::Timeout(timeout.reason)),
            None => None,
        };
        socket.set_write_timeout(left)?;
        match socket.write(output) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            Ok(written) => output = &output[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SocketTransport::failure(error, timeout)),
        }
    }
    Ok(())
}

impl fmt::Debug for SocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocketTransport").field(&self.socket).finish()
    }
}
