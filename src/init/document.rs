//! The text of the configuration: short, with a comment for each line that is not obvious.

use std::fmt::Write as _;
use std::path::Path;

use jiff::civil::Date;

use super::answers::{Access, Answers, Tank, field_of};
use super::documents::Documents;
use super::names::{CERTIFICATE, KEY, PASSWORD_HASH, TANK_LINK, TANK_TOKEN};
use super::place::Place;
use super::toml_text::{comment, quoted};
use crate::shell;

/// Column of the comments behind keys.
const COMMENT_COLUMN: usize = 38;

/// Parts of its machine that the configuration names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Prefix of the certificate and the secrets; `None`: the working directory.
    pub files: Option<&'a Path>,
    /// Folder of the history; `None`: the working directory.
    pub state: Option<&'a Path>,
    /// Folder of the configuration.
    pub folder: &'a Path,
    /// Name of the user that the files belong to, if root makes them for another one.
    pub owner: Option<&'a str>,
    /// Examples on this machine.
    pub documents: &'a Documents,
}

/// Returns the text of `pumphouse.toml`.
pub(super) fn render(answers: &Answers, around: Surroundings<'_>, today: Date) -> String {
    let mut document = Document { text: String::new(), around };
    document.head(today);
    document.site(answers);
    document.server(answers);
    document.access(&answers.access);
    document.history();
    document.weather(&answers.place);
    document.tank(answers);
    document.text
}

struct Document<'a> {
    text: String,
    around: Surroundings<'a>,
}

impl Document<'_> {
    fn add(&mut self, line: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// Adds a key with its value and a comment.
    fn key(&mut self, pair: &str, explanation: &str) {
        let explanation = comment(explanation);
        self.add(&format!("{pair:width$} # {explanation}", width = COMMENT_COLUMN - 1));
    }

    /// Adds a comment with the place of a document.
    fn locate(&mut self, name: &str) {
        let place = self.around.documents.locate(name);
        self.add(&format!("# {}", comment(&place)));
    }

    /// Returns the path of a file beside the configuration, as a TOML string.
    fn path(&self, name: &str) -> String {
        let path = self.around.files.map_or_else(|| name.into(), |folder| folder.join(name));
        quoted(&path.to_string_lossy())
    }

    fn head(&mut self, today: Date) {
        self.add(&format!(
            "# Configuration of pumphouse-web, written by `pumphouse-web init` on {today}."
        ));
        self.add("# After a change, `pumphouse-web check` explains it and reports errors; a running server");
        self.add("# reads this file again at SIGHUP. Every key:");
        self.locate("examples/pumphouse.toml");
        self.add("");
    }

    fn site(&mut self, answers: &Answers) {
        self.add("[site]");
        self.key(&format!("title = {}", quoted(&answers.title)), "heading of the page");
        self.key(&format!("units = \"{}\"", answers.units), "\"us\" or \"metric\"");
        match &answers.timezone {
            Some(zone) => self
                .key(&format!("timezone = {}", quoted(zone)), "clocks of days, charts and events"),
            None => self.key(
                "# timezone = \"America/Los_Angeles\"",
                "clocks of days, charts and events; default: the machine's",
            ),
        }
        self.add("");
    }

    fn server(&mut self, answers: &Answers) {
        let listed = |texts: Vec<String>| {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            texts.join(", ")
        };
        let listen = listed(answers.listen.iter().map(ToString::to_string).collect());
        let reach = match answers.listen.iter().all(|address| address.is_local()) {
            true => "programs of this machine only",
            false => "0.0.0.0: every address of this machine",
        };
        self.add("[server]");
        self.key(&format!("listen = [{listen}]"), reach);
        let names = listed(answers.reach.names.iter().map(ToString::to_string).collect());
        self.add("# Without the #, requests for any other host name are refused, which keeps foreign pages");
        self.add("# from reaching this server by a name of their own (DNS rebinding):");
        self.add(&format!("# names = [{names}]"));
        if let Some(admin) = &answers.admin {
            let pair = format!("admin_listen = {}", quoted(&admin.to_string()));
            self.key(&pair, "metrics and commands; each server needs its own");
        }
        self.add("");
        self.add("[tls]");
        self.key(
            &format!("cert = {}", self.path(CERTIFICATE)),
            "self-signed; other files are loaded without a restart,",
        );
        let explained = format!("see {}", self.around.documents.locate("certs/README.md"));
        self.key(&format!("key = {}", self.path(KEY)), &explained);
        self.add("");
    }

    fn access(&mut self, access: &Access) {
        match access {
            Access::Local => {
                self.add("# Only programs of this machine can read. To serve others, listen on 0.0.0.0:6443 and");
                self.add("# say who may read: everyone by the next two lines, or users. That is described in");
                self.locate("README.md");
                self.add("# [auth]");
                self.add("# open = true");
            }
            Access::Open => {
                self.add("[auth]");
                self.key("open = true", "everyone who reaches this server may read");
            }
            Access::User { name, .. } => {
                self.add("# Browsers sign in on a page. For another user add such a section, with the output of");
                self.add("# `pumphouse-web hash-password`.");
                self.add("[[auth.user]]");
                self.add(&format!("name = {}", quoted(name)));
                self.key(
                    &format!("password_hash_file = {}", self.path(PASSWORD_HASH)),
                    "or password_hash = \"…\"",
                );
                self.key("scopes = [\"read\", \"poll\"]", "\"admin\" allows everything");
            }
        }
        self.add("");
    }

    fn history(&mut self) {
        let Some(state) = self.around.state else { return };
        let path = state.join("pumphouse.db");
        self.add("[history]");
        let pair = format!("path = {}", quoted(&path.to_string_lossy()));
        self.key(&pair, "the last values and sessions are stored beside it");
        self.add("");
    }

    fn weather(&mut self, place: &Place) {
        let Place { latitude, longitude } = place;
        self.add("# The weather at the place, by Open-Meteo, which needs no key. For a station nearby there are");
        self.add("# kind = \"nws\" (United States) and \"ambient\" (your own), with examples in");
        self.locate("examples/sources");
        self.add("[[source]]");
        self.add("name = \"weather\"");
        self.add("kind = \"open-meteo\"");
        self.add("title = \"Weather\"");
        self.key(&format!("latitude = {latitude}"), "degrees north");
        self.key(&format!("longitude = {longitude}"), "degrees east; west is negative");
        self.key("interval = \"15m\"", "from one poll to the next");
    }

    fn tank(&mut self, answers: &Answers) {
        let lines = match &answers.tank {
            Tank::None => return self.no_tank(),
            Tank::PtLevel { height, capacity, .. } => self.ptlevel(*height, *capacity),
            Tank::PtDevices { device, zone, .. } => {
                self.ptdevices(device.as_deref(), zone.as_deref())
            }
            Tank::Json { url, pointer, unit } => {
                let url = url.as_ref().map(|url| url.as_str());
                json(url, pointer.as_deref(), unit.as_str(), field_of(*unit))
            }
        };
        self.add("");
        let is_complete = answers.tank.is_complete();
        if !is_complete {
            self.add("# The tank is not complete yet. Complete each … below, then remove the # of its lines.");
        }
        if matches!(answers.tank, Tank::Json { .. }) {
            self.add("# All keys of this kind:");
            self.locate("examples/sources/json.toml");
        }
        if let Some((file, content)) = missing_file(&answers.tank) {
            let path = shell::quoted(&self.around.folder.join(file));
            let (by, command) = match self.around.owner {
                None => ("", format!("(umask 077; cat > {path})")),
                // Only root can give it to that user.
                Some(user) => (" as root", format!("install -m 600 -o {user} /dev/stdin {path}")),
            };
            self.add(&format!(
                "# Its {content} is a secret in a file of its own. To write it, run this{by}, insert"
            ));
            self.add(&format!("# the {content}, and press Enter and Ctrl-D:"));
            self.add(&format!("#   {}", comment(&command)));
        }
        let mark = if is_complete { "" } else { "#" };
        for (pair, explanation) in lines {
            let pair = format!("{mark}{pair}");
            match explanation {
                "" => self.add(&pair),
                explanation => self.key(&pair, explanation),
            }
        }
    }

    fn no_tank(&mut self) {
        self.add("");
        self.add("# A tank is a source like the weather: kind = \"ptlevel\", \"ptdevices\" or \"json\", with the keys");
        self.add("# of the file of that name in");
        self.locate("examples/sources");
    }

    fn ptlevel(&self, height: Option<f64>, capacity: Option<f64>) -> Vec<(String, &'static str)> {
        let mut lines = beginning("ptlevel");
        lines.extend([
            (
                format!("url_file = {}", self.path(TANK_LINK)),
                "the link of the share page, a secret",
            ),
            (format!("height = {}", or_dots(height)), "of the full tank, inches"),
            (format!("capacity = {}", or_dots(capacity)), "of the full tank, US gallons"),
            ("interval = \"5m\"".to_owned(), ""),
            ("stale_after = \"45m\"".to_owned(), "the page changes about every 15 minutes"),
        ]);
        lines
    }

    fn ptdevices(&self, device: Option<&str>, zone: Option<&str>) -> Vec<(String, &'static str)> {
        let mut lines = beginning("ptdevices");
        lines.extend([
            (format!("device = {}", text_or_dots(device)), "its number or its 12 hex digits"),
            (format!("token_file = {}", self.path(TANK_TOKEN)), "of the API, a secret"),
            (
                format!("timezone = {}", text_or_dots(zone)),
                "of the device's clock, which the API omits",
            ),
            ("interval = \"15m\"".to_owned(), ""),
            ("stale_after = \"2h\"".to_owned(), ""),
        ]);
        lines
    }
}

