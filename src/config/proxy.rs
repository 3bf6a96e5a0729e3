//! `proxy`: the HTTP proxy that a source is reached through.
//!
//! No proxy is used by default, whatever the environment says: a poll goes to the configured host. With
//! `proxy = "env"` the environment decides as it does for curl: `http_proxy` or `https_proxy` by the scheme of
//! the URL, else `all_proxy`, unless `no_proxy` names the host. As for curl, an empty variable counts as unset, and
//! a proxy without a port has port 1080.

use std::fmt;
use std::net::IpAddr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::Uri;
use ipnet::IpNet;

use super::scalar::OFF_WORDS;
use super::secret::Secret;
use super::section::Section;
use super::source_url::SourceUrl;

/// Port of a proxy whose URL names none, as for curl.
const DEFAULT_PORT: u16 = 1080;

/// Route to a source: direct, or through a proxy.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Proxy {
    /// Directly.
    #[default]
    None,
    /// Through this proxy.
    Configured(HttpProxy),
    /// As the environment says: through a proxy, or directly.
    Environment(Option<HttpProxy>),
}

/// An HTTP proxy, perhaps with credentials. `Display` and `Debug` omit those.
#[derive(Clone, PartialEq)]
pub struct HttpProxy(ureq::Proxy);

/// A text is not the URL of a proxy. The error does not repeat the text, which may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The text is not a URL of a host.
    #[error("is not a URL such as \"http://host:3128\"")]
    Malformed,
    /// The text says that there is no proxy.
    #[error("must be \"env\" or a URL; for no proxy, delete the key: the default is none")]
    NoneWord,
    /// The scheme is not `http`.
    #[error("must begin with http://: proxies that speak TLS or SOCKS are not supported")]
    Scheme,
    /// The URL has a path or a query.
    #[error("must end with the host and port, without a path")]
    Path,
}

impl Proxy {
    /// Returns the proxy, if there is one.
    pub fn http(&self) -> Option<&HttpProxy> {
        match self {
            Proxy::None => None,
            Proxy::Configured(proxy) => Some(proxy),
            Proxy::Environment(proxy) => proxy.as_ref(),
        }
    }

    /// Returns the password for the proxy, as configured and as sent.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let Some(HttpProxy(proxy)) = self.http() else { return Vec::new() };
        let password = proxy.password().unwrap_or_default();
        let pair = format!("{}:{password}", proxy.username().unwrap_or_default());
        match password {
            "" => Vec::new(),
            _ => [password.to_owned(), BASE64_STANDARD.encode(pair)].map(Secret::new).into(),
        }
    }
}

impl HttpProxy {
    /// Returns the proxy for the HTTP client.
    pub fn client_proxy(&self) -> ureq::Proxy {
        self.0.clone()
    }

