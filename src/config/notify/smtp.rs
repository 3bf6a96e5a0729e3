//! `kind = "smtp"`: mail.

use std::net::{IpAddr, Ipv6Addr};

use super::super::kind::Login;
use super::super::section::{Section, Spanned};
use super::endpoint::{is_loopback, note_inline};
use super::{Smtp, SmtpSecurity};

/// Port of submission over implicit TLS (RFC 8314 7.3).
const SUBMISSIONS: u16 = 465;

/// Port of submission (RFC 6409 3.1).
const SUBMISSION: u16 = 587;

/// Port of a mail server on this machine (RFC 5321 4.5.4.2).
const RELAY: u16 = 25;

/// Longest address (RFC 5321 4.5.3.1.3), bytes.
const MAX_ADDRESS: usize = 254;

/// Maximum number of recipients.
const MAX_RECIPIENTS: usize = 100;

/// A text is not the URL of a mail server. The error does not repeat the text, which may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum SmtpUrlError {
    #[error(
        "must begin with smtps:// (TLS from the first byte) or smtp:// (STARTTLS); write \"smtps://mail.example\""
    )]
    Scheme,
    #[error(
        "must not contain a user name or password; write them as \"username\" and \"password\""
    )]
    UserInfo,
    #[error("must end with the host and its port, such as \"smtps://mail.example:465\"")]
    Path,
    #[error("names no host, or one with invalid characters; write \"smtps://mail.example\"")]
    Host,
    #[error("has a port that is not between 1 and 65535")]
    Port,
}

/// A mail server, as its URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MailServer {
    host: String,
    port: u16,
    security: SmtpSecurity,
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Smtp> {
    let server = server(section);
    let login = login(section);
    let from = section.string("from");
    let from = section.require("from", from).and_then(|at| address(section, "from", at));
    let to = recipients(section);
    let MailServer { host, port, security } = server?;
    Some(Smtp { host, port, security, login: login?, from: from?, to: to? })
}

fn server(section: &mut Section<'_, '_>) -> Option<MailServer> {
    let span = section.span_of("url").or(section.span_of("url_file")).unwrap_or_default();
    if section.text_of("url").is_some_and(|at| at.value.contains('@')) {
        note_inline(section, "url");
    }
    let url = section.secret("url");
    let url = section.require("url", url)?;
    parse(url.expose()).map_err(|error| section.report(span, format_args!("\"url\": {error}"))).ok()
}

fn parse(url: &str) -> Result<MailServer, SmtpUrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(SmtpUrlError::Scheme)?;
    let is_implicit = match scheme.to_ascii_lowercase().as_str() {
        "smtps" => true,
        "smtp" => false,
        _ => return Err(SmtpUrlError::Scheme),
    };
    if rest.contains('@') {
        return Err(SmtpUrlError::UserInfo);
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(SmtpUrlError::Path);
    }
    let (host, port) = divided(authority)?;
    let security = match is_implicit {
        true => SmtpSecurity::ImplicitTls,
        false if is_loopback(&host) => SmtpSecurity::Loopback,
        false => SmtpSecurity::StartTls,
    };
    let port = port.unwrap_or(match security {
        SmtpSecurity::ImplicitTls => SUBMISSIONS,
        SmtpSecurity::StartTls => SUBMISSION,
        SmtpSecurity::Loopback => RELAY,
    });
    Ok(MailServer { host, port, security })
}

