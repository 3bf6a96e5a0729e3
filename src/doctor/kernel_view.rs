//! Facts from the kernel about the processes that listen at some addresses: their sockets and accept
//! queues, and where their threads wait.
//!
//! These are the facts of `ss -ltnp`, `ls /proc/PID/fd` and `cat /proc/PID/task/*/wchan`. They need no
//! cooperation of the process, which may be any program. Processes of other users are visible to root
//! only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use procfs::net::{TcpState, UnixState};
use procfs::process::{FDTarget, Process, all_processes};
use serde::Serialize;

use crate::config::ListenAddr;
use crate::kernel::listen_queue::{listen_losses, listening};
use crate::kernel::process::ProcessInfo;
use crate::order;

/// Facts from the kernel.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct KernelView {
    /// Requested addresses, and the sockets that listen there.
    pub(super) listeners: Vec<Listener>,
    /// Processes that own one of these sockets.
    pub(super) processes: Vec<Owner>,
    /// Number of TCP connections at those ports, by state as `ss` names it.
    pub(super) connections: BTreeMap<&'static str, u64>,
    /// Number of connections that found an accept queue full, of the whole host since it started.
    pub(super) listen_overflows: u64,
}

/// Requested address, and the sockets that listen there.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Listener {
    /// Address as configured.
    pub(super) wanted: String,
    /// Listening sockets.
    pub(super) sockets: Vec<Socket>,
}

/// Listening socket.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Socket {
    pub(super) address: String,
    /// Number of connections that wait to be accepted; unknown for a unix socket.
    pub(super) depth: Option<u32>,
    /// Maximum number of connections that wait.
    pub(super) limit: Option<u32>,
    /// IDs of the processes that own it; empty if these belong to another user.
    pub(super) holders: Vec<i32>,
    #[serde(skip)]
    inode: u64,
}

/// Process that owns a listening socket.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Owner {
    pub(super) name: String,
    /// State letter of proc(5): `R`, `S`, `D`, `T`…
    pub(super) state: char,
    pub(super) facts: Option<ProcessInfo>,
    pub(super) pid: i32,
    /// Threads, grouped by state and wait channel.
    pub(super) threads: Vec<ThreadGroup>,
}

/// Threads in the same state that wait in the same kernel function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ThreadGroup {
    pub(super) state: char,
    /// Kernel function (wait channel); `None` if the thread runs or may not be examined.
    pub(super) waits_in: Option<String>,
    /// Number of threads of each name, without trailing numbers.
    pub(super) names: BTreeMap<String, u64>,
}

impl KernelView {
    /// Reads the facts about these addresses.
    pub(super) fn read(wanted: &[ListenAddr]) -> KernelView {
        let all = listening();
        let mut listeners: Vec<Listener> = wanted
            .iter()
            .map(|wanted| Listener {
                wanted: wanted.to_string(),
                sockets: match wanted {
                    ListenAddr::Tcp(address) => all
                        .iter()
                        .filter(|found| {
                            let (ours, theirs) = (address.ip(), found.address.ip());
                            let is_wildcard = ours.is_unspecified() || theirs.is_unspecified();
                            found.address.port() == address.port()
                                && (is_wildcard || ours == theirs)
                        })
                        .map(|found| Socket {
                            address: found.address.to_string(),
                            depth: Some(found.depth),
                            limit: found.limit,
                            holders: Vec::new(),
                            inode: found.inode,
                        })
                        .collect(),
                    ListenAddr::Unix(path) => unix_listeners(path),
                    ListenAddr::Fd(_) => Vec::new(),
                },
            })
            .collect();
        let processes = find_owners(&mut listeners);
        let ports = wanted.iter().filter_map(ListenAddr::tcp).map(|address| address.port());
        let ports: BTreeSet<u16> = order::gathered(ports);
        KernelView {
            listeners,
            processes,
            connections: connections(&ports),
            listen_overflows: listen_losses().overflows,
        }
    }
}

fn unix_listeners(path: &std::path::Path) -> Vec<Socket> {
    let sockets = procfs::net::unix().unwrap_or_default().into_iter();
    // Accepted connections have the same path as the listener, which alone is not connected.
    let sockets = sockets.filter(|socket| {
        socket.path.as_deref() == Some(path) && socket.state == UnixState::UNCONNECTED
    });
    let sockets = sockets.map(|socket| Socket {
        address: format!("unix:{}", path.display()),
        depth: None,
        limit: None,
        holders: Vec::new(),
        inode: socket.inode,
    });
    sockets.collect()
}

/// Adds the owners of each socket, and returns each process once.
fn find_owners(listeners: &mut [Listener]) -> Vec<Owner> {
    let mut owners = Vec::new();
    for process in all_processes().into_iter().flatten().flatten() {
        let Ok(files) = process.fd() else { continue };
        let inodes = files.filter_map(|file| match file.ok()?.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        });
        let inodes: BTreeSet<u64> = order::gathered(inodes);
        let mut is_owner = false;
        for socket in listeners.iter_mut().flat_map(|listener| &mut listener.sockets) {
            if inodes.contains(&socket.inode) {
                socket.holders.push(process.pid);
                is_owner = true;
            }
        }
        if is_owner {
            owners.extend(owner(&process));
        }
    }
    owners
}

