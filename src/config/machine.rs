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
use crate::order;
use crate::shell::quoted;
use crate::threads;

/// The machine that the program runs on.
pub(super) const MACHINE: Environment<'static> =
    Environment { variable: &|name| std::env::var(name).ok(), lookup: &look_up };

/// Limit for the lookup of a host that an error names.
const MAX_LOOKUP: Duration = Duration::from_secs(2);

/// Maximum number of secrets that a warning lists.
const MAX_LISTED: usize = 20;

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
    let mut secrets: Vec<&(Span, String)> = secrets.iter().collect();
    order::sort_by_key(&mut secrets, |(span, _)| span.start);
    let unlisted = secrets.len().saturating_sub(MAX_LISTED);
    // The line of each is found by a pass over the text.
    let listed = secrets.into_iter().take(MAX_LISTED);
    let keys = listed.map(|(span, key)| format!("\"{key}\" in line {}", position(text, *span).0));
    let more = (unlisted > 0).then(|| format!("and {unlisted} more"));
    let keys: Vec<String> = keys.chain(more).collect();
    Some(format!(
        "{} contains secrets ({}), and other users can read it (mode {mode:04o}); run: chmod o-rwx {}",
        path.display(),
        keys.join(", "),
        quoted(path)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_fleet_are_listed_in_part() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = "key\n".repeat(50);
        let spans = (0..50).rev().map(|line| Span::new(line * 4, line * 4 + 3));
        let secrets: Vec<(Span, String)> = spans.map(|span| (span, "key".to_owned())).collect();
        let warning = |secrets| exposed_secrets(file.path(), &text, secrets).unwrap();
        let all = warning(&secrets);
        assert!(all.contains("contains secrets (\"key\" in line 1, \"key\" in line 2, "), "{all}");
        assert!(all.contains(", \"key\" in line 20, and 30 more), and other users"), "{all}");
        let few = warning(&secrets[48..]);
        assert!(few.contains("(\"key\" in line 1, \"key\" in line 2), and other"), "{few}");
    }
}
