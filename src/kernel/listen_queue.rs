//! The kernel's side of the listeners: what an investigator would look up with `ss -ltn` and
//! `nstat`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;

use procfs::net::{TcpNetEntries, TcpNetEntry};
use procfs::{FromBufReadSI, ProcResult};

use super::sock_diag;

/// A listening TCP socket of this process, by its inode.
#[derive(Debug, Clone)]
pub struct ListenSocket {
    /// Where it listens, as the log says it.
    pub address: String,
    /// The socket's inode, which names it in `/proc/net/tcp`.
    pub inode: u64,
    /// Connections that may wait to be accepted, if the kernel does not say: `listen(2)`'s
    /// backlog within somaxconn. The kernel lets one more in, which is how a full queue comes to
    /// stand at `129 / 128`.
    pub limit: u32,
}

/// How full an accept queue is: `Recv-Q` and `Send-Q` of `ss -ltn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenQueue {
    /// Where it listens.
    pub address: String,
    /// Connections that wait to be accepted.
    pub depth: u32,
    /// Connections that may wait.
    pub limit: u32,
}

/// What the kernel had to turn away, in this network namespace, since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListenLosses {
    /// `ListenOverflows`: an accept queue was full.
    pub overflows: u64,
    /// `ListenDrops`: all connections dropped for whatever reason while listening.
    pub drops: u64,
}

/// The backlog that the kernel really grants: at most `net.core.somaxconn`.
pub fn granted_backlog(backlog: u32) -> u32 {
    backlog.min(somaxconn().unwrap_or(u32::MAX))
}

/// The most that the kernel grants, `net.core.somaxconn`.
pub fn somaxconn() -> Option<u32> {
    fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?.trim().parse().ok()
}

/// The accept queues of these sockets, as they are now. A socket that the kernel does not list
/// is left out.
pub fn listen_queues(sockets: &[ListenSocket]) -> Vec<ListenQueue> {
    let mut queues = Vec::new();
    for found in listening() {
        queues.extend(sockets.iter().filter(|socket| socket.inode == found.inode).map(|socket| {
            let limit = found.limit.unwrap_or(socket.limit);
            ListenQueue { address: socket.address.clone(), depth: found.depth, limit }
        }));
    }
    queues
}

/// A listening TCP socket, whoever's it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its inode, which names it in `/proc/PID/fd`.
    pub inode: u64,
    /// Connections that wait to be accepted.
    pub depth: u32,
    /// Connections that may wait, where the kernel says so.
    pub limit: Option<u32>,
}

/// All listening TCP sockets of this network namespace.
pub fn listening() -> Vec<Listening> {
    // A sandbox that forbids netlink sockets still has its /proc.
    sock_diag::listening().map_or_else(
        |_| listening_by_tables(),
        |found| {
            let found = found.into_iter().map(|it| Listening {
                address: it.address,
                inode: it.inode,
                depth: it.depth,
                limit: Some(it.limit),
            });
            found.collect()
        },
    )
}

/// The same without limits. The kernel lists listeners before all others, and is not asked for
/// these: with thousands of connections that takes it long.
fn listening_by_tables() -> Vec<Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter();
    let entries = tables.filter_map(|path| listening_in(fs::File::open(path).ok()?).ok()).flatten();
    // For a listening socket the receive queue is the accept queue (tcp_diag, proc(5)).
    let found = entries.map(|entry| Listening {
        address: entry.local_address,
        inode: entry.inode,
        depth: entry.rx_queue,
        limit: None,
    });
    found.collect()
}

fn listening_in(table: impl Read) -> ProcResult<Vec<TcpNetEntry>> {
    const STATE_COLUMN: usize = 3;
    const LISTEN: &str = "0A";
    let is_heading = |line: &str| line.split_whitespace().nth(STATE_COLUMN) == Some("st");
    let is_listening = |line: &str| line.split_whitespace().nth(STATE_COLUMN) == Some(LISTEN);
    let lines = BufReader::with_capacity(4096, table).lines().map_while(Result::ok);
    let head: String = lines
        .take_while(|line| is_heading(line) || is_listening(line))
        .flat_map(|line| [line, "\n".to_owned()])
        .collect();
    Ok(TcpNetEntries::from_buf_read(head.as_bytes(), procfs::current_system_info())?.0)
}

/// What the kernel had to turn away; zero where it does not say.
pub fn listen_losses() -> ListenLosses {
    fs::read_to_string("/proc/net/netstat")
        .map_or_else(|_| ListenLosses::default(), |text| losses(&text))
}

/// The `TcpExt` lines of `/proc/net/netstat`: one of names, one of values in the same order.
fn losses(text: &str) -> ListenLosses {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return ListenLosses::default();
    };
    let value = |wanted: &str| {
        let mut pairs = names.split(' ').zip(values.split(' '));
        pairs.find(|(name, _)| *name == wanted).and_then(|(_, value)| value.parse().ok())
    };
    ListenLosses {
        overflows: value("ListenOverflows").unwrap_or(0),
        drops: value("ListenDrops").unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_socket_that_nobody_accepts_from_shows_who_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = rustix::fs::fstat(listener.as_fd()).unwrap().st_ino;
        let socket = ListenSocket { address: "here".to_owned(), inode, limit: 64 };
        let waiting: Vec<TcpStream> =
            (0..3).map(|_| TcpStream::connect(listener.local_addr().unwrap()).unwrap()).collect();
        let queues = listen_queues(&[socket]);
        // What the standard library asks for, whatever we believe.
        assert_eq!(queues, [ListenQueue { address: "here".to_owned(), depth: 3, limit: 128 }]);
        let tables = listening_by_tables();
        let ours = tables.iter().find(|found| found.inode == inode).unwrap();
        assert_eq!(
            (ours.depth, ours.limit, ours.address),
            (3, None, listener.local_addr().unwrap())
        );
        drop(waiting);
    }

    #[test]
    fn the_table_is_read_no_further_than_the_listeners_go() {
        let line = |number, state: &str| {
            format!(
                "{number}: 0100007F:192B 00000000:0000 {state} 00000000:00000007 00:00000000 \
                 00000000 0 0 {number} 1 0000000000000000 100 0 0 10 0\n"
            )
        };
        let heading = "sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt\n";
        let table = [heading, &line(1, "0A"), &line(2, "0A"), &line(3, "01"), "garbage"].concat();
        let entries = listening_in(table.as_bytes()).unwrap();
        let found: Vec<(u64, u32)> = entries.iter().map(|it| (it.inode, it.rx_queue)).collect();
        assert_eq!(found, [(1, 7), (2, 7)]);
        assert!(listening_in("".as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn losses_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\n\
                    TcpExt: 1 22 333 4444\nIpExt: InNoRoutes\nIpExt: 5\n";
        assert_eq!(losses(text), ListenLosses { overflows: 22, drops: 333 });
        assert_eq!(losses(""), ListenLosses::default());
        assert_eq!(losses("TcpExt: A\nTcpExt: B\n"), ListenLosses::default());
    }
}
