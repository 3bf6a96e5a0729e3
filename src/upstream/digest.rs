//! Digest credentials (RFC 7616), which many devices ask for.
//!
//! The upstream challenges a request with a nonce, and the request is sent again with a hash of password, nonce
//! and request. The challenge is kept, with a count of the requests that its nonce has been used for, so that
//! the next poll needs no second request. Without `qop` the response is that of RFC 2069, which old devices
//! expect.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, SHA512_256};
use http_auth::ChallengeParser;
use md5::{Digest as _, Md5};
use ureq::http::header::{HeaderMap, WWW_AUTHENTICATE};
use ureq::http::{HeaderValue, Uri};

use super::decode::short_text;
use crate::config::Login;

/// Random bytes of a client nonce.
const CNONCE_BYTES: usize = 16;

/// A digest that cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DigestError {
    /// The upstream asks for digests, but for none that this program can make.
    #[error("the upstream asks for a digest that is not supported: {0}")]
    Unsupported(String),
    /// The challenge has no realm or no nonce.
    #[error("the upstream's challenge for a digest has no {0}")]
    Incomplete(&'static str),
    /// The name or the challenge has a character that a header field cannot contain.
    #[error("the digest contains a control character")]
    ControlCharacter,
    /// The system returned no random numbers.
    #[error("the system returned no random numbers")]
    NoRandomness,
}

impl DigestError {
    /// Returns the error for a parameter of a challenge, which may be as long as a response's head.
    fn unsupported(parameter: &str, value: &str) -> DigestError {
        let value = short_text(value).unwrap_or_default();
        DigestError::Unsupported(format!("{parameter} {value}"))
    }
}

/// Hash functions, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
    Sha512Of256,
}

/// A challenge of the upstream (RFC 7616 3.3), with the use that has been made of its nonce.
#[derive(Debug)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// `algorithm` as the upstream writes it, since devices compare it with what they sent.
    algorithm: Option<String>,
    hash: Hash,
    /// True for the `-sess` variant, whose key includes both nonces.
    is_session: bool,
    /// True if the upstream offers `qop="auth"`; false for RFC 2069.
    has_qop: bool,
    /// True if the name is to be sent as a hash.
    hashes_name: bool,
    /// Number of responses made with the nonce.
    count: u32,
}

