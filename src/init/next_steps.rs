//! The text at the end: the address, and the commands that start the server.

use std::env;
use std::fmt::Write as _;
use std::path::Path;

use super::answers::{Answers, Tank};
use super::folder::Owner;
use super::layout::Layout;
use super::names::{SUPERVISORD, SYSTEMD};
use super::questions::Supervisors;
use super::reach::Reach;
use crate::config;
use crate::kernel::accounts;
use crate::shell::quoted;

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
        let is_default = config::location(None) == layout.configuration();
        let config = match is_default {
            true => String::new(),
            false => format!(" --config {}", quoted(&layout.configuration())),
        };
        writeln!(text, "  {} serve{config}", command(&layout.binary))?;
    }
    writeln!(
        text,
        "Then open {}\n\
         The certificate is self-signed, so a browser asks once whether to trust it.",
        addresses(&answers.reach)
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
    )?;
    if sudo.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "  or, under a supervisord that you run yourself: in {file} change both stderr_logfile= to a folder \
         of yours,\n  then name the file in [include] of its own file"
    )
}

/// Returns the URLs as a text.
fn addresses(reach: &Reach) -> String {
    let others = reach.urls.join(" or ");
    match &reach.local_url {
        Some(local) if others.is_empty() => format!("{local} on this machine"),
        Some(local) => format!("{others}, on this machine also {local}"),
        None => others,
    }
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
