//! Keys of the request of a source of kind `json`.

use super::read;
use crate::config::load::{Purpose, parse_for};
use crate::config::reader::Environment;
use crate::config::{Credentials, Kind, Method, Proxy, Source};

fn source(keys: &str) -> String {
    format!(
        "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"https://h/\"\n\
         values.a.pointer = \"\"\n{keys}\n"
    )
}

#[test]
fn request_is_read_with_secrets_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    std::fs::write(&path, "s3cretFile\n").unwrap();
    let file = path.display();
    let keys = format!(
        "method = \"PUT\"\nbody_file = \"{file}\"\nproxy = \"http://me:${{TOKEN}}@proxy:3128\"\n\
         query = {{ name = \"a b\", count = 2, key_file = \"{file}\", \
         all = true }}\n\
         digest = {{ username = \"me\", password_file = \"{file}\" }}\nformat = \"ndjson\""
    );
    let config = read(&source(&keys)).unwrap();
    let Kind::Json(kind) = &config.sources[0].kind else { panic!() };
    let request = &kind.request;
    assert_eq!(request.method, Method::Put);
    assert_eq!(request.body.as_ref().unwrap().expose(), "s3cretFile");
    assert_eq!(request.query.encoded(), "name=a%20b&count=2&key=s3cretFile&all=true");
    let Some(Credentials::Digest(login)) = &request.credentials else { panic!() };
    assert_eq!((&*login.username, login.password.expose()), ("me", "s3cretFile"));
    let Proxy::Configured(proxy) = &config.sources[0].proxy else { panic!() };
    assert_eq!(proxy.to_string(), "http://proxy:3128");
    assert!(!format!("{config:?}").contains("s3cret"), "secrets are never shown");
    let secrets = source_secrets(&config.sources[0]);
    for secret in ["s3cretFile", "s3cret", "a b", "a%20b"] {
        assert!(secrets.contains(&secret.to_owned()), "{secret} is not in {secrets:?}");
    }
    assert!(!secrets.contains(&"true".to_owned()), "a word that responses have");
}

fn source_secrets(source: &Source) -> Vec<String> {
    source.secrets().iter().map(|secret| secret.expose().to_owned()).collect()
}

#[test]
fn secrets_in_a_body_are_those_that_its_names_say() {
    for (body, expected) in [
        (
            r#"{"method":"Status","auth":[{"password":"s3cret"}],"apiKey":"k3y"}"#,
            &["k3y", "s3cret"][..],
        ),
        ("user=me&passwd=s3%2Fcret&x=1", &["s3%2Fcret", "s3/cret"]),
        ("plain", &[]),
    ] {
        let config = read(&source(&format!("body = '{body}'"))).unwrap();
        let mut secrets = source_secrets(&config.sources[0]);
        assert!(secrets.contains(&body.to_owned()));
        secrets.retain(|secret| secret != body && !secret.is_empty());
        secrets.sort();
        assert_eq!(secrets, expected, "{body}");
    }
}

