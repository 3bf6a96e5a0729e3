//! From a file to a checked configuration.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use toml_span::{Span, Value};

use super::problem::{ConfigErrors, Problem};
use super::section::{At, Reader, Section};
use super::{
    Config, History, ListenAddr, Log, Server, Site, auth, history, log, server, socket_paths,
    source, tls,
};
use crate::units::System;

const VARIABLE: &str = "PUMPHOUSE_CONFIG";
const DEFAULT_FILE: &str = "pumphouse.toml";

/// Which file to read: the one named, else `$PUMPHOUSE_CONFIG`, else `./pumphouse.toml`.
pub fn location(named: Option<&Path>) -> PathBuf {
    match named {
        Some(path) => path.to_owned(),
        None => std::env::var_os(VARIABLE).map_or_else(|| DEFAULT_FILE.into(), PathBuf::from),
    }
}

/// What a configuration is read for.
#[derive(Debug, Clone, Copy)]
enum Purpose<'a> {
    /// To look at it, or at the history.
    Read,
    /// To serve, at these addresses in place of the file's, if there are any.
    Serve(&'a [ListenAddr]),
}

/// Reads and checks a file.
///
/// # Errors
/// Tells of everything that is wrong with it, with line and column.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    load_for(path, Purpose::Read)
}

/// Reads and checks a file to serve by it, at `listen` in place of the file's own addresses if
/// there are any.
///
/// # Errors
/// As above; or the addresses let others than this machine in, and nothing says who may look.
pub fn load_to_serve(path: &Path, listen: &[ListenAddr]) -> Result<Config, ConfigErrors> {
    load_for(path, Purpose::Serve(listen))
}

fn load_for(path: &Path, purpose: Purpose<'_>) -> Result<Config, ConfigErrors> {
    parse_for(path, &read_text(path)?, &|name| std::env::var(name).ok(), purpose)
}

fn read_text(path: &Path) -> Result<String, ConfigErrors> {
    std::fs::read_to_string(path).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "; name another with --config or $PUMPHOUSE_CONFIG, \
                 or begin with a copy of examples/pumphouse.toml"
            }
            _ => "",
        };
        ConfigErrors::of_file(path, format!("cannot read the configuration: {error}{hint}"))
    })
}

/// Reads `[server]` alone: for who has not the environment, and may not read the files, that the
/// rest takes.
///
/// # Errors
/// Tells of everything that is wrong with that section, with line and column.
pub fn load_server(path: &Path) -> Result<Server, ConfigErrors> {
    let text = read_text(path)?;
    let root = parse_toml(path, &text)?;
    let environment = |name: &str| std::env::var(name).ok();
    let reader = Reader::new(&environment);
    let server = Section::new(&reader, "the file", root)
        .map(|mut root| read_server(&reader, &mut root, &mut Vec::new()).0);
    match (server, reader.into_problems()) {
        (Some(server), problems) if problems.is_empty() => Ok(server),
        (_, problems) => Err(ConfigErrors::in_text(path, &text, problems)),
    }
}

/// Reads and checks a configuration's text; `environment` looks `${NAME}` up.
///
/// # Errors
/// Tells of everything that is wrong with it, with line and column.
pub fn parse(
    path: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigErrors> {
    parse_for(path, text, environment, Purpose::Read)
}

/// As [`parse`], and as [`load_to_serve`].
///
/// # Errors
/// As those.
pub fn parse_to_serve(
    path: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    listen: &[ListenAddr],
) -> Result<Config, ConfigErrors> {
    parse_for(path, text, environment, Purpose::Serve(listen))
}

fn parse_for(
    path: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    purpose: Purpose<'_>,
) -> Result<Config, ConfigErrors> {
    let root = parse_toml(path, text)?;
    let reader = Reader::new(environment);
    let config = Section::new(&reader, "the file", root).map(|root| read(&reader, root, purpose));
    match (config, reader.into_problems()) {
        (Some(config), problems) if problems.is_empty() => Ok(config),
        (_, problems) => Err(ConfigErrors::in_text(path, text, problems)),
    }
}

fn parse_toml<'text>(path: &Path, text: &'text str) -> Result<Value<'text>, ConfigErrors> {
    toml_span::parse(text).map_err(|error| {
        let problem = Problem { span: error.span, message: error.to_string() };
        ConfigErrors::in_text(path, text, vec![problem])
    })
}

