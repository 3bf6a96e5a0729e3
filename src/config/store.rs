//! `[store]`: the database that replicas share, and the local file that replaces it while it is away.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use toml_span::Span;

use super::ca_file::CaFiles;
use super::configured_path::{ConfiguredPath, PathKey};
use super::secret::Secret;
use super::section::{Section, Spanned};
use crate::access::percent::percent_encoded;
use crate::postgres::Target;
use crate::suggestion::advice;

/// `[store]`
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// The database, with password, `sslmode` and the path of `ca_file`.
    pub target: Target,
    /// Certificates of `ca_file`, for their description and for changes of the file. The client reads it again.
    pub ca_certs: Option<Arc<[CertificateDer<'static>]>>,
    /// Local file for observations while the database is away. It is also the path of [`History`], beside which
    /// the other local files lie.
    ///
    /// [`History`]: super::History
    pub spool: ConfiguredPath,
    /// Size limit of that file, in bytes.
    pub spool_max: u64,
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
    let ca_file = section.text_of("ca_file").and_then(|Spanned { value, span }| {
        section.expand(span, value).map(|value| Spanned { value, span })
    });
    let ca_certs = CaFiles::default().read(&mut section);
    let target = target(&mut section, ca_file.as_ref());
    let spool = section.configured_path("spool").unwrap_or_else(|| {
        let key = PathKey { name: "spool", table: "[store]".to_owned(), position: None };
        ConfiguredPath::new("pumphouse.spool.db".into(), key)
    });
    let spool_max = section.size("spool_max", SPOOL_MAX, MIN_SPOOL..=LARGEST_SPOOL) as u64;
    if let (Some(target), Some(Spanned { span, .. })) = (&target, &ca_file)
        && target.root_certificates().is_none()
    {
        let mode: &str = target.ssl_mode().into();
        let message = format_args!(
            "\"ca_file\" has no effect with sslmode \"{mode}\", which verifies no certificate; write sslmode = \
             \"verify-full\""
        );
        section.warn(*span, message);
    }
    let is_valid = section.problem_count() == problems;
    section.finish();
    let store = target.filter(|_| is_valid);
    let store = store.map(|target| Store { target, ca_certs, spool: spool.clone(), spool_max });
    ReadStore { store, span, line, spool }
}

/// Reads `url` or `url_file`, which may contain a password, and the keys beside it.
fn target(section: &mut Section<'_, '_>, ca_file: Option<&Spanned<String>>) -> Option<Target> {
    let span = section.span_of("url").or(section.span_of("url_file")).unwrap_or_default();
    let inline = section.inline_text_of("url");
    let url = section.secret("url");
    let url = section.require("url", url);
    let mode = mode(section);
    let written_password = password(section);
    let url = url?;
    let mut text = url.expose().trim().to_owned();
    // Otherwise an error could repeat a part of a password as the name of a parameter.
    if text.split_once('?').is_some_and(|(_, parameters)| parameters.contains('@')) {
        let message =
            "\"url\" has an \"@\" behind a \"?\"; write %40 and %3F for those in a password";
        section.report(span, message);
        return None;
    }
    if let Some(Spanned { value, span }) = &mode {
        match parameter(&text, "sslmode") {
            Some(own) if own == value => {}
            Some(own) => {
                let message = format_args!(
                    "\"sslmode\" is \"{value}\", but the url says sslmode={own}; remove one of them"
                );
                // An unknown one is an error of the url.
                if MODES.contains(&own) {
                    section.report(*span, message);
                }
            }
            None => append(&mut text, "sslmode", value),
        }
    }
    if let Some(Spanned { value, span }) = ca_file {
        match parameter(&text, "sslrootcert") {
            Some(_) => section.report(
                *span,
                "\"ca_file\" and sslrootcert of the url exclude each other; remove one of them",
            ),
            None => append(&mut text, "sslrootcert", value),
        }
    }
    let mut target = match Target::parse(&text) {
        Ok(target) => target,
        Err(error) => {
            section.report_file(span, "url", error);
            return None;
        }
    };
    if let Some(at) = inline.filter(|_| target.has_password()) {
        section.note_inline_secret(at, "url");
    }
    if let Some(Spanned { value, span }) = written_password {
        if target.has_password() {
            section.report(
                span,
                "\"password\" and the password in the url exclude each other; remove that of the url",
            );
        }
        target.set_password(value.expose().to_owned());
    }
    Some(target)
}

/// Returns the value of a parameter, as it is written.
fn parameter<'text>(url: &'text str, name: &str) -> Option<&'text str> {
    let (_, parameters) = url.split_once('?')?;
    parameters
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(own, value)| (own == name).then_some(value))
}

fn append(url: &mut String, name: &str, value: &str) {
    let separator = if url.contains('?') { '&' } else { '?' };
    *url += &format!("{separator}{name}={}", percent_encoded(value));
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

fn password(section: &mut Section<'_, '_>) -> Option<Spanned<Secret>> {
    let span = section.span_of("password").or(section.span_of("password_file"));
    let (value, span) = (section.secret("password")?, span?);
    if value.expose().contains('\0') {
        let message = "\"password\" contains a NUL character, which PostgreSQL does not accept";
        section.report(span, message);
        return None;
    }
    Some(Spanned { value, span })
}