    /// Parses the configured URL of a proxy. A single word is not taken for a host.
    fn parse_configured(text: &str) -> Result<HttpProxy, ProxyError> {
        let is_word = !text.contains("://") && !text.contains(':');
        if is_word && OFF_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Err(ProxyError::NoneWord);
        }
        if is_word { Err(ProxyError::Malformed) } else { HttpProxy::parse(text) }
    }

    /// Parses the URL of a proxy. Without a scheme it is `http`, as in the variables of the environment.
    fn parse(text: &str) -> Result<HttpProxy, ProxyError> {
        let text = text.trim();
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = url.parse().map_err(|_| ProxyError::Malformed)?;
        if uri.scheme_str() != Some("http") {
            return Err(ProxyError::Scheme);
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(ProxyError::Path);
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(ProxyError::Malformed);
        }
        let url = match uri.authority() {
            Some(authority) if uri.port_u16().is_none() => {
                format!("http://{}:{DEFAULT_PORT}", authority.as_str().trim_end_matches(':'))
            }
            _ => url,
        };
        ureq::Proxy::new(&url).map(HttpProxy).map_err(|_| ProxyError::Malformed)
    }
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.0.host(), self.0.port())
    }
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads `proxy`, for a source at this URL.
pub(super) fn read(section: &mut Section<'_, '_>, url: Option<&SourceUrl>) -> Proxy {
    let span = ["proxy", "proxy_file"].into_iter().find_map(|key| section.span_of(key));
    let inline = section.inline_text_of("proxy");
    let Some(value) = section.secret("proxy") else { return Proxy::None };
    let span = span.unwrap_or_default();
    let value = value.expose().trim();
    if !value.eq_ignore_ascii_case("env") {
        match HttpProxy::parse_configured(value) {
            Ok(proxy) => {
                if let (Some(span), Some(_)) = (inline, proxy.0.password()) {
                    section.note_inline_secret(span, "proxy");
                }
                return Proxy::Configured(proxy);
            }
            Err(error) => section.report(span, format_args!("\"proxy\" {error}")),
        }
        return Proxy::None;
    }
    let Some(uri) = url.and_then(|url| url.as_str().parse().ok()) else { return Proxy::None };
    match of_environment(&uri, &|name| section.environment(name)) {
        Ok(proxy) => {
            let is_set = |name| section.environment(name).is_some_and(|value| !value.is_empty());
            if proxy.is_none()
                && uri.scheme_str() == Some("http")
                && is_set("HTTP_PROXY")
                && !is_set("http_proxy")
            {
                section.warn(
                    span,
                    "\"proxy\": HTTP_PROXY is ignored, as curl ignores it; set http_proxy, in lower case",
                );
            }
            Proxy::Environment(proxy)
        }
        Err((variable, error)) => {
            section.report(span, format_args!("\"proxy\": {variable} {error}"));
            Proxy::None
        }
    }
}

