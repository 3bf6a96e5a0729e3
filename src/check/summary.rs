//! Describes a configuration in plain text, one line for each property, without secrets.

mod alerts;
mod json_request;
mod json_values;

use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;

use super::{ca_file, listeners};
use crate::access::{Admission, Restricted, SiteUrl};
use crate::certificates::{CertificateInfo, Certificates, EXPIRES_SOON_DAYS};
use crate::config::{Auth, Config, Json, Kind, Proxy, Source, Store, written_duration};
use crate::engine::Settings;
use crate::private_file;
use crate::server::admitted_connections;
use crate::shell::quoted;
use crate::time_zone;
use crate::timestamp::Rfc3339Date;

/// Returns the description of a configuration and its certificates.
pub(super) fn render(
    config: &Config,
    certificates: Option<&Certificates>,
    now: Timestamp,
) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_all(&mut text, config, certificates, now);
    text
}

fn write_all(
    text: &mut String,
    config: &Config,
    certificates: Option<&Certificates>,
    now: Timestamp,
) -> fmt::Result {
    let server = &config.server;
    for address in &server.listen {
        let scheme = if config.tls.is_some() { "HTTPS" } else { "plain HTTP" };
        let families = listeners::families(address, &server.listen);
        writeln!(text, "listens on {address}, {scheme}{families}")?;
    }
    for address in config.tls.iter().flat_map(|tls| &tls.redirect_listen) {
        writeln!(text, "listens on {address}, plain HTTP, and redirects to HTTPS")?;
    }
    writeln!(text, "health and metrics on {}, for this machine only", server.admin_listen)?;
    if let Some(certificates) = certificates {
        certificates.infos.iter().try_for_each(|info| certificate_lines(text, info, now))?;
    }
    if let Some(url) = &config.site.url {
        writeln!(text, "public address {url}")?;
    }
    access(text, &config.auth)?;
    limits(text, config)?;
    history(text, config, now)?;
    for source in &config.sources {
        source_lines(text, source, now)?;
    }
    alerts::write(text, config)?;
    for warning in &config.warnings {
        writeln!(text, "note: {warning}")?;
    }
    Ok(())
}

fn certificate_lines(text: &mut String, info: &CertificateInfo, now: Timestamp) -> fmt::Result {
    let names = info.label();
    let days = info.days_left(now);
    let end = &info.validity.end;
    writeln!(text, "certificate for {names}, until {} ({days} days)", Rfc3339Date(end.at))?;
    if days < EXPIRES_SOON_DAYS {
        let (holder, remedy) = (end.holder(&names), end.remedy());
        writeln!(text, "note: the {holder} expires in {days} days; {remedy}")?;
    }
    info.problems.iter().try_for_each(|problem| writeln!(text, "note: {problem}"))
}

/// Describes the accounts by name and scopes, without their hashes.
fn access(text: &mut String, auth: &Auth) -> fmt::Result {
    let rules = &auth.rules;
    match &rules.admission {
        Admission::Restricted(restricted) => accounts(text, restricted)?,
        Admission::Open if auth.is_configured => {
            writeln!(text, "open to everyone who can reach it, by \"open = true\" in [auth]")?;
        }
        Admission::Open => {
            writeln!(
                text,
                "open to everyone on this machine, and reachable from no other; to serve others, \
                 configure [auth]"
            )?;
        }
    }
    for token in &rules.admin_tokens {
        let (name, scopes) = (&token.name, &token.scopes);
        writeln!(text, "token {name}, for commands to the admin listener, scopes: {scopes}")?;
    }
    if !rules.names.is_empty() {
        let public = rules.site_url.as_ref().map(SiteUrl::host_name);
        let public = public.filter(|name| !rules.names.contains(name));
        let names = rules.names.iter().chain(public);
        let names: Vec<String> = names.map(ToString::to_string).collect();
        writeln!(text, "serves requests for these host names only: {}", names.join(", "))?;
    }
    if !rules.cors_origins.is_empty() {
        let origins: Vec<String> = rules.cors_origins.iter().map(ToString::to_string).collect();
        writeln!(
            text,
            "scripts of pages from {} may read the API with their visitors' access",
            origins.join(", ")
        )?;
    }
    Ok(())
}

fn accounts(text: &mut String, restricted: &Restricted) -> fmt::Result {
    let Restricted { users, tokens, public, limits } = restricted;
    for user in users {
        writeln!(text, "user {}, scopes: {}", user.name, user.scopes)?;
    }
    for token in tokens {
        writeln!(text, "token {}, scopes: {}", token.name, token.scopes)?;
    }
    match public.as_slice() {
        [] => writeln!(text, "without an account only the page's static files are served")?,
        _ => writeln!(text, "without an account also served: {}", public.join(", "))?,
    }
    writeln!(
        text,
        "right passwords are remembered for {}; at most {} are verified at the same time",
        written_duration(limits.remember),
        limits.verifications,
    )?;
    writeln!(
        text,
        "after {} failures of an address or {} of an account further attempts wait {}, doubled \
         for each failure up to {}",
        limits.failures_per_address,
        limits.failures_per_account,
        written_duration(limits.first_delay),
        written_duration(limits.longest_delay),
    )?;
    writeln!(
        text,
        "at most {} passwords of unknown callers are compared in a second",
        limits.strangers_per_second,
    )?;
    writeln!(text, "a browser stays signed in for {}", written_duration(limits.session))
}

