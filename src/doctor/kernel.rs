//! What the kernel knows of whoever listens: its process, its queue, where its threads wait.
//! What `ss -ltnp`, `ls /proc/PID/fd` and `cat /proc/PID/task/*/wchan` would tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use procfs::net::{TcpState, UnixState};
use procfs::process::{FDTarget, Process, all_processes};
use serde::Serialize;

use crate::config::ListenAddr;
use crate::kernel::listen_queue::{listen_losses, listening};
use crate::kernel::process::ProcessInfo;

/// All of it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Kernel {
    /// For each address that was looked for.
    pub(super) listeners: Vec<Listener>,
    /// Whoever holds one of them.
    pub(super) processes: Vec<Holder>,
    /// Connections at those ports, by the state that `ss` calls them by.
    pub(super) connections: BTreeMap<&'static str, u64>,
    /// Of the host, since it started.
    pub(super) listen_overflows: u64,
}

/// An address, and what was found there.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Listener {
    /// As configured.
    pub(super) wanted: String,
    /// The sockets that listen there.
    pub(super) sockets: Vec<Socket>,
}

/// A listening socket.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Socket {
    pub(super) address: String,
    /// Connections that wait to be accepted; of a unix socket the kernel does not tell.
    pub(super) depth: Option<u32>,
    /// Connections that may wait.
    pub(super) limit: Option<u32>,
    /// Numbers of the processes that hold it; empty when those are another user's.
    pub(super) holders: Vec<i32>,
    #[serde(skip)]
    inode: u64,
}

/// A process that holds a listener.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Holder {
    pub(super) name: String,
    /// `R`, `S`, `D`, `T`… of proc(5).
    pub(super) state: char,
    pub(super) facts: Option<ProcessInfo>,
    pub(super) pid: i32,
    /// Its threads, by what they do.
    pub(super) threads: Vec<Threads>,
}

/// Threads that wait in the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Threads {
    pub(super) state: char,
    /// The kernel's function, where we may know it.
    pub(super) waits_in: Option<String>,
    /// How many there are of each name.
    pub(super) names: BTreeMap<String, u64>,
}

impl Kernel {
    /// Looks for whoever listens at these addresses.
    pub(super) fn look(wanted: &[ListenAddr]) -> Kernel {
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
                            let anywhere = ours.is_unspecified() || theirs.is_unspecified();
                            found.address.port() == address.port() && (anywhere || ours == theirs)
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
        let processes = name_holders(&mut listeners);
        let ports: BTreeSet<u16> = wanted
            .iter()
            .filter_map(|wanted| match wanted {
                ListenAddr::Tcp(address) => Some(address.port()),
                _ => None,
            })
            .collect();
        Kernel {
            listeners,
            processes,
            connections: connections(&ports),
            listen_overflows: listen_losses().overflows,
        }
    }
}

fn unix_listeners(path: &std::path::Path) -> Vec<Socket> {
    let sockets = procfs::net::unix().unwrap_or_default().into_iter();
    // One that listens is not connected, and its clients' ends have the same name.
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

/// Finds who holds the sockets; gives each process once.
fn name_holders(listeners: &mut [Listener]) -> Vec<Holder> {
    let mut holders = Vec::new();
    for process in all_processes().into_iter().flatten().flatten() {
        let Ok(files) = process.fd() else { continue };
        let inodes: BTreeSet<u64> = files
            .filter_map(|file| match file.ok()?.target {
                FDTarget::Socket(inode) => Some(inode),
                _ => None,
            })
            .collect();
        let mut holds = false;
        for socket in listeners.iter_mut().flat_map(|listener| &mut listener.sockets) {
            if inodes.contains(&socket.inode) {
                socket.holders.push(process.pid);
                holds = true;
            }
        }
        if holds {
            holders.extend(holder(&process));
        }
    }
    holders
}

fn holder(process: &Process) -> Option<Holder> {
    let stat = process.stat().ok()?;
    let mut groups: BTreeMap<(char, Option<String>), BTreeMap<String, u64>> = BTreeMap::new();
    for task in process.tasks().into_iter().flatten().flatten() {
        let Ok(stat) = task.stat() else { continue };
        let waits_in = waits_in(process.pid, task.tid);
        let names = groups.entry((stat.state, waits_in)).or_default();
        *names.entry(kind_of(&stat.comm)).or_default() += 1;
    }
    let threads = groups.into_iter();
    let threads = threads.map(|((state, waits_in), names)| Threads { state, waits_in, names });
    Some(Holder {
        name: stat.comm,
        state: stat.state,
        facts: ProcessInfo::of(process.pid).ok(),
        pid: process.pid,
        threads: threads.collect(),
    })
}

/// The name without a number at its end: `pw-worker-7` is one of `pw-worker`.
fn kind_of(name: &str) -> String {
    let kind = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let kind = kind.strip_suffix(['-', '_', ' ', '#', ':', '/']).unwrap_or(name);
    if kind.is_empty() { name.to_owned() } else { kind.to_owned() }
}

/// The kernel says `0` of a thread that runs, and of other users'.
fn waits_in(pid: i32, tid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/wchan")).ok()?;
    let name = text.trim();
    (!name.is_empty() && name != "0").then(|| name.to_owned())
}

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

/// As `ss` names it; a listener is no connection.
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
    fn kinds_of_threads() {
        for (name, kind) in [
            ("pw-worker-7", "pw-worker"),
            ("pw-acceptor", "pw-acceptor"),
            ("python3", "python3"),
            ("kworker/0:1", "kworker/0"),
            ("-7", "-7"),
            ("42", "42"),
        ] {
            assert_eq!(kind_of(name), kind);
        }
    }

    #[test]
    fn who_listens_and_who_waits() {
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
        let kernel = Kernel::look(&wanted);
        let this = std::process::id().cast_signed();
        let [tcp_seen, unix_seen, elsewhere] = &kernel.listeners[..] else { panic!() };
        assert_eq!(tcp_seen.sockets.len(), 1, "{kernel:?}");
        assert_eq!(
            (tcp_seen.sockets[0].depth, &tcp_seen.sockets[0].holders[..]),
            (Some(2), &[this][..])
        );
        assert_eq!(unix_seen.sockets.len(), 1, "{kernel:?}");
        assert_eq!(unix_seen.sockets[0].holders, [this]);
        assert!(elsewhere.sockets.is_empty(), "{kernel:?}");
        let [holder] = &kernel.processes[..] else { panic!("{kernel:?}") };
        assert_eq!(holder.pid, this);
        assert!(holder.threads.iter().flat_map(|group| group.names.values()).sum::<u64>() >= 1);
        assert!(holder.facts.as_ref().unwrap().open_files > 3);
        assert!(kernel.connections["ESTAB"] >= 2, "{kernel:?}");
        drop((waiting, unix, tcp));
    }
}
