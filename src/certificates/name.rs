//! Names of certificates: host names, wildcards and IP addresses.
//!
//! The syntax is that of rustls, whose rules browsers share: at most 253 characters, labels of at most 63, and
//! no number as the last label, which would be an IP address (WHATWG URL, RFC 1123 2.1). A name with an
//! underscore is none by RFC 1123, but is common in private networks, and clients accept it.
//!
//! A wildcard is the whole first label (RFC 9525 6.3). Browsers, OpenSSL, curl and rustls ignore one before
//! fewer than two labels, such as `*.local`, so none is made for those.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::access::HostName;

/// Maximum number of characters of a name that a message repeats.
const MAX_SHOWN: usize = 64;

/// Maximum number of characters of a host name.
const MAX_LENGTH: usize = 253;

/// Maximum number of characters of one of its labels.
const MAX_LABEL: usize = 63;

/// Reason why a text is not a name for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty or blank.
    #[error("a name is empty: give a host name such as tank.example, or an IP address")]
    Empty,
    /// It is a URL, or a name with a port, brackets, a path or spaces.
    #[error("\"{shown}\" is more than a host name or an IP address: did you mean \"{meant}\"?")]
    NotBare {
        /// The text, cut.
        shown: String,
        /// The name in it.
        meant: String,
    },
    /// It is a range of addresses.
    #[error(
        "\"{0}\" is a range of addresses, and a certificate is for single ones: give each address by which \
         clients reach the server"
    )]
    Network(String),
    /// Clients ignore the wildcard.
    #[error(
        "\"{0}\" is a wildcard that clients ignore: they accept * as the whole first label, with at least two \
         labels after it, such as *.tank.example; give each name by itself"
    )]
    Wildcard(String),
    /// It has letters beyond ASCII.
    #[error(
        "\"{0}\" has other letters than a to z: give the name in its xn-- form, which the program idn2 prints"
    )]
    NotAscii(String),
    /// Its last label is a number, so that clients take it for an IPv4 address.
    #[error("\"{0}\" ends in a number as IPv4 addresses do, and is none")]
    Number(String),
    /// It is too long.
    #[error(
        "\"{shown}\" has {length} characters: a host name has at most {MAX_LENGTH}, and each of its labels at most \
         {MAX_LABEL}"
    )]
    Long {
        /// The text, cut.
        shown: String,
        /// Number of its characters.
        length: usize,
    },
    /// It has other characters, or empty labels.
    #[error(
        "\"{0}\" is not a host name: each label has letters, digits, - and _ only, and no - at its beginning or \
         end"
    )]
    Malformed(String),
}

/// Returns a name as certificates have it: in lower case, without a final dot.
///
/// # Errors
/// It is no name that clients accept.
pub(super) fn parse(text: &str) -> Result<String, NameError> {
    valid(text).ok_or_else(|| error(text))
}

/// Checks that clients accept a certificate for a host.
///
/// # Errors
/// They do not.
pub fn check_host(name: &HostName) -> Result<(), NameError> {
    if name.is_certifiable() { Ok(()) } else { Err(error(&name.to_string())) }
}

/// Returns true if clients can find a DNS name of a certificate: it is a host name or a wildcard. An IP
/// address is none, as clients compare it with addresses only.
///
/// A wildcard before one label is accepted, since Go's clients accept it.
pub(super) fn is_dns_name(text: &str) -> bool {
    !text.ends_with('.') && dns_name(text.strip_prefix("*.").unwrap_or(text)).is_some()
}

fn valid(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    match text.strip_prefix("*.") {
        Some(parent) => {
            dns_name(parent).filter(|name| name.contains('.')).map(|it| format!("*.{it}"))
        }
        None => dns_name(text),
    }
}

fn dns_name(text: &str) -> Option<String> {
    let name: HostName = text.parse().ok()?;
    (!name.is_address() && name.is_certifiable()).then(|| name.to_string())
}

/// Returns the name that a text is or has in it, such as the host of a URL.
pub(super) fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    match text.parse::<IpNet>() {
        Ok(network) if network.addr() == network.network() => None,
        // An address with the length of its network, as `ip address` prints it.
        Ok(network) => Some(network.addr().to_string()),
        Err(_) => valid(bare(text)),
    }
}

