//! Notes on the addresses that a configuration listens on.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use procfs::process::Process;

use super::CheckError;
use crate::config::{Config, ListenAddr};
use crate::engine::{SocketPath, SocketPathError, inspect_socket_path};
use crate::file_error::user_name;
use crate::kernel::addresses::is_assigned;

/// Returns notes on addresses that this machine does not have, and on the paths at which unix sockets will
/// be created. Adds paths that a start would reject to `errors`.
pub(super) fn notes(config: &Config, errors: &mut Vec<CheckError>) -> Vec<String> {
    let redirects = config.tls.iter().flat_map(|tls| &tls.redirect_listen);
    let listeners = config.server.listen.iter().chain(redirects);
    let mut notes = Vec::new();
    for address in listeners.chain([&config.server.admin_listen]) {
        let path = match address {
            ListenAddr::Tcp(tcp) if !is_assigned(*tcp) => {
                notes.push(format!(
                    "{address}: this machine does not have the address now; a server waits for it, and \
                     serves at the others meanwhile"
                ));
                continue;
            }
            ListenAddr::Tcp(tcp) => {
                notes.extend(port_note(*tcp));
                continue;
            }
            ListenAddr::Fd(_) => continue,
            ListenAddr::Unix(path) => path,
        };
        match inspect_socket_path(path) {
            Ok(SocketPath::Free) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.exists()) {
                    let folder = folder.display();
                    notes.push(format!(
                        "{address}: the folder {folder} does not exist now, and no start makes it; systemd \
                         does by RuntimeDirectory= (examples/systemd)"
                    ));
                }
            }
            Ok(SocketPath::Abandoned) => {
                notes.push(format!("{address}: no process listens on it; a start replaces it"));
            }
            Ok(SocketPath::Listening) => {
                notes.push(format!("{address}: a process listens there now"));
            }
            // A server run by another user may have the permission.
            Err(error @ SocketPathError::Unknown(_)) => notes.push(format!("{address}: {error}")),
            Err(error) => errors.push(CheckError::Socket { address: address.clone(), error }),
        }
    }
    notes
}

/// Returns a note on a port that is no fixed one, or that this user must not bind.
fn port_note(address: SocketAddr) -> Option<String> {
    let port = address.port();
    if port == 0 {
        return Some(format!(
            "{address}: with port 0 the system chooses another port at each start, which the log names"
        ));
    }
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?;
    let first: u16 = first.trim().parse().ok()?;
    (port < first && !may_bind_privileged_ports()).then(|| {
        format!(
            "{address}: the user {} must not bind ports below {first}; let the supervisor bind it (\"fd:0\", \
             examples/supervisord-fcgi.conf, examples/systemd), or grant CAP_NET_BIND_SERVICE",
            user_name()
        )
    })
}

/// Returns true if this process has the capability CAP_NET_BIND_SERVICE (capabilities(7)), or if that is
/// unknown.
fn may_bind_privileged_ports() -> bool {
    const NET_BIND_SERVICE: u32 = 10;
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.capeff & (1 << NET_BIND_SERVICE) != 0)
}

/// Returns the families of IP that clients reach an address by, for addresses that stand for all of a machine:
/// each covers one.
pub(super) fn families(address: &ListenAddr, all: &[ListenAddr]) -> String {
    let Some(tcp) = address.tcp() else { return String::new() };
    let has = |other: IpAddr| {
        let other = SocketAddr::new(other, tcp.port());
        all.contains(&ListenAddr::Tcp(other))
    };
    let (covered, other) = match tcp.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => ("IPv4", std::net::Ipv6Addr::UNSPECIFIED.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => ("IPv6", std::net::Ipv4Addr::UNSPECIFIED.into()),
        _ => return String::new(),
    };
    let other_family = if covered == "IPv4" { "IPv6" } else { "IPv4" };
    if has(other) {
        return format!(" ({covered}; {other_family} by an address of its own)");
    }
    let other = SocketAddr::new(other, tcp.port());
    format!(" ({covered} only; add \"{other}\" for {other_family})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_address_names_the_family_that_it_covers() {
        for (listen, expected) in [
            (&["0.0.0.0:6443"][..], " (IPv4 only; add \"[::]:6443\" for IPv6)"),
            (&["[::]:6443"], " (IPv6 only; add \"0.0.0.0:6443\" for IPv4)"),
            (&["[::]:6443", "0.0.0.0:6444"], " (IPv6 only; add \"0.0.0.0:6443\" for IPv4)"),
            (&["[::]:6443", "0.0.0.0:6443"], " (IPv6; IPv4 by an address of its own)"),
            (&["0.0.0.0:6443", "[::]:6443"], " (IPv4; IPv6 by an address of its own)"),
            (&["127.0.0.1:6443", "[::]:6443"], ""),
            (&["unix:/run/x.sock"], ""),
        ] {
            let listen: Vec<ListenAddr> = listen.iter().map(|it| it.parse().unwrap()).collect();
            assert_eq!(families(&listen[0], &listen), expected, "{listen:?}");
        }
    }
}
