//! `check`: what a configuration means, without starting anything.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;
use jiff::{SignedDuration, Timestamp};

use super::trial;
use super::{Failure, print};
use crate::access::{Admission, Restricted};
use crate::certificates::EXPIRES_SOON_DAYS;
use crate::config::{
    self, Auth, CertificateInfo, Certificates, Config, Credentials, Kind, ListenAddr, Source,
    TlsFiles,
};
use crate::engine::{Settings, SocketPath, SocketPathError, inspect_socket_path};
use crate::private_file;
use crate::server::admitted_connections;
use crate::timestamp::Rfc3339Date;

/// Check a configuration and its certificates without starting, and tell what it would do.
#[derive(FromArgs)]
#[argh(subcommand, name = "check")]
pub(super) struct Check {
    /// the configuration (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(positional)]
    file: Option<PathBuf>,

    /// poll each source once, and tell what it sent and what is made of it
    #[argh(switch)]
    poll: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let path = config::location(self.file.as_deref());
        let config = config::load_to_serve(&path, &[])?;
        let certificates = config.tls.as_ref().map(TlsFiles::load).transpose()?;
        let now = Timestamp::now();
        let told = certificates.iter().flat_map(|certificates| &certificates.told);
        for info in told {
            if info.days_left(now) < 0 {
                let (names, until) = (info.names.join(", "), Rfc3339Date(info.not_after));
                return Err(format!("the certificate for {names} expired on {until}").into());
            }
        }
        let socket_notes = socket_notes(&config)?;
        let description = describe(&config, certificates.as_ref(), now)? + &socket_notes;
        let printed = print(&format!("{} is valid.\n\n{description}", path.display()));
        if self.poll { Ok(trial::run(&config)) } else { Ok(printed) }
    }
}

/// Notes about the paths where unix sockets are to be made.
///
/// # Errors
/// A path holds a file that a start would refuse to replace.
fn socket_notes(config: &Config) -> Result<String, Failure> {
    let redirects = config.tls.iter().flat_map(|tls| &tls.redirect_listen);
    let listeners = config.server.listen.iter().chain(redirects);
    let mut notes = String::new();
    for address in listeners.chain([&config.server.admin_listen]) {
        let ListenAddr::Unix(path) = address else { continue };
        match inspect_socket_path(path) {
            Ok(SocketPath::Free) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.exists()) {
                    let folder = folder.display();
                    writeln!(notes, "note: {address}: the folder {folder} does not exist yet")?;
                }
            }
            Ok(SocketPath::Abandoned) => {
                writeln!(notes, "note: {address}: no process listens on it; a start replaces it")?;
            }
            Ok(SocketPath::Listening) => {
                writeln!(notes, "note: {address}: a process listens there now")?;
            }
            // Another user may run the server.
            Err(error @ SocketPathError::Unknown(_)) => {
                writeln!(notes, "note: {address}: {error}")?;
            }
            Err(error) => return Err(format!("{address}: {error}").into()),
        }
    }
    Ok(notes)
}

fn describe(
    config: &Config,
    certificates: Option<&Certificates>,
    now: Timestamp,
) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let server = &config.server;
    for address in &server.listen {
        let scheme = if config.tls.is_some() { "HTTPS" } else { "plain HTTP" };
        writeln!(text, "listens on {address}, {scheme}")?;
    }
    for address in config.tls.iter().flat_map(|tls| &tls.redirect_listen) {
        writeln!(text, "listens on {address}, plain HTTP, and sends everybody to HTTPS")?;
    }
    writeln!(text, "health and metrics on {}, for this machine only", server.admin_listen)?;
    if let Some(certificates) = certificates {
        certificates.told.iter().try_for_each(|info| certificate_line(&mut text, info, now))?;
        for notice in &certificates.notices {
            writeln!(text, "note: {notice}")?;
        }
    }
    access(&mut text, &config.auth)?;
    limits(&mut text, config)?;
    history(&mut text, config)?;
    for source in &config.sources {
        describe_source(&mut text, source)?;
    }
    for notice in &config.notices {
        writeln!(text, "note: {notice}")?;
    }
    Ok(text)
}

