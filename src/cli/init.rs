//! `init`: makes a first configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::outcome::{Failure, Printer, remark};
use crate::access::{HostName, HostNameError};
use crate::certificates::check_host;
use crate::check::{check, poll};
use crate::config::{ListenAddr, ListenAddrError, SourceUrl, admin_address};
use crate::init::{self, Console, InitError, Measure, Options, Place, Request, TankKind, Written};
use crate::units::{System, Unit};
use crate::wall_clock;

/// Make a first configuration, with a certificate, an account and a supervisor's file, and poll its
/// sources once. Existing files are never changed.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "init",
    note = "On a terminal it asks for everything that no option gives; with --place only for secrets and
for what has no default. Without a terminal it needs --place, and asks nothing. Secrets are never
arguments: on a terminal they are typed unseen, else they are lines of standard input, first the
password of --user, then the link or the token of the tank. A tank whose link or token is missing
is written commented out, with the lines to complete.",
    example = "By questions\n$ {command_name}",
    example = "Without questions, for everyone in the local network\n\
               $ {command_name} --place 37.24,-122.14 --tank none --units us --open </dev/null",
    example = "An account and a tank, under supervisord; the password and the link come from files\n\
               $ printf '%s\\n' \"$(cat password)\" \"$(cat link)\" | {command_name} --place 47.37,8.54 \
               --units metric --user anna --tank ptlevel --height 147cm --capacity 5300L --supervisord",
    error_code(0, "all files are written, whether or not the sources answered"),
    error_code(
        1,
        "a file exists, the input ended or was wrong, or a file cannot be written: nothing was
written; or the files are written, but the configuration or the output failed, as it says"
    ),
    error_code(2, "an option is missing or wrong: nothing was written")
)]
pub(super) struct Init {
    /// place of the weather: degrees north and east, such as 37.24,-122.14
    #[argh(option, arg_name = "LAT,LON")]
    place: Option<Place>,

    /// kind of the tank: none, ptlevel, ptdevices or json (default: none)
    #[argh(option, arg_name = "none|ptlevel|ptdevices|json", from_str_fn(TankKind::parse))]
    tank: Option<TankKind>,

    /// units of the page: us or metric (default: those usual at the place)
    #[argh(option, arg_name = "us|metric", from_str_fn(init::units))]
    units: Option<System>,

    /// let everyone who reaches the server read
    #[argh(switch)]
    open: bool,

    /// let this user read, with a password; without --open and --user only this machine can read
    #[argh(option, arg_name = "NAME", from_str_fn(init::user_name))]
    user: Option<String>,

    /// write pumphouse-web.conf, which supervisord runs
    #[argh(switch)]
    supervisord: bool,

    /// write pumphouse-web.service, which systemd runs
    #[argh(switch)]
    systemd: bool,

    /// folder for the files (default: the working directory, in which the server then runs)
    #[argh(option, arg_name = "DIR")]
    dir: Option<PathBuf>,

    /// folder for the history, and the working directory of the supervisors; is created if it is
    /// missing (default: that of --dir)
    #[argh(option, arg_name = "DIR")]
    state: Option<PathBuf>,

    /// heading of the page (default: Pumphouse)
    #[argh(option, arg_name = "TITLE", from_str_fn(init::title))]
    title: Option<String>,

    /// time zone (default: the machine's; if that is none of a place, such as UTC, the place's by
    /// Open-Meteo)
    #[argh(option, arg_name = "ZONE", from_str_fn(init::timezone))]
    timezone: Option<String>,

    /// public address; may be repeated (default: 0.0.0.0:6443; without --open and --user
    /// 127.0.0.1:6443)
    #[argh(option, arg_name = "ADDRESS")]
    listen: Vec<ListenAddr>,

    /// address of the admin listener, of this machine only; a second server on one machine needs its
    /// own (default: 127.0.0.1:6480)
    #[argh(option, arg_name = "ADDRESS", from_str_fn(admin_listen))]
    admin_listen: Option<ListenAddr>,

    /// host name or address of the server, for the certificate; may be repeated (default: the host's);
    /// localhost and this machine's addresses are added
    #[argh(option, arg_name = "NAME", from_str_fn(host_name))]
    name: Vec<HostName>,

    /// ptlevel: height of the full tank, such as 58in or 147cm
    #[argh(option, arg_name = "HEIGHT")]
    height: Option<Measure>,

    /// ptlevel: volume of the full tank, such as 1400gal or 5300L
    #[argh(option, arg_name = "VOLUME")]
    capacity: Option<Measure>,

    /// ptdevices: number or MAC address of the device
    #[argh(option, arg_name = "DEVICE", from_str_fn(init::device))]
    device: Option<String>,

    /// json: URL of the document; if it has a query or a key, which may be secret, the configuration
    /// is for its owner only
    #[argh(option, arg_name = "URL", from_str_fn(init::url))]
    tank_url: Option<SourceUrl>,

    /// json: JSON pointer to the value, such as /tank/level
    #[argh(option, arg_name = "POINTER", from_str_fn(init::pointer))]
    pointer: Option<String>,

    /// json: unit of the value (default: %)
    #[argh(option, arg_name = "UNIT", from_str_fn(init::unit))]
    unit: Option<Unit>,
}

impl Init {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut console = Console::default();
        let written = init::run(self.request(), &mut console, &init::by_open_meteo);
        let written = written.map_err(|error| match error {
            InitError::Options(error) => Failure::usage(error),
            error => error.into(),
        })?;
        let Written { configuration, paths, remarks, next_steps } = written;
        let paths = paths.iter().map(|path| format!("  {}\n", path.display()));
        let mut text = paths.fold("Written:\n".to_owned(), |text, path| text + &path);
        for remark in remarks {
            text += &format!("note: {remark}\n");
        }
        let mut printer = Printer::new();
        printer.show(&text);
        let now = wall_clock::now();
        let checked = check(&configuration, now).map_err(|errors| {
            format!("the files are written, but the server would not start with them: {errors}")
        })?;
        printer.show(&format!(
            "\n{} is valid.\n\n{}",
            configuration.display(),
            checked.summary(now)
        ));
        let all_answered = poll::run(&checked.config, |text| printer.show(text));
        printer.show(&format!("\n{next_steps}"));
        if !all_answered {
            remark(&format!(
                "warning: a source did not answer, as shown above. The files are complete and the server \
                 starts: it shows no values of that source and polls it again and again. Check the network, \
                 then run `pumphouse-web check --poll {}`.\n",
                configuration.display()
            ));
        }
        Ok(printer.exit_code())
    }

    fn request(self) -> Request {
        Request {
            dir: self.dir,
            state: self.state,
            options: Options {
                place: self.place,
                units: self.units,
                timezone: self.timezone,
                title: self.title,
                open: self.open,
                user: self.user,
                tank: self.tank,
                height: self.height,
                capacity: self.capacity,
                device: self.device,
                tank_url: self.tank_url,
                pointer: self.pointer,
                unit: self.unit,
                listen: self.listen,
                admin_listen: self.admin_listen,
                names: self.name,
                supervisord: self.supervisord,
                systemd: self.systemd,
            },
        }
    }
}

fn host_name(text: &str) -> Result<HostName, String> {
    let name: HostName = text.parse().map_err(|error: HostNameError| error.to_string())?;
    check_host(&name).map_err(|error| error.to_string())?;
    Ok(name)
}

fn admin_listen(text: &str) -> Result<ListenAddr, String> {
    let address: ListenAddr = text.parse().map_err(|error: ListenAddrError| error.to_string())?;
    admin_address(address).map_err(|error| error.to_string())
}
