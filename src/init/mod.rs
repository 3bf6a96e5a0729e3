//! `init`: makes a first configuration with its certificate, account and supervisor's file.
//!
//! ```text
//! options ─► check ─► questions ─► answers ─► texts ─► files (all or none) ─► check --poll ─► next step
//! ```
//! Nothing is written before all questions are answered, and no existing file is changed. A source whose
//! link or token is not known yet is written commented out, so that the result always starts.
//!
//! The texts for supervisord and systemd are the files in `examples`, with other paths.

mod answers;
mod dialog;
mod document;
mod files;
mod machine;
mod next_steps;
mod place;
mod questions;
mod supervisors;
mod tank;
#[cfg(test)]
mod tests;
mod toml_text;
mod zone;

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use answers::{device, pointer, title, unit, url, user_name};
pub use dialog::{Console, Dialog, DialogError};
pub use files::FilesError;
pub use place::{Place, PlaceError};
pub use questions::{AskError, Options, OptionsError};
pub use supervisors::UnsafePath;
pub use tank::{Measure, MeasureError, TankKind};
pub use zone::parse as timezone;

use self::answers::{Access, Answers, HASH_FILE};
use self::document::Folders;
use self::files::{Owner, PLAIN, PlannedFile, SECRET};
use self::questions::{Asked, Supervisors};
use self::supervisors::Service;
use crate::config::ListenAddr;
use crate::config::self_signed::{SelfSignedError, self_signed};
use crate::kernel::accounts;
use crate::time_zone;

const CONFIGURATION: &str = "pumphouse.toml";
const CERTIFICATE: &str = "certs/cert.pem";
const KEY: &str = "certs/key.pem";
const SUPERVISORD: &str = "pumphouse-web.conf";
const SYSTEMD: &str = "pumphouse-web.service";

/// Where to write what.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--dir`; default: the working directory.
    pub dir: Option<PathBuf>,
    /// `--state`: folder of the history; default: the same.
    pub state: Option<PathBuf>,
    /// The other options.
    pub options: Options,
}

/// Files that were written, and what to do with them.
#[derive(Debug)]
pub struct Written {
    /// Path of the configuration.
    pub configuration: PathBuf,
    /// Paths of all files.
    pub paths: Vec<PathBuf>,
    /// Remarks on answers that were not asked for, as texts for people.
    pub remarks: Vec<String>,
    /// The next step, as a text for people.
    pub next_steps: String,
}

/// Reason why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// An option is missing or wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A question has no answer.
    #[error(transparent)]
    Ask(AskError),
    /// Files exist, or cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A folder cannot be used.
    #[error("cannot use the folder {}: {error}; nothing was written", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Reason.
        error: io::Error,
    },
    /// A supervisor's file cannot contain a path.
    #[error("{0}; nothing was written")]
    UnsafePath(#[from] UnsafePath),
    /// A path is not UTF-8, so the configuration cannot name it.
    #[error("the folder {} is not UTF-8, so no configuration can name it; nothing was written", .0.display())]
    NotUtf8(PathBuf),
    /// The certificate cannot be made.
    #[error("cannot make a certificate for {names}: {error}; nothing was written")]
    Certificate {
        /// Its names.
        names: String,
        /// Reason.
        error: SelfSignedError,
    },
}

impl From<AskError> for InitError {
    fn from(error: AskError) -> InitError {
        match error {
            AskError::Options(error) => InitError::Options(error),
            error => InitError::Ask(error),
        }
    }
}

/// Asks what the options leave open, and writes the files.
///
/// # Errors
/// See [`InitError`]; nothing was written then.
pub fn run(request: Request, dialog: &mut dyn Dialog) -> Result<Written, InitError> {
    let Request { dir, state, options } = request;
    questions::check(&options)?;
    let folder = absolute(dir.as_deref().unwrap_or(Path::new(".")))?;
    let state = state.as_deref().map(absolute).transpose()?;
    check_writable(&folder)?;
    // Before the questions, whose answers would be lost.
    files::check_absent(&folder, &[CONFIGURATION, CERTIFICATE, KEY])?;
    let asked = questions::complete(options, dialog)?;
    let place = Layout::new(folder, state)?;
    let owner = files::owner(&place.folder);
    let files = plan(&asked, &place, owner)?;
    std::fs::create_dir_all(&place.folder)
        .map_err(|error| InitError::Folder { path: place.folder.clone(), error })?;
    files::write(&place.folder, &files, owner)?;
    let Asked { answers, supervisors, mut remarks } = asked;
    let is_supervised = supervisors.supervisord || supervisors.systemd;
    if is_supervised && owner.is_some() && !is_executable_by_all(&place.binary) {
        remarks.push(format!(
            "the supervisor's file names {}, which the user of its folder may not run: install the program first, \
             by `sudo make install`, and remove these files",
            place.binary.display()
        ));
    }
    if is_supervised && place.runs_as_root(owner) {
        remarks.push(
            "the supervisor's file runs the server as root: for a user of its own, give it a folder of that \
             user, and remove these files"
                .to_owned(),
        );
    }
    Ok(Written {
        configuration: place.configuration(),
        paths: files.iter().map(|file| place.folder.join(file.path)).collect(),
        next_steps: next_steps::text(&answers, supervisors, &place, owner),
        remarks,
    })
}

