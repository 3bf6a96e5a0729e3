//! Authority of a request: host and port (RFC 3986 3.2.2 and 3.2.3).
//!
//! [`Authority::parse`] is the only parser of the Host field and of the authority in a target. The
//! check of a head, the access rules and the redirect to HTTPS read its result, so they cannot
//! disagree about the host of a request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Host and port, without userinfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    host: Host<'a>,
    written: &'a str,
    port: Option<u16>,
}

/// Host of an [`Authority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host<'a> {
    /// IPv4 address, or IPv6 address in brackets.
    Address(IpAddr),
    /// Registered name, as sent: neither decoded nor in lower case.
    Name(&'a str),
    /// Address of a later version of IP, in brackets.
    Future(&'a str),
}

/// Reason for which a text is not an [`Authority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Userinfo, which a server must not accept (RFC 9110 4.2.4).
    #[error("userinfo before the host")]
    Userinfo,
    /// Empty host, which an `http` URI must not have (RFC 9110 4.2.1).
    #[error("empty host")]
    EmptyHost,
    /// Neither an address nor a registered name.
    #[error("malformed host")]
    Host,
    /// Anything but a decimal number up to 65535 behind the colon.
    #[error("malformed port")]
    Port,
}

impl<'a> Authority<'a> {
    /// Parses `uri-host [ ":" port ]`. The port may be empty, as in `localhost:`.
    ///
    /// # Errors
    /// One error for each part that can break the grammar.
    pub fn parse(text: &'a [u8]) -> Result<Authority<'a>, AuthorityError> {
        if text.contains(&b'@') {
            return Err(AuthorityError::Userinfo);
        }
        let text = str::from_utf8(text).map_err(|_| AuthorityError::Host)?;
        let end = match text.strip_prefix('[') {
            Some(_) => text.find(']').ok_or(AuthorityError::Host)? + 1,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (written, port) = text.split_at(end);
        let host = host(written)?;
        Ok(Authority { host, written, port: self::port(port)? })
    }

    /// Returns the host.
    pub fn host(&self) -> Host<'a> {
        self.host
    }

    /// Returns the host as sent, an IPv6 address in its brackets.
    pub fn written_host(&self) -> &'a str {
        self.written
    }

    /// Returns the port; `None` if it was left out or empty.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Parses `IP-literal / IPv4address / reg-name`, of which the first that matches counts
/// (RFC 3986 3.2.2).
fn host(written: &str) -> Result<Host<'_>, AuthorityError> {
    if written.is_empty() {
        return Err(AuthorityError::EmptyHost);
    }
    if let Some(literal) = written.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address = literal.parse::<Ipv6Addr>().map(|address| Host::Address(address.into()));
        return match address {
            Ok(address) => Ok(address),
            Err(_) if is_future_address(literal) => Ok(Host::Future(written)),
            Err(_) => Err(AuthorityError::Host),
        };
    }
    if let Ok(address) = written.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    if is_registered_name(written) { Ok(Host::Name(written)) } else { Err(AuthorityError::Host) }
}

/// Parses `[ ":" *DIGIT ]` (RFC 3986 3.2.3).
fn port(text: &str) -> Result<Option<u16>, AuthorityError> {
    match text.strip_prefix(':') {
        None if text.is_empty() => Ok(None),
        Some("") => Ok(None),
        // `parse` alone would accept a sign.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map(Some).map_err(|_| AuthorityError::Port)
        }
        _ => Err(AuthorityError::Port),
    }
}

/// Matches `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )` (RFC 3986 3.2.2).
fn is_future_address(literal: &str) -> bool {
    let Some((version, address)) =
        literal.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    let is_plain = |byte: u8| byte == b':' || is_unreserved(byte) || is_delimiter(byte);
    !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !address.is_empty()
        && address.bytes().all(is_plain)
}

