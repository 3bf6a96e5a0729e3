//! `[[source]]`: an upstream, with the keys that all kinds share.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use super::ca_file::CaFiles;
use super::group;
use super::kind::{self, Kind};
use super::name::{check_name, is_name};
use super::proxy::{self, Proxy};
use super::renamed_fields::{self, FieldSettings};
use super::scalar::written_duration;
use super::secret::Secret;
use super::section::{Section, Spanned};
use super::source_fields;
use super::trends::{self, TrendSettings};
use crate::units::{System, Unit};

/// One `[[source]]`, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Unique name, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// Title on pages; defaults to the name.
    pub title: Arc<str>,
    /// `group`: path by which pages and the API select sources, such as `north/ridge`.
    pub group: Option<Arc<str>>,
    /// Time from the start of one poll to the start of the next.
    pub interval: Duration,
    /// Deadline of one poll in total: DNS, connect, TLS, headers and body.
    pub timeout: Duration,
    /// Age of the observation at which the source is stale.
    pub stale_after: Duration,
    /// The upstream's API and its keys.
    pub kind: Kind,
    /// Units that values are converted to.
    pub units: DesiredUnits,
    /// Rate limit that the source shares with others of its group.
    pub rate_limit: Option<RateLimit>,
    /// `proxy`: the route to the upstream.
    pub proxy: Proxy,
    /// `ca_file`: certificates that replace the system's authorities, as authorities and each as that of the
    /// server itself.
    pub ca_certs: Option<Arc<[CertificateDer<'static>]>>,
    /// `show`: fields on the page, in that order; empty: all fields.
    pub show: Vec<Arc<str>>,
    /// `[source.trends.NAME]`: trends to compute from its values.
    pub trends: Vec<TrendSettings>,
}

impl Source {
    /// Returns true if it verifies a server by the system's certificate authorities.
    pub fn trusts_system(&self) -> bool {
        self.ca_certs.is_none() && self.kind.url().is_https()
    }

    /// Returns the secrets in its keys, which are redacted wherever they occur.
    pub fn secrets(&self) -> Vec<Secret> {
        self.kind.secrets().into_iter().chain(self.proxy.secrets()).collect()
    }
}

/// `units`, and `unit` of `[source.fields.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesiredUnits {
    /// System of units for fields without a unit of their own; `None`: units are not converted.
    pub system: Option<System>,
    /// Fields with a unit of their own.
    pub fields: Vec<(Arc<str>, Unit)>,
}

impl DesiredUnits {
    /// Returns the unit to show for a field that the upstream sends in `unit`.
    pub fn unit_for(&self, field: &str, unit: Unit) -> Unit {
        let configured =
            self.fields.iter().find(|(name, _)| **name == *field).map(|(_, unit)| *unit);
        configured.or_else(|| Some(self.system?.unit_for(field, unit))).unwrap_or(unit)
    }
}

/// `rate_limit`: requests of all sources of a group begin at least `every` apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Name that the sources of the group share. It may contain an API key.
    pub group: Secret,
    /// Least time from the start of one request to the start of the next.
    pub every: Duration,
}

/// One request a second for each key (<https://ambientweather.docs.apiary.io>, "Rate Limiting").
const AMBIENT_EVERY: Duration = Duration::from_secs(1);

const INTERVAL: Duration = Duration::from_secs(5 * 60);
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Default of `stale_after`, in intervals.
const STALE_INTERVALS: u32 = 3;

/// State that the sources of a file share while they are read.
pub(super) struct Fleet<'a> {
    pub(super) ca_files: &'a CaFiles,
    /// Default of `[site]`.
    pub(super) units: Option<System>,
    pub(super) warnings: Vec<String>,
}

