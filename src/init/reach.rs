//! Addresses by which browsers reach the server: the names in its certificate, and the printed addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::machine;
use crate::access::HostName;
use crate::config::ListenAddr;

/// Names of this machine for itself.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Names and addresses of a machine.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// Its host names.
    pub host_names: Vec<HostName>,
    /// Addresses by which others reach it, the most probable one first.
    pub addresses: Vec<IpAddr>,
}

impl Machine {
    /// Returns those of this machine.
    pub(super) fn this() -> Machine {
        Machine { host_names: machine::host_names(), addresses: machine::addresses() }
    }
}

/// Addresses by which browsers reach the server.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Names of the certificate.
    pub names: Vec<HostName>,
    /// URLs for every machine that may reach the server, the best one first.
    pub urls: Vec<String>,
    /// URL for this machine, if the server listens there.
    pub local_url: Option<String>,
}

impl Reach {
    /// Returns it for a server with these names (`--name`) and public addresses.
    pub(super) fn of(given: Vec<HostName>, listen: &[ListenAddr], machine: &Machine) -> Reach {
        let listen: Vec<SocketAddr> = listen.iter().filter_map(ListenAddr::tcp).collect();
        let local_url = listen.iter().find_map(local_url);
        let urls = urls(&given, &listen, machine);
        Reach { names: names(given, &listen, machine), urls, local_url }
    }
}

/// Returns the names of the certificate: those given, or else the host's, those of this machine for
/// itself, and its addresses.
fn names(given: Vec<HostName>, listen: &[SocketAddr], machine: &Machine) -> Vec<HostName> {
    let is_remote = listen.iter().any(|address| !address.ip().is_loopback());
    let local = LOCAL_NAMES.iter().filter_map(|name| name.parse().ok());
    let listened = listen.iter().map(SocketAddr::ip).filter(|address| !address.is_unspecified());
    let others = machine.addresses.iter().copied().filter(|_| is_remote);
    let addresses = listened.chain(others).filter_map(|address| address.to_string().parse().ok());
    let hosts = if given.is_empty() && is_remote { machine.host_names.clone() } else { given };
    let mut names: Vec<HostName> = Vec::new();
    for name in hosts.into_iter().chain(local).chain(addresses) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns the URLs by the first given name, and by an address that the server listens on.
fn urls(given: &[HostName], listen: &[SocketAddr], machine: &Machine) -> Vec<String> {
    let remote = listen.iter().find(|address| !address.ip().is_loopback());
    let Some(address) = remote.or(listen.first()) else { return Vec::new() };
    let named = given.first().map(|name| url(&name.to_string(), address.port()));
    let numbered = remote.and_then(|address| {
        let ip = match address.ip() {
            // A listener of one family does not accept the other.
            ip if ip.is_unspecified() => {
                machine.addresses.iter().find(|it| it.is_ipv4() == ip.is_ipv4()).copied()
            }
            ip => Some(ip),
        };
        Some(url(&ip?.to_string(), address.port()))
    });
    named.into_iter().chain(numbered).collect()
}

/// Returns the URL of a listener for browsers of this machine.
fn local_url(address: &SocketAddr) -> Option<String> {
    let ip = address.ip();
    let is_localhost = ip.is_unspecified()
        || ip == IpAddr::from(Ipv4Addr::LOCALHOST)
        || ip == IpAddr::from(Ipv6Addr::LOCALHOST);
    let host = match is_localhost {
        true => "localhost".to_owned(),
        false if ip.is_loopback() => ip.to_string(),
        false => return None,
    };
    Some(url(&host, address.port()))
}

fn url(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("https://[{host}]:{port}/"),
        false => format!("https://{host}:{port}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_address_is_one_that_is_listened_on() {
        let machine = Machine {
            host_names: vec!["pump".parse().unwrap()],
            addresses: ["192.168.1.5", "fd00::7", "172.17.0.1"]
                .map(|it| it.parse().unwrap())
                .into(),
        };
        for (given, listen, urls, local) in [
            ("", "127.0.0.1:6443", "", "https://localhost:6443/"),
            ("", "[::1]:6443", "", "https://localhost:6443/"),
            ("", "127.0.0.2:6443", "", "https://127.0.0.2:6443/"),
            ("", "0.0.0.0:6443", "https://192.168.1.5:6443/", "https://localhost:6443/"),
            ("", "[::]:6443", "https://[fd00::7]:6443/", "https://localhost:6443/"),
            ("", "172.17.0.1:6443", "https://172.17.0.1:6443/", ""),
            ("", "127.0.0.1:1 192.168.1.5:2", "https://192.168.1.5:2/", "https://localhost:1/"),
            (
                "tank.example",
                "127.0.0.1:7443",
                "https://tank.example:7443/",
                "https://localhost:7443/",
            ),
            (
                "tank.example",
                "0.0.0.0:443",
                "https://tank.example:443/ https://192.168.1.5:443/",
                "https://localhost:443/",
            ),
        ] {
            let listen: Vec<ListenAddr> =
                listen.split(' ').map(|address| address.parse().unwrap()).collect();
            let given = given.parse().into_iter().collect();
            let reach = Reach::of(given, &listen, &machine);
            assert_eq!(reach.urls.join(" "), urls, "{listen:?}");
            assert_eq!(reach.local_url.as_deref().unwrap_or_default(), local, "{listen:?}");
            // The certificate has the host of each.
            let names: Vec<String> = reach.names.iter().map(ToString::to_string).collect();
            for url in reach.urls.iter().chain(&reach.local_url) {
                let host = url.trim_start_matches("https://").rsplit_once(':').unwrap().0;
                let host = host.trim_matches(['[', ']']).to_owned();
                assert!(names.contains(&host), "{host} is not in {names:?}");
            }
        }
    }
}