impl Challenge {
    /// Returns the strongest of the challenges that a response has for digests; `None` if it has none.
    ///
    /// # Errors
    /// None of them is supported.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Challenge>, DigestError> {
        let mut strongest: Option<Challenge> = None;
        let mut refused = None;
        for field in headers.get_all(WWW_AUTHENTICATE) {
            let Ok(field) = field.to_str() else { continue };
            for challenge in ChallengeParser::new(field).map_while(Result::ok) {
                if !challenge.scheme.eq_ignore_ascii_case("Digest") {
                    continue;
                }
                match Challenge::parse(&challenge) {
                    Ok(found) if strongest.as_ref().is_none_or(|best| best.hash < found.hash) => {
                        strongest = Some(found);
                    }
                    Ok(_) => {}
                    Err(error) => refused = Some(error),
                }
            }
        }
        match (strongest, refused) {
            (None, Some(error)) => Err(error),
            (strongest, _) => Ok(strongest),
        }
    }

    fn parse(challenge: &http_auth::ChallengeRef<'_>) -> Result<Challenge, DigestError> {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        let algorithm = parameter("algorithm");
        let named = algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let (name, is_session) = match named.strip_suffix("-SESS") {
            Some(name) => (name, true),
            None => (named.as_str(), false),
        };
        let hash = match name {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512Of256,
            _ => return Err(DigestError::unsupported("algorithm", &named)),
        };
        let qop = parameter("qop");
        let offers_auth = |qop: &String| {
            qop.split(',').any(|offered| offered.trim().eq_ignore_ascii_case("auth"))
        };
        if let Some(qop) = qop.as_ref().filter(|qop| !offers_auth(qop)) {
            return Err(DigestError::unsupported("qop", qop));
        }
        Ok(Challenge {
            realm: parameter("realm").ok_or(DigestError::Incomplete("realm"))?,
            nonce: parameter("nonce").ok_or(DigestError::Incomplete("nonce"))?,
            opaque: parameter("opaque"),
            algorithm,
            hash,
            is_session,
            has_qop: qop.is_some(),
            hashes_name: parameter("userhash").is_some_and(|it| it.eq_ignore_ascii_case("true")),
            count: 0,
        })
    }

    /// Returns the value of the Authorization field for a request.
    ///
    /// # Errors
    /// The system has no random numbers, or a part cannot be sent.
    pub(super) fn respond(
        &mut self,
        login: &Login,
        method: &str,
        uri: &Uri,
    ) -> Result<HeaderValue, DigestError> {
        let mut random = [0; CNONCE_BYTES];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| DigestError::NoRandomness)?;
        let value = self.response(login, method, &request_target(uri), &hex(&random));
        let mut value = HeaderValue::try_from(value).map_err(|_| DigestError::ControlCharacter)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn response(&mut self, login: &Login, method: &str, target: &str, cnonce: &str) -> String {
        // A nonce that is used four billion times begins again, and the upstream refuses it as stale.
        self.count = self.count.checked_add(1).unwrap_or(1);
        let (realm, nonce) = (&self.realm, &self.nonce);
        let hash = |text: &str| self.hash.hex(text.as_bytes());
        let mut secret = hash(&format!("{}:{realm}:{}", login.username, login.password.expose()));
        if self.is_session {
            secret = hash(&format!("{secret}:{nonce}:{cnonce}"));
        }
        let request = hash(&format!("{method}:{target}"));
        let count = format!("{:08x}", self.count);
        let proof = match self.has_qop {
            true => hash(&format!("{secret}:{nonce}:{count}:{cnonce}:auth:{request}")),
            false => hash(&format!("{secret}:{nonce}:{request}")),
        };
        let name = match self.hashes_name {
            true => hash(&format!("{}:{realm}", login.username)),
            false => login.username.clone(),
        };
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{proof}\"",
            quoted(&name),
            quoted(realm),
            quoted(nonce),
            quoted(target),
        );
        // Writing to a string does not fail.
        if let Some(algorithm) = &self.algorithm {
            let _ = write!(value, ", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque={}", quoted(opaque));
        }
        if self.has_qop {
            let _ = write!(value, ", qop=auth, nc={count}, cnonce=\"{cnonce}\"");
        } else if self.is_session {
            let _ = write!(value, ", cnonce=\"{cnonce}\"");
        }
        if self.hashes_name {
            value.push_str(", userhash=true");
        }
        value
    }
}

