//! ListeningSocket TCP sockets from the kernel's netlink interface (sock_diag(7)), as `ss -ltn` lists
//! them.
//!
//! Unlike `/proc/net/tcp` it reports the limit of the accept queue of a socket that another process
//! has bound. The request and its responses are encoded and decoded here; their layouts are those of
//! linux/netlink.h and linux/inet_diag.h.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// A listening socket of any process in this network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListeningSocket {
    /// Address that it is bound to.
    pub address: SocketAddr,
    /// Inode, which identifies the socket in `/proc/PID/fd`.
    pub inode: u64,
    /// Number of connections that wait to be accepted.
    pub depth: u32,
    /// Maximum number of connections that wait; `None` if the kernel does not report it, as in
    /// `/proc/net/tcp`.
    pub limit: Option<u32>,
}

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_AND_DUMP: u16 = 0x1 | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const TCP_LISTEN: u8 = 10;

const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const MESSAGE: usize = 72;

/// Maximum wait for a message. The kernel responds at once; an emulated kernel may not.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns all listening TCP sockets of this network namespace.
///
/// # Errors
/// The kernel lacks the interface, or does not allow this process to use it.
pub fn listening() -> io::Result<Vec<ListeningSocket>> {
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        dump(family, &mut found)?;
    }
    Ok(found)
}

/// Appends the listening sockets of one address family to `found`.
fn dump(family: u8, found: &mut Vec<ListeningSocket>) -> io::Result<()> {
    let protocol = Some(Protocol::from(NETLINK_SOCK_DIAG));
    let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, protocol)?;
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
    socket.send(&request(family))?;
    let mut buffer = vec![0; 32 << 10];
    loop {
        let length = (&socket).read(&mut buffer)?;
        if length == 0 || parse(&buffer[..length], found)? {
            return Ok(());
        }
    }
}

/// Returns a request for a dump: `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(family: u8) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    bytes[0..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST_AND_DUMP.to_ne_bytes());
    bytes[HEADER] = family;
    bytes[HEADER + 1] = IPPROTO_TCP;
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&(1_u32 << TCP_LISTEN).to_ne_bytes());
    bytes
}

/// Parses a datagram of messages. Returns true if the last message of the dump is among them.
fn parse(mut bytes: &[u8], found: &mut Vec<ListeningSocket>) -> io::Result<bool> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "malformed netlink message");
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0).ok_or_else(broken)? as usize;
        let kind = u16::from_ne_bytes([byte(bytes, 4), byte(bytes, 5)]);
        let message = bytes.get(HEADER..length).ok_or_else(broken)?;
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = u32_at(message, 0).ok_or_else(broken)?.cast_signed();
                return Err(io::Error::from_raw_os_error(code.wrapping_neg()));
            }
            _ => found.extend(listener(message)),
        }
        // Messages are aligned to four bytes.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// Parses `struct inet_diag_msg`; `None` if it is truncated or no listener.
fn listener(message: &[u8]) -> Option<ListeningSocket> {
    let message = message.get(..MESSAGE)?;
    if message[1] != TCP_LISTEN {
        return None;
    }
    let port = u16::from_be_bytes([message[4], message[5]]);
    let source: [u8; 16] = message[8..24].try_into().ok()?;
    let address = match message[0] {
        AF_INET => IpAddr::from([source[0], source[1], source[2], source[3]]),
        _ => IpAddr::from(Ipv6Addr::from(source)),
    };
    Some(ListeningSocket {
        address: (address, port).into(),
        inode: u32_at(message, 68)?.into(),
        depth: u32_at(message, 56)?,
        limit: Some(u32_at(message, 60)?),
    })
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn unaccepted_connections_show_in_the_queue_with_its_limit() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let address: SocketAddr = host.parse().unwrap();
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
            socket.bind(&address.into()).unwrap();
            socket.listen(7).unwrap();
            let address = socket.local_addr().unwrap().as_socket().unwrap();
            let waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
            let all = listening().unwrap();
            let ours = all.iter().find(|socket| socket.address == address);
            let ours = ours.unwrap_or_else(|| panic!("{address} is not in {all:?}"));
            assert_eq!((ours.depth, ours.limit), (3, Some(7)));
            drop(waiting);
        }
    }

    #[test]
    fn truncated_message_is_an_error() {
        for (bytes, broken) in [
            (&[][..], false),
            (&[1, 0], true),
            (&[200, 0, 0, 0, 20, 0, 0, 0], true),
            (&[4, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], true),
        ] {
            assert_eq!(parse(bytes, &mut Vec::new()).is_err(), broken, "{bytes:?}");
        }
    }
}
