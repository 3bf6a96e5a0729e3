//! Access to the routes of the admin listener that change something.
//!
//! Its other pages are open to every process of this machine. A write needs more, because a browser on this machine
//! runs pages of other sites, and because any local user can connect to a TCP port:
//!
//! * A request that a browser sends for a page is refused: browsers add `Sec-Fetch-Site`, or `Origin`, to every
//!   POST, and programs send neither.
//! * Over a unix socket, the mode of its file decides who may connect, and the kernel reports the user.
//! * Over TCP, a token with the scope is required, also on a server that is open to readers. A token has 256 random
//!   bits and cannot be guessed, so failures are counted and never throttled.

use std::fmt;

use http::HeaderValue;
use http::header::{HeaderMap, HeaderName, ORIGIN};

use super::credentials::{Credentials, Malformed};
use super::gate::Gate;
use super::rules::{Admission, Rules, Scope, Token};
use super::stats::FailureReason;
use super::token::TokenHash;
use crate::engine::Request;
use crate::kernel::accounts::user_name;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"Pumphouse\"");
const BEARER_INVALID: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"Pumphouse\", error=\"invalid_token\"");

/// Sender of a request that may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminWriter {
    /// Holder of the token with this name.
    Token(String),
    /// Process of this user, connected over a unix socket.
    User(u32),
    /// Process of an unknown user, connected over a unix socket.
    Admin,
}

/// Formats the sender for logs, and as the person that has acknowledged an alert.
impl fmt::Display for AdminWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdminWriter::Token(name) => f.write_str(name),
            AdminWriter::User(number) => match user_name(*number) {
                name if name == number.to_string() => write!(f, "uid {number}"),
                name => write!(f, "uid {number} ({name})"),
            },
            AdminWriter::Admin => f.write_str("admin"),
        }
    }
}

/// Reason for which a write is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminWriteDenial {
    /// 403: a browser sent the request for a page.
    CrossSite,
    /// 401: the request has no token.
    NoToken,
    /// 401: no token is configured that is the one of the request.
    WrongToken,
    /// 403: the token lacks the scope.
    Scope(Scope),
}

impl AdminWriteDenial {
    /// Returns the challenge to send with the refusal (RFC 6750 3).
    pub fn challenge(self) -> Option<HeaderValue> {
        match self {
            AdminWriteDenial::CrossSite => None,
            AdminWriteDenial::NoToken => Some(BEARER),
            AdminWriteDenial::WrongToken => Some(BEARER_INVALID),
            AdminWriteDenial::Scope(scope) => {
                let name = scope.as_str();
                let challenge = format!(
                    "Bearer realm=\"Pumphouse\", error=\"insufficient_scope\", scope=\"{name}\""
                );
                HeaderValue::try_from(challenge).ok()
            }
        }
    }
}

impl Gate {
    /// Checks that a request to the admin listener may change what needs the scope.
    ///
    /// # Errors
    /// It is refused, for the reason in the [`AdminWriteDenial`], which is counted.
    pub fn admit_admin_write(
        &self,
        request: &Request,
        scope: Scope,
    ) -> Result<AdminWriter, AdminWriteDenial> {
        let outcome = admit(self.active_rules().rules(), request, scope);
        match outcome {
            Err(AdminWriteDenial::CrossSite) => self.stats.count_failure(FailureReason::CrossSite),
            Err(AdminWriteDenial::WrongToken) => self.stats.count_failure(FailureReason::Token),
            Err(AdminWriteDenial::Scope(_)) => self.stats.count_failure(FailureReason::Scope),
            // As elsewhere, a request without credentials is no failure.
            Err(AdminWriteDenial::NoToken) | Ok(_) => {}
        }
        outcome
    }
}

fn admit(rules: &Rules, request: &Request, scope: Scope) -> Result<AdminWriter, AdminWriteDenial> {
    if is_of_a_page(&request.headers) {
        return Err(AdminWriteDenial::CrossSite);
    }
    if request.peer.address.is_none() {
        return Ok(request.peer.user.map_or(AdminWriter::Admin, AdminWriter::User));
    }
    let sent = match Credentials::of(&request.headers) {
        Ok(Some(Credentials::Bearer(token))) => token,
        Ok(Some(Credentials::Basic { .. }) | None) => return Err(AdminWriteDenial::NoToken),
        Err(Malformed) => return Err(AdminWriteDenial::WrongToken),
    };
    match find(rules, &TokenHash::of(&sent)) {
        None => Err(AdminWriteDenial::WrongToken),
        Some(token) if token.scopes.allow(scope) => Ok(AdminWriter::Token(token.name.clone())),
        Some(_) => Err(AdminWriteDenial::Scope(scope)),
    }
}

/// Returns true if a browser sent the request for a page, of whatever site: the admin listener has no pages.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let is_foreign = sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    is_foreign || headers.contains_key(ORIGIN)
}

/// Returns the token of a hash. It is compared with every token, so that the time reveals nothing.
fn find<'a>(rules: &'a Rules, hash: &TokenHash) -> Option<&'a Token> {
    let tokens = match &rules.admission {
        Admission::Open => &rules.admin_tokens,
        Admission::Restricted(restricted) => &restricted.tokens,
    };
    tokens.iter().fold(None, |found, token| if token.hash == *hash { Some(token) } else { found })
}

#[cfg(test)]
mod tests {
    use http::{Method, Version};

    use super::*;
    use crate::access::{Restricted, Scopes};
    use crate::engine::Peer;

    const ALERT: &str = "pumphouse_alert";
    const READ: &str = "pumphouse_read";
    const ADMIN: &str = "pumphouse_admin";

