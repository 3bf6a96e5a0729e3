//! `Set-Cookie` (RFC 6265 4.1).

use std::time::Duration;

use http::HeaderValue;

use crate::access::{CookieValue, SiteUrl, is_secure, requested_port};
use crate::engine::Request;

/// Returns a cookie that expires after `lifetime`, for this host and the path of the site.
pub(super) fn set_cookie(
    prefix: &str,
    value: &CookieValue,
    lifetime: Duration,
    request: &Request,
    site_url: Option<&SiteUrl>,
) -> Option<HeaderValue> {
    let name = name(prefix, request, site_url);
    field(&name, value.expose(), lifetime.as_secs(), request, site_url)
}

/// Returns an expired cookie, which makes the browser delete its own.
pub(super) fn expired_cookie(
    name: &str,
    request: &Request,
    site_url: Option<&SiteUrl>,
) -> Option<HeaderValue> {
    field(name, "", 0, request, site_url)
}

/// Returns the value of the header field.
///
/// `HttpOnly`: no script can read the cookie. `SameSite=Lax`: no other site's page can send it with a
/// POST. `Secure`, for a browser that connects over TLS: the browser sends it over TLS only.
fn field(
    name: &str,
    value: &str,
    max_age: u64,
    request: &Request,
    site_url: Option<&SiteUrl>,
) -> Option<HeaderValue> {
    let secure = if is_secure(request, site_url) { "; Secure" } else { "" };
    let path = site_url.map_or("/", |url| url.cookie_path(request));
    let text =
        format!("{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).ok()
}

/// Returns the name of a cookie: the prefix and the port that the browser has requested.
///
/// Browsers keep cookies by host and not by port (RFC 6265 8.5). The port in the name keeps several
/// servers on one host from overwriting each other's cookies.
pub(super) fn name(prefix: &str, request: &Request, site_url: Option<&SiteUrl>) -> String {
    format!("{prefix}{}", requested_port(request, site_url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Peer;
    use crate::site::fixture::request;

    #[test]
    fn cookie_name_has_the_port_that_the_browser_requested() {
        for (target, host, tls, expected) in [
            ("/login", "tank.example:6443", true, "p_6443"),
            ("/login", "tank.example", true, "p_443"),
            ("/login", "tank.example", false, "p_80"),
            ("/login", "[::1]:6080", false, "p_6080"),
            ("/login", "", true, "p_443"),
            ("/login", "tank.example:", true, "p_443"),
            ("/login", "[::1]x:80", true, "p_443"),
            ("https://tank.example:7443/login", "tank.example:6443", true, "p_7443"),
        ] {
            let mut posted = request("POST", target, &[("host", host)]);
            posted.peer.tls = tls;
            assert_eq!(name("p_", &posted, None), expected, "{host}");
        }
    }

    #[test]
    fn cookie_is_secure_if_the_browsers_own_connection_is() {
        const DIRECT: (bool, bool) = (true, false);
        const PROXIED: (bool, bool) = (true, true);
        const UNIX_SOCKET: (bool, bool) = (false, false);
        for (tls, (has_address, proxied), scheme, expected) in [
            (true, DIRECT, None, true),
            (true, DIRECT, Some("http"), true),
            (false, DIRECT, None, false),
            (false, DIRECT, Some("https"), false),
            (false, PROXIED, Some("https"), true),
            (false, PROXIED, Some("HTTPS, http"), true),
            (false, PROXIED, Some(" https ,http,http"), true),
            (true, PROXIED, Some("http, https"), false),
            (true, PROXIED, Some(""), false),
            (true, PROXIED, Some("http"), false),
            (true, PROXIED, None, true),
            (false, UNIX_SOCKET, Some("https"), true),
            (false, UNIX_SOCKET, None, false),
            (true, UNIX_SOCKET, None, true),
            (true, UNIX_SOCKET, Some("http"), false),
        ] {
            let fields: Vec<_> =
                scheme.into_iter().map(|scheme| ("x-forwarded-proto", scheme)).collect();
            let mut posted = request("POST", "/login", &fields);
            let address = has_address.then(|| ([192, 0, 2, 1], 4096).into());
            posted.peer = Peer { address, tls, user: None };
            posted.proxied = proxied;
            let cookie = expired_cookie("a", &posted, None).unwrap();
            assert_eq!(cookie.to_str().unwrap().ends_with("; Secure"), expected);
        }
    }
}
