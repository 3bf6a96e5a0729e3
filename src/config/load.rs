//! Reads the configuration file, checks it, and converts it to [`Config`].

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use toml_span::{Span, Value};

use super::alert::{self, Plant};
use super::auth::Auth;
use super::errors::ConfigErrors;
use super::history::ReadHistory;
use super::machine::{MACHINE, exposed_secrets};
use super::reader::{Environment, Findings, Reader};
use super::replica::Replica;
use super::section::{Section, Spanned};
use super::syntax::Piece;
use super::{
    Config, DEFAULT_TITLE, ListenAddr, Log, Server, Site, TlsFiles, auth, heartbeat, history, log,
    notify, placeholders, replica, server, site_url, socket_paths, sources, store, syntax,
    text_file, tls,
};
use crate::time_zone;
use crate::units::System;

const VARIABLE: &str = "PUMPHOUSE_CONFIG";
const DEFAULT_FILE: &str = "pumphouse.toml";

/// Returns the path of the configuration: `named`, else `$PUMPHOUSE_CONFIG`, else `./pumphouse.toml`.
pub fn location(named: Option<&Path>) -> PathBuf {
    match named {
        Some(path) => path.to_owned(),
        None => of_environment().unwrap_or_else(|| DEFAULT_FILE.into()),
    }
}

/// Returns the value of `$PUMPHOUSE_CONFIG`. As in a shell, an empty one counts as unset.
fn of_environment() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Purpose of reading a configuration, which decides the checks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// Inspection of the configuration or the history.
    Read,
    /// Serving, at these addresses instead of the file's unless empty.
    Serve(&'a [ListenAddr]),
}

/// Reads and checks a file.
///
/// # Errors
/// All faults of the file, each with line and column.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    load_for(path, Purpose::Read)
}

/// Reads and checks a file to serve with it, at `listen` instead of the file's own addresses unless
/// empty.
///
/// # Errors
/// Those of [`load`]; or other machines can reach an address, and `[auth]` configures no access.
pub fn load_to_serve(path: &Path, listen: &[ListenAddr]) -> Result<Config, ConfigErrors> {
    load_for(path, Purpose::Serve(listen))
}

/// Checks a file for a command that runs beside the server: as [`load_to_serve`] does if the addresses of its
/// command line are known, else as [`load`] does, since the access that a start demands depends on them.
/// Returns the files of `[tls]`.
///
/// # Errors
/// Those that a server would find as well. An environment variable that is not set here, or a file that this
/// process may not read, is none; then the access to reachable addresses is not checked either, as it may
/// depend on these.
pub fn check_beside_server(
    path: &Path,
    listen: Option<&[ListenAddr]>,
) -> Result<Option<TlsFiles>, ConfigErrors> {
    let errors = match load_for(path, listen.map_or(Purpose::Read, Purpose::Serve)) {
        Ok(config) => return Ok(config.tls),
        Err(errors) if errors.has_of_process() => match load(path) {
            Ok(config) => return Ok(config.tls),
            Err(errors) => errors,
        },
        Err(errors) => errors,
    };
    let tls = errors.tls_files().cloned();
    errors.of_every_process().map_or(Ok(tls), Err)
}

fn load_for(path: &Path, purpose: Purpose<'_>) -> Result<Config, ConfigErrors> {
    let text = text_file::read(path)?;
    let (mut config, inline_secrets) = parse_for(path, &text, MACHINE, purpose)?;
    config.warnings.extend(exposed_secrets(path, &text, &inline_secrets));
    Ok(config)
}

/// Listeners of a server and its certificates: what a command needs to reach it.
#[derive(Debug, Clone, Default)]
pub struct Listeners {
    /// `[server]`
    pub server: Server,
    /// `[tls]`; absent: plain HTTP. The files are not read.
    pub tls: Option<TlsFiles>,
}

/// Reads the listeners that a configuration describes: for commands that run beside the server. They lack
/// the environment variables and the secret files of the other sections, which are not read.
///
/// Returns `None` if neither the argument nor `$PUMPHOUSE_CONFIG` names a file and there is no
/// `pumphouse.toml`: a demo has none. Else also returns the path.
///
/// # Errors
/// The file cannot be read; or all faults of these sections, each with line and column.
pub fn load_listeners(named: Option<&Path>) -> Result<Option<(PathBuf, Listeners)>, ConfigErrors> {
    let path = location(named);
    let is_default = named.is_none() && of_environment().is_none();
    if is_default && matches!(path.try_exists(), Ok(false)) {
        return Ok(None);
    }
    let listeners = parse_listeners(&path, &text_file::read(&path)?)?;
    Ok(Some((path, listeners)))
}

