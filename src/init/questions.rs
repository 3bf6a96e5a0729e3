//! Completes the options of the command line to answers: by questions on a terminal, and by defaults.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr as _;

use super::answers::{self, Access, Answers, Tank};
use super::dialog::{Dialog, DialogError, answered, ask, ask_hidden};
use super::machine;
use super::place::Place;
use super::tank::{Measure, TankKind, usual_length, usual_volume};
use super::zone::{self, Suggestion};
use crate::access::{HostName, PasswordHash, check_password};
use crate::config::{ListenAddr, Secret, SourceUrl};
use crate::units::{System, Unit};

/// Port of the public address.
pub(super) const PORT: u16 = 6443;

/// Names of this machine for itself.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Options of the command line, each `None` or empty if it was not given.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--place`
    pub place: Option<Place>,
    /// `--units`
    pub units: Option<System>,
    /// `--timezone`
    pub timezone: Option<String>,
    /// `--title`
    pub title: Option<String>,
    /// `--open`
    pub open: bool,
    /// `--user`
    pub user: Option<String>,
    /// `--tank`
    pub tank: Option<TankKind>,
    /// `--height`
    pub height: Option<Measure>,
    /// `--capacity`
    pub capacity: Option<Measure>,
    /// `--device`
    pub device: Option<String>,
    /// `--tank-url`
    pub tank_url: Option<SourceUrl>,
    /// `--pointer`
    pub pointer: Option<String>,
    /// `--unit`
    pub unit: Option<Unit>,
    /// `--listen`
    pub listen: Vec<ListenAddr>,
    /// `--name`
    pub names: Vec<HostName>,
    /// `--supervisord`
    pub supervisord: bool,
    /// `--systemd`
    pub systemd: bool,
}

/// Reason why the options have no meaning.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A place is needed, and no question can be asked.
    #[error(
        "--place LAT,LON is needed, since standard input is no terminal to ask on; optional are --tank \
         KIND, --units us|metric, --open or --user NAME, --supervisord, --systemd"
    )]
    NoPlace,
    /// Both ways to let others read.
    #[error("--open lets everyone read and --user an account only: give one of them")]
    OpenAndUser,
    /// Other machines can reach an address, and nothing says who may read.
    #[error(
        "--listen {0} accepts connections from other machines: say who may read by --open or --user NAME"
    )]
    NoAccess(ListenAddr),
    /// The first address is no TCP address, whose port the printed address needs.
    #[error(
        "--listen {0}: `init` writes TCP addresses such as 0.0.0.0:6443; edit \"listen\" afterwards"
    )]
    NoTcp(ListenAddr),
    /// An option of another kind of tank.
    #[error("--{option} belongs to --tank {kind}")]
    OtherTank {
        /// The option.
        option: &'static str,
        /// The kinds that have it.
        kind: &'static str,
    },
    /// A measure in a unit of another quantity.
    #[error("--{option}: {reason}")]
    Measure {
        /// The option.
        option: &'static str,
        /// Reason.
        reason: String,
    },
}

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
    /// Whether to write the file for supervisord, and for systemd.
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

/// Checks the options before any question.
///
/// # Errors
/// They contradict each other.
pub fn check(options: &Options) -> Result<(), OptionsError> {
    if options.open && options.user.is_some() {
        return Err(OptionsError::OpenAndUser);
    }
    if let Some(address) = options.listen.iter().find(|it| !matches!(it, ListenAddr::Tcp(_))) {
        return Err(OptionsError::NoTcp(address.clone()));
    }
    let kind = options.tank;
    for (option, is_given, kinds, name) in [
        ("height", options.height.is_some(), TankKind::PtLevel, "ptlevel"),
        ("capacity", options.capacity.is_some(), TankKind::PtLevel, "ptlevel"),
        ("device", options.device.is_some(), TankKind::PtDevices, "ptdevices"),
        ("tank-url", options.tank_url.is_some(), TankKind::Json, "json"),
        ("pointer", options.pointer.is_some(), TankKind::Json, "json"),
        ("unit", options.unit.is_some(), TankKind::Json, "json"),
    ] {
        if is_given && kind != Some(kinds) {
            return Err(OptionsError::OtherTank { option, kind: name });
        }
    }
    Ok(())
}