/// Reads a source. `name` is absent if it has an error, which is reported.
pub(super) fn read(
    mut section: Section<'_, '_>,
    name: Option<&str>,
    fleet: &mut Fleet<'_>,
) -> Option<Source> {
    let title = section.string("title").map(|at| at.value);
    let group = group::read(&mut section);
    let interval = interval(&mut section);
    let timeout = timeout(&mut section, interval);
    let stale_after = stale_after(&mut section, interval);
    let system = section.unit_system().or(fleet.units);
    let mut names = Vec::new();
    let fields = section.section("fields", "[source.fields]".to_owned());
    let fields = fields.map(|fields| fields_of(fields, &mut names));
    let rate_limit = section.section("rate_limit", "\"rate_limit\"".to_owned());
    let rate_limit = rate_limit.and_then(rate_limit_of);
    let ca_certs = fleet.ca_files.read(&mut section);
    let mut show = shown(&mut section, &mut names);
    let trends = section.section("trends", "[source.trends]".to_owned());
    let trends = trends.map(|trends| {
        names.extend(trends.dynamic_keys().into_iter().map(|at| ("trends", at)));
        trends::read(trends)
    });
    let has_kind = section.span_of("kind").is_some();
    let kind = kind::read(&mut section);
    let proxy = proxy::read(&mut section, kind.as_ref().map(Kind::url));
    if let Some(kind) = &kind {
        let trends = trends.clone().unwrap_or_else(|| trends::defaults_of(kind));
        source_fields::check(&section, kind, &trends, names);
    }
    // Without a kind, the set of valid keys is unknown.
    match kind.is_some() || has_kind && section.knows("url") {
        true => section.finish(),
        false => section.finish_in_part(),
    }
    let name: Arc<str> = name?.into();
    let title = title.map_or_else(|| Arc::clone(&name), Arc::from);
    let kind = kind?;
    let of_kind = kind.warnings().into_iter();
    fleet.warnings.extend(of_kind.map(|warning| format!("[[source]] \"{name}\": {warning}")));
    let system = match &kind {
        // The configuration names the unit of each value.
        Kind::Json(_) => system,
        _ => Some(system.unwrap_or(System::Us)),
    };
    let mut units = DesiredUnits { system, fields: fields.unwrap_or_default() };
    let rate_limit = rate_limit.or_else(|| documented_rate_limit(&kind));
    let mut trends = trends.unwrap_or_else(|| trends::defaults_of(&kind));
    let mut named = FieldSettings { show: &mut show, units: &mut units, trends: &mut trends };
    renamed_fields::rename(&kind, &name, &mut named, &mut fleet.warnings);
    Some(Source {
        name,
        title,
        group,
        interval,
        timeout,
        stale_after,
        kind,
        units,
        rate_limit,
        proxy,
        ca_certs,
        show,
        trends,
    })
}

/// Returns the documented rate limit of an API.
fn documented_rate_limit(kind: &Kind) -> Option<RateLimit> {
    match kind {
        Kind::Ambient(keys) => {
            let group = Secret::new(format!("ambient {}", keys.api_key.expose()));
            Some(RateLimit { group, every: AMBIENT_EVERY })
        }
        _ => None,
    }
}

/// Names of fields with their positions, and the key that each is in.
type FieldNames = Vec<(&'static str, Spanned<String>)>;

fn fields_of(mut section: Section<'_, '_>, names: &mut FieldNames) -> Vec<(Arc<str>, Unit)> {
    let mut fields = Vec::new();
    for at in section.dynamic_keys() {
        names.push(("fields", at.clone()));
        let name = at.value;
        let title = format!("[source.fields.{name}]");
        let Some(mut field) = section.section(&name, title) else { continue };
        let unit = field.unit();
        let unit = field.require("unit", unit);
        field.finish();
        fields.extend(unit.map(|unit| (Arc::from(name), unit)));
    }
    section.finish();
    fields
}

fn rate_limit_of(mut section: Section<'_, '_>) -> Option<RateLimit> {
    let group = section.string("group").map(|at| Secret::new(at.value));
    let group = section.require("group", group);
    let every = section.duration("every").map(|at| at.value);
    let every = section.require("every", every);
    section.finish();
    Some(RateLimit { group: group?, every: every? })
}

fn shown(section: &mut Section<'_, '_>, names: &mut FieldNames) -> Vec<Arc<str>> {
    let mut shown = Vec::new();
    for at in section.strings("show").unwrap_or_default() {
        if !is_name(&at.value) {
            let message = format_args!("\"show\": \"{}\" is not the name of a field", at.value);
            section.report(at.span, message);
            continue;
        }
        shown.push(Arc::from(at.value.as_str()));
        names.push(("show", at));
    }
    shown
}

/// Reads the name of a source.
pub(super) fn name(section: &mut Section<'_, '_>) -> Option<Spanned<String>> {
    let name = section.string("name");
    let name = section.require("name", name)?;
    check_name(section, &name).then_some(name)
}

fn interval(section: &mut Section<'_, '_>) -> Duration {
    match section.duration("interval") {
        None => INTERVAL,
        Some(Spanned { value, .. }) if value >= MIN_INTERVAL => value,
        Some(Spanned { value, span }) => {
            section.report(
                span,
                format_args!("\"interval\" must be at least 1s; it is {}", written_duration(value)),
            );
            INTERVAL
        }
    }
}

fn timeout(section: &mut Section<'_, '_>, interval: Duration) -> Duration {
    match section.duration("timeout") {
        None => TIMEOUT.min(interval),
        Some(Spanned { value, .. }) if value <= interval => value,
        Some(Spanned { span, .. }) => {
            let every = written_duration(interval);
            section.report(
                span,
                format_args!("\"timeout\" must not be longer than \"interval\"; that is {every}"),
            );
            interval
        }
    }
}

/// Reads `stale_after`. A reading that is stale before the next poll is probably not intended.
fn stale_after(section: &mut Section<'_, '_>, interval: Duration) -> Duration {
    let Some(Spanned { value, span }) = section.duration("stale_after") else {
        return interval * STALE_INTERVALS;
    };
    if value < interval {
        let message = format_args!(
            "\"stale_after\" is {}, which is shorter than \"interval\", {}, so readings turn stale between \
             two polls; make it longer, such as three intervals",
            written_duration(value),
            written_duration(interval)
        );
        section.warn(span, message);
    }
    value
}
