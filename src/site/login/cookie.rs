//! `Set-Cookie` (RFC 6265 4.1).

use std::time::Duration;

use ::http::HeaderValue;

use crate::access::{CookieValue, is_secure, requested_port};
use crate::http::Request;

/// A cookie that is good for so long, for this host and all of its paths.
pub(super) fn set_cookie(
    prefix: &str,
    value: &CookieValue,
    lifetime: Duration,
    request: &Request,
) -> Option<HeaderValue> {
    written(&name(prefix, request), value.expose(), lifetime.as_secs(), request)
}

/// Has the browser delete a cookie.
pub(super) fn expired_cookie(name: &str, request: &Request) -> Option<HeaderValue> {
    written(name, "", 0, request)
}

/// No script reads it, no other site's page sends it with a POST, and if the browser came by TLS it
/// is sent over TLS only.
fn written(name: &str, value: &str, max_age: u64, request: &Request) -> Option<HeaderValue> {
    let secure = if is_secure(request) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).ok()
}

/// The prefix and the port that the browser has requested, so that several servers of ours on one
/// host do not overwrite each other's cookies: browsers keep cookies by host, whatever the port.
pub(super) fn name(prefix: &str, request: &Request) -> String {
    format!("{prefix}{}", requested_port(request))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::request;

    #[test]
    fn name_has_the_port_that_the_browser_asked_for() {
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
            let mut asked = request("POST", target, &[("host", host)]);
            asked.peer.tls = tls;
            assert_eq!(name("p_", &asked), expected, "{host}");
        }
    }

    #[test]
    fn secure_goes_by_the_browsers_own_connection() {
        for (tls, proxied, scheme, expected) in [
            (true, false, None, true),
            (false, false, None, false),
            (false, false, Some("https"), false),
            (false, true, Some("https"), true),
            (false, true, Some("HTTPS, http"), true),
            (false, true, Some(" https ,http,http"), true),
            (true, true, Some("http, https"), false),
            (true, true, Some(""), false),
            (true, true, Some("http"), false),
            (true, true, None, true),
        ] {
            let fields: Vec<_> =
                scheme.into_iter().map(|scheme| ("x-forwarded-proto", scheme)).collect();
            let mut asked = request("POST", "/login", &fields);
            (asked.peer.tls, asked.proxied) = (tls, proxied);
            let cookie = expired_cookie("a", &asked).unwrap();
            assert_eq!(cookie.to_str().unwrap().ends_with("; Secure"), expected);
        }
    }
}