/// Returns the answers: from the options, from questions if `dialog` is interactive, and defaults.
///
/// # Errors
/// An option is missing or wrong, or the input ended.
pub fn complete(options: Options, dialog: &mut dyn Dialog) -> Result<Asked, AskError> {
    let interactive = dialog.is_interactive();
    let mut remarks = Vec::new();
    let place = match options.place {
        Some(place) => place,
        None if !interactive => return Err(OptionsError::NoPlace.into()),
        None => ask(dialog, "Place of the weather, LATITUDE,LONGITUDE", None, parse_place)?,
    };
    let units = match options.units {
        Some(units) => units,
        None => {
            let usual = place.usual_units();
            if interactive {
                ask(dialog, "Units, us or metric", Some(&usual.to_string()), parse_units)?
            } else {
                remarks.push(format!("units: {usual}, as is usual at that place (--units)"));
                usual
            }
        }
    };
    let timezone = timezone(options.timezone.clone(), &place, dialog, &mut remarks)?;
    let kind = match options.tank {
        Some(kind) => kind,
        None if !interactive => TankKind::None,
        None => {
            ask(dialog, "Tank: none, ptlevel, ptdevices or json", Some("none"), TankKind::parse)?
        }
    };
    // Before any question that follows, so that wrong options cost no answers.
    let height = measure("height", options.height, Unit::Inch, usual_length(units))?;
    let capacity = measure("capacity", options.capacity, Unit::UsGallon, usual_volume(units))?;
    let remote = options.listen.iter().find(|address| !address.is_local());
    let reader = reader(&options, remote, dialog)?;
    let access = account(reader, dialog)?;
    let tank = match kind {
        TankKind::None => Tank::None,
        TankKind::PtLevel => ptlevel(height, capacity, units, dialog)?,
        TankKind::PtDevices => ptdevices(options.device, timezone.clone(), dialog)?,
        TankKind::Json => json(options.tank_url, options.pointer, options.unit, dialog)?,
    };
    let title = options.title.unwrap_or_else(|| "Pumphouse".to_owned());
    let listen = if options.listen.is_empty() {
        let host = if access.is_remote() { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        vec![ListenAddr::Tcp(SocketAddr::from((host, PORT)))]
    } else {
        options.listen
    };
    if !access.is_remote() {
        remarks.push(
            "neither --open nor --user: only programs of this machine can read the dashboard"
                .to_owned(),
        );
    }
    let is_remote = listen.iter().any(|address| !address.is_local());
    let names = certificate_names(options.names, &listen, is_remote);
    let (mut supervisord, mut systemd) = (options.supervisord, options.systemd);
    if interactive && !supervisord && !systemd {
        (supervisord, systemd) = ask(
            dialog,
            "Supervisor that keeps it running: none, supervisord or systemd",
            Some("none"),
            parse_supervisor,
        )?;
    }
    let answers = Answers { place, units, timezone, title, access, tank, listen, names };
    Ok(Asked { answers, supervisors: Supervisors { supervisord, systemd }, remarks })
}

fn parse_place(text: &str) -> Result<Place, String> {
    text.parse().map_err(|error: super::place::PlaceError| error.to_string())
}

fn parse_units(text: &str) -> Result<System, String> {
    System::from_str(&text.to_ascii_lowercase()).map_err(|_| "us or metric".to_owned())
}

fn parse_supervisor(text: &str) -> Result<(bool, bool), String> {
    match text.to_ascii_lowercase().as_str() {
        "none" => Ok((false, false)),
        "supervisord" => Ok((true, false)),
        "systemd" => Ok((false, true)),
        _ => Err("none, supervisord or systemd".to_owned()),
    }
}

fn measure(
    option: &'static str,
    measure: Option<Measure>,
    wanted: Unit,
    usual: Unit,
) -> Result<Option<f64>, OptionsError> {
    let number = measure.map(|measure| measure.number_in(wanted, usual)).transpose();
    number.map_err(|reason| OptionsError::Measure { option, reason })
}

fn timezone(
    given: Option<String>,
    place: &Place,
    dialog: &mut dyn Dialog,
    remarks: &mut Vec<String>,
) -> Result<Option<String>, DialogError> {
    if given.is_some() {
        return Ok(given);
    }
    let suggestion = zone::suggestion(place);
    if dialog.is_interactive() {
        let default = suggestion.as_ref().map_or("UTC", |suggestion| &suggestion.name);
        return ask(dialog, "Time zone", Some(default), zone::parse).map(Some);
    }
    if let Some(Suggestion { name, is_of_machine: false }) = &suggestion {
        remarks.push(format!(
            "time zone: {name}, that of the city nearest to the place, since this machine has none of a \
             place (--timezone)"
        ));
    }
    Ok(suggestion.map(|suggestion| suggestion.name))
}

/// Clients that may read, without the account's password.
enum Reader {
    Local,
    Open,
    User(String),
}

fn reader(
    options: &Options,
    remote: Option<&ListenAddr>,
    dialog: &mut dyn Dialog,
) -> Result<Reader, AskError> {
    if options.open {
        return Ok(Reader::Open);
    }
    if let Some(name) = &options.user {
        return Ok(Reader::User(name.clone()));
    }
    if !dialog.is_interactive() {
        return match remote {
            Some(address) => Err(OptionsError::NoAccess(address.clone()).into()),
            None => Ok(Reader::Local),
        };
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
    Ok(Reader::User(ask(dialog, "Name of the user", None, answers::user_name)?))
}

/// Reads the password of an account.
fn account(reader: Reader, dialog: &mut dyn Dialog) -> Result<Access, AskError> {
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
            return Ok(Ok(password));
        }
        let repeated = dialog.hidden_line("Repeat the password: ");
        let is_same = answered(&question, repeated)? == password;
        Ok(if is_same { Ok(password) } else { Err("the passwords differ".to_owned()) })
    })?;
    let hash = PasswordHash::of(&password).map_err(|error| AskError::Hash(error.to_string()))?;
    Ok(Access::User { name, hash: Secret::new(hash.expose()) })
}

