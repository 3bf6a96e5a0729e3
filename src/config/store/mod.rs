//! `[store]`: the database that replicas share, and the local file that replaces it while it is away.

mod url;

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use toml_span::Span;

pub use self::url::StoreUrl;
use self::url::StoreUrlError;
use super::ca_file::CaFiles;
use super::configured_path::{ConfiguredPath, PathKey};
use super::secret::Secret;
use super::section::{Section, Spanned};
use crate::suggestion::advice;

/// `[store]`
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// The database and the user, with `sslmode` if a key names it.
    pub url: StoreUrl,
    /// Password of the user, from its own key or from the URL; `None`: the database asks for none.
    pub password: Option<Secret>,
    /// Certificate authorities of `ca_file`; `None`: those of `sslrootcert` in the URL, else of the system.
    pub ca_certs: Option<Arc<[CertificateDer<'static>]>>,
    /// Local file for observations while the database is away. It is also the path of [`History`], beside which
    /// the other local files lie.
    ///
    /// [`History`]: super::History
    pub spool: ConfiguredPath,
    /// Size limit of that file, in bytes.
    pub spool_max: u64,
}

impl Store {
    /// Returns true if the database's server may be verified by the system's certificate authorities.
    pub fn trusts_system(&self) -> bool {
        self.ca_certs.is_none() && !self.url.has_parameter("sslrootcert")
    }
}

/// Default of `spool_max`. A thousand sources with four values a minute fill it in about three days.
const SPOOL_MAX: usize = 1 << 30;

const MIN_SPOOL: usize = 1 << 20;
const LARGEST_SPOOL: usize = 1 << 40;

/// Modes of libpq.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// `[store]`, as it was read.
pub(super) struct ReadStore {
    /// `None`: it has an error.
    pub(super) store: Option<Store>,
    /// Position of the table.
    pub(super) span: Span,
    /// Line of the table.
    pub(super) line: usize,
    /// Path of the local file, also if another key has an error.
    pub(super) spool: ConfiguredPath,
}

/// Reads `[store]`.
pub(super) fn read(mut section: Section<'_, '_>) -> ReadStore {
    let (span, problems) = (section.own_span(), section.problem_count());
    let line = section.line_of(span);
    let url = url(&mut section);
    let password = password(&mut section, url.as_ref());
    let ca_file = section.span_of("ca_file");
    let ca_certs = CaFiles::default().read(&mut section);
    if let (Some(at), Some(url)) = (ca_file, &url)
        && url.has_parameter("sslrootcert")
    {
        let message =
            "\"ca_file\" and \"sslrootcert\" of the url exclude each other; remove one of them";
        section.report(at, message);
    }
    let spool = section.configured_path("spool").unwrap_or_else(|| {
        let key = PathKey { name: "spool", table: "[store]".to_owned(), position: None };
        ConfiguredPath::new("pumphouse.spool.db".into(), key)
    });
    let spool_max = section.size("spool_max", SPOOL_MAX, MIN_SPOOL..=LARGEST_SPOOL) as u64;
    let is_valid = section.problem_count() == problems;
    section.finish();
    let store = url.filter(|_| is_valid).map(|url| {
        let password = password.or_else(|| url.password());
        Store { url, password, ca_certs, spool: spool.clone(), spool_max }
    });
    ReadStore { store, span, line, spool }
}

/// Reads `url` or `url_file`, which may contain a password, and `sslmode`.
fn url(section: &mut Section<'_, '_>) -> Option<StoreUrl> {
    let span = section.span_of("url").or(section.span_of("url_file")).unwrap_or_default();
    let inline = section.inline_text_of("url");
    let text = section.secret("url");
    let text = section.require("url", text);
    let mode = mode(section);
    let url = match StoreUrl::parse(text?.expose()) {
        Ok(url) => url,
        Err(error) => {
            section.report(span, format_args!("\"url\": {error}"));
            return None;
        }
    };
    if let Some(at) = inline.filter(|_| url.password().is_some()) {
        section.note_inline_secret(at, "url");
    }
    let Some(Spanned { value: mode, span }) = mode else { return Some(url) };
    match url.with_mode(&mode) {
        Ok(url) => Some(url),
        Err(StoreUrlError::Conflict(other)) => {
            section.report(
                span,
                format_args!(
                    "\"sslmode\" is \"{mode}\", but the url says sslmode={other}; remove one of them"
                ),
            );
            None
        }
        Err(error) => {
            section.report(span, format_args!("\"sslmode\": {error}"));
            None
        }
    }
}

fn mode(section: &mut Section<'_, '_>) -> Option<Spanned<String>> {
    let at = section.string("sslmode")?;
    if MODES.contains(&&*at.value) {
        return Some(at);
    }
    let advice = advice(&at.value, MODES.into_iter());
    section.report(at.span, format_args!("\"sslmode\": \"{}\" is unknown; {advice}", at.value));
    None
}

fn password(section: &mut Section<'_, '_>, url: Option<&StoreUrl>) -> Option<Secret> {
    let at = ["password", "password_file"]
        .into_iter()
        .find_map(|key| Some((key, section.span_of(key)?)));
    let password = section.secret("password");
    let (key, span) = at?;
    if url.is_some_and(|url| url.password().is_some()) {
        let message = format_args!(
            "\"{key}\" and the password in the url exclude each other; remove that of the url"
        );
        section.report(span, message);
        return None;
    }
    if password.as_ref().is_some_and(|password| password.expose().contains('\0')) {
        section.report(
            span,
            format_args!("\"{key}\" contains a NUL character, which no password can have"),
        );
        return None;
    }
    password
}