/// Returns the beginning of a text for a message.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Returns the error for a text that is not a name.
fn error(text: &str) -> NameError {
    let shown = shown(text);
    if text.trim().is_empty() {
        return NameError::Empty;
    }
    if let Some(meant) = meant(text) {
        return NameError::NotBare { shown, meant };
    }
    if text.trim().parse::<IpNet>().is_ok() {
        return NameError::Network(shown);
    }
    let length = text.chars().count();
    let labels = || text.trim_end_matches('.').split('.');
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    if text.contains('*') {
        NameError::Wildcard(shown)
    } else if text.contains(|c: char| !c.is_ascii() && c.is_alphanumeric()) {
        NameError::NotAscii(shown)
    } else if length > MAX_LENGTH || labels().any(|label| label.len() > MAX_LABEL) {
        NameError::Long { shown, length }
    } else if labels().all(|label| !label.is_empty()) && labels().next_back().is_some_and(is_number)
    {
        NameError::Number(shown)
    } else {
        NameError::Malformed(shown)
    }
}

/// Returns the host of a URL, or of a name with a port, brackets, a path or the zone of an IPv6 address.
fn bare(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let address = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or(literal),
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or(host),
        None => host,
    };
    address.split('%').next().unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_clients_accept_are_returned_in_lower_case() {
        let long = "a.".repeat(95) + &"b".repeat(63);
        for (text, expected) in [
            ("tank.example", "tank.example"),
            ("Tank.Example.", "tank.example"),
            ("localhost", "localhost"),
            ("my_pi.lan", "my_pi.lan"),
            ("xn--tnk-qla.example", "xn--tnk-qla.example"),
            ("*.Tank.example", "*.tank.example"),
            ("4.tank7", "4.tank7"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("::1", "::1"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(long.len(), 253);
        assert_eq!(parse(&long), Ok(long));
    }

    #[test]
    fn text_that_is_no_name_is_refused_with_the_name_that_is_meant() {
        let letters = "a".repeat(300);
        let labels = "a.".repeat(127) + "a";
        for (text, expected) in [
            ("", "a name is empty"),
            (" ", "a name is empty"),
            ("https://tank.example", "did you mean \"tank.example\"?"),
            ("https://anna:b@Tank.example:6443/path?a#b", "did you mean \"tank.example\"?"),
            ("https://[2001:db8::7]:6443/", "did you mean \"2001:db8::7\"?"),
            ("tank.example:6443", "did you mean \"tank.example\"?"),
            ("tank.example/", "did you mean \"tank.example\"?"),
            (" tank.example", "did you mean \"tank.example\"?"),
            ("192.0.2.7:6443", "did you mean \"192.0.2.7\"?"),
            ("[::1]", "did you mean \"::1\"?"),
            ("[::1]:6443", "did you mean \"::1\"?"),
            ("[192.0.2.7]", "did you mean \"192.0.2.7\"?"),
            ("fe80::1%eth0", "did you mean \"fe80::1\"?"),
            ("192.0.2.7/24", "did you mean \"192.0.2.7\"?"),
            ("*.tank.example:6443", "did you mean \"*.tank.example\"?"),
            ("10.0.0.0/8", "is a range of addresses"),
            ("2001:db8::/32", "is a range of addresses"),
            ("*", "is a wildcard that clients ignore"),
            ("*.*", "is a wildcard that clients ignore"),
            ("*.local", "is a wildcard that clients ignore"),
            ("*.10.0.0.1", "is a wildcard that clients ignore"),
            ("t*.tank.example", "is a wildcard that clients ignore"),
            ("a.*.example", "is a wildcard that clients ignore"),
            ("ünï.example", "give the name in its xn-- form"),
            ("https://ünï.example/", "give the name in its xn-- form"),
            ("10.0.0.999", "ends in a number"),
            ("tank.1", "ends in a number"),
            ("127", "ends in a number"),
            (&letters, "has 300 characters"),
            (&labels, "has 255 characters"),
            ("a..b", "is not a host name"),
            ("tank.example..", "is not a host name"),
            (".", "is not a host name"),
            ("a b", "is not a host name"),
            ("tank,well.example", "is not a host name"),
            ("-renew", "is not a host name"),
            ("a-.example", "is not a host name"),
            ("tank\u{202e}.example", "is not a host name"),
            ("https://", "is not a host name"),
            (":6443", "is not a host name"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            let shown: String = text.chars().take(MAX_SHOWN).collect();
            assert!(error.contains(&shown) || text == " ", "{text}: {error}");
            assert!(error.len() < 300, "{error}");
        }
    }

    #[test]
    fn dns_name_of_a_certificate_counts_if_a_client_can_find_it() {
        for (text, expected) in [
            ("tank.example", true),
            ("Tank.Example", true),
            ("*.tank.example", true),
            ("*.lan", true),
            ("", false),
            (" ", false),
            ("*", false),
            ("*.", false),
            ("tank.example.", false),
            ("https://tank.example", false),
            ("tank.example:6443", false),
            ("192.0.2.7", false),
            ("::1", false),
            ("[::1]", false),
        ] {
            assert_eq!(is_dns_name(text), expected, "{text}");
        }
    }
}