/// Reads a secret of the tank; `None` if the input has none, which is completed later.
fn tank_secret<T>(
    dialog: &mut dyn Dialog,
    question: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, DialogError> {
    let question = format!("{question} (empty: later)");
    let parsed = ask_hidden(dialog, &question, |_, line| {
        Ok(if line.trim().is_empty() { Ok(None) } else { parse(&line).map(Some) })
    });
    match parsed {
        Err(DialogError::Ended(_)) if !dialog.is_interactive() => Ok(None),
        parsed => parsed,
    }
}

/// Asks for a part of the tank that was not given; `None` if it is completed later.
fn tank_part<T>(
    dialog: &mut dyn Dialog,
    given: Option<T>,
    question: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, DialogError> {
    if given.is_some() || !dialog.is_interactive() {
        return Ok(given);
    }
    let parse = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
    ask(dialog, &format!("{question} (empty: later)"), None, parse)
}

fn ptlevel(
    height: Option<f64>,
    capacity: Option<f64>,
    units: System,
    dialog: &mut dyn Dialog,
) -> Result<Tank, DialogError> {
    let parse = |wanted: Unit, usual: Unit| {
        move |text: &str| -> Result<f64, String> {
            let measure: Measure =
                text.parse().map_err(|error: super::tank::MeasureError| error.to_string())?;
            measure.number_in(wanted, usual)
        }
    };
    let link = tank_secret(dialog, "Link of the PTLevel share page", answers::url)?;
    let (length, volume) = (usual_length(units), usual_volume(units));
    let question = format!("Height of the full tank, {length}");
    let height = tank_part(dialog, height, &question, parse(Unit::Inch, length))?;
    let question = format!("Volume of the full tank, {volume}");
    let capacity = tank_part(dialog, capacity, &question, parse(Unit::UsGallon, volume))?;
    Ok(Tank::PtLevel { link, height, capacity })
}

fn ptdevices(
    device: Option<String>,
    zone: Option<String>,
    dialog: &mut dyn Dialog,
) -> Result<Tank, DialogError> {
    let token = tank_secret(dialog, "Token of the PTDevices API", answers::token)?;
    let question = "Number or MAC address of the device";
    let device = tank_part(dialog, device, question, answers::device)?;
    Ok(Tank::PtDevices { device, token, zone })
}

fn json(
    url: Option<SourceUrl>,
    pointer: Option<String>,
    unit: Option<Unit>,
    dialog: &mut dyn Dialog,
) -> Result<Tank, DialogError> {
    let url = tank_part(dialog, url, "URL of the JSON document", answers::url)?;
    let pointer = tank_part(
        dialog,
        pointer,
        "JSON pointer to the value, such as /tank/level",
        answers::pointer,
    )?;
    let unit = match unit {
        Some(unit) => unit,
        None if !dialog.is_interactive() => Unit::Percent,
        None => ask(dialog, "Unit of the value", Some("%"), answers::unit)?,
    };
    Ok(Tank::Json { url, pointer, unit })
}

/// Returns the names of the certificate: those given, or else the host's, those of this machine for
/// itself, and its addresses. The first is that of the printed address.
fn certificate_names(
    given: Vec<HostName>,
    listen: &[ListenAddr],
    is_remote: bool,
) -> Vec<HostName> {
    let local = LOCAL_NAMES.iter().filter_map(|name| name.parse().ok());
    let unspecified = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
    let listened = listen.iter().filter_map(|address| match address {
        ListenAddr::Tcp(address) if !unspecified.contains(&address.ip()) => Some(address.ip()),
        _ => None,
    });
    let others = machine::addresses().into_iter().filter(|_| is_remote);
    let addresses = listened.chain(others).filter_map(|address| address.to_string().parse().ok());
    let hosts = if given.is_empty() && is_remote { machine::host_names() } else { given };
    let mut names: Vec<HostName> = Vec::new();
    for name in hosts.into_iter().chain(local).chain(addresses) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