/// `[server]`, and where its `listen` stands, if it is there.
fn read_server<'reader>(
    reader: &'reader Reader<'reader>,
    root: &mut Section<'reader, '_>,
    notices: &mut Vec<String>,
) -> (Server, Option<Span>) {
    let section = root.section("server", "[server]".to_owned());
    let section = section.unwrap_or_else(|| Section::absent(reader, "[server]"));
    let listen_key = section.span_of("listen");
    (server::read(section, notices), listen_key)
}

fn read<'reader>(
    reader: &'reader Reader<'reader>,
    mut root: Section<'reader, '_>,
    purpose: Purpose<'_>,
) -> Config {
    let mut notices = Vec::new();
    let (mut server, listen_key) = read_server(reader, &mut root, &mut notices);
    let tls = root.section("tls", "[tls]".to_owned()).and_then(tls::read);
    let site = root
        .section("site", "[site]".to_owned())
        .unwrap_or_else(|| Section::absent(reader, "[site]"));
    let (site, units) = read_site(site);
    let auth = match root.section("auth", "[auth]".to_owned()) {
        Some(section) => auth::read(section, &server, &mut notices),
        None => auth::absent(&server),
    };
    if let Purpose::Serve(listen) = purpose {
        let said = match (listen, listen_key) {
            ([], Some(_)) => "\"listen\" in [server]: ",
            ([], None) => "without \"listen\" in [server], ",
            _ => {
                server.listen = listen.to_vec();
                "--listen "
            }
        };
        if let Some(address) = auth.undecided_at(&server.listen) {
            let message = format!("{said}{}", auth::undecided(address));
            reader.report(listen_key.unwrap_or_default(), message);
        }
        notices.extend(auth::in_clear(&auth, &server, tls.as_ref()));
    }
    let history = root.section("history", "[history]".to_owned());
    let history = history.map_or_else(|| Some(History::default()), history::read);
    for conflict in socket_paths::conflicts(&server, tls.as_ref(), history.as_ref()) {
        reader.report(listen_key.unwrap_or_default(), conflict);
    }
    notices.extend(auth::sessions_end(&auth).filter(|_| history.is_none()));
    let log = root.section("log", "[log]".to_owned()).map_or_else(Log::default, log::read);
    let sources = source::read_all(root.sections("source"), units);
    root.finish();
    if sources.is_empty() {
        notices.push("there is no [[source]], so the dashboard will be empty".to_owned());
    }
    Config { site, server, tls, auth, sources, history, log, notices }
}

/// `[site]`, and the units of all sources that name none.
fn read_site(mut section: Section<'_, '_>) -> (Site, Option<System>) {
    let default = Site::default();
    let title = section.string("title").map_or(default.title, |at| at.value);
    let contact = section.string("contact").and_then(|At { value, span }| {
        // It stands in a comment of a header field (RFC 9110 5.6.5).
        let plain = |c: char| c == ' ' || c.is_ascii_graphic() && !matches!(c, '(' | ')' | '\\');
        if value.chars().all(plain) && !value.is_empty() {
            return Some(value);
        }
        section.report(span, "\"contact\" must be an address or a URL in plain ASCII");
        None
    });
    let timezone = section.string("timezone").and_then(|At { value, span }| {
        let zone = TimeZone::get(&value);
        if zone.is_err() {
            let message = format!("\"timezone\": {value} is no zone such as America/Los_Angeles");
            section.report(span, message);
        }
        zone.ok()
    });
    let timezone = timezone.unwrap_or(default.timezone);
    let units = source::system(&mut section);
    section.finish();
    (Site { title, contact, timezone }, units)
}
