//! Hash of a source's configuration, by which replicas agree that they know the source as it is.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{Context, SHA256};

use crate::config::{Credentials, HttpProxy, JsonRequest, Kind, Proxy, Secret, Source};

/// Distinguishes these hashes from those of other inputs, and from those of a later version of the input.
const DOMAIN: &str = "pumphouse source 1";

/// Number of bits of each secret that hashes reveal at most, those of all sources together. A reader of the database
/// who tries a list of passwords only narrows it down. A changed secret goes unnoticed once in 16 million.
const SECRET_BITS: u32 = 24;

/// SHA-256 of texts, each with its length, so that no two lists of texts are the same input.
pub(super) struct Hasher(Context);

impl Hasher {
    /// Returns a hasher of texts for one purpose.
    pub(super) fn new(domain: &str) -> Hasher {
        let mut hasher = Hasher(Context::new(&SHA256));
        hasher.text(domain);
        hasher
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }

    /// Adds a value by its `Debug` format, which omits secrets.
    fn shown(&mut self, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // A text refuses no text.
        let _ = write!(text, "{value:?}");
        self.text(&text);
    }

    /// Adds a few bits of a secret.
    fn secret(&mut self, secret: &str) {
        let mut hasher = Hasher::new("pumphouse secret 1");
        hasher.text(secret);
        self.number(hasher.finish() >> (u64::BITS - SECRET_BITS));
    }

    /// Returns the first 64 bits of the hash.
    pub(super) fn finish(self) -> u64 {
        let digest = self.0.finish();
        let (first, _) = digest.as_ref().split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_be_bytes(*first)
    }
}

/// Returns the hash of everything that decides what is polled, when, by which route, and how responses are decoded.
///
/// It does not depend on what only pages show (`title`, `group`, `show`) nor on what each board computes (`trends`),
/// nor on a proxy that the environment of one machine names.
pub(super) fn hash(source: &Source) -> u64 {
    let mut hasher = Hasher::new(DOMAIN);
    hasher.text(&source.name);
    for time in [source.interval, source.timeout, source.stale_after] {
        hasher.shown(&time);
    }
    hasher.shown(&source.kind);
    hasher.shown(&source.units);
    let limit = source.rate_limit.as_ref();
    hasher.shown(&limit.map(|limit| limit.every));
    hasher.secret(limit.map_or("", |limit| limit.group.expose()));
    add_secrets(&mut hasher, &source.kind);
    match &source.proxy {
        Proxy::Environment(_) => hasher.text("env"),
        proxy => {
            hasher.shown(proxy);
            let client = proxy.http().map(HttpProxy::client_proxy);
            let client = client.as_ref();
            hasher.text(client.and_then(|client| client.username()).unwrap_or_default());
            hasher.secret(client.and_then(|client| client.password()).unwrap_or_default());
        }
    }
    let authorities = source.ca_certs.as_deref().unwrap_or_default();
    hasher.number(authorities.len() as u64);
    authorities.iter().for_each(|certificate| {
        hasher.number(certificate.len() as u64);
        hasher.0.update(certificate);
    });
    hasher.finish()
}

