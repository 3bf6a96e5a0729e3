//! The body of `POST /login`: `application/x-www-form-urlencoded` (URL Standard 5.1), parsed strictly.

use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::access::SiteUrl;
use crate::access::percent::percent_decoded;
use crate::engine::Request;
use crate::site::next;
use crate::site::problem::Problem;

/// Maximum number of bytes of the body.
pub(in crate::site) const LOGIN_BODY_LIMIT: usize = 8 << 10;

const FORM: &str = "application/x-www-form-urlencoded";

/// Fields of the form. There is no `Debug`, which could print the password.
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
    /// Path of this site to redirect to.
    pub(super) next: String,
}

/// Parses the form. Rejects a field that is missing, repeated, unknown or malformed.
pub(super) fn read(request: &Request, site_url: Option<&SiteUrl>) -> Result<Credentials, Problem> {
    if request.body.len() > LOGIN_BODY_LIMIT {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("A sign-in form has at most {LOGIN_BODY_LIMIT} bytes."),
        ));
    }
    let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !kind.trim_matches([' ', '\t']).eq_ignore_ascii_case(FORM) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("A sign-in form is sent as {FORM}."),
        ));
    }
    let malformed = || Problem::bad_request("The form holds an invalid encoding.");
    let body = std::str::from_utf8(&request.body).map_err(|_| malformed())?;
    let (mut username, mut password, mut wanted) = (None, None, None);
    for pair in body.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let field = match &*decoded(name).ok_or_else(malformed)? {
            "username" => &mut username,
            "password" => &mut password,
            "next" => &mut wanted,
            _ => return Err(Problem::bad_request("The form has username, password and next.")),
        };
        // The detail does not contain the value, which may be a password.
        if field.replace(decoded(value).ok_or_else(malformed)?).is_some() {
            return Err(Problem::bad_request("A field of the form is repeated."));
        }
    }
    let (Some(username), Some(password)) = (username, password) else {
        return Err(Problem::bad_request("The form needs username and password."));
    };
    let next = next::checked(wanted.as_deref().unwrap_or_default(), site_url).to_owned();
    Ok(Credentials { username, password, next })
}

/// Decodes a name or a value of a form, in which a `+` is a space (URL Standard 5.1).
fn decoded(text: &str) -> Option<String> {
    percent_decoded(&text.replace('+', " ")).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::request;

    fn sent(kind: &str, body: impl Into<bytes::Bytes>) -> Result<[String; 3], u16> {
        let mut request = request("POST", "/login", &[("content-type", kind)]);
        request.body = body.into();
        let read = read(&request, None).map(|form| [form.username, form.password, form.next]);
        read.map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn form_with_all_fields_is_decoded() {
        for (body, expected) in [
            ("username=anna&password=right", ["anna", "right", "/"]),
            (
                "password=a%26b%3D%2B+c&username=%C3%A5nna&next=%2Fx%3Fa%3Db",
                ["ånna", "a&b=+ c", "/x?a=b"],
            ),
            ("username=&password=&next=//evil.example", ["", "", "/"]),
            ("username=a=b&password", ["a=b", "", "/"]),
            ("&username=a&&password=b&", ["a", "b", "/"]),
        ] {
            let kind = "Application/x-www-form-urlencoded ; charset=utf-8";
            assert_eq!(sent(kind, body), Ok(expected.map(str::to_owned)), "{body}");
        }
    }

    #[test]
    fn form_that_is_malformed_or_of_another_type_is_refused() {
        for (body, expected) in [
            (&b""[..], 400),
            (b"username=a", 400),
            (b"username=a&password=b&password=c", 400),
            (b"username=a&username=a&password=b", 400),
            (b"username=a&password=b&colour=blue", 400),
            (b"username=a&password=%zz", 400),
            (b"username=%ff&password=b", 400),
            (b"username=\xff&password=b", 400),
        ] {
            assert_eq!(sent(FORM, body), Err(expected), "{body:?}");
        }
        for kind in ["", "text/plain", "multipart/form-data", "application/json"] {
            assert_eq!(sent(kind, "username=a&password=b"), Err(415), "{kind}");
        }
        let long = format!("username=a&password={}", "x".repeat(LOGIN_BODY_LIMIT));
        assert_eq!(sent(FORM, long), Err(413));
    }
}
