//! `alert`: shows the alerts of a running server, and acknowledges and silences them.
//!
//! The commands are requests to the admin listener (`server`), whose responses are printed (`table`); `replay` reads the
//! history instead.

mod columns;
mod replay;
mod server;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use self::replay::Replay;
use self::server::{Server, ServerOptions};
use super::options::named_config;
use super::outcome::{Failure, print};
use crate::access::percent::percent_encoded;
use crate::admin::MAX_TEST_WAIT;
use crate::alert::MAX_SILENCE;
use crate::config::{ListenAddr, parse_duration, written_duration};
use crate::wall_clock;

/// Limit for a command, whose response is awaited for a second by the server.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Show, acknowledge and silence the alerts of a running server, test channels, and replay rules.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "alert")]
pub(super) struct AlertCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum Action {
    List(List),
    Ack(Ack),
    Silence(Silence),
    Unsilence(Unsilence),
    Test(Test),
    Replay(Replay),
}

/// List all alerts with their states: those that fire first, the most severe on top.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    example = "Show the alerts of the configured server\n$ {command_name}",
    example = "The names of those that fire, for a script\n\
               $ {command_name} --json | jq -r '.alerts[] | select(.state == \"firing\") | .name'",
    error_code(0, "the alerts are listed, whether one fires or not"),
    error_code(
        1,
        "the server refused, or its response is not as expected; standard error says why"
    ),
    error_code(75, "the connection is refused, or the server cannot answer now: retry")
)]
struct List {
    /// configuration file with the server's address (default: $PUMPHOUSE_CONFIG, else
    /// pumphouse.toml if there is one)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// the admin listener: 127.0.0.1:6480 or unix:/path (default: the configuration's)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<ListenAddr>,

    /// print the server's JSON: the alerts, and the latest incidents
    #[argh(switch)]
    json: bool,
}

/// Note that you know of an alert that fires. It ends its reminders, not the alert.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "ack",
    example = "Acknowledge an alert, for all of its sources\n$ {command_name} tank_low",
    example = "For one of its sources, over TCP\n\
               $ {command_name} tank_low --source north --token-file ~/.config/pumphouse-token",
    note = "Over TCP it needs a token with the scope alert, by --token-file or $PUMPHOUSE_TOKEN:
`pumphouse-web token new --name phone --scope alert` makes one. Over a unix socket ([server]
admin_listen = \"unix:/path\") it needs none: the server notes your user.",
    error_code(1, "the alert does not fire, or the server refused; standard error says why"),
    error_code(75, "the connection is refused, or the server cannot take the command now: retry")
)]
struct Ack {
    /// name of the alert
    #[argh(positional, arg_name = "NAME")]
    name: String,

    /// source whose incident is meant (default: all that fire)
    #[argh(option, arg_name = "SOURCE")]
    source: Option<String>,

    /// configuration file with the server's address (default: $PUMPHOUSE_CONFIG, else
    /// pumphouse.toml if there is one)
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// the admin listener: 127.0.0.1:6480 or unix:/path (default: the configuration's)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<ListenAddr>,

    /// file with the token (default: $PUMPHOUSE_TOKEN); not needed over a unix socket
    #[argh(option, arg_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Silence an alert for a time, such as maintenance: it fires and ends, and no message is sent.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "silence",
    example = "During the cleaning of the tank\n$ {command_name} tank_low --for 8h",
    note = "Over TCP it needs a token with the scope alert, by --token-file or $PUMPHOUSE_TOKEN:
`pumphouse-web token new --name phone --scope alert` makes one. Over a unix socket ([server]
admin_listen = \"unix:/path\") it needs none: the server notes your user.",
    error_code(75, "the connection is refused, or the server cannot take the command now: retry")
)]
struct Silence {
    /// name of the alert
    #[argh(positional, arg_name = "NAME")]
    name: String,

    /// length of the silence from now on: 30m, 8h, 2d; another silence replaces it
    #[argh(option, long = "for", arg_name = "DURATION", from_str_fn(silence_length))]
    length: Duration,

    /// configuration file with the server's address (default: $PUMPHOUSE_CONFIG, else
    /// pumphouse.toml if there is one)
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// the admin listener: 127.0.0.1:6480 or unix:/path (default: the configuration's)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<ListenAddr>,

    /// file with the token (default: $PUMPHOUSE_TOKEN); not needed over a unix socket
    #[argh(option, arg_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// End the silence of an alert. If it fires, a message is sent.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "unsilence",
    example = "After the cleaning of the tank\n$ {command_name} tank_low",
    note = "Over TCP it needs a token with the scope alert, by --token-file or $PUMPHOUSE_TOKEN:
`pumphouse-web token new --name phone --scope alert` makes one. Over a unix socket ([server]
admin_listen = \"unix:/path\") it needs none: the server notes your user.",
    error_code(75, "the connection is refused, or the server cannot take the command now: retry")
)]
struct Unsilence {
    /// name of the alert
    #[argh(positional, arg_name = "NAME")]
    name: String,

