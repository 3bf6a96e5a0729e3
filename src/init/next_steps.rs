//! The text at the end: the address, and the commands that start the server.

use std::env;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use super::answers::{Answers, Tank};
use super::files::Owner;
use super::questions::Supervisors;
use super::{CONFIGURATION, Layout, SUPERVISORD, SYSTEMD};
use crate::kernel::accounts;

/// Folders in which distributions look for supervisord's programs, and the ending of their files.
const SUPERVISORD_FOLDERS: [(&str, &str); 2] =
    [("/etc/supervisor/conf.d", "conf"), ("/etc/supervisord.d", "ini")];

/// Folder whose configuration the unit of the Debian package reads, and that unit.
const PACKAGED_FOLDER: &str = "/etc/pumphouse";
const PACKAGED_UNIT: &str = "/usr/lib/systemd/system/pumphouse-web.service";

/// Returns the text.
pub(super) fn text(
    answers: &Answers,
    supervisors: Supervisors,
    layout: &Layout,
    owner: Owner,
) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_steps(&mut text, answers, supervisors, layout, owner);
    text
}

fn write_steps(
    text: &mut String,
    answers: &Answers,
    supervisors: Supervisors,
    layout: &Layout,
    owner: Owner,
) -> std::fmt::Result {
    if !answers.tank.is_complete() {
        let lines = match answers.tank {
            Tank::Json { .. } => "the URL and the pointer",
            _ => "the lines",
        };
        writeln!(
            text,
            "The tank is not complete yet: complete {lines} of [[source]] \"tank\" in {}.\n",
            layout.configuration().display()
        )?;
    }
    writeln!(text, "Next:")?;
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    if supervisors.supervisord {
        supervisord(text, layout, owner, sudo)?;
    }
    if supervisors.systemd {
        let unit = quoted(&layout.folder.join(SYSTEMD));
        writeln!(
            text,
            "  {sudo}cp {unit} /etc/systemd/system/ && {sudo}systemctl daemon-reload && \
             {sudo}systemctl enable --now pumphouse-web"
        )?;
    }
    let is_packaged =
        layout.folder == Path::new(PACKAGED_FOLDER) && Path::new(PACKAGED_UNIT).exists();
    if is_packaged && !supervisors.supervisord && !supervisors.systemd {
        writeln!(text, "  {sudo}systemctl start pumphouse-web")?;
    } else if !supervisors.supervisord && !supervisors.systemd {
        let config = match layout.is_relative {
            true => String::new(),
            false => format!(" --config {}", quoted(&layout.folder.join(CONFIGURATION))),
        };
        writeln!(text, "  {} serve{config}", command(&layout.binary))?;
    }
    let addresses = addresses(answers);
    let (first, others) = addresses.split_first().map_or(("", &[][..]), |(one, more)| (one, more));
    let others = match others {
        [] => String::new(),
        others => format!(" or {}", others.join(" or ")),
    };
    writeln!(
        text,
        "Then open {first}{others}\n\
         The certificate is self-signed, so a browser asks once whether to trust it."
    )
}

fn supervisord(text: &mut String, layout: &Layout, owner: Owner, sudo: &str) -> std::fmt::Result {
    let (user, group) = layout.account(owner);
    if user != 0 {
        let group = accounts::group_name(group);
        writeln!(
            text,
            "  once, so that `watch` may call supervisord: in [unix_http_server] of supervisord's own file\n  \
             set chmod=0770 and chown=root:{group}, then restart supervisord"
        )?;
    }
    let found = SUPERVISORD_FOLDERS.iter().find(|(folder, _)| Path::new(folder).is_dir());
    let (folder, ending) = found.unwrap_or(&SUPERVISORD_FOLDERS[0]);
    let file = quoted(&layout.folder.join(SUPERVISORD));
    writeln!(
        text,
        "  {sudo}cp {file} {folder}/pumphouse-web.{ending} && {sudo}supervisorctl reread && \
         {sudo}supervisorctl update"
    )
}

/// Returns the URLs by which browsers reach the server: the first name, and the first address.
fn addresses(answers: &Answers) -> Vec<String> {
    let names: Vec<String> = answers.names.iter().map(ToString::to_string).collect();
    let is_remote = answers.listen.iter().any(|address| !address.is_local());
    let other = |name: &&String| {
        let address: Option<IpAddr> = name.parse().ok();
        address.is_some_and(|address| is_remote && !address.is_loopback())
    };
    let mut shown: Vec<&String> = names.first().into_iter().collect();
    shown.extend(names.iter().skip(1).find(other));
    let url = |name: &&String| {
        let port = answers.port();
        match name.contains(':') {
            true => format!("https://[{name}]:{port}/"),
            false => format!("https://{name}:{port}/"),
        }
    };
    shown.iter().map(url).collect()
}

/// Returns the command that starts this binary: its name if the shell finds it by that.
fn command(binary: &Path) -> String {
    let name = binary.file_name().unwrap_or_default();
    let paths = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file());
    let is_same = found.and_then(|found| found.canonicalize().ok()).is_some_and(|it| it == binary);
    quoted(if is_same { Path::new(name) } else { binary })
}

/// Returns a path as one word of the shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
