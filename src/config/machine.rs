//! The machine that a configuration is read on: its variables, its name service, and the mode of the file.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::bounded;
use toml_span::Span;

use super::problem::position;
use super::reader::Environment;
use crate::shell::quoted;
use crate::threads;

/// The machine that the program runs on.
pub(super) const MACHINE: Environment<'static> =
    Environment { variable: &|name| std::env::var(name).ok(), lookup: &look_up };

/// Limit for the lookup of a host that an error names.
const MAX_LOOKUP: Duration = Duration::from_secs(2);

/// Returns the addresses of a host; none if it is unknown, or if the lookup takes long.
fn look_up(host: &str) -> Vec<IpAddr> {
    let (sender, found) = bounded(1);
    let host = host.to_owned();
    // Detached, as a lookup can take minutes. It ends with the process.
    let started = threads::spawn_detached(threads::LOOKUP, move || {
        let addresses = (host.as_str(), 0).to_socket_addrs();
        let _ = sender.send(addresses.into_iter().flatten().map(|address| address.ip()).collect());
    });
    let found: Option<Vec<IpAddr>> =
        started.ok().and_then(|()| found.recv_timeout(MAX_LOOKUP).ok());
    let mut addresses = found.unwrap_or_default();
    let mut seen = BTreeSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses
}

/// Returns a warning if the file contains secrets and every user of the machine can read it.
pub(super) fn exposed_secrets(
    path: &Path,
    text: &str,
    secrets: &[(Span, String)],
) -> Option<String> {
    const READABLE_BY_OTHERS: u32 = 0o004;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    if secrets.is_empty() || mode & READABLE_BY_OTHERS == 0 {
        return None;
    }
    let mut keys: Vec<(usize, &str)> =
        secrets.iter().map(|(span, key)| (position(text, *span).0, key.as_str())).collect();
    keys.sort_unstable();
    let keys: Vec<String> =
        keys.into_iter().map(|(line, key)| format!("\"{key}\" in line {line}")).collect();
    Some(format!(
        "{} contains secrets ({}), and other users can read it (mode {mode:04o}); run: chmod o-rwx {}",
        path.display(),
        keys.join(", "),
        quoted(path)
    ))
}
