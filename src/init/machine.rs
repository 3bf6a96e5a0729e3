//! Names and addresses of this machine, for its certificate.

use std::fs;
use std::net::IpAddr;

use crate::access::HostName;

/// Maximum number of addresses in the certificate.
const MAX_ADDRESSES: usize = 16;

/// Returns the host name and its name by multicast DNS (RFC 6762), if they are valid ones.
pub(super) fn host_names() -> Vec<HostName> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    names_of(name.trim())
}

fn names_of(name: &str) -> Vec<HostName> {
    let has_meaning = !name.is_empty() && name != "localhost" && name != "(none)";
    let local = format!("{name}.local");
    let names = [Some(name), (!name.contains('.')).then_some(&*local)];
    let names = names.into_iter().flatten().filter(|_| has_meaning);
    // A certificate cannot name hosts with underscores.
    names.filter(|name| !name.contains('_')).filter_map(|name| name.parse().ok()).collect()
}

/// Returns the addresses by which other machines reach this one.
///
/// Link-local addresses of IPv6 are left out: browsers cannot open them.
pub(super) fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| interface.ip())
        .collect();
    // Those of IPv4 first.
    addresses.sort();
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
}
