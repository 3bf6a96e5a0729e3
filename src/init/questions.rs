//! Completes the options of the command line to answers: by questions on a terminal, and by defaults.

use std::net::{Ipv4Addr, SocketAddr};

use super::answers::{self, Access, Answers};
use super::dialog::{Dialog, DialogError, answered, ask, ask_hidden};
use super::options::{Options, OptionsError};
use super::place::Place;
use super::reach::{Machine, Reach};
use super::tank::TankKind;
use super::tank_questions::TankQuestions;
use super::zone::{self, Lookup, Suggestion};
use crate::access::{PasswordHash, check_password};
use crate::config::{ListenAddr, Secret};
use crate::units::System;

/// Questions that need an example or an explanation.
const PLACE: &str = "Place of the weather: latitude and longitude, such as 37.24,-122.14";
const TANKS: &str = "  ptlevel: the share page of a PTLevel sensor; ptdevices: the token API of the same maker;\n  \
                     json: any other JSON on the network\n";

/// Port of the public address.
pub(super) const PORT: u16 = 6443;

/// Reason why the answers are not complete.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The options are wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A question has no answer.
    #[error(transparent)]
    Dialog(#[from] DialogError),
    /// A password cannot be hashed.
    #[error("{0}; nothing was written")]
    Hash(String),
}

/// Answers, and remarks on those that were not asked for.
#[derive(Debug)]
pub struct Asked {
    /// The answers.
    pub answers: Answers,
    /// Supervisors to write a file for.
    pub supervisors: Supervisors,
    /// Texts for people.
    pub remarks: Vec<String>,
}

/// Supervisors for which a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supervisors {
    /// supervisord
    pub supervisord: bool,
    /// systemd
    pub systemd: bool,
}