/// Adds the secrets in the keys of a kind, each in one form only: a second one would reveal as much again.
fn add_secrets(hasher: &mut Hasher, kind: &Kind) {
    hasher.secret(kind.url().as_str());
    match kind {
        Kind::PtLevel(_) | Kind::OpenMeteo(_) | Kind::Nws(_) => {}
        Kind::PtDevices(kind) => hasher.secret(kind.token.expose()),
        Kind::Ambient(kind) => {
            hasher.secret(kind.api_key.expose());
            hasher.secret(kind.application_key.expose());
        }
        Kind::Json(kind) => {
            let JsonRequest { method: _, headers, body, query, credentials } = &*kind.request;
            headers.iter().for_each(|(_, value)| hasher.secret(value.expose()));
            hasher.secret(body.as_ref().map_or("", Secret::expose));
            hasher.secret(&query.encoded());
            match credentials {
                None => {}
                Some(Credentials::Bearer(token)) => hasher.secret(token.expose()),
                Some(Credentials::Basic(login) | Credentials::Digest(login)) => {
                    hasher.secret(login.password.expose());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn of(text: &str) -> u64 {
        let config = config::parse("p".as_ref(), text, &|_| None).unwrap();
        hash(&config.sources[0])
    }

    const JSON: &str = "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/?device=1\"\n\
                        interval = \"60s\"\n[source.query]\nraw = \"true\"\nkey = \"k1\"\n\
                        [source.headers]\nX-Token = \"t1\"\n\
                        [source.values.depth]\npointer = \"/d\"\nunit = \"m\"\n";

    #[test]
    fn hash_is_that_of_what_is_polled_and_how_it_is_decoded() {
        let known = of(JSON);
        for (from, to) in [
            ("name = \"s\"", "name = \"t\""),
            ("http://h/", "https://h/"),
            ("device=1", "device=2"),
            ("interval = \"60s\"", "interval = \"61s\""),
            ("interval = \"60s\"", "interval = \"60s\"\ntimeout = \"9s\""),
            ("interval = \"60s\"", "interval = \"60s\"\nstale_after = \"9m\""),
            ("interval = \"60s\"", "interval = \"60s\"\nproxy = \"http://p:1\""),
            ("interval = \"60s\"", "interval = \"60s\"\nproxy = \"env\""),
            ("interval = \"60s\"", "interval = \"60s\"\nbearer = \"b\""),
            ("interval = \"60s\"", "interval = \"60s\"\nmethod = \"POST\""),
            ("interval = \"60s\"", "interval = \"60s\"\nbody = \"b\""),
            (
                "interval = \"60s\"",
                "interval = \"60s\"\nrate_limit = { group = \"g\", every = \"1s\" }",
            ),
            ("raw = \"true\"", "raw = \"false\""),
            ("key = \"k1\"", "key = \"k2\""),
            ("X-Token = \"t1\"", "X-Token = \"t2\""),
            ("pointer = \"/d\"", "pointer = \"/e\""),
            ("unit = \"m\"", "unit = \"ft\""),
            ("unit = \"m\"", "unit = \"m\"\nscale = 2"),
        ] {
            assert!(JSON.contains(from));
            assert_ne!(of(&JSON.replace(from, to)), known, "{to}");
        }
        for shown in ["title = \"T\"", "group = \"g\"", "show = [\"depth\"]"] {
            let text = JSON.replace("interval", &format!("{shown}\ninterval"));
            assert_eq!(of(&text), known, "{shown}");
        }
    }

    #[test]
    fn password_of_a_proxy_counts() {
        let with = |password: &str| {
            of(&JSON.replace("interval", &format!("proxy = \"http://u:{password}@p:1\"\ninterval")))
        };
        assert_ne!(with("one"), with("two"));
        assert_eq!(with("one"), with("one"));
    }

    #[test]
    fn keys_of_each_kind_count() {
        let json = "kind = \"json\"\nurl = \"http://h/\"\nvalues = { v = { pointer = \"/v\" } }\n";
        let json = |more: &str| format!("{json}{more}");
        let basic = json("basic = { username = \"u1\", password = \"p1\" }");
        let digest = json("digest = { username = \"u1\", password = \"p1\" }");
        let bearer = json("bearer = \"t1\"");
        for (text, from, to) in [
            (&*basic, "u1", "u2"),
            (&basic, "p1", "p2"),
            (&basic, "basic", "digest"),
            (&digest, "p1", "p2"),
            (&bearer, "t1", "t2"),
            ("kind = \"ambient\"\napi_key = \"a1\"\napplication_key = \"b1\"", "a1", "a2"),
            ("kind = \"ambient\"\napi_key = \"a1\"\napplication_key = \"b1\"", "b1", "b2"),
            (
                "kind = \"ptdevices\"\ndevice = \"7\"\ntoken = \"t1\"\ntimezone = \"UTC\"",
                "t1",
                "t2",
            ),
            (
                "kind = \"ptlevel\"\nurl = \"https://www.mypt.in/s/a1\"\nheight = 9\ncapacity = 9",
                "a1",
                "a2",
            ),
        ] {
            let text = format!("[[source]]\nname = \"s\"\n{text}\n");
            assert_ne!(of(&text), of(&text.replace(from, to)), "{to}");
        }
    }
}