fn parse_listeners(path: &Path, text: &str) -> Result<Listeners, ConfigErrors> {
    let root = parse_toml(path, text)?;
    let reader = Reader::new(path, text, MACHINE);
    let listeners = Section::new(&reader, "the file", root).map(|mut root| {
        let listeners = Listeners {
            server: read_server(&reader, &mut root, &mut Vec::new()).server,
            tls: root.section("tls", "[tls]".to_owned()).and_then(tls::read),
        };
        // They are not read here. A table of another name may be one of the above, misspelt.
        for key in
            ["site", "auth", "history", "store", "log", "source", "alert", "notify", "heartbeat"]
        {
            drop(root.take(key));
        }
        root.finish();
        listeners
    });
    match (listeners, reader.into_findings().problems) {
        (Some(listeners), problems) if problems.is_empty() => Ok(listeners),
        (_, problems) => Err(ConfigErrors::in_text(path, text, problems)),
    }
}

/// Checks the text of a configuration; `environment` resolves `${NAME}`.
///
/// # Errors
/// All faults of the file, each with line and column.
pub fn parse(
    path: &Path,
    text: &str,
    environment: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<Config, ConfigErrors> {
    let environment = Environment { variable: environment, lookup: &|_| Vec::new() };
    parse_for(path, text, environment, Purpose::Read).map(|(config, _)| config)
}

/// Checks the text of a configuration as [`load_to_serve`] does.
///
/// # Errors
/// Those of [`load_to_serve`].
pub fn parse_to_serve(
    path: &Path,
    text: &str,
    environment: &(dyn Fn(&str) -> Option<String> + Sync),
    listen: &[ListenAddr],
) -> Result<Config, ConfigErrors> {
    let environment = Environment { variable: environment, lookup: &|_| Vec::new() };
    parse_for(path, text, environment, Purpose::Serve(listen)).map(|(config, _)| config)
}

/// Positions and keys of the secrets that a file contains.
type InlineSecrets = Vec<(Span, String)>;

/// Checks the text of a configuration for a purpose. Also returns the secrets that it contains.
pub(super) fn parse_for(
    path: &Path,
    text: &str,
    environment: Environment<'_>,
    purpose: Purpose<'_>,
) -> Result<(Config, InlineSecrets), ConfigErrors> {
    let read = |root, pieces| {
        let reader = Reader::new(path, text, environment);
        placeholders::warn(&reader, &root);
        let config = match Section::new(&reader, "the file", root) {
            Some(root) => Some(read(&reader, root, pieces, purpose)?),
            None => None,
        };
        Some((config, reader.into_findings()))
    };
    let in_pieces = syntax::divide(text).and_then(|(root, pieces)| read(root, pieces));
    let (config, findings) = match in_pieces {
        Some(found) => found,
        // A file as a whole has no piece that could fail.
        None => read(parse_toml(path, text)?, Vec::new()).unwrap_or_default(),
    };
    let Findings { problems, warnings, inline_secrets } = findings;
    match (config, problems) {
        (Some(mut config), problems) if problems.is_empty() => {
            let located = ConfigErrors::in_text(path, text, warnings);
            config.warnings.extend(located.lines().into_iter().map(|line| line.text));
            Ok((config, inline_secrets))
        }
        (config, problems) => {
            let tls = config.and_then(|config| config.tls);
            Err(ConfigErrors::in_text(path, text, problems).with_tls(tls))
        }
    }
}

fn parse_toml<'text>(path: &Path, text: &'text str) -> Result<Value<'text>, ConfigErrors> {
    syntax::parse(text).map_err(|problems| ConfigErrors::of_syntax(path, text, problems))
}

/// `[server]`, as it was read.
struct ReadServer {
    server: Server,
    /// Its `replica`, if present and valid.
    replica: Option<Replica>,
    /// Position of its `listen`, if present.
    listen_key: Option<Span>,
    /// False if it is no table, or its `listen` has an error or is misspelt.
    is_listen_known: bool,
}

/// Reads `[server]`.
fn read_server<'reader>(
    reader: &'reader Reader<'reader>,
    root: &mut Section<'reader, '_>,
    warnings: &mut Vec<String>,
) -> ReadServer {
    let section = root.section("server", "[server]".to_owned());
    let is_table = section.is_some() || !root.was_present("server");
    let mut section = section.unwrap_or_else(|| Section::absent(reader, "[server]"));
    let listen_key = section.span_of("listen");
    let replica = replica::read(&mut section);
    let (server, is_valid) = server::read(section, warnings);
    ReadServer { server, replica, listen_key, is_listen_known: is_table && is_valid }
}

