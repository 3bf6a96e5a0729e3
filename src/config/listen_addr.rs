//! Addresses to listen on: TCP, a unix socket, or a socket that the supervisor passes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use toml_span::Span;

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
    /// Returns the address of a TCP listener.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            ListenAddr::Tcp(address) => Some(*address),
            ListenAddr::Unix(_) | ListenAddr::Fd(_) => None,
        }
    }

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
    let texts = section.strings(key).unwrap_or_default();
    for Spanned { value, span } in texts.clone() {
        match value.parse() {
            Ok(address) => {
                note_localhost(section, key, span, &value, &texts);
                addresses.extend(local_path(section, key, span, address));
            }
            Err(error) => report_invalid(section, key, span, &value, &error),
        }
    }
    addresses
}

/// Returns the address, unless its path is meant for a shell.
fn local_path(
    section: &Section<'_, '_>,
    key: &str,
    span: Span,
    address: ListenAddr,
) -> Option<ListenAddr> {
    if let ListenAddr::Unix(path) = &address {
        section.path_in(key, Spanned { value: path.to_string_lossy().into_owned(), span })?;
    }
    Some(address)
}

/// Notes that `localhost`, which usually has two addresses, stands for one of them.
fn note_localhost(
    section: &Section<'_, '_>,
    key: &str,
    span: Span,
    value: &str,
    all: &[Spanned<String>],
) {
    let Some(port) = value.strip_prefix("localhost:") else { return };
    let other = format!("[::1]:{port}");
    if all.iter().all(|text| text.value != other) {
        let message = format_args!(
            "\"{key}\": \"{value}\" is 127.0.0.1:{port} alone; add \"{other}\", which is localhost, too, \
             for clients that use IPv6"
        );
        section.warn(span, message);
    }
}

/// Reports a text that is no address. For the name of a host, the error has its addresses.
fn report_invalid(
    section: &Section<'_, '_>,
    key: &str,
    span: Span,
    value: &str,
    error: &ListenAddrError,
) {
    let is_host = |host: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        host.chars().all(is_part) && host.contains(|c: char| c.is_ascii_alphabetic())
    };
    let named = value.rsplit_once(':').filter(|(host, _)| is_host(host));
    let Some((host, port)) = named.filter(|(_, port)| port.parse::<u16>().is_ok()) else {
        return section.report(span, format_args!("\"{key}\": {error}"));
    };
    let addresses: Vec<String> = section
        .addresses_of(host)
        .into_iter()
        .map(|ip| match ip {
            IpAddr::V4(ip) => format!("\"{ip}:{port}\""),
            IpAddr::V6(ip) => format!("\"[{ip}]:{port}\""),
        })
        .collect();
    let advice = match addresses.as_slice() {
        [] => format!("write an address of this machine, such as \"192.168.1.5:{port}\""),
        [one] => format!("write its address, {one}"),
        several => {
            format!("it has several addresses; write those to listen on: {}", several.join(", "))
        }
    };
    section.report(
        span,
        format_args!(
            "\"{key}\": \"{value}\" has the name of a host in place of an address; {advice}"
        ),
    );
}