/// Divides `host:port` or `[address]:port`. The host is returned without brackets.
fn divided(authority: &str) -> Result<(String, Option<u16>), SmtpUrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(SmtpUrlError::Host)?;
            let _: Ipv6Addr = host.parse().map_err(|_| SmtpUrlError::Host)?;
            (host, Some(port).filter(|port| !port.is_empty()))
        }
        None => {
            let at = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(at);
            (host, Some(port).filter(|port| !port.is_empty()))
        }
    };
    let is_name = |host: &str| {
        let is_valid =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        !host.is_empty() && host.bytes().all(is_valid)
    };
    if !is_name(host) && host.parse::<IpAddr>().is_err() {
        return Err(SmtpUrlError::Host);
    }
    let port = match port {
        None => None,
        Some(port) => {
            let digits = port.strip_prefix(':').ok_or(SmtpUrlError::Host)?;
            let port = digits.parse::<u16>().ok().filter(|port| *port > 0);
            Some(port.ok_or(SmtpUrlError::Port)?)
        }
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// Reads `username` and `password`. Returns `None` if they have an error, and `Some(None)` if they are absent.
fn login(section: &mut Section<'_, '_>) -> Option<Option<Login>> {
    let has_username = section.span_of("username");
    let has_password = section.span_of("password").or(section.span_of("password_file"));
    let username = section.string("username");
    let password = section.secret("password");
    if has_username.is_none() && has_password.is_none() {
        return Some(None);
    }
    let username = section.require("username", username);
    let password = section.require("password", password);
    let (Spanned { value: username, span }, password) = (username?, password?);
    // Both end at a zero byte where they are sent (RFC 4616).
    if username.is_empty() || username.contains(['\0', '\r', '\n']) {
        section.report(span, "\"username\" is empty, or contains a control character");
        return None;
    }
    if password.expose().contains(['\0', '\r', '\n']) {
        let span = has_password.unwrap_or_default();
        section.report(span, "\"password\" contains a control character; write it in one line");
        return None;
    }
    Some(Some(Login { username, password }))
}

fn recipients(section: &mut Section<'_, '_>) -> Option<Vec<String>> {
    let span = section.span_of("to").unwrap_or_default();
    let problems = section.problem_count();
    let to = section.string_or_strings("to");
    let to = section.require("to", to)?;
    if to.is_empty() && section.problem_count() == problems {
        section.report(span, "\"to\" is empty; write an address");
    }
    if to.len() > MAX_RECIPIENTS {
        let count = to.len();
        section.report(
            span,
            format_args!("\"to\" has {count} addresses; at most {MAX_RECIPIENTS} are allowed"),
        );
    }
    let to: Vec<String> = to.into_iter().filter_map(|at| address(section, "to", at)).collect();
    (section.problem_count() == problems).then_some(to)
}

/// Checks an address: `name@host`, or `Title <name@host>`.
fn address(
    section: &Section<'_, '_>,
    key: &str,
    Spanned { value, span }: Spanned<String>,
) -> Option<String> {
    if is_address(&value) {
        return Some(value);
    }
    section.report(
        span,
        format_args!(
            "\"{key}\" must be an address such as \"anna@example.org\" or \"Anna <anna@example.org>\""
        ),
    );
    None
}

fn is_address(text: &str) -> bool {
    if text.chars().any(char::is_control) {
        return false;
    }
    let bare = match text.split_once('<') {
        Some((title, rest)) => match rest.strip_suffix('>') {
            Some(bare) if !title.contains(['>', '"', '\\', ',', ';', '@']) => bare,
            _ => return false,
        },
        None => text,
    };
    let Some((local, host)) = bare.split_once('@') else { return false };
    let is_plain = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>()[],;:\\\"@".contains(&byte);
        !text.is_empty() && text.bytes().all(is_plain)
    };
    let has_empty_part = |text: &str| text.split('.').any(str::is_empty);
    bare.len() <= MAX_ADDRESS
        && is_plain(local)
        && is_plain(host)
        && !has_empty_part(local)
        && !has_empty_part(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_names_the_host_the_port_and_the_protection() {
        use SmtpSecurity::{ImplicitTls, Loopback, StartTls};
        for (url, host, port, security) in [
            ("smtps://mail.example", "mail.example", 465, ImplicitTls),
            ("SMTPS://Mail.example:4650/", "mail.example", 4650, ImplicitTls),
            ("smtp://mail.example", "mail.example", 587, StartTls),
            ("smtp://mail.example:25", "mail.example", 25, StartTls),
            ("smtp://localhost", "localhost", 25, Loopback),
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Loopback),
            ("smtp://[::1]", "::1", 25, Loopback),
            ("smtps://[::1]:1", "::1", 1, ImplicitTls),
        ] {
            let expected = MailServer { host: host.to_owned(), port, security };
            assert_eq!(parse(url), Ok(expected), "{url}");
        }
        for (url, error) in [
            ("https://mail.example", SmtpUrlError::Scheme),
            ("mail.example", SmtpUrlError::Scheme),
            ("smtps://anna:pw@mail.example", SmtpUrlError::UserInfo),
            ("smtps://mail.example/path", SmtpUrlError::Path),
            ("smtps://mail.example?a=b", SmtpUrlError::Path),
            ("smtps://", SmtpUrlError::Host),
            ("smtps://[::1", SmtpUrlError::Host),
            ("smtps://[::1]1", SmtpUrlError::Host),
            ("smtps://mail example", SmtpUrlError::Host),
            ("smtps://mail.example:0", SmtpUrlError::Port),
            ("smtps://mail.example:70000", SmtpUrlError::Port),
        ] {
            assert_eq!(parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn address_has_one_at_sign_and_no_line_end() {
        for text in ["a@b", "anna.b+pump@example.org", "Anna B <anna@example.org>", "Jörg <j@b.c>"]
        {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "",
            "anna",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b\r\nBcc: c@d",
            "Anna\n<a@b>",
            "Anna <a@b",
            "Anna <a@b> x",
            "<a@b>>",
            "a@b, c@d",
            "a..b@c",
            "a@b.",
            "jörg@b.c",
        ] {
            assert!(!is_address(text), "{text:?}");
        }
    }
}