/// Matches `*( unreserved / pct-encoded / sub-delims )` (RFC 3986 3.2.2).
fn is_registered_name(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                tail
            }
            (first, tail) if is_unreserved(first) || is_delimiter(first) => tail,
            _ => return false,
        };
    }
    true
}

/// Matches `unreserved` (RFC 3986 2.3).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Matches `sub-delims` (RFC 3986 2.2).
const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns host and port of a text, for comparison.
    fn parsed(text: &str) -> Result<(Host<'_>, Option<u16>), AuthorityError> {
        Authority::parse(text.as_bytes()).map(|authority| (authority.host, authority.port))
    }

    #[test]
    fn authority_of_the_grammar_is_parsed() {
        let address = |text: &str| Host::Address(text.parse().unwrap());
        for (text, host, port) in [
            ("localhost", Host::Name("localhost"), None),
            ("localhost:6443", Host::Name("localhost"), Some(6443)),
            ("localhost:", Host::Name("localhost"), None),
            ("localhost:0", Host::Name("localhost"), Some(0)),
            ("localhost:00080", Host::Name("localhost"), Some(80)),
            ("localhost:65535", Host::Name("localhost"), Some(65535)),
            ("TANK.example.", Host::Name("TANK.example."), None),
            ("a%20b", Host::Name("a%20b"), None),
            ("a%20b:80", Host::Name("a%20b"), Some(80)),
            ("a-b_c~d!$&'()*+,;=", Host::Name("a-b_c~d!$&'()*+,;="), None),
            ("192.0.2.7:80", address("192.0.2.7"), Some(80)),
            ("192.0.2.256", Host::Name("192.0.2.256"), None),
            ("192.0.2", Host::Name("192.0.2"), None),
            ("[::1]", address("::1"), None),
            ("[::1]:", address("::1"), None),
            ("[2001:DB8::192.0.2.7]:443", address("2001:db8::c000:207"), Some(443)),
            ("[v1.fe80::a+en1]", Host::Future("[v1.fe80::a+en1]"), None),
            ("[vF.!]:1", Host::Future("[vF.!]"), Some(1)),
        ] {
            assert_eq!(parsed(text), Ok((host, port)), "{text}");
        }
        let authority = Authority::parse(b"[0:0::1]:80").unwrap();
        assert_eq!(authority.written_host(), "[0:0::1]");
    }

    #[test]
    fn authority_beyond_the_grammar_is_refused_by_its_broken_part() {
        use AuthorityError::{EmptyHost, Host, Port, Userinfo};
        for (text, error) in [
            ("localhost:abc", Port),
            ("localhost:-1", Port),
            ("localhost:+1", Port),
            ("localhost:99999", Port),
            ("localhost:65536", Port),
            ("localhost: 80", Port),
            ("localhost:80:80", Port),
            ("::1", EmptyHost),
            ("1::1", Port),
            ("[::1]x", Port),
            ("[::1]evil.example", Port),
            ("[::1]:x", Port),
            ("[::1]]", Port),
            ("[zz]", Host),
            ("[]", Host),
            ("[::1", Host),
            ("[127.0.0.1]", Host),
            ("[fe80::1%eth0]", Host),
            ("[fe80::1%25eth0]", Host),
            ("[v.x]", Host),
            ("[v1.]", Host),
            ("[vg.x]", Host),
            ("[v1.a/b]", Host),
            ("x[::1]", Host),
            ("a]", Host),
            ("a b", Host),
            ("a%2", Host),
            ("a%zz", Host),
            ("a/b", Host),
            ("a?b", Host),
            ("a#b", Host),
            ("a\\b", Host),
            ("a\"b", Host),
            ("a,b c", Host),
            ("é", Host),
            ("a\u{7f}", Host),
            ("", EmptyHost),
            (":80", EmptyHost),
            ("u@localhost", Userinfo),
            ("u:p@localhost:80", Userinfo),
            ("@", Userinfo),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
        assert_eq!(Authority::parse(b"\xff"), Err(Host));
    }
}