    fn gate() -> Gate {
        let token = |name: &str, token, scope| Token {
            name: name.to_owned(),
            hash: TokenHash::of(token),
            scopes: Scopes::new(vec![scope]),
        };
        let tokens = vec![
            token("phone", ALERT, Scope::Alert),
            token("cron", READ, Scope::Read),
            token("all", ADMIN, Scope::Admin),
        ];
        let restricted = Restricted { tokens, ..Restricted::default() };
        let admission = Admission::Restricted(restricted);
        Gate::new(Rules { admission, ..Rules::default() }).unwrap()
    }

    const TCP: Peer = Peer {
        address: Some(std::net::SocketAddr::new(
            std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            9,
        )),
        tls: false,
        user: None,
    };

    fn unix(user: Option<u32>) -> Peer {
        Peer { address: None, tls: false, user }
    }

    fn request(peer: Peer, sent: &[(&'static str, &str)]) -> Request {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        Request {
            method: Method::POST,
            target: "/api/v1/alerts/x/acknowledge".parse().unwrap(),
            version: Version::HTTP_11,
            headers,
            body: bytes::Bytes::new(),
            peer,
            client: None,
            proxied: false,
        }
    }

    #[test]
    fn write_needs_a_token_with_the_scope_over_tcp_and_none_over_a_unix_socket() {
        use AdminWriteDenial::{CrossSite, NoToken, WrongToken};
        let gate = gate();
        let bearer = |token: &str| format!("Bearer {token}");
        let (alert, read, admin) = (bearer(ALERT), bearer(READ), bearer(ADMIN));
        let named = |name: &str| Ok(AdminWriter::Token(name.to_owned()));
        let lacking = Err(AdminWriteDenial::Scope(Scope::Alert));
        for (peer, sent, expected) in [
            (TCP, &[][..], Err(NoToken)),
            (TCP, &[("authorization", "Basic YTpi")], Err(NoToken)),
            (TCP, &[("authorization", "Bearer")], Err(WrongToken)),
            (TCP, &[("authorization", "Bearer pumphouse_other")], Err(WrongToken)),
            (TCP, &[("authorization", &alert), ("authorization", &alert)], Err(WrongToken)),
            (TCP, &[("authorization", &read)], lacking.clone()),
            (TCP, &[("authorization", &alert)], named("phone")),
            (TCP, &[("authorization", &admin)], named("all")),
            (TCP, &[("authorization", &alert), ("sec-fetch-site", "none")], named("phone")),
            (TCP, &[("authorization", &alert), ("sec-fetch-site", "same-site")], Err(CrossSite)),
            (TCP, &[("authorization", &alert), ("sec-fetch-site", "cross-site")], Err(CrossSite)),
            (TCP, &[("authorization", &alert), ("origin", "http://127.0.0.1")], Err(CrossSite)),
            (TCP, &[("authorization", &alert), ("origin", "null")], Err(CrossSite)),
            (unix(Some(0)), &[], Ok(AdminWriter::User(0))),
            (unix(None), &[], Ok(AdminWriter::Admin)),
            (unix(Some(0)), &[("origin", "http://localhost")], Err(CrossSite)),
            (unix(Some(0)), &[("sec-fetch-site", "cross-site")], Err(CrossSite)),
            (
                unix(Some(0)),
                &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
                Err(CrossSite),
            ),
        ] {
            let outcome = gate.admit_admin_write(&request(peer, sent), Scope::Alert);
            assert_eq!(outcome, expected, "{peer:?} {sent:?}");
        }
        let stats = gate.stats();
        let counted = [FailureReason::CrossSite, FailureReason::Token, FailureReason::Scope];
        assert_eq!(counted.map(|reason| stats.failures(reason)), [7, 3, 1]);
    }

    #[test]
    fn open_server_takes_the_tokens_beside_its_openness() {
        let token = Token {
            name: "phone".to_owned(),
            hash: TokenHash::of(ALERT),
            scopes: Scopes::new(vec![Scope::Alert]),
        };
        let sent = format!("Bearer {ALERT}");
        for (admin_tokens, expected) in [
            (Vec::new(), Err(AdminWriteDenial::WrongToken)),
            (vec![token], Ok(AdminWriter::Token("phone".to_owned()))),
        ] {
            let gate = Gate::new(Rules { admin_tokens, ..Rules::default() }).unwrap();
            assert!(gate.active_rules().is_open());
            let outcome =
                gate.admit_admin_write(&request(TCP, &[("authorization", &sent)]), Scope::Alert);
            assert_eq!(outcome, expected);
            let without = gate.admit_admin_write(&request(TCP, &[]), Scope::Alert);
            assert_eq!(without, Err(AdminWriteDenial::NoToken));
        }
    }

    #[test]
    fn sender_is_named_as_people_know_it() {
        let named = |writer: AdminWriter| writer.to_string();
        assert_eq!(named(AdminWriter::Token("phone".to_owned())), "phone");
        assert_eq!(named(AdminWriter::User(0)), "uid 0 (root)");
        assert_eq!(named(AdminWriter::User(4_000_000_000)), "uid 4000000000");
        assert_eq!(named(AdminWriter::Admin), "admin");
    }

    #[test]
    fn challenge_names_what_is_missing() {
        let challenge = |denial: AdminWriteDenial| {
            denial.challenge().map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(challenge(AdminWriteDenial::CrossSite), None);
        for (denial, expected) in [
            (AdminWriteDenial::NoToken, "Bearer realm=\"Pumphouse\""),
            (AdminWriteDenial::WrongToken, "error=\"invalid_token\""),
            (AdminWriteDenial::Scope(Scope::Alert), "scope=\"alert\""),
        ] {
            assert!(challenge(denial).unwrap().contains(expected), "{denial:?}");
        }
    }
}
