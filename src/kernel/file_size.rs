//! Limit of a file's size: `ulimit -f`, `LimitFSIZE=`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, getrlimit};
use signal_hook::consts::SIGXFSZ;

/// Returns the size in bytes beyond which a write fails; `None`: unlimited.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}

/// Makes a write beyond the limit fail with `EFBIG`, like a write to a full disk. By default, the signal
/// XFSZ ends the process.
///
/// A handler is installed, since an ignored signal would stay ignored in the programs that `watch` starts.
///
/// # Errors
/// The handler cannot be installed.
pub fn report_as_error() -> io::Result<()> {
    // The flag is not read: each write reports its own error.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}
