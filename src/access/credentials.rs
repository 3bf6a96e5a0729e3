//! Parses credentials of the Authorization field (RFC 9110 11.6.2).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Credentials, not yet verified. They have no `Debug`.
pub(super) enum Credentials {
    /// A name and a password (RFC 7617).
    Basic { user: String, password: Vec<u8> },
    /// A token (RFC 6750).
    Bearer(String),
}

/// The credentials cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Credentials {
    /// Returns the credentials of a request. An unknown scheme counts as none.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Credentials>, Malformed> {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let field = match (fields.next(), fields.next()) {
            (None, _) => return Ok(None),
            (Some(field), None) => field.to_str().map_err(|_| Malformed)?,
            // A proxy and this server could choose different ones.
            (Some(_), Some(_)) => return Err(Malformed),
        };
        let (scheme, rest) = field.split_once(' ').unwrap_or((field, ""));
        let rest = rest.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("basic") {
            basic(rest).map(Some).ok_or(Malformed)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Malformed);
            }
            Ok(Some(Credentials::Bearer(rest.to_owned())))
        } else {
            Ok(None)
        }
    }
}

/// Parses `user:password` in base64. The name is UTF-8, as the challenge demands; the password may
/// contain further colons and any bytes.
fn basic(text: &str) -> Option<Credentials> {
    let mut decoded = BASE64_STANDARD.decode(text).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.split_off(colon + 1);
    decoded.pop();
    Some(Credentials::Basic { user: String::from_utf8(decoded).ok()?, password })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn authorization_field_is_parsed_by_scheme() {
        let basic = |pair: &[u8]| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for (field, expected) in [
            (basic(b"anna:secret"), Ok("anna/secret")),
            (basic(b"anna:se:cret"), Ok("anna/se:cret")),
            (basic(b":"), Ok("/")),
            (basic("ånna:sø".as_bytes()), Ok("ånna/sø")),
            (basic(b"anna:secret").replace("Basic", "bAsIc "), Ok("anna/secret")),
            (basic(b"anna"), Err(())),
            (basic(b"\xff:secret"), Err(())),
            ("Basic".to_owned(), Err(())),
            ("Basic ?".to_owned(), Err(())),
            ("Basic YW5uYTpzZWNyZXQ= x".to_owned(), Err(())),
            ("Bearer abc.-_~+/=".to_owned(), Ok("abc.-_~+/=")),
            ("BEARER  abc".to_owned(), Ok("abc")),
            ("Bearer".to_owned(), Err(())),
            ("Bearer a b".to_owned(), Err(())),
            ("Digest username=\"anna\"".to_owned(), Ok("none")),
            (String::new(), Ok("none")),
        ] {
            let headers =
                HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&field).unwrap())]);
            let parsed = Credentials::of(&headers).map_err(|Malformed| ()).map(|sent| match sent {
                None => "none".to_owned(),
                Some(Credentials::Bearer(token)) => token,
                Some(Credentials::Basic { user, password }) => {
                    format!("{user}/{}", String::from_utf8(password).unwrap())
                }
            });
            assert_eq!(parsed, expected.map(str::to_owned), "{field}");
        }
    }

    #[test]
    fn two_authorization_fields_are_malformed() {
        let mut headers = HeaderMap::new();
        assert!(matches!(Credentials::of(&headers), Ok(None)));
        for _ in 0..2 {
            headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        }
        assert!(Credentials::of(&headers).is_err());
    }
}