    /// configuration file with the server's address (default: $PUMPHOUSE_CONFIG, else
    /// pumphouse.toml if there is one)
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// the admin listener: 127.0.0.1:6480 or unix:/path (default: the configuration's)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<ListenAddr>,

    /// file with the token (default: $PUMPHOUSE_TOKEN); not needed over a unix socket
    #[argh(option, arg_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Send a test message over a channel, and report what the channel answered.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "test",
    example = "Test the channel of [[notify]] with name = \"phone\"\n$ {command_name} --channel phone",
    note = "It waits for the delivery, for the channel's timeout at most (30 s by default, 2 min of smtp). Over TCP it needs
a token with the scope alert, by --token-file or $PUMPHOUSE_TOKEN: `pumphouse-web token new
--name phone --scope alert` makes one. Over a unix socket ([server] admin_listen =
\"unix:/path\") it needs none.",
    error_code(0, "the channel has taken the message"),
    error_code(1, "the channel has not taken it; standard error has its answer"),
    error_code(75, "the connection is refused, or another test is in progress: retry")
)]
struct Test {
    /// name of the channel
    #[argh(option, arg_name = "NAME")]
    channel: String,

    /// configuration file with the server's address (default: $PUMPHOUSE_CONFIG, else
    /// pumphouse.toml if there is one)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// the admin listener: 127.0.0.1:6480 or unix:/path (default: the configuration's)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<ListenAddr>,

    /// file with the token (default: $PUMPHOUSE_TOKEN); not needed over a unix socket
    #[argh(option, arg_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl AlertCommand {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        Ok(print(&self.text()?))
    }

    /// Carries the command out, and returns what it prints.
    fn text(self) -> Result<String, Failure> {
        match self.action {
            Action::List(command) => command.text(),
            Action::Ack(command) => command.text(),
            Action::Silence(command) => command.text(),
            Action::Unsilence(command) => command.text(),
            Action::Test(command) => command.text(),
            Action::Replay(command) => command.text(),
        }
    }
}

impl List {
    fn text(self) -> Result<String, Failure> {
        let config = named_config(self.file, self.config)?;
        let server = Server::find(config.as_deref(), self.admin)?;
        if self.json {
            return server.get("/api/v1/alerts", TIMEOUT);
        }
        // The table has no incidents, which a fleet has thousands of.
        table::render(&server.get("/api/v1/alerts?incidents=0", TIMEOUT)?, wall_clock::now())
    }
}

impl Ack {
    fn text(self) -> Result<String, Failure> {
        let Ack { name, source, config, admin, token_file } = self;
        let source = source.map(|source| format!("?source={}", percent_encoded(&source)));
        let target = format!("{}/acknowledge{}", alert(&name), source.unwrap_or_default());
        let body = ServerOptions { config, admin, token_file }.find()?.post(&target, TIMEOUT)?;
        let table = table::render(&body, wall_clock::now())?;
        Ok(format!("{name} is acknowledged.\n\n{table}"))
    }
}

impl Silence {
    fn text(self) -> Result<String, Failure> {
        let Silence { name, length, config, admin, token_file } = self;
        let length = written_duration(length);
        let target = format!("{}/silence?for={}", alert(&name), percent_encoded(&length));
        let body = ServerOptions { config, admin, token_file }.find()?.post(&target, TIMEOUT)?;
        let until = table::silenced_until(&body)?;
        let until = until.map_or_else(|| format!("for {length}"), |until| format!("until {until}"));
        Ok(format!("{name} is silenced {until}.\n"))
    }
}

impl Unsilence {
    fn text(self) -> Result<String, Failure> {
        let Unsilence { name, config, admin, token_file } = self;
        let target = format!("{}/unsilence", alert(&name));
        ServerOptions { config, admin, token_file }.find()?.post(&target, TIMEOUT)?;
        Ok(format!("{name} is not silenced.\n"))
    }
}

impl Test {
    fn text(self) -> Result<String, Failure> {
        let Test { channel, file, config, admin, token_file } = self;
        let config = named_config(file, config)?;
        let target = format!("/api/v1/channels/{}/test", percent_encoded(&channel));
        let server = ServerOptions { config, admin, token_file }.find()?;
        server.post(&target, MAX_TEST_WAIT + TIMEOUT)?;
        Ok(format!("The channel {channel} has taken a test message.\n"))
    }
}

/// Returns the path of an alert.
fn alert(name: &str) -> String {
    format!("/api/v1/alerts/{}", percent_encoded(name))
}

/// Examples of lengths of a silence.
const LENGTHS: &str = "30m, 8h or 2d";

/// Parses the length of a silence.
fn silence_length(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text).filter(|length| !length.is_zero());
    let length = length.ok_or_else(|| format!("expected a length of time such as {LENGTHS}"))?;
    if length < Duration::from_secs(1) || length > MAX_SILENCE {
        let most = written_duration(MAX_SILENCE);
        return Err(format!("expected 1s to {most}, such as {LENGTHS}"));
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