/// Returns the absolute path of a folder that may not exist yet.
fn absolute(path: &Path) -> Result<PathBuf, InitError> {
    let error = |error| InitError::Folder { path: path.to_owned(), error };
    match path.canonicalize() {
        Err(failed) if failed.kind() == io::ErrorKind::NotFound => {
            std::path::absolute(path).map_err(error)
        }
        found => {
            let found = found.map_err(error)?;
            if found.is_dir() { Ok(found) } else { Err(error(io::ErrorKind::NotADirectory.into())) }
        }
    }
}

/// Returns true if every user may run a program: they can pass all of its folders.
fn is_executable_by_all(binary: &Path) -> bool {
    const BY_OTHERS: u32 = 0o001;
    let is_passable = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & BY_OTHERS != 0)
    };
    binary.ancestors().all(is_passable)
}

/// Checks that files can be made in a folder, if it exists: before the questions, whose answers would be lost.
fn check_writable(folder: &Path) -> Result<(), InitError> {
    let access =
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match access {
        Err(error) if error != rustix::io::Errno::NOENT => {
            Err(InitError::Folder { path: folder.to_owned(), error: error.into() })
        }
        _ => Ok(()),
    }
}

/// Folders of this run, all absolute.
#[derive(Debug)]
struct Layout {
    folder: PathBuf,
    state: PathBuf,
    binary: PathBuf,
    /// True if the server runs in the folder: its paths are relative then, so that it can be moved.
    is_relative: bool,
}

impl Layout {
    fn new(folder: PathBuf, state: Option<PathBuf>) -> Result<Layout, InitError> {
        let is_relative = state.is_none() && std::env::current_dir().is_ok_and(|it| it == folder);
        let state = state.unwrap_or_else(|| folder.clone());
        if let Some(path) = [&folder, &state].into_iter().find(|path| path.to_str().is_none()) {
            return Err(InitError::NotUtf8(path.clone()));
        }
        // A name to be found by PATH, if the system does not know the path.
        let binary = std::env::current_exe().unwrap_or_else(|_| "pumphouse-web".into());
        Ok(Layout { folder, state, binary, is_relative })
    }

    fn configuration(&self) -> PathBuf {
        if self.is_relative { CONFIGURATION.into() } else { self.folder.join(CONFIGURATION) }
    }

    /// Returns the user and the group that the server runs as.
    fn account(&self, owner: Owner) -> (u32, u32) {
        let own = || (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        owner.unwrap_or_else(own)
    }

    fn runs_as_root(&self, owner: Owner) -> bool {
        self.account(owner).0 == 0
    }
}

/// Returns the files in the order in which they are put in place: the configuration comes last, so that
/// it never names a file that is missing.
fn plan(asked: &Asked, layout: &Layout, owner: Owner) -> Result<Vec<PlannedFile>, InitError> {
    let Asked { answers, supervisors, .. } = asked;
    let file = |path, mode, content| PlannedFile { path, mode, content };
    let names: Vec<String> = answers.names.iter().map(ToString::to_string).collect();
    let pair = self_signed(&names)
        .map_err(|error| InitError::Certificate { names: names.join(", "), error })?;
    let mut files = vec![file(KEY, SECRET, pair.key_pem), file(CERTIFICATE, PLAIN, pair.cert_pem)];
    if let Access::User { hash, .. } = &answers.access {
        files.push(file(HASH_FILE, SECRET, format!("{}\n", hash.expose())));
    }
    if let Some((path, secret)) = answers.tank.secret() {
        files.push(file(path, SECRET, format!("{secret}\n")));
    }
    files.extend(supervisor_files(answers, *supervisors, layout, owner)?);
    let absolute = |path| (!layout.is_relative).then_some(path);
    let folders = Folders { files: absolute(&*layout.folder), state: absolute(&*layout.state) };
    let text = document::render(
        answers,
        folders,
        time_zone::of_machine().zone.to_datetime(Timestamp::now()).date(),
    );
    files.push(file(CONFIGURATION, PLAIN, text));
    Ok(files)
}

fn supervisor_files(
    answers: &Answers,
    supervisors: Supervisors,
    layout: &Layout,
    owner: Owner,
) -> Result<Vec<PlannedFile>, UnsafePath> {
    let (user, group) = layout.account(owner);
    let (user, group) = (accounts::user_name(user), accounts::group_name(group));
    let service = Service {
        binary: &layout.binary,
        folder: &layout.folder,
        state: &layout.state,
        user: &user,
        group: &group,
        port: answers.port(),
    };
    let mut files = Vec::new();
    if supervisors.supervisord {
        let content = supervisors::supervisord(&service)?;
        files.push(PlannedFile { path: SUPERVISORD, mode: PLAIN, content });
    }
    if supervisors.systemd {
        let content = supervisors::systemd(&service)?;
        files.push(PlannedFile { path: SYSTEMD, mode: PLAIN, content });
    }
    Ok(files)
}

impl Answers {
    /// Returns the port of the first public address.
    fn port(&self) -> u16 {
        let ports = self.listen.iter().filter_map(|address| match address {
            ListenAddr::Tcp(address) => Some(address.port()),
            ListenAddr::Unix(_) | ListenAddr::Fd(_) => None,
        });
        ports.take(1).next().unwrap_or(questions::PORT)
    }
}
