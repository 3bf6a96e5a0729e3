//! Accept queues of listening TCP sockets, and connections lost at them: what `ss -ltn` and
//! `nstat` show.
//!
//! The state of a queue comes from `sock_diag`, as only that has the limit of a socket that another
//! process has bound; where a sandbox forbids it, from `/proc/net/tcp` and `/proc/net/tcp6`.

use std::fs;
use std::io::{BufRead, BufReader, Read};

use procfs::net::{TcpNetEntries, TcpNetEntry};
use procfs::{FromBufReadSI, ProcResult};

use super::sock_diag::{self, ListeningSocket};

/// A listening TCP socket of this process, by its inode.
#[derive(Debug, Clone)]
pub struct ListenSocket {
    /// Address as the log shows it.
    pub address: String,
    /// Inode, which identifies the socket in `/proc/net/tcp`.
    pub inode: u64,
    /// Limit of the accept queue, used if the kernel does not report it: listen(2)'s backlog,
    /// capped by somaxconn. The kernel admits one connection more, so a full queue can show as
    /// `129 / 128`.
    pub limit: u32,
}

/// State of an accept queue: `Recv-Q` and `Send-Q` of `ss -ltn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenQueue {
    /// Address of the listener.
    pub address: String,
    /// Number of connections that wait to be accepted.
    pub depth: u32,
    /// Maximum number of connections that wait.
    pub limit: u32,
}

/// Connections that the kernel lost at listening sockets of this network namespace since it
/// started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListenLosses {
    /// `ListenOverflows`: connections that found an accept queue full.
    pub overflows: u64,
    /// `ListenDrops`: connections dropped for any reason.
    pub drops: u64,
}

/// Returns the backlog that the kernel grants: at most `net.core.somaxconn`.
pub fn granted_backlog(backlog: u32) -> u32 {
    backlog.min(somaxconn().unwrap_or(u32::MAX))
}

/// Returns the maximum backlog, `net.core.somaxconn`.
pub fn somaxconn() -> Option<u32> {
    fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?.trim().parse().ok()
}

/// Returns the current accept queues of these sockets. A socket that the kernel does not list is
/// left out.
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

/// Returns all listening TCP sockets of this network namespace.
pub fn listening() -> Vec<ListeningSocket> {
    // A sandbox that forbids netlink sockets still has its /proc.
    sock_diag::listening().unwrap_or_else(|_| listening_by_tables())
}

/// Reads the sockets from `/proc/net/tcp`, which has no limits. The kernel lists listeners first, so
/// reading ends at the first line of another state: with thousands of connections the rest of the
/// table is slow.
fn listening_by_tables() -> Vec<ListeningSocket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter();
    let entries = tables.filter_map(|path| listening_in(fs::File::open(path).ok()?).ok()).flatten();
    // For a listening socket the receive queue is the accept queue (tcp_diag, proc(5)).
    let found = entries.map(|entry| ListeningSocket {
        address: entry.local_address,
        inode: entry.inode,
        depth: entry.rx_queue,
        limit: None,
    });
    found.collect()
}

/// Parses the lines of listening sockets at the start of a table.
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

/// Returns the kernel's counts of lost connections; zero if it does not report them.
pub fn listen_losses() -> ListenLosses {
    fs::read_to_string("/proc/net/netstat")
        .map_or_else(|_| ListenLosses::default(), |text| losses(&text))
}

/// Parses the `TcpExt` lines of `/proc/net/netstat`: one of names, one of values in the same order.
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
    fn unaccepted_connections_show_in_the_accept_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = rustix::fs::fstat(listener.as_fd()).unwrap().st_ino;
        let socket = ListenSocket { address: "here".to_owned(), inode, limit: 64 };
        let waiting: Vec<TcpStream> =
            (0..3).map(|_| TcpStream::connect(listener.local_addr().unwrap()).unwrap()).collect();
        let queues = listen_queues(&[socket]);
        // The kernel's limit, which the standard library sets, wins over the one passed in.
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
    fn tcp_table_is_read_up_to_its_last_listener() {
        let line = |number, state: &str| {
            format!(
                "{number}: 0100007F:192B 00000000:0000 {state} 00000000:00000007 00:00000000 \
                 00000000 0 0 {number} 1 0000000000000000 100 0 0 10 0\n"
            )
        };
        let heading = "sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt\n";
        let table = [heading, &line(1, "0A"), &line(2, "0A"), &line(3, "01"), "garbage"].concat();
        let entries = listening_in(table.as_bytes()).unwrap();
        let found: Vec<(u64, u32)> =
            entries.iter().map(|entry| (entry.inode, entry.rx_queue)).collect();
        assert_eq!(found, [(1, 7), (2, 7)]);
        assert!(listening_in("".as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn listen_losses_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\n\
                    TcpExt: 1 22 333 4444\nIpExt: InNoRoutes\nIpExt: 5\n";
        assert_eq!(losses(text), ListenLosses { overflows: 22, drops: 333 });
        assert_eq!(losses(""), ListenLosses::default());
        assert_eq!(losses("TcpExt: A\nTcpExt: B\n"), ListenLosses::default());
    }
}