impl Hash {
    fn hex(self, bytes: &[u8]) -> String {
        match self {
            Hash::Md5 => hex(&Md5::digest(bytes)),
            Hash::Sha256 => hex(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref()),
            Hash::Sha512Of256 => hex(aws_lc_rs::digest::digest(&SHA512_256, bytes).as_ref()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns a quoted string (RFC 9110 5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Returns the target as the request line has it.
fn request_target(uri: &Uri) -> String {
    match uri.query() {
        Some(query) => format!("{}?{query}", uri.path()),
        None => uri.path().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn login(username: &str, password: &str) -> Login {
        Login { username: username.to_owned(), password: Secret::new(password.to_owned()) }
    }

    fn challenge(fields: &[&str]) -> Result<Option<Challenge>, DigestError> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(WWW_AUTHENTICATE, field.parse().unwrap());
        }
        Challenge::of(&headers)
    }

    /// Parts of the examples of RFC 7616 3.9.1.
    const RFC7616: &str = r#"realm="http-auth@example.org", qop="auth, auth-int",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
    const RFC7616_CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    #[test]
    fn responses_are_those_of_the_rfcs() {
        let mufasa = login("Mufasa", "Circle of Life");
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let field = format!("Digest {}, algorithm={algorithm}", RFC7616.replace('\n', " "));
            let mut challenge = challenge(&[&field]).unwrap().unwrap();
            let value = challenge.response(&mufasa, "GET", "/dir/index.html", RFC7616_CNONCE);
            assert!(value.contains(&format!("response=\"{response}\"")), "{value}");
            for part in [
                "username=\"Mufasa\"",
                "uri=\"/dir/index.html\"",
                "qop=auth",
                "nc=00000001",
                &format!("algorithm={algorithm}"),
                "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
            ] {
                assert!(value.contains(part), "{part} in {value}");
            }
        }
        // RFC 2617 3.5, with the challenge of RFC 2069.
        let field =
            r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#;
        let mut old = challenge(&[field]).unwrap().unwrap();
        let value = old.response(&login("Mufasa", "Circle Of Life"), "GET", "/dir/index.html", "x");
        assert!(value.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""), "{value}");
        assert!(!value.contains("qop") && !value.contains("cnonce"), "{value}");
    }

    #[test]
    fn name_and_session_variants_follow_the_rfc() {
        // RFC 7616 3.9.2: SHA-512-256 with a hashed name.
        let field = r#"Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256,
            nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true"#;
        let mut hashed = challenge(&[&field.replace('\n', " ")]).unwrap().unwrap();
        let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm";
        let user = login("J\u{e4}s\u{f8}n Doe", "Secret, or not?");
        let value = hashed.response(&user, "GET", "/doe.json", cnonce);
        assert!(value.contains("userhash=true") && !value.contains("Doe"), "{value}");
        // The key of a session is a hash of the key and both nonces.
        let field = r#"Digest realm="r", nonce="n", qop="auth", algorithm="MD5-sess""#;
        let mut session = challenge(&[field]).unwrap().unwrap();
        let value = session.response(&login("u", "p"), "GET", "/", "c");
        let md5 = |text: &str| Hash::Md5.hex(text.as_bytes());
        let key = md5(&format!("{}:n:c", md5("u:r:p")));
        let proof = md5(&format!("{key}:n:00000001:c:auth:{}", md5("GET:/")));
        assert!(value.contains(&format!("response=\"{proof}\"")), "{value}");
    }

    #[test]
    fn nonce_is_counted() {
        let mut challenge =
            challenge(&[r#"Digest realm="r", nonce="n", qop="auth""#]).unwrap().unwrap();
        for expected in ["nc=00000001", "nc=00000002", "nc=00000003"] {
            let value = challenge.respond(&login("u", "p"), "GET", &"http://h/?a".parse().unwrap());
            let value = value.unwrap();
            assert!(value.is_sensitive());
            let value = value.to_str().unwrap();
            assert!(value.contains(expected) && value.contains("uri=\"/?a\""), "{value}");
        }
    }

    #[test]
    fn strongest_supported_challenge_is_chosen() {
        const MD5: &str = r#"Digest realm="r", nonce="m", qop="auth", algorithm=MD5"#;
        const SHA: &str = r#"Digest realm="r", nonce="s", qop="auth", algorithm=SHA-256"#;
        const OTHER: &str = r#"Digest realm="r", nonce="o", algorithm=SHA3-512"#;
        for (fields, nonce) in [
            (&[MD5, SHA][..], Some("s")),
            (&[SHA, MD5], Some("s")),
            (&[OTHER, MD5], Some("m")),
            (&["Basic realm=\"b\"", SHA], Some("s")),
            (&["Basic realm=\"b\", digest realm=\"r\", nonce=\"c\", Bearer"], Some("c")),
            (&[r#"Digest realm="r", nonce="q", qop=auth, stale=TRUE"#], Some("q")),
            (&[r#"Digest realm="r, \"x\"", nonce="e""#], Some("e")),
            (&["Basic realm=\"b\""], None),
            (&["Negotiate"], None),
            (&["="], None),
            (&[""], None),
            (&[], None),
        ] {
            let found = challenge(fields).unwrap().map(|challenge| challenge.nonce);
            assert_eq!(found.as_deref(), nonce, "{fields:?}");
        }
        for (field, error) in [
            (OTHER, DigestError::Unsupported("algorithm SHA3-512".to_owned())),
            (
                r#"Digest realm="r", nonce="n", qop="auth-int""#,
                DigestError::Unsupported("qop auth-int".to_owned()),
            ),
            (r#"Digest nonce="n""#, DigestError::Incomplete("realm")),
            (r#"Digest realm="r""#, DigestError::Incomplete("nonce")),
        ] {
            assert_eq!(challenge(&[field]).unwrap_err(), error);
        }
        let long = format!("Digest realm=\"r\", nonce=\"n\", algorithm={}", "x".repeat(30_000));
        assert!(challenge(&[&long]).unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn quotes_are_escaped_in_the_response() {
        let mut challenge =
            challenge(&[r#"Digest realm="a \"b\" \\c", nonce="n""#]).unwrap().unwrap();
        assert_eq!(challenge.realm, r#"a "b" \c"#);
        let value = challenge.response(&login("me \"x\"", "p"), "GET", "/", "c");
        let start = r#"Digest username="me \"x\"", realm="a \"b\" \\c", nonce="n""#;
        assert!(value.starts_with(start), "{value}");
    }
}
