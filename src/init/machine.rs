//! Names and addresses of this machine, for its certificate and the printed address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::access::HostName;
use crate::kernel::addresses::default_source;
use crate::kernel::host_name::host_name;
use crate::order;

/// Maximum number of addresses in the certificate.
const MAX_ADDRESSES: usize = 16;

/// Returns the host name and its name by multicast DNS (RFC 6762), if they are valid ones.
pub(super) fn host_names() -> Vec<HostName> {
    names_of(&host_name())
}

fn names_of(name: &str) -> Vec<HostName> {
    let has_meaning = !name.is_empty() && name != "localhost" && name != "(none)";
    let local = format!("{name}.local");
    let names = [Some(name), (!name.contains('.')).then_some(&*local)];
    let names = names.into_iter().flatten().filter(|_| has_meaning);
    // A certificate cannot name hosts with underscores.
    let names = names.filter(|name| !name.contains('_')).filter_map(|name| name.parse().ok());
    names.filter(HostName::is_certifiable).collect()
}

/// Returns the addresses by which other machines reach this one: first those on the default route.
///
/// Link-local addresses of IPv6 are left out: browsers cannot open them.
pub(super) fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| interface.ip())
        .collect();
    let families: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    ordered(addresses, &families.into_iter().filter_map(default_source).collect::<Vec<_>>())
}

/// Returns the addresses with the preferred ones first, then those of IPv4. Bridges of containers have
/// addresses, too, which other machines do not reach.
fn ordered(mut addresses: Vec<IpAddr>, preferred: &[IpAddr]) -> Vec<IpAddr> {
    let rank = |address: &IpAddr| preferred.iter().position(|it| it == address);
    order::sort_by_key(&mut addresses, |address| {
        (rank(address).unwrap_or(preferred.len()), *address)
    });
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_name_has_its_local_form_too() {
        let names =
            |name| -> Vec<String> { names_of(name).iter().map(ToString::to_string).collect() };
        assert_eq!(names("Pump"), ["pump", "pump.local"]);
        assert_eq!(names("tank.example"), ["tank.example"]);
        for none in ["", "localhost", "(none)", "my_pi", "a b"] {
            assert_eq!(names(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn address_of_the_default_route_precedes_those_of_bridges() {
        let parsed = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let all = parsed(&["fd00::7", "172.17.0.1", "192.168.1.5", "172.17.0.1", "10.88.0.1"]);
        let expected = parsed(&["192.168.1.5", "fd00::7", "10.88.0.1", "172.17.0.1"]);
        assert_eq!(ordered(all.clone(), &parsed(&["192.168.1.5", "fd00::7"])), expected);
        // A source address that no interface has is none of the addresses.
        let sorted = parsed(&["10.88.0.1", "172.17.0.1", "192.168.1.5", "fd00::7"]);
        assert_eq!(ordered(all, &parsed(&["1.1.1.1"])), sorted);
    }
}