fn certificate_line(text: &mut String, info: &CertificateInfo, now: Timestamp) -> std::fmt::Result {
    let names = info.names.join(", ");
    let days = info.days_left(now);
    writeln!(text, "certificate for {names}, until {} ({days} days)", Rfc3339Date(info.not_after))?;
    if now < info.not_before {
        writeln!(
            text,
            "note: the certificate is not valid before {}",
            Rfc3339Date(info.not_before)
        )?;
    }
    if days < EXPIRES_SOON_DAYS {
        writeln!(text, "note: the certificate expires soon")?;
    }
    Ok(())
}

/// Names and scopes; never a hash.
fn access(text: &mut String, auth: &Auth) -> std::fmt::Result {
    let rules = &auth.rules;
    match &rules.admission {
        Admission::Restricted(restricted) => accounts(text, restricted)?,
        Admission::Open if auth.decided => {
            writeln!(text, "everybody may look who can reach it, by \"open = true\" in [auth]")?;
        }
        Admission::Open => {
            writeln!(
                text,
                "everybody on this machine may look, and nobody else can reach it; to serve \
                 others, decide by [auth] who may"
            )?;
        }
    }
    if !rules.names.is_empty() {
        let names: Vec<String> = rules.names.iter().map(ToString::to_string).collect();
        writeln!(text, "answers to {} and no other name", names.join(", "))?;
    }
    if !rules.cors_origins.is_empty() {
        let origins: Vec<String> = rules.cors_origins.iter().map(ToString::to_string).collect();
        writeln!(text, "pages of {} may read what their visitors may", origins.join(", "))?;
    }
    Ok(())
}

fn accounts(text: &mut String, restricted: &Restricted) -> std::fmt::Result {
    let Restricted { users, tokens, public, limits } = restricted;
    for user in users {
        writeln!(text, "user {} may: {}", user.name, user.scopes)?;
    }
    for token in tokens {
        writeln!(text, "token {} may: {}", token.name, token.scopes)?;
    }
    match public.as_slice() {
        [] => writeln!(text, "nothing is open to all but the files of the page")?,
        _ => writeln!(text, "open to all: {}", public.join(", "))?,
    }
    writeln!(
        text,
        "passwords are remembered for {}; {} verified at once; {} failures of an address and {} \
         of an account are free, then a wait of {} doubles up to {}",
        span(limits.remember),
        limits.verifications,
        limits.failures_per_address,
        limits.failures_per_account,
        span(limits.first_delay),
        span(limits.longest_delay),
    )?;
    writeln!(
        text,
        "unknown callers have {} passwords compared a second at most; a browser stays signed in \
         for {}",
        limits.strangers_per_second,
        span(limits.session),
    )
}

fn limits(text: &mut String, config: &Config) -> std::fmt::Result {
    let engine = &config.server.engine;
    writeln!(text, "{} workers, a backlog of {}", engine.workers, config.server.backlog)?;
    writeln!(
        text,
        "expensive requests of scripts: {} at a time, one for each client",
        engine.heavy_permits()
    )?;
    let admitted = admitted_connections(config);
    write!(text, "at most {admitted} connections")?;
    if admitted < engine.max_connections {
        write!(text, " (lowered from {} to fit the hard RLIMIT_NOFILE)", engine.max_connections)?;
    }
    let of_one = Settings { max_connections: admitted, ..engine.clone() }.address_cap();
    writeln!(text, ", {of_one} of them from one address")?;
    writeln!(
        text,
        "deadlines: handshake {}, header {}, body {}, write {}, keep-alive {}, linger {}, \
         queue {}, drain {}",
        span(engine.handshake_timeout),
        span(engine.header_timeout),
        span(engine.body_timeout),
        span(engine.write_timeout),
        span(engine.keep_alive),
        span(engine.linger_timeout),
        span(engine.queue_timeout),
        span(engine.drain_timeout),
    )?;
    writeln!(
        text,
        "requests: head up to {} bytes and {} fields, body up to {} bytes; all connections hold up \
         to {} bytes in buffers",
        engine.max_header_bytes,
        engine.max_headers,
        engine.max_body_bytes,
        engine.max_buffered_bytes
    )
}

