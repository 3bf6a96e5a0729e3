//! HTTP addresses of services, which may be capabilities: no error repeats them.

use std::net::IpAddr;

use http::Uri;

use super::super::secret::Secret;
use super::super::section::Section;
use super::super::source_url::{SourceUrl, SourceUrlError};

/// A text is not the address of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum EndpointError {
    #[error(transparent)]
    Url(#[from] SourceUrlError),
    #[error("must not have a fragment, which is not sent; remove \"#\" and the text behind it")]
    Fragment,
    #[error("names no host; write \"https://host/path\"")]
    Host,
    #[error("must be the root of the server, without a query")]
    Query,
    #[error(
        "must be the root of the server, such as \"https://ntfy.sh\"; remove its path, and write the topic as \"topic\""
    )]
    Path,
}

/// Reads `url` or `url_file`, which is required and a capability.
pub(in crate::config) fn capability(section: &mut Section<'_, '_>) -> Option<Secret> {
    note_inline(section, "url");
    let (url, span) = written(section);
    let url = section.require("url", url)?;
    check(url.expose())
        .map_err(|error| section.report(span, format_args!("\"url\": {error}")))
        .ok()
        .map(|()| url)
}

/// Paths that the root of a server may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RootPath {
    /// Any, such as that of a proxy.
    Any,
    /// None: the service publishes what is sent to a path as it is.
    None,
}

/// Reads `url` or `url_file`, the root of a server, with a default.
pub(super) fn root_or(
    section: &mut Section<'_, '_>,
    default: &str,
    path: RootPath,
) -> Option<Secret> {
    let is_present = section.span_of("url").or(section.span_of("url_file")).is_some();
    let (url, span) = written(section);
    let Some(url) = url else {
        return (!is_present).then(|| Secret::new(default.to_owned()));
    };
    let has_path = || url.expose().parse().is_ok_and(|url: Uri| url.path() != "/");
    let checked = check(url.expose()).and_then(|()| match url.expose().contains('?') {
        true => Err(EndpointError::Query),
        false if path == RootPath::None && has_path() => Err(EndpointError::Path),
        false => Ok(()),
    });
    checked.map_err(|error| section.report(span, format_args!("\"url\": {error}"))).ok()?;
    Some(url)
}

/// Notes a key whose value is a secret although its name does not say so.
pub(super) fn note_inline(section: &Section<'_, '_>, key: &str) {
    if let Some(span) = section.inline_text_of(key) {
        section.note_inline_secret(span, key);
    }
}

fn written(section: &mut Section<'_, '_>) -> (Option<Secret>, toml_span::Span) {
    let span = section.span_of("url").or(section.span_of("url_file")).unwrap_or_default();
    (section.secret("url"), span)
}

fn check(url: &str) -> Result<(), EndpointError> {
    let _: SourceUrl = url.parse()?;
    if url.contains('#') {
        return Err(EndpointError::Fragment);
    }
    match host(url) {
        Some(host) if !host.is_empty() => Ok(()),
        _ => Err(EndpointError::Host),
    }
}

/// Returns the host of a URL, without brackets.
fn host(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let host = url.host()?;
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

/// Returns true for the name or the address of this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_address = || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback());
    name == "localhost" || name.ends_with(".localhost") || is_address()
}

/// Returns true if a URL sends its secrets over a network without TLS.
pub(super) fn is_plain(url: &Secret) -> bool {
    let is_https = |url: &SourceUrl| url.is_https();
    let is_tls = url.expose().parse().is_ok_and(|url| is_https(&url));
    !is_tls && host(url.expose()).is_some_and(|host| !is_loopback(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_a_scheme_and_a_host_and_no_more_than_is_sent() {
        for (url, expected) in [
            ("https://ntfy.sh", None),
            ("http://[::1]:8080/hook?key=1", None),
            ("https://u:p@h/", Some("user name")),
            ("https://h/a#b", Some("fragment")),
            ("ftp://h/", Some("http://")),
            ("h/a", Some("URL")),
            ("https://", Some("URL")),
            ("https://:80/", Some("host")),
            ("", Some("URL")),
        ] {
            let error = check(url).err().map(|error| error.to_string());
            match (&error, expected) {
                (None, None) => {}
                (Some(error), Some(part)) => assert!(error.contains(part), "{url}: {error}"),
                _ => panic!("{url}: {error:?}"),
            }
        }
    }

    #[test]
    fn secret_is_plain_on_a_network_without_tls() {
        for (url, expected) in [
            ("https://h/x", false),
            ("http://h/x", true),
            ("http://127.0.0.1:1/x", false),
            ("http://localhost/x", false),
            ("http://[::1]/x", false),
            ("http://192.0.2.1/x", true),
        ] {
            assert_eq!(is_plain(&Secret::new(url.to_owned())), expected, "{url}");
        }
    }
}
