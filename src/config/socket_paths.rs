//! Conflicts between the paths of unix sockets and of other files in a configuration.

use std::path::{Path, PathBuf};

use super::history::History;
use super::listen_addr::ListenAddr;
use super::server::Server;
use super::tls::TlsFiles;

/// Returns an error for each unix socket whose path is also that of another listener or of a file of the
/// history or of alerts. With such a path, the second listener cannot start, or the history cannot be opened.
pub(super) fn conflicts(
    server: &Server,
    tls: Option<&TlsFiles>,
    history: Option<&History>,
    alert_file: &Path,
) -> Vec<String> {
    let redirects = tls.map_or(&[][..], |tls| &tls.redirect_listen);
    let listeners = server
        .listen
        .iter()
        .map(|address| ("listen", address))
        .chain([("admin_listen", &server.admin_listen)])
        .chain(redirects.iter().map(|address| ("redirect_listen", address)));
    let mut used: Vec<(PathBuf, String)> = history
        .map(History::files)
        .into_iter()
        .flatten()
        .map(|file| (absolute(&file), "a file of [history]".to_owned()))
        .chain([(absolute(alert_file), "the file of alerts".to_owned())])
        .collect();
    let mut conflicts = Vec::new();
    for (key, address) in listeners {
        let ListenAddr::Unix(path) = address else { continue };
        let path = absolute(path);
        if let Some((_, owner)) = used.iter().find(|(used, _)| *used == path) {
            conflicts
                .push(format!("\"{key}\": {address} has the path of {owner}; choose another one"));
        }
        used.push((path, format!("\"{key}\"")));
    }
    conflicts
}

/// Returns the absolute path without a look-up in the file system, since the files may not exist yet.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(path: &str) -> ListenAddr {
        ListenAddr::Unix(path.into())
    }

    #[test]
    fn socket_on_a_path_in_use_is_reported() {
        let history = History { path: "/var/lib/p/history.db".into(), ..History::default() };
        for (listen, admin, expected) in [
            (vec!["/run/a", "/run/b"], "/run/c", 0),
            (vec!["/run/a", "/run/a"], "/run/c", 1),
            (vec!["/run/a"], "/run/./a", 1),
            (vec!["/var/lib/p/history.db"], "/run/c", 1),
            (vec!["/run/a"], "/var/lib/p/history.db-wal", 1),
            (vec!["/run/a"], "/var/lib/p/history.last.json", 1),
            (vec!["/run/a"], "/var/lib/p/history.alerts.db", 1),
            (vec!["/var/lib/p/history.db", "/var/lib/p/history.db"], "/run/c", 2),
        ] {
            let server = Server {
                listen: listen.iter().map(|path| socket(path)).collect(),
                admin_listen: socket(admin),
                ..Server::default()
            };
            let found = conflicts(&server, None, Some(&history), &history.alerts());
            assert_eq!(found.len(), expected, "{listen:?} {admin}: {found:?}");
        }
    }
}