/// Returns the answers: from the options, from questions on a terminal, and defaults.
///
/// If the options have a place, only answers without a default are asked for, as a script on a terminal
/// expects.
///
/// # Errors
/// An option is missing or wrong, or the input ended.
pub fn complete(
    options: Options,
    dialog: &mut dyn Dialog,
    lookup: Lookup<'_>,
) -> Result<Asked, AskError> {
    let asks_all = dialog.is_interactive() && options.place.is_none();
    if asks_all {
        dialog.say(
            "Enter takes the answer in brackets. Nothing is written before the last answer.\n",
        );
    }
    let mut remarks = Vec::new();
    let place = place(&options, asks_all, dialog)?;
    let units = units(&options, asks_all, dialog, &place, &mut remarks)?;
    let timezone = match options.timezone.clone() {
        None if asks_all => Some(ask_timezone(&place, dialog, lookup)?),
        None => default_timezone(&place, lookup, &mut remarks),
        given => given,
    };
    let kind = match options.tank {
        Some(kind) => kind,
        None if !asks_all => TankKind::None,
        None => {
            dialog.say(TANKS);
            ask(dialog, "Tank: none, ptlevel, ptdevices or json", Some("none"), TankKind::parse)?
        }
    };
    // Before any question that follows, so that wrong options cost no answers.
    let questions = TankQuestions::new(kind, units, &options)?;
    let access = account(reader(&options, asks_all, dialog)?, questions.expects_secret(), dialog)?;
    let tank = questions.ask(timezone.clone(), asks_all, dialog)?;
    let supervisors = supervisors(&options, asks_all, dialog)?;
    let title = options.title.unwrap_or_else(|| "Pumphouse".to_owned());
    let listen = if options.listen.is_empty() {
        let host = if access.is_remote() { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        vec![ListenAddr::Tcp(SocketAddr::from((host, PORT)))]
    } else {
        options.listen
    };
    if !access.is_remote() {
        remarks.push(
            "only programs of this machine can read the dashboard (for others: --open or --user NAME)"
                .to_owned(),
        );
    }
    let reach = Reach::of(options.names, &listen, &Machine::this());
    let admin = options.admin_listen;
    let answers = Answers { place, units, timezone, title, access, tank, listen, admin, reach };
    Ok(Asked { answers, supervisors, remarks })
}

fn place(options: &Options, asks_all: bool, dialog: &mut dyn Dialog) -> Result<Place, AskError> {
    match options.place {
        Some(place) => Ok(place),
        None if !asks_all => Err(OptionsError::NoPlace.into()),
        None => Ok(ask(dialog, PLACE, None, parse_place)?),
    }
}

fn units(
    options: &Options,
    asks_all: bool,
    dialog: &mut dyn Dialog,
    place: &Place,
    remarks: &mut Vec<String>,
) -> Result<System, DialogError> {
    if let Some(units) = options.units {
        return Ok(units);
    }
    let usual = place.usual_units();
    if asks_all {
        return ask(dialog, "Units, us or metric", Some(&usual.to_string()), answers::units);
    }
    remarks.push(format!("units: {usual}, as is usual at that place (--units)"));
    Ok(usual)
}

fn supervisors(
    options: &Options,
    asks_all: bool,
    dialog: &mut dyn Dialog,
) -> Result<Supervisors, DialogError> {
    let &Options { supervisord, systemd, .. } = options;
    if supervisord || systemd || !asks_all {
        return Ok(Supervisors { supervisord, systemd });
    }
    let question = "Supervisor that keeps it running: none, supervisord or systemd";
    ask(dialog, question, Some("none"), parse_supervisor)
}

fn parse_place(text: &str) -> Result<Place, String> {
    text.parse().map_err(|error: super::place::PlaceError| error.to_string())
}

fn parse_supervisor(text: &str) -> Result<Supervisors, String> {
    let (supervisord, systemd) = match text.to_ascii_lowercase().as_str() {
        "none" => (false, false),
        "supervisord" => (true, false),
        "systemd" => (false, true),
        _ => return Err("none, supervisord or systemd".to_owned()),
    };
    Ok(Supervisors { supervisord, systemd })
}

fn ask_timezone(
    place: &Place,
    dialog: &mut dyn Dialog,
    lookup: Lookup<'_>,
) -> Result<String, DialogError> {
    let suggestion = zone::suggestion(place, lookup);
    match suggestion {
        Some(Suggestion { name, .. }) => ask(dialog, "Time zone", Some(&name), zone::parse),
        None => ask(dialog, "Time zone, such as America/Los_Angeles", Some("UTC"), zone::parse),
    }
}

/// Returns the suggested time zone; `None`: the machine's.
fn default_timezone(
    place: &Place,
    lookup: Lookup<'_>,
    remarks: &mut Vec<String>,
) -> Option<String> {
    let suggestion = zone::suggestion(place, lookup);
    match &suggestion {
        Some(Suggestion { is_of_machine: true, .. }) => {}
        Some(Suggestion { name, is_of_machine: false }) => remarks.push(format!(
            "time zone: {name}, that of the place by Open-Meteo, since this machine has none of a place \
             (--timezone)"
        )),
        None => remarks.push(
            "time zone: this machine's, which is none of a place; Open-Meteo did not answer with that of the \
             place. Set it by \"timezone\" in [site], or here by --timezone"
                .to_owned(),
        ),
    }
    suggestion.map(|suggestion| suggestion.name)
}

/// Clients that may read, without the account's password.
enum Reader {
    Local,
    Open,
    User(String),
}

fn reader(options: &Options, asks_all: bool, dialog: &mut dyn Dialog) -> Result<Reader, AskError> {
    if options.open {
        return Ok(Reader::Open);
    }
    if let Some(name) = &options.user {
        return Ok(Reader::User(name.clone()));
    }
    let remote = options.listen.iter().find(|address| !address.is_local());
    match remote {
        None if !asks_all => return Ok(Reader::Local),
        // This has no default.
        Some(address) if !dialog.is_interactive() => {
            return Err(OptionsError::NoAccess(address.clone()).into());
        }
        _ => {}
    }
    let is_remote = remote.is_some();
    let choices = if is_remote {
        "everyone or user"
    } else {
        "machine (programs of this one only), everyone or user"
    };
    let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
        "machine" if !is_remote => Ok(Reader::Local),
        "everyone" | "open" => Ok(Reader::Open),
        "user" => Ok(Reader::User(String::new())),
        _ => Err(choices.to_owned()),
    };
    let question = format!("Who may read: {choices}");
    let reader = ask(dialog, &question, Some("user"), parse)?;
    if !matches!(reader, Reader::User(_)) {
        return Ok(reader);
    }
    Ok(Reader::User(ask(dialog, "Name to sign in with", None, answers::user_name)?))
}

/// Reads the password of an account. `is_followed`: a secret of the tank comes behind it.
fn account(reader: Reader, is_followed: bool, dialog: &mut dyn Dialog) -> Result<Access, AskError> {
    let name = match reader {
        Reader::Local => return Ok(Access::Local),
        Reader::Open => return Ok(Access::Open),
        Reader::User(name) => name,
    };
    let question = format!("Password of {name}");
    let password = ask_hidden(dialog, &question, |dialog, password| {
        if let Err(error) = check_password(&password) {
            return Ok(Err(error.to_string()));
        }
        if !dialog.is_interactive() {
            // Two files of which the first has no line feed at its end.
            let is_merged = is_followed && password.contains("https://");
            let reason = "it contains \"https://\", so the link seems to be in the same line, not in its own";
            return Ok(if is_merged { Err(reason.to_owned()) } else { Ok(password) });
        }
        let repeated = dialog.hidden_line("Repeat the password: ");
        let is_same = answered(dialog, &question, repeated)? == password;
        Ok(if is_same { Ok(password) } else { Err("the passwords differ".to_owned()) })
    })?;
    let hash = PasswordHash::of(&password).map_err(|error| AskError::Hash(error.to_string()))?;
    Ok(Access::User { name, hash: Secret::new(hash.expose()) })
}
