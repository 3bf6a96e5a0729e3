//! Parser of URLs of libpq: `postgresql://user:password@host:port,host:port/database?name=value&name=value`.

use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::TargetError;
use super::{DEFAULT_PORT, Host, Password, RootCertificates, SessionAttrs, SslMode, Target};
use crate::suggestion;
use crate::text::clean;

const APPLICATION_NAME: &str = "pumphouse-web";

const PARAMETERS: [&str; 10] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "password",
    "port",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

const SESSION_ATTRS: [&str; 3] = ["any", "read-write", "primary"];

/// Parts of a URL as they are written, without escapes. Parameters replace what stands before them.
#[derive(Default)]
struct Parts {
    /// Each host with its port, which may be empty.
    hosts: Vec<(String, String)>,
    /// Ports of the parameter, which are those of all hosts.
    ports: Option<String>,
    user: Option<String>,
    password: Option<Password>,
    database: Option<String>,
    ssl_mode: Option<SslMode>,
    root_certificates: Option<RootCertificates>,
    session: Option<SessionAttrs>,
    application_name: Option<String>,
    connect_timeout: Option<Duration>,
}

pub(super) fn parse(url: &str) -> Result<Target, TargetError> {
    let rest = ["postgresql://", "postgres://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or(TargetError::Scheme)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let mut parts = Parts::default();
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) => {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            parts.user = decode_filled(user, "the user")?;
            parts.password = decode_filled(password, "the password")?.map(Password::new);
            hosts
        }
        None => authority,
    };
    parts.database = decode_filled(database, "the database")?;
    parts.set_hosts(hosts)?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or(TargetError::NoValue)?;
        let set = parts.set(&decode(name, "a parameter")?, decode(value, "a parameter")?);
        // Behind a `?` in a password, which should be %3F, the name would be the rest of it.
        let is_cut = parts.user.is_none() && query.contains('@');
        set.map_err(|error| if is_cut { TargetError::NoUser } else { error })?;
    }
    parts.target()
}

impl Parts {
    /// Sets the hosts that stand before the database.
    fn set_hosts(&mut self, hosts: &str) -> Result<(), TargetError> {
        if hosts.is_empty() {
            return Ok(());
        }
        for (number, host) in (1..).zip(hosts.split(',')) {
            let (name, port) = match host.strip_prefix('[') {
                Some(bracketed) => {
                    let (name, port) =
                        bracketed.split_once(']').ok_or(TargetError::Host(number))?;
                    match port.strip_prefix(':') {
                        Some(port) => (name, port),
                        None if port.is_empty() => (name, ""),
                        None => return Err(TargetError::Host(number)),
                    }
                }
                None => host.split_once(':').unwrap_or((host, "")),
            };
            self.hosts.push((decode(name, "a host")?, port.to_owned()));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), TargetError> {
        match name {
            "user" => self.user = Some(value),
            "password" => self.password = Some(Password::new(value)),
            "dbname" => self.database = Some(value),
            "host" => {
                self.hosts =
                    value.split(',').map(|host| (host.to_owned(), String::new())).collect();
            }
            "port" => self.ports = Some(value),
            "sslmode" => self.ssl_mode = Some(one_of("sslmode", &value, &SSL_MODES)?),
            "sslrootcert" => {
                self.root_certificates = Some(match value.as_str() {
                    "system" => RootCertificates::System,
                    path => RootCertificates::File(path.into()),
                });
            }
            "target_session_attrs" => {
                self.session = Some(one_of("target_session_attrs", &value, &SESSION_ATTRS)?);
            }
            "application_name" => self.application_name = Some(value),
            "connect_timeout" => {
                let seconds: u32 = value.parse().map_err(|_| TargetError::Value {
                    name: "connect_timeout",
                    value: shown(&value),
                    advice: "it is a number of seconds".to_owned(),
                })?;
                // As in libpq, 0 is no limit.
                self.connect_timeout =
                    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
            }
            name => {
                return Err(TargetError::Parameter {
                    name: shown(name),
                    advice: suggestion::advice(name, PARAMETERS.into_iter()),
                });
            }
        }
        Ok(())
    }

    fn target(self) -> Result<Target, TargetError> {
        let user = self.user.filter(|user| !user.is_empty()).ok_or(TargetError::NoUser)?;
        let hosts = hosts(self.hosts, self.ports.as_deref())?;
        let is_local = hosts.iter().all(Host::is_local);
        let default_mode = if is_local { SslMode::Prefer } else { SslMode::VerifyFull };
        let application_name = self.application_name.unwrap_or_else(|| APPLICATION_NAME.to_owned());
        Ok(Target {
            database: self.database.filter(|name| !name.is_empty()).unwrap_or_else(|| user.clone()),
            hosts,
            user,
            password: self.password,
            ssl_mode: self.ssl_mode.unwrap_or(default_mode),
            root_certificates: self.root_certificates,
            session: self.session.unwrap_or(SessionAttrs::ReadWrite),
            application_name,
            connect_timeout: self.connect_timeout,
        })
    }
}

fn hosts(written: Vec<(String, String)>, ports: Option<&str>) -> Result<Vec<Host>, TargetError> {
    if written.is_empty() {
        return Err(TargetError::NoHost);
    }
    let ports: Vec<&str> = ports.map(|ports| ports.split(',').collect()).unwrap_or_default();
    if ports.len() > 1 && ports.len() != written.len() {
        return Err(TargetError::Ports { ports: ports.len(), hosts: written.len() });
    }
    let parsed = written.into_iter().enumerate().map(|(index, (name, port))| {
        let number = index + 1;
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(&port);
        let port = match port {
            "" => DEFAULT_PORT,
            port => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(TargetError::Port(number)),
            },
        };
        if name.starts_with('/') {
            return Ok(Host::Unix { folder: name.into(), port });
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let name = bare.unwrap_or(&name);
        let is_wrong = |c: char| c.is_whitespace() || c.is_control() || "[]/@".contains(c);
        if name.is_empty() || name.contains(is_wrong) {
            return Err(TargetError::Host(number));
        }
        Ok(Host::Tcp { name: name.to_owned(), port })
    });
    parsed.collect()
}

/// Parses one of the values of a parameter.
fn one_of<T: FromStr>(
    name: &'static str,
    value: &str,
    known: &[&'static str],
) -> Result<T, TargetError> {
    value.parse().map_err(|_| TargetError::Value {
        name,
        value: shown(value),
        advice: suggestion::advice(value, known.iter().copied()),
    })
}

/// Returns a name or value for a message.
fn shown(text: &str) -> String {
    clean(text).chars().take(suggestion::MAX_WORD).collect()
}

fn decode_filled(text: &str, part: &'static str) -> Result<Option<String>, TargetError> {
    if text.is_empty() { Ok(None) } else { decode(text, part).map(Some) }
}

fn decode(text: &str, part: &'static str) -> Result<String, TargetError> {
    let is_hex = |digits: Option<&str>| {
        digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    if !text.split('%').skip(1).all(|behind| is_hex(behind.get(..2))) {
        return Err(TargetError::Escape(part));
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| TargetError::Escape(part))?;
    if decoded.contains('\0') {
        return Err(TargetError::Nul(part));
    }
    Ok(decoded.into_owned())
}