#[test]
fn faulty_request_is_reported_at_its_key() {
    const BASIC: &str = "basic = { username = \"me\", password = \"s3cretly\" }\n";
    const DIGEST: &str = "digest = { username = \"me\", password = \"s3cretly\" }\n";
    for (keys, message) in [
        ("method = \"DELETE\"", "6:11: \"method\": \"DELETE\" is none of GET, POST, PUT"),
        ("format = \"yaml\"", "6:11: \"format\": \"yaml\" is none of json, ndjson"),
        ("digest = { username = \"me\" }", "6:10: missing key \"password\" in [source.digest]"),
        ("digest = { user = \"me\" }", "unknown key \"user\" in [source.digest]"),
        (&format!("{BASIC}{DIGEST}"), "7:1: \"basic\" and \"digest\" exclude each other"),
        (
            &format!("bearer = \"s3cretly\"\n{DIGEST}"),
            "7:1: \"bearer\" and \"digest\" exclude each other",
        ),
        (
            &format!("bearer_file = \"/dev/null\"\n{BASIC}"),
            "7:1: \"bearer_file\" and \"basic\" exclude each other",
        ),
        ("bearer = \"s3cretly\\nx\"", "6:1: \"bearer\" contains a control character"),
        (
            "query = { a = 1, a_file = \"/nowhere\" }",
            "\"a\" and \"a_file\" exclude each other in [source.query]",
        ),
        ("query = { a = [1] }", "\"a\" must be "),
        ("query = { a_file = \"/nowhere\" }", "\"a_file\" in [source.query]: cannot read /nowhere"),
        ("proxy = \"socks5://s3cretly@h\"", "6:1: \"proxy\" must begin with http://"),
        ("proxy = \"http://s3cretly@h/x\"", "6:1: \"proxy\" must end with the host and port"),
        ("proxy = \"None\"", "for no proxy, delete the key"),
        ("proxy = \"off\"", "for no proxy, delete the key"),
        ("proxy = \"direct \"", "for no proxy, delete the key"),
        ("proxy = \"proxyhost\"", "6:1: \"proxy\" is not a URL such as"),
        ("proxi = \"env\"", "unknown key \"proxi\" in [[source]] \"w\"; did you mean \"proxy\"?"),
    ] {
        let found = read(&source(keys)).unwrap_err();
        assert!(found.contains(message), "{keys}: {found}");
        assert!(!found.contains("s3cretly"), "{found}");
    }
}

#[test]
fn body_has_the_media_type_of_its_syntax() {
    for (body, media_type) in [
        (r#"{"id":1}"#, Some("application/json")),
        ("user=a&pass=b", Some("application/x-www-form-urlencoded")),
        ("cmnd=Status%208&x=", Some("application/x-www-form-urlencoded")),
        ("user=a&pass", None),
        ("=a", None),
        ("user = a", None),
        (r#"<a b="c"/>"#, None),
        ("get status", None),
        ("12", Some("application/json")),
    ] {
        let config = read(&source(&format!("body = '{body}'"))).unwrap();
        let Kind::Json(kind) = &config.sources[0].kind else { panic!() };
        let found = kind.request.content_type();
        assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), media_type, "{body}");
    }
    let header = "body = \"a=b\"\nheaders = { Content-Type = \"text/plain\" }";
    let config = read(&source(header)).unwrap();
    let Kind::Json(kind) = &config.sources[0].kind else { panic!() };
    assert_eq!(kind.request.content_type(), None, "the configured one is sent");
}

#[test]
fn env_is_read_in_any_case() {
    for text in ["env", "ENV", " Env "] {
        let config = read(&source(&format!("proxy = \"{text}\""))).unwrap();
        assert_eq!(config.sources[0].proxy, Proxy::Environment(None), "{text:?}");
    }
}

#[test]
fn proxy_password_in_the_file_is_noted_as_a_secret() {
    let variable = |name: &str| (name == "PASSWORD").then(|| "s3cretly".to_owned());
    let environment = Environment { variable: &variable, lookup: &|_| Vec::new() };
    for (proxy, is_noted) in [
        ("http://me:s3cretly@h:1", true),
        ("http://me:${PASSWORD}@h:1", false),
        ("http://me@h:1", false),
        ("http://h:1", false),
        ("env", false),
    ] {
        let text = source(&format!("proxy = \"{proxy}\""));
        let (_, secrets) = parse_for("p.toml".as_ref(), &text, environment, Purpose::Read).unwrap();
        assert_eq!(secrets.iter().any(|(_, key)| key == "proxy"), is_noted, "{proxy}: {secrets:?}");
    }
}

#[test]
fn upper_case_http_proxy_is_ignored_with_a_warning() {
    let warnings = |variables: &'static [(&'static str, &'static str)]| {
        let environment = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let text = source("proxy = \"env\"").replace("https://", "http://");
        let config = crate::config::parse("p.toml".as_ref(), &text, &environment).unwrap();
        config.warnings.iter().any(|warning| warning.contains("set http_proxy, in lower case"))
    };
    assert!(warnings(&[("HTTP_PROXY", "http://p:1")]));
    assert!(!warnings(&[]));
    assert!(!warnings(&[("HTTP_PROXY", "http://p:1"), ("http_proxy", "http://p:1")]));
    assert!(!warnings(&[("HTTP_PROXY", "http://p:1"), ("all_proxy", "http://p:1")]));
}