/// Reads the sections of the file; `pieces` have its further sources. Returns `None` if one of them cannot be parsed
/// by itself.
fn read<'reader>(
    reader: &'reader Reader<'reader>,
    mut root: Section<'reader, '_>,
    pieces: Vec<Piece<'_>>,
    purpose: Purpose<'_>,
) -> Option<Config> {
    let mut warnings = Vec::new();
    let ReadServer { mut server, replica, listen_key, is_listen_known } =
        read_server(reader, &mut root, &mut warnings);
    let mut tls = root.section("tls", "[tls]".to_owned()).and_then(tls::read);
    let site = root
        .section("site", "[site]".to_owned())
        .unwrap_or_else(|| Section::absent(reader, "[site]"));
    let (site, units) = read_site(site, &mut warnings);
    let problems = reader.problem_count();
    let mut auth = match root.section("auth", "[auth]".to_owned()) {
        Some(section) => auth::read(section, &server, &mut warnings),
        None => auth::absent(&server),
    };
    let is_auth_valid = reader.problem_count() == problems;
    auth.rules.site_url = site.url.clone();
    if let Purpose::Serve(listen) = purpose {
        if !listen.is_empty() {
            server.listen = listen.to_vec();
        }
        warnings.extend(auth::plaintext_warning(&auth, &server, tls.as_ref()));
    }
    warnings.extend(site_url::warnings(&site, &server, tls.as_ref()));
    if let Some(tls) = &mut tls {
        tls.expected_names = tls::expected_names(&server, &site);
    }
    let read_store = root.section("store", "[store]".to_owned()).map(store::read);
    let history = root
        .section("history", "[history]".to_owned())
        .unwrap_or_else(|| Section::absent(reader, "[history]"));
    let ReadHistory { history, alerts: alert_file } = history::read(history, read_store.as_ref());
    let replica = replica::of(reader, replica, read_store.as_ref(), &mut warnings);
    for conflict in socket_paths::conflicts(&server, tls.as_ref(), history.as_ref(), &alert_file) {
        reader.report(listen_key.unwrap_or_default(), conflict);
    }
    warnings.extend(auth::volatile_sessions_warning(&auth).filter(|_| history.is_none()));
    let log = root.section("log", "[log]".to_owned()).map_or_else(Log::default, log::read);
    let sections = root.sections("source");
    let problems = reader.problem_count();
    let sources = sources::read(reader, sections, pieces, units, &mut warnings)?;
    let plant = Plant::new(&sources, reader.problem_count() == problems, history.as_ref());
    let channels = notify::read(root.sections("notify"), &mut warnings);
    let alerts = alert::read(root.sections("alert"), &plant, &channels, &mut warnings);
    let channels = channels.channels;
    let heartbeat = root.section("heartbeat", "[heartbeat]".to_owned()).and_then(heartbeat::read);
    // Otherwise the addresses, or whether access is configured, are unknown. The error that says so is enough.
    let is_access_known = is_listen_known
        && is_auth_valid
        && !["server", "auth"].iter().any(|table| root.misspells(table));
    if let Purpose::Serve(listen) = purpose
        && is_access_known
    {
        report_unconfigured_access(reader, &auth, &server, !listen.is_empty(), listen_key);
    }
    root.finish();
    if sources.is_empty() {
        warnings.push("no [[source]]: the dashboard is empty".to_owned());
    }
    Some(Config {
        site,
        server,
        tls,
        auth,
        sources,
        history,
        store: read_store.and_then(|read| read.store),
        replica,
        alerts,
        channels,
        heartbeat,
        alert_file,
        log,
        warnings,
    })
}

/// Reports an address at which other machines reach the server, if nothing says who may read.
fn report_unconfigured_access(
    reader: &Reader<'_>,
    auth: &Auth,
    server: &Server,
    is_option: bool,
    listen_key: Option<Span>,
) {
    let Some(address) = auth.unconfigured_access_at(&server.listen) else { return };
    let subject = match (is_option, listen_key) {
        (true, _) => "--listen ",
        (false, Some(_)) => "\"listen\" in [server]: ",
        (false, None) => "without \"listen\" in [server], ",
    };
    let message = format!("{subject}{}", auth::unconfigured_access_error(address));
    reader.report(listen_key.unwrap_or_default(), message);
}

/// Reads `[site]`. Also returns the default units of sources.
fn read_site(mut section: Section<'_, '_>, warnings: &mut Vec<String>) -> (Site, Option<System>) {
    let title = section.string("title").map_or_else(|| DEFAULT_TITLE.to_owned(), |at| at.value);
    let url = section.parsed("url").map(|url| url.value);
    let contact = section.string("contact").and_then(|Spanned { value, span }| {
        // It is sent within a comment of the User-Agent field (RFC 9110 5.6.5).
        let plain = |c: char| c == ' ' || c.is_ascii_graphic() && !matches!(c, '(' | ')' | '\\');
        if value.chars().all(plain) && !value.is_empty() {
            return Some(value);
        }
        section.report(span, "\"contact\" must be an address or a URL in plain ASCII");
        None
    });
    let timezone = match section.string("timezone") {
        Some(Spanned { value, span }) => TimeZone::get(&value).unwrap_or_else(|_| {
            let nearest = time_zone::nearest(&value);
            let nearest = nearest.as_deref().unwrap_or("America/Los_Angeles");
            let message = format!("\"timezone\": {value} is not a time zone such as {nearest}");
            section.report(span, message);
            TimeZone::UTC
        }),
        None => {
            let machine = time_zone::of_machine();
            warnings.extend(machine.warning);
            machine.zone
        }
    };
    let units = section.unit_system();
    section.finish();
    (Site { title, url, contact, timezone }, units)
}
