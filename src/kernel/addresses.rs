//! IP addresses of this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Socket, Type};

/// Returns true if a listener could be bound to the address now, whatever its port: an interface has it, or
/// it stands for all.
pub fn is_assigned(address: SocketAddr) -> bool {
    let mut any_port = address;
    any_port.set_port(0);
    // UDP, whose ports are not those of listeners.
    let bind = || {
        let socket = Socket::new(Domain::for_address(any_port), Type::DGRAM, None)?;
        if any_port.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&any_port.into())
    };
    bind().is_ok()
}

/// Returns the address that this machine sends from on its default route, in the family of an address.
pub fn default_source(family: IpAddr) -> Option<IpAddr> {
    // Addresses of documentation (RFC 5737, RFC 3849): the way to them is the default route.
    source_towards(match family {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    })
}

/// Returns the address that this machine sends from on its way to another. Nothing is sent.
fn source_towards(other: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match other {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((other, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_address_is_that_of_the_route() {
        assert_eq!(source_towards(Ipv4Addr::LOCALHOST.into()), Some(Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn only_addresses_of_this_machine_are_assigned() {
        for (address, expected) in
            [("127.0.0.1:1", true), ("0.0.0.0:443", true), ("192.0.2.77:443", false)]
        {
            assert_eq!(is_assigned(address.parse().unwrap()), expected, "{address}");
        }
    }
}