fn limits(text: &mut String, config: &Config) -> fmt::Result {
    let engine = &config.server.engine;
    writeln!(text, "{} workers, a listen backlog of {}", engine.workers, config.server.backlog)?;
    writeln!(
        text,
        "expensive requests of scripts: at most {} at a time, one for each client",
        engine.heavy_permits()
    )?;
    let admitted = admitted_connections(config);
    write!(text, "at most {admitted} connections")?;
    if admitted < engine.max_connections {
        write!(text, " (lowered from {} to fit the hard RLIMIT_NOFILE)", engine.max_connections)?;
    }
    let per_address = Settings { max_connections: admitted, ..engine.clone() }.address_cap();
    writeln!(text, ", {per_address} of them from one address")?;
    writeln!(
        text,
        "deadlines: handshake {}, header {}, body {}, write {}, keep-alive {}, linger {}, \
         queue {}, drain {}",
        written_duration(engine.handshake_timeout),
        written_duration(engine.header_timeout),
        written_duration(engine.body_timeout),
        written_duration(engine.write_timeout),
        written_duration(engine.keep_alive),
        written_duration(engine.linger_timeout),
        written_duration(engine.queue_timeout),
        written_duration(engine.drain_timeout),
    )?;
    writeln!(
        text,
        "requests: head up to {} bytes and {} fields, body up to {} bytes; buffers of all \
         connections up to {} bytes",
        engine.max_header_bytes,
        engine.max_headers,
        engine.max_body_bytes,
        engine.max_buffered_bytes
    )
}

fn history(text: &mut String, config: &Config, now: Timestamp) -> fmt::Result {
    let Some(history) = &config.history else { return writeln!(text, "no history is recorded") };
    let zone = time_zone::label(&config.site.timezone, now);
    let place = match &config.store {
        Some(Store { target, .. }) => {
            let mode: &str = target.ssl_mode().into();
            format!("{target} (sslmode {mode})")
        }
        None => history.path.display().to_string(),
    };
    let keep = |keep: Option<Duration>| {
        keep.map_or_else(|| "for ever".to_owned(), |keep| format!("{} d", keep.as_secs() / 86_400))
    };
    writeln!(
        text,
        "history in {place}, written every {}; single observations are kept {}, 15-minute rows {}, daily \
         rows {}, with days of {zone}",
        written_duration(history.flush),
        keep(history.keep_raw),
        keep(history.keep_15m),
        keep(history.keep_daily),
    )?;
    if let Some(store) = &config.store {
        let (spool, max) = (store.spool.display(), ByteSize::b(store.spool_max).display().iec());
        writeln!(
            text,
            "the replica {} of those that share it; while it is away, observations wait in {spool}, up to {max}",
            config.replica
        )?;
        if let Some(ca_certs) = &store.ca_certs {
            ca_file::write(text, ca_certs, now)?;
        }
    }
    history.files().iter().try_for_each(|file| exposed(text, file))
}

/// Writes a note if other users of the machine can read a file with data of the site.
fn exposed(text: &mut String, file: &Path) -> fmt::Result {
    let Some(mode) = private_file::exposed_mode(file) else { return Ok(()) };
    let shown = file.display();
    let quoted = quoted(file);
    writeln!(
        text,
        "note: {shown} is readable by other users (mode {mode:04o}); to keep it private, run: \
         chmod 600 -- {quoted}"
    )
}

fn source_lines(text: &mut String, source: &Source, now: Timestamp) -> fmt::Result {
    let Source { name, title, interval, timeout, stale_after, kind, .. } = source;
    writeln!(text, "\nsource {name}: \"{title}\", {} at {}", kind.as_str(), kind.url())?;
    if let Some(group) = &source.group {
        writeln!(text, "  in the group {group}")?;
    }
    writeln!(
        text,
        "  polled every {}, with a timeout of {}; stale when the observation is older than {}",
        written_duration(*interval),
        written_duration(*timeout),
        written_duration(*stale_after)
    )?;
    if let Some(system) = source.units.system {
        writeln!(text, "  in {system} units")?;
    }
    for (field, unit) in &source.units.fields {
        writeln!(text, "  {field} in {unit}")?;
    }
    if let Some(limit) = &source.rate_limit {
        let every = written_duration(limit.every);
        writeln!(text, "  requests of its rate limit's group start at least {every} apart")?;
    }
    if let Some(ca_certs) = &source.ca_certs {
        ca_file::write(text, ca_certs, now)?;
    }
    proxy_line(text, &source.proxy)?;
    match kind {
        Kind::PtLevel(keys) => writeln!(
            text,
            "  a full tank is {} in high and holds {} gal",
            keys.height, keys.capacity
        ),
        Kind::PtDevices(keys) => {
            let zone = keys.timezone.iana_name().unwrap_or("an unnamed zone");
            writeln!(text, "  device {}, with its clock in {zone}", keys.device)
        }
        Kind::Nws(keys) => writeln!(text, "  station {}", keys.station),
        Kind::Ambient(keys) => match &keys.mac {
            Some(mac) => writeln!(text, "  station {mac}"),
            None => writeln!(text, "  the account's only station"),
        },
        Kind::OpenMeteo(keys) => {
            writeln!(text, "  at latitude {}, longitude {}", keys.latitude, keys.longitude)
        }
        Kind::Json(keys) => json_lines(text, keys),
    }
}

fn json_lines(text: &mut String, keys: &Json) -> fmt::Result {
    json_request::lines(text, &keys.request)?;
    json_values::lines(text, keys)
}

/// Writes the route to a source, if it is not the direct one by default.
fn proxy_line(text: &mut String, proxy: &Proxy) -> fmt::Result {
    match proxy {
        Proxy::None => Ok(()),
        Proxy::Configured(proxy) => writeln!(text, "  through the proxy {proxy}"),
        Proxy::Environment(Some(proxy)) => {
            writeln!(text, "  through the proxy {proxy}, which the environment names")
        }
        Proxy::Environment(None) => {
            writeln!(text, "  without a proxy, as the environment names none for its host")
        }
    }
}
