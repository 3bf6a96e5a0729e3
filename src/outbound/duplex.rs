//! Writes during which the peer may write, too.
//!
//! A server that answers the first of many requests while the rest of them is on its way blocks once the buffers
//! of the connection are full, and stops reading. A client that only writes then waits for the server, and the
//! server for it. So bytes that arrive during a write are received meanwhile.

use std::io::{self, ErrorKind, Read, Write};

use rustix::event::PollFlags;
use rustls::{ClientConnection, StreamOwned};

use super::stream::{DeadlineSocket, DeadlineStream};

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// Receives bytes that arrive during a write, and may end the write by an error.
pub(crate) type Receiver<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

impl DeadlineStream {
    /// Writes all bytes, and passes what arrives meanwhile to `receive`.
    ///
    /// # Errors
    /// The connection failed or was closed, the deadline passed, or `receive` returned an error.
    pub(crate) fn write_duplex(
        &mut self,
        bytes: &[u8],
        receive: &mut Receiver<'_>,
    ) -> io::Result<()> {
        match self {
            DeadlineStream::Plain(socket) => write_plain(socket, bytes, receive),
            DeadlineStream::Tls(tls) => write_tls(tls, bytes, receive),
        }
    }
}

fn write_plain(
    socket: &DeadlineSocket,
    mut bytes: &[u8],
    receive: &mut Receiver<'_>,
) -> io::Result<()> {
    let mut chunk = [0; CHUNK];
    while !bytes.is_empty() {
        socket.left()?;
        match without_wait(socket.socket().write(bytes))? {
            Some(0) => return Err(ErrorKind::WriteZero.into()),
            Some(written) => bytes = &bytes[written..],
            None => {
                socket.wait(PollFlags::IN | PollFlags::OUT)?;
                if let Some(read) = without_wait(socket.socket().read(&mut chunk))? {
                    receive(not_closed(&chunk[..read])?)?;
                }
            }
        }
    }
    Ok(())
}

fn write_tls(
    tls: &mut StreamOwned<ClientConnection, DeadlineSocket>,
    mut bytes: &[u8],
    receive: &mut Receiver<'_>,
) -> io::Result<()> {
    let StreamOwned { conn, sock } = tls;
    while !bytes.is_empty() || conn.wants_write() {
        sock.left()?;
        // The session takes as much as its buffer has place for.
        let taken = conn.writer().write(bytes)?;
        bytes = &bytes[taken..];
        if without_wait(conn.write_tls(&mut sock.socket()))?.is_some() {
            continue;
        }
        // Before more is read, since the session refuses to hold much that was not taken.
        take_decrypted(conn, receive)?;
        sock.wait(PollFlags::IN | PollFlags::OUT)?;
        let Some(read) = without_wait(conn.read_tls(&mut sock.socket()))? else { continue };
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        conn.process_new_packets().map_err(io::Error::other)?;
    }
    take_decrypted(conn, receive)
}

fn take_decrypted(conn: &mut ClientConnection, receive: &mut Receiver<'_>) -> io::Result<()> {
    let mut chunk = [0; CHUNK];
    while let Some(read) = without_wait(conn.reader().read(&mut chunk))? {
        receive(not_closed(&chunk[..read])?)?;
    }
    Ok(())
}

/// Returns `None` if the call would have blocked, or was interrupted.
fn without_wait(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn not_closed(bytes: &[u8]) -> io::Result<&[u8]> {
    if bytes.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}
