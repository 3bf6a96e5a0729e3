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
mod documents;
mod files;
mod folder;
mod layout;
mod machine;
mod names;
mod next_steps;
mod options;
mod place;
mod ports;
mod questions;
mod reach;
mod supervisors;
mod tank;
mod tank_questions;
#[cfg(test)]
mod tests;
mod toml_text;
mod zone;

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

pub use answers::{device, pointer, title, unit, units, url, user_name};
pub use dialog::{Console, Dialog, DialogError};
pub use files::FilesError;
pub use options::{Options, OptionsError};
pub use place::{Place, PlaceError};
pub use questions::AskError;
pub use supervisors::UnsafePath;
pub use tank::{Measure, MeasureError, TankKind};
pub use zone::{Lookup, by_open_meteo, parse as timezone};

use self::answers::{Access, Answers};
use self::document::Surroundings;
use self::documents::Documents;
use self::files::{PLAIN, PlannedFile, SECRET, Target};
use self::folder::{Created, Owner};
use self::layout::{Layout, absolute, check_writable, is_executable_by_all};
use self::names::{CERTIFICATE, CONFIGURATION, KEY, PASSWORD_HASH, SUPERVISORD, SYSTEMD};
use self::questions::{Asked, Supervisors};
use self::supervisors::{Service, is_temporary};
use crate::config::ListenAddr;
use crate::config::self_signed::{SelfSignedError, self_signed};
use crate::kernel::accounts;
use crate::shell::quoted;
use crate::time_zone;
use crate::wall_clock;

/// Mode of a new folder of the configuration: other users may run `check` and `probe`.
const FOLDER_MODE: u32 = 0o755;

/// Mode of a new folder of the history.
const STATE_MODE: u32 = 0o750;

/// Folders of the files.
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
pub fn run(
    request: Request,
    dialog: &mut dyn Dialog,
    lookup: Lookup<'_>,
) -> Result<Written, InitError> {
    let Request { dir, state, options } = request;
    options::check(&options)?;
    let folder = absolute(dir.as_deref().unwrap_or(Path::new(".")))?;
    let state = state.as_deref().map(absolute).transpose()?;
    [Some(&folder), state.as_ref()].into_iter().flatten().try_for_each(|it| check_writable(it))?;
    // Before the questions, whose answers would be lost.
    files::check_absent(&folder, &[CONFIGURATION, CERTIFICATE, KEY])?;
    let asked = questions::complete(options, dialog, lookup)?;
    let layout = Layout::new(folder, state)?;

    // Removed again unless all files are written.
    let mut created = Created::default();
    let failed = |(path, error)| InitError::Folder { path, error };
    let folder = folder::open_or_create(&layout.folder, FOLDER_MODE, None, &mut created);
    let folder = folder.map_err(failed)?;
    let owner =
        folder::owner(folder.as_fd()).map_err(|error| failed((layout.folder.clone(), error)))?;
    let state = folder::open_or_create(&layout.state, STATE_MODE, owner, &mut created);
    let owner_of_state = folder::owner(state.map_err(failed)?.as_fd())
        .map_err(|error| failed((layout.state.clone(), error)))?;
    let files = plan(&asked, &layout, owner)?;
    files::write(Target { folder: folder.as_fd(), path: &layout.folder }, &files, owner)?;
    created.keep();

    let Asked { answers, supervisors, mut remarks } = asked;
    remarks.extend(remark_on_state(&layout.state, owner_of_state, owner));
    remarks.extend(remarks_on_files(&answers, supervisors, &layout, owner));
    Ok(Written {
        configuration: layout.configuration(),
        paths: files.iter().map(|file| layout.folder.join(file.path)).collect(),
        next_steps: next_steps::text(&answers, supervisors, &layout, owner),
        remarks,
    })
}

/// Returns a remark on a folder of the history that the server, which runs as `owner`, may not write to.
fn remark_on_state(state: &Path, owner_of_state: Owner, owner: Owner) -> Option<String> {
    let (user, _) = owner?;
    let is_own = owner_of_state.is_some_and(|(owner_of_state, _)| owner_of_state == user);
    let user = accounts::user_name(user);
    (!is_own).then(|| {
        format!(
            "the folder {} is not {user}'s, as which the server runs: it could not write the history there. \
             Run: chown {user}: {}",
            state.display(),
            quoted(state)
        )
    })
}

/// Returns remarks on what the files cause on this machine.
fn remarks_on_files(
    answers: &Answers,
    supervisors: Supervisors,
    layout: &Layout,
    owner: Owner,
) -> Vec<String> {
    let mut remarks = Vec::new();
    let is_supervised = supervisors.supervisord || supervisors.systemd;
    if is_supervised && owner.is_some() && !is_executable_by_all(&layout.binary) {
        remarks.push(format!(
            "the supervisor's file names {}, which the user of its folder may not run: install the program first, \
             by `sudo make install`, and remove these files",
            layout.binary.display()
        ));
    }
    if is_supervised && layout.runs_as_root(owner) {
        remarks.push(
            "the supervisor's file runs the server as root: for a user of its own, give it a folder of that \
             user, and remove these files"
                .to_owned(),
        );
    }
    let volatile = [&layout.folder, &layout.state].into_iter().find(|it| is_temporary(it));
    if let Some(folder) = volatile.filter(|_| is_supervised) {
        remarks.push(format!(
            "{} does not outlive a restart of the machine: use another folder for a server that stays",
            folder.display()
        ));
    }
    if answers.tank.has_secret_in_url() {
        remarks.push(format!(
            "{CONFIGURATION} is for its owner only (mode 0600), since the tank's URL may contain a secret"
        ));
    }
    remarks.extend(ports::in_use(answers));
    remarks
}

/// Returns the files in the order in which they are put in place: the configuration comes last, so that
/// it never names a file that is missing.
fn plan(asked: &Asked, layout: &Layout, owner: Owner) -> Result<Vec<PlannedFile>, InitError> {
    let Asked { answers, supervisors, .. } = asked;
    let file = |path, mode, content| PlannedFile { path, mode, content };
    let names: Vec<String> = answers.reach.names.iter().map(ToString::to_string).collect();
    let pair = self_signed(&names)
        .map_err(|error| InitError::Certificate { names: names.join(", "), error })?;
    let mut files = vec![file(KEY, SECRET, pair.key_pem), file(CERTIFICATE, PLAIN, pair.cert_pem)];
    if let Access::User { hash, .. } = &answers.access {
        files.push(file(PASSWORD_HASH, SECRET, format!("{}\n", hash.expose())));
    }
    if let Some((path, secret)) = answers.tank.secret() {
        files.push(file(path, SECRET, format!("{secret}\n")));
    }
    files.extend(supervisor_files(answers, *supervisors, layout, owner)?);
    let absolute = |path| (!layout.is_relative).then_some(path);
    let user = owner.map(|(user, _)| accounts::user_name(user));
    let around = Surroundings {
        files: absolute(&*layout.folder),
        state: absolute(&*layout.state),
        folder: &layout.folder,
        owner: user.as_deref(),
        documents: &Documents::of(&layout.binary),
    };
    let today = time_zone::of_machine().zone.to_datetime(wall_clock::now()).date();
    let mode = if answers.tank.has_secret_in_url() { SECRET } else { PLAIN };
    files.push(file(CONFIGURATION, mode, document::render(answers, around, today)));
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
        documents: &Documents::of(&layout.binary),
        is_made_by_root: rustix::process::geteuid().is_root(),
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
        let first = self.listen.iter().find_map(ListenAddr::tcp);
        first.map_or(questions::PORT, |address| address.port())
    }
}
