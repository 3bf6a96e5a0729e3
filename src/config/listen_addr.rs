//! Addresses to listen on: TCP, a unix socket, or a socket that the supervisor passes.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::section::{Section, Spanned};

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddr {
    /// `host:port`, an IP address and a port.
    Tcp(SocketAddr),
    /// `unix:/path`
    Unix(PathBuf),
    /// `fd:N`, a listening socket passed by the supervisor.
    Fd(i32),
}

/// A text is not an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not an address to listen on; write \"0.0.0.0:6443\", \"[::]:6443\", \
     \"unix:/path\" or \"fd:0\""
)]
pub struct ListenAddrError(String);

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<ListenAddr, ListenAddrError> {
        let invalid = || ListenAddrError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.file_name().is_some() {
                Ok(ListenAddr::Unix(path))
            } else {
                Err(invalid())
            };
        }
        if let Some(number) = text.strip_prefix("fd:") {
            let number: u16 = number.parse().map_err(|_| invalid())?;
            return Ok(ListenAddr::Fd(number.into()));
        }
        // Names are not resolved, except the most common one.
        if let Some(port) = text.strip_prefix("localhost:") {
            let port: u16 = port.parse().map_err(|_| invalid())?;
            return Ok(ListenAddr::Tcp((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(ListenAddr::Tcp).map_err(|_| invalid())
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Tcp(address) => address.fmt(f),
            ListenAddr::Unix(path) => write!(f, "unix:{}", path.display()),
            ListenAddr::Fd(number) => write!(f, "fd:{number}"),
        }
    }
}

impl ListenAddr {
    /// Returns true if only this machine can reach the address.
    pub fn is_local(&self) -> bool {
        match self {
            ListenAddr::Tcp(address) => address.ip().is_loopback(),
            ListenAddr::Unix(_) => true,
            ListenAddr::Fd(_) => false,
        }
    }
}

/// An address is not local, so the admin listener must not use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the admin listener has no access control, so it must be on loopback (127.0.0.1, [::1]) \
     or a unix socket"
)]
pub struct NotLocalError;

/// Returns the address if the admin listener may use it.
///
/// # Errors
/// Other machines could reach it.
pub fn admin_address(address: ListenAddr) -> Result<ListenAddr, NotLocalError> {
    if address.is_local() { Ok(address) } else { Err(NotLocalError) }
}

/// Reads an array of addresses to listen on.
pub(super) fn read_all(section: &mut Section<'_, '_>, key: &str) -> Vec<ListenAddr> {
    let mut addresses = Vec::new();
    for Spanned { value, span } in section.strings(key).unwrap_or_default() {
        match value.parse() {
            Ok(address) => addresses.push(address),
            Err(error) => section.report(span, format_args!("\"{key}\": {error}")),
        }
    }
    addresses
}