fn beginning(kind: &str) -> Vec<(String, &'static str)> {
    vec![
        ("[[source]]".to_owned(), ""),
        ("name = \"tank\"".to_owned(), ""),
        (format!("kind = \"{kind}\""), ""),
        ("title = \"Tank\"".to_owned(), ""),
    ]
}

fn json(
    url: Option<&str>,
    pointer: Option<&str>,
    unit: &str,
    field: &str,
) -> Vec<(String, &'static str)> {
    let mut lines = beginning("json");
    lines.extend([
        (format!("url = {}", text_or_dots(url)), "credentials have keys of their own"),
        ("interval = \"1m\"".to_owned(), ""),
        (format!("[source.values.{field}]"), ""),
        (
            format!("pointer = {}", text_or_dots(pointer)),
            "`pumphouse-web check --poll` lists all pointers",
        ),
        (format!("unit = {}", quoted(unit)), ""),
    ]);
    lines
}

fn text_or_dots(text: Option<&str>) -> String {
    text.map_or_else(|| "…".to_owned(), quoted)
}

fn or_dots(number: Option<f64>) -> String {
    number.map_or_else(|| "…".to_owned(), |number| number.to_string())
}

/// Returns the file that has to be written by hand, and the name of its content.
fn missing_file(tank: &Tank) -> Option<(&'static str, &'static str)> {
    match tank {
        Tank::PtLevel { link: None, .. } => Some((TANK_LINK, "link")),
        Tank::PtDevices { token: None, .. } => Some((TANK_TOKEN, "token")),
        _ => None,
    }
}
