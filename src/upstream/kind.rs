//! Selects the request and the decoder by the kind of upstream.

use jiff::Timestamp;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};

use super::decode::DecodeError;
use super::fetch::Request;
use super::secrets::Secrets;
use super::{ambient, json, nws, open_meteo, ptdevices, ptlevel};
use crate::board::Reading;
use crate::config::{Credentials, DesiredUnits, HttpProxy, Json, Kind, Method, Source};

/// Builds the request for the source's current values, with its URL and header fields.
///
/// The request is conditional only if the body has an absolute time of observation. Without one, an unchanged
/// body is a new observation: "3 minutes ago" means another time with every fetch, and a body without any
/// time is observed when it is fetched.
pub(super) fn request(source: &Source) -> Request {
    request_of_kind(&source.kind, &source.units, Secrets::of(source))
}

fn request_of_kind(kind: &Kind, units: &DesiredUnits, secrets: Secrets) -> Request {
    let get = |url, media_type| Request {
        method: Method::Get,
        url,
        headers: accept(media_type),
        body: None,
        digest: None,
        conditional: false,
        redirect: None,
        reason: |_| None,
        secrets,
    };
    const JSON: &str = "application/json";
    match kind {
        Kind::PtLevel(keys) => get(keys.url.as_str().to_owned(), "text/html"),
        Kind::PtDevices(keys) => {
            Request { redirect: Some(ptdevices::REDIRECT), ..get(ptdevices::url(keys), JSON) }
        }
        Kind::OpenMeteo(keys) => Request {
            conditional: true,
            reason: open_meteo::reason,
            ..get(open_meteo::url(keys, units.system), JSON)
        },
        Kind::Nws(keys) => Request {
            conditional: true,
            reason: nws::reason,
            ..get(nws::url(keys), "application/geo+json")
        },
        Kind::Ambient(keys) => Request { reason: ambient::reason, ..get(ambient::url(keys), JSON) },
        Kind::Json(keys) => Request {
            headers: json_headers(keys),
            // A condition has a meaning for GET alone (RFC 9110 13.1.2).
            conditional: keys.request.method == Method::Get && keys.states_absolute_times(),
            method: keys.request.method,
            body: keys.request.body.as_ref().map(|body| body.expose().as_bytes().to_vec()),
            digest: match &keys.request.credentials {
                Some(Credentials::Digest(login)) => Some(login.clone()),
                _ => None,
            },
            ..get(keys.url.endpoint("", &keys.request.query.encoded()), JSON)
        },
    }
}

/// Returns the proxy that the source is reached through.
pub(super) fn proxy(source: &Source) -> Option<ureq::Proxy> {
    source.proxy.http().map(HttpProxy::client_proxy)
}

fn accept(media_type: &'static str) -> Vec<(HeaderName, HeaderValue)> {
    vec![(ACCEPT, HeaderValue::from_static(media_type))]
}

fn json_headers(keys: &Json) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    // A configured Accept field replaces ours.
    if keys.request.headers.iter().all(|(name, _)| *name != ACCEPT) {
        headers.extend(accept("application/json"));
    }
    headers.extend(
        keys.request.headers.iter().map(|(name, value)| (name.clone(), sensitive(value.expose()))),
    );
    headers.extend(keys.request.content_type().map(|value| (CONTENT_TYPE, value)));
    let authorization = keys.request.credentials.as_ref().and_then(Credentials::authorization);
    headers.extend(authorization.map(|value| (AUTHORIZATION, sensitive(value.expose()))));
    headers
}

/// Creates a header value that `Debug` does not show.
fn sensitive(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value)
        .expect("the configuration rejects control characters in headers and credentials");
    value.set_sensitive(true);
    value
}

/// Decodes a response that was complete at `fetched_at`. Values have the units that the upstream sent.
///
/// # Errors
/// The body is not a response of this kind of upstream, or has no usable reading.
pub(super) fn decode(
    kind: &Kind,
    body: &[u8],
    fetched_at: Timestamp,
) -> Result<Reading, DecodeError> {
    match kind {
        Kind::PtLevel(keys) => ptlevel::decode(keys, body, fetched_at),
        Kind::PtDevices(keys) => ptdevices::decode(keys, body, fetched_at),
        Kind::OpenMeteo(_) => open_meteo::decode(body),
        Kind::Nws(_) => nws::decode(body),
        Kind::Ambient(_) => ambient::decode(body),
        Kind::Json(keys) => json::decode(keys, body, fetched_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, BodyFormat, JsonRequest, Login, Secret};

    fn json(credentials: Option<Credentials>) -> Kind {
        Kind::Json(Box::new(Json {
            url: "http://h/".parse().unwrap(),
            request: Box::new(JsonRequest {
                headers: vec![(ACCEPT, Secret::new("text/json".to_owned()))],
                credentials,
                ..JsonRequest::default()
            }),
            format: BodyFormat::Json,
            values: Vec::new(),
            observed_at: None,
        }))
    }

    #[test]
    fn credentials_are_sent_and_never_shown() {
        let secret = || Secret::new("s3cret".to_owned());
        let basic = Credentials::Basic(Login { username: "me".to_owned(), password: secret() });
        // printf me:s3cret | base64
        let cases =
            [(Credentials::Bearer(secret()), "Bearer s3cret"), (basic, "Basic bWU6czNjcmV0")];
        for (credentials, expected) in cases {
            let request = request_of_kind(
                &json(Some(credentials)),
                &DesiredUnits::default(),
                Secrets::default(),
            );
            let (name, value) = request.headers.last().unwrap();
            assert_eq!((name, value.to_str().unwrap()), (&AUTHORIZATION, expected));
            assert!(!format!("{value:?}").contains("s3cret"));
        }
    }

    #[test]
    fn query_of_a_base_url_is_sent_and_redacted_for_every_kind() {
        const QUERY: &str = "apikey=s3cretKey%2F1&flag=s3cretFlag";
        for keys in [
            "kind = \"ptlevel\"\nheight = 58\ncapacity = 1400",
            "kind = \"ptdevices\"\ndevice = \"1\"\ntoken = \"t0kenToken\"\ntimezone = \"UTC\"",
            "kind = \"open-meteo\"\nlatitude = 1\nlongitude = 2",
            "kind = \"nws\"\nstation = \"KSFO\"",
            "kind = \"ambient\"\napi_key = \"apiKey1\"\napplication_key = \"appKey2\"",
            "kind = \"json\"\nvalues.v.pointer = \"/v\"",
        ] {
            let text =
                format!("[[source]]\nname = \"x\"\nurl = \"http://h/base?{QUERY}\"\n{keys}\n");
            let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
            let source = &config.sources[0];
            let sent = request(source);
            assert!(sent.url.starts_with("http://h/base"), "{}", sent.url);
            assert!(sent.url.contains(&format!("?{QUERY}")), "{}", sent.url);
            assert_eq!(sent.url.matches('?').count(), 1, "{}", sent.url);
            let shown = source.kind.url().to_string();
            let echoed =
                sent.secrets.redact("no key s3cretKey%2F1, s3cretKey/1, s3cretFlag".to_owned());
            assert!(!shown.contains("s3cret") && !echoed.contains("s3cret"), "{shown}, {echoed}");
        }
    }

    #[test]
    fn configured_accept_replaces_the_default() {
        let request = request_of_kind(&json(None), &DesiredUnits::default(), Secrets::default());
        assert_eq!(request.headers, [(ACCEPT, HeaderValue::from_static("text/json"))]);
    }
}