fn history(text: &mut String, config: &Config) -> std::fmt::Result {
    let Some(kept) = &config.history else { return writeln!(text, "no history is kept") };
    let zone = config.site.timezone.iana_name().unwrap_or("UTC");
    let keep = |keep: Option<Duration>| {
        keep.map_or_else(|| "for ever".to_owned(), |keep| format!("{} d", keep.as_secs() / 86_400))
    };
    writeln!(
        text,
        "history in {}, written every {}; observations are kept {}, quarters of an hour {}, days \
         {}, by the calendar of {zone}",
        kept.path.display(),
        span(kept.flush),
        keep(kept.keep_raw),
        keep(kept.keep_15m),
        keep(kept.keep_daily),
    )?;
    kept.files().iter().try_for_each(|file| exposed(text, file))
}

/// Warns of a file with data that other users of the machine can read.
fn exposed(text: &mut String, file: &Path) -> std::fmt::Result {
    let Some(mode) = private_file::exposed_mode(file) else { return Ok(()) };
    let shown = file.display();
    let quoted = shown.to_string().replace('\'', r"'\''");
    writeln!(
        text,
        "note: {shown} is readable by other users (mode {mode:04o}); to keep it private, run: \
         chmod 600 -- '{quoted}'"
    )
}

fn describe_source(text: &mut String, source: &Source) -> std::fmt::Result {
    let Source { name, title, interval, timeout, stale_after, kind, .. } = source;
    writeln!(text, "\nsource {name}: \"{title}\", {} at {}", kind.as_str(), kind.url())?;
    writeln!(
        text,
        "  polled every {}, given up after {}, stale when observed more than {} ago",
        span(*interval),
        span(*timeout),
        span(*stale_after)
    )?;
    if let Some(system) = source.units.system {
        writeln!(text, "  told in {system} units")?;
    }
    for (field, unit) in &source.units.fields {
        writeln!(text, "  {field} told in {unit}")?;
    }
    if let Some(limit) = &source.rate_limit {
        let every = span(limit.every);
        writeln!(text, "  requests of its rate limit's group begin at least {every} apart")?;
    }
    if let Some(authorities) = &source.authorities {
        let count = authorities.len();
        writeln!(text, "  trusts {count} certificate authorities of its own, and no others")?;
    }
    match kind {
        Kind::PtLevel(keys) => writeln!(
            text,
            "  a full tank is {} in high and holds {} gal",
            keys.height, keys.capacity
        ),
        Kind::PtDevices(keys) => {
            let zone = keys.timezone.iana_name().unwrap_or("an unnamed zone");
            writeln!(text, "  device {}, its clock in {zone}", keys.device)
        }
        Kind::Nws(keys) => writeln!(text, "  station {}", keys.station),
        Kind::Ambient(keys) => match &keys.mac {
            Some(mac) => writeln!(text, "  station {mac}"),
            None => writeln!(text, "  the account's only station"),
        },
        Kind::OpenMeteo(keys) => {
            writeln!(text, "  at latitude {}, longitude {}", keys.latitude, keys.longitude)
        }
        Kind::Json(keys) => {
            for (name, _) in &keys.headers {
                writeln!(text, "  sends {name}: [secret]")?;
            }
            match &keys.credentials {
                Some(Credentials::Bearer(_)) => writeln!(text, "  sends a bearer token")?,
                Some(Credentials::Basic { username, .. }) => {
                    writeln!(text, "  sends a password for {username}")?;
                }
                None => {}
            }
            match &keys.observed_at {
                Some(time) => {
                    writeln!(text, "  observed at \"{}\" ({})", time.pointer, time.format.as_str())?
                }
                None => writeln!(text, "  observed when fetched, for want of observed_at")?,
            }
            keys.values.iter().try_for_each(|value| {
                let unit = value.unit.map_or("no unit", |unit| unit.as_str());
                write!(text, "  {}: \"{}\", {unit}", value.name, value.pointer)?;
                if value.scale != 1.0 || value.offset != 0.0 {
                    write!(text, ", times {} plus {}", value.scale, value.offset)?;
                }
                if value.min.is_some() || value.max.is_some() {
                    let bound = |bound: Option<f64>| {
                        bound.map_or_else(|| "…".to_owned(), |bound| bound.to_string())
                    };
                    write!(text, ", believed from {} to {}", bound(value.min), bound(value.max))?;
                }
                writeln!(text)
            })
        }
    }
}

/// As it would be written in the file.
fn span(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |duration| format!("{duration:#}"))
}
