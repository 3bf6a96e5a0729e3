//! IP addresses of this machine.

use std::net::SocketAddr;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_assigned() {
        for (address, expected) in
            [("127.0.0.1:1", true), ("0.0.0.0:443", true), ("192.0.2.77:443", false)]
        {
            assert_eq!(is_assigned(address.parse().unwrap()), expected, "{address}");
        }
    }
}