fn owner(process: &Process) -> Option<Owner> {
    let stat = process.stat().ok()?;
    let mut groups: BTreeMap<(char, Option<String>), BTreeMap<String, u64>> = BTreeMap::new();
    for task in process.tasks().into_iter().flatten().flatten() {
        let Ok(stat) = task.stat() else { continue };
        let waits_in = waits_in(process.pid, task.tid);
        let names = groups.entry((stat.state, waits_in)).or_default();
        *names.entry(base_name(&stat.comm)).or_default() += 1;
    }
    let threads = groups.into_iter();
    let threads = threads.map(|((state, waits_in), names)| ThreadGroup { state, waits_in, names });
    Some(Owner {
        name: stat.comm,
        state: stat.state,
        facts: ProcessInfo::of(process.pid).ok(),
        pid: process.pid,
        threads: threads.collect(),
    })
}

/// Returns a thread's name without the number at its end: `pw-worker` for `pw-worker-7`.
fn base_name(name: &str) -> String {
    let kind = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let kind = kind.strip_suffix(['-', '_', ' ', '#', ':', '/']).unwrap_or(name);
    if kind.is_empty() { name.to_owned() } else { kind.to_owned() }
}

/// Returns the wait channel of a thread. The kernel shows `0` for a thread that runs, and for one that
/// this user may not examine.
fn waits_in(pid: i32, tid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/wchan")).ok()?;
    let name = text.trim();
    (!name.is_empty() && name != "0").then(|| name.to_owned())
}

/// Counts the TCP connections at these ports by state.
fn connections(ports: &BTreeSet<u16>) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    for entry in tables.into_iter().flatten().flatten() {
        if ports.contains(&entry.local_address.port())
            && let Some(state) = state_name(&entry.state)
        {
            *counts.entry(state).or_default() += 1;
        }
    }
    counts
}

/// Returns the name of a state as in `ss`; `None` for a listener, which is no connection.
const fn state_name(state: &TcpState) -> Option<&'static str> {
    Some(match state {
        TcpState::Established => "ESTAB",
        TcpState::SynSent => "SYN-SENT",
        TcpState::SynRecv | TcpState::NewSynRecv => "SYN-RECV",
        TcpState::FinWait1 => "FIN-WAIT-1",
        TcpState::FinWait2 => "FIN-WAIT-2",
        TcpState::TimeWait => "TIME-WAIT",
        TcpState::Close => "UNCONN",
        TcpState::CloseWait => "CLOSE-WAIT",
        TcpState::LastAck => "LAST-ACK",
        TcpState::Closing => "CLOSING",
        TcpState::Listen => return None,
    })
}

#[cfg(test)]
impl Socket {
    pub(super) fn for_tests(
        address: &str,
        depth: u32,
        limit: Option<u32>,
        holders: &[i32],
    ) -> Socket {
        let (depth, holders) = (Some(depth), holders.to_vec());
        Socket { address: address.to_owned(), depth, limit, holders, inode: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn base_name_of_a_thread_has_no_number() {
        for (name, kind) in [
            ("pw-worker-7", "pw-worker"),
            ("pw-acceptor", "pw-acceptor"),
            ("python3", "python3"),
            ("kworker/0:1", "kworker/0"),
            ("-7", "-7"),
            ("42", "42"),
        ] {
            assert_eq!(base_name(name), kind);
        }
    }

    #[test]
    fn view_has_sockets_queues_owners_and_connections() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let unix = UnixListener::bind(&path).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let waiting: Vec<_> =
            (0..2).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        let wanted = [
            ListenAddr::Tcp(([0, 0, 0, 0], port).into()),
            ListenAddr::Unix(path),
            ListenAddr::Tcp(([127, 0, 0, 2], port).into()),
        ];
        let view = KernelView::read(&wanted);
        let this = std::process::id().cast_signed();
        let [tcp_seen, unix_seen, elsewhere] = &view.listeners[..] else { panic!() };
        assert_eq!(tcp_seen.sockets.len(), 1, "{view:?}");
        assert_eq!(
            (tcp_seen.sockets[0].depth, &tcp_seen.sockets[0].holders[..]),
            (Some(2), &[this][..])
        );
        assert_eq!(unix_seen.sockets.len(), 1, "{view:?}");
        assert_eq!(unix_seen.sockets[0].holders, [this]);
        assert!(elsewhere.sockets.is_empty(), "{view:?}");
        let [owner] = &view.processes[..] else { panic!("{view:?}") };
        assert_eq!(owner.pid, this);
        assert!(owner.threads.iter().flat_map(|group| group.names.values()).sum::<u64>() >= 1);
        assert!(owner.facts.as_ref().unwrap().open_files > 3);
        assert!(view.connections["ESTAB"] >= 2, "{view:?}");
        drop((waiting, unix, tcp));
    }
}