/// Returns the proxy that the environment names for a URL.
fn of_environment(
    url: &Uri,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<HttpProxy>, (&'static str, ProxyError)> {
    // In upper case, HTTP_PROXY is the field `Proxy` of a request to a CGI program, which curl ignores too.
    let variables: &[&str] = match url.scheme_str() {
        Some("https") => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let set = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
    let find = |name: &&'static str| Some((*name, set(name)?));
    let Some((variable, value)) = variables.iter().find_map(find) else { return Ok(None) };
    let excluded = ["no_proxy", "NO_PROXY"].into_iter().find_map(set);
    if is_excluded(url, &excluded.unwrap_or_default()) {
        return Ok(None);
    }
    HttpProxy::parse(&value).map(Some).map_err(|error| (variable, error))
}

/// Returns true if a list in `no_proxy` names the host of a URL: by its name, that of a domain above it, its
/// address, a network, or `*`.
fn is_excluded(url: &Uri, list: &str) -> bool {
    let host = url.host().unwrap_or_default().to_ascii_lowercase();
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let address: Option<IpAddr> = host.parse().ok();
    let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(str::to_ascii_lowercase).any(|entry| {
        let entry = entry.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
        let bare = entry.trim_start_matches('[').trim_end_matches(']');
        match address {
            _ if entry == "*" => true,
            Some(address) => {
                bare.parse() == Ok(address)
                    || bare.parse::<IpNet>().is_ok_and(|network| network.contains(&address))
            }
            None => {
                let above = host.strip_suffix(entry);
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_parsed_and_shown_without_its_password() {
        for (text, shown) in [
            ("http://proxy.test:3128", "http://proxy.test:3128"),
            ("http://proxy.test:3128/", "http://proxy.test:3128"),
            ("proxy.test:3128", "http://proxy.test:3128"),
            ("http://proxy.test", "http://proxy.test:1080"),
            ("http://proxy.test:/", "http://proxy.test:1080"),
            ("http://me:s3cr%65t@[::1]", "http://[::1]:1080"),
            ("proxy.test", "http://proxy.test:1080"),
            ("http://me:s3cr%65t@proxy.test:3128", "http://proxy.test:3128"),
            ("http://[::1]:3128", "http://[::1]:3128"),
        ] {
            let proxy = HttpProxy::parse(text).unwrap();
            assert_eq!((proxy.to_string(), format!("{proxy:?}")), (shown.into(), shown.into()));
        }
        let proxy = Proxy::Configured(HttpProxy::parse("http://me:s3cr%65t@proxy.test").unwrap());
        let secrets: Vec<String> =
            proxy.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
        // printf me:s3cret | base64
        assert_eq!(secrets, ["s3cret", "bWU6czNjcmV0"]);
        for (text, error) in [
            ("", ProxyError::Malformed),
            ("http://", ProxyError::Malformed),
            ("http://me:s3cret@", ProxyError::Malformed),
            ("https://me:s3cret@proxy.test", ProxyError::Scheme),
            ("socks5://proxy.test:1080", ProxyError::Scheme),
            ("http://proxy.test/path", ProxyError::Path),
            ("http://proxy.test/?s3cret", ProxyError::Path),
        ] {
            let refused = HttpProxy::parse(text).unwrap_err();
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn environment_names_the_proxy_by_scheme_and_host() {
        const URL: &str = "https://api.tank.test/level";
        type Variables = &'static [(&'static str, &'static str)];
        let cases: [(&str, Variables, Option<&str>); 22] = [
            (URL, &[], None),
            (URL, &[("https_proxy", "http://a:1")], Some("http://a:1")),
            (URL, &[("HTTPS_PROXY", "a:1"), ("ALL_PROXY", "b:2")], Some("http://a:1")),
            (URL, &[("http_proxy", "http://a:1")], None),
            (URL, &[("all_proxy", "http://b:2"), ("http_proxy", "a:1")], Some("http://b:2")),
            (URL, &[("https_proxy", ""), ("ALL_PROXY", "b:2")], Some("http://b:2")),
            (URL, &[("https_proxy", ""), ("all_proxy", " ")], None),
            (URL, &[("all_proxy", "a:1"), ("no_proxy", ""), ("NO_PROXY", "*")], None),
            ("http://tank.test/", &[("http_proxy", "a:1")], Some("http://a:1")),
            ("http://tank.test/", &[("HTTP_PROXY", "a:1")], None),
            ("http://tank.test/", &[("https_proxy", "a:1")], None),
            (URL, &[("https_proxy", "a:1"), ("no_proxy", "tank.test")], None),
            (URL, &[("https_proxy", "a:1"), ("NO_PROXY", "x, .TANK.test")], None),
            (URL, &[("https_proxy", "a:1"), ("no_proxy", "*.tank.test")], None),
            (URL, &[("https_proxy", "a:1"), ("no_proxy", "*")], None),
            (URL, &[("https_proxy", "a:1"), ("no_proxy", "k.test other.test")], Some("http://a:1")),
            (URL, &[("https_proxy", "a:1"), ("no_proxy", "")], Some("http://a:1")),
            ("http://10.1.2.3/", &[("http_proxy", "a:1"), ("no_proxy", "10.0.0.0/8")], None),
            ("http://10.1.2.3/", &[("http_proxy", "a:1"), ("no_proxy", "10.1.2.3")], None),
            ("http://10.1.2.3/", &[("http_proxy", "a:1"), ("no_proxy", "2.3")], Some("http://a:1")),
            ("http://[fd00::1]/", &[("http_proxy", "a:1"), ("no_proxy", "fd00::/8")], None),
            ("http://[fd00::1]/", &[("http_proxy", "a:1"), ("no_proxy", "[fd00::1]")], None),
        ];
        for (url, variables, expected) in cases {
            let environment = |name: &str| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let proxy = of_environment(&url.parse().unwrap(), &environment).unwrap();
            let shown = proxy.map(|proxy| proxy.to_string());
            assert_eq!(shown.as_deref(), expected, "{url} {variables:?}");
        }
        let socks = |name: &str| (name == "ALL_PROXY").then(|| "socks5://a:1".to_owned());
        let error = of_environment(&URL.parse().unwrap(), &socks).unwrap_err();
        assert_eq!(error, ("ALL_PROXY", ProxyError::Scheme));
    }
}
