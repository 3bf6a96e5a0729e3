//! Binding what the configuration names.

use std::io;

use crate::cli::Failure;
use crate::config::{Config, ListenAddr};
use crate::http::Listener;
use crate::ops::listen_queue::{ListenSocket, granted_backlog};

/// Binds every public listener.
pub(super) fn bind(config: &Config) -> Result<Vec<Listener>, Failure> {
    let backlog = config.server.backlog;
    let bind = |address: &ListenAddr| {
        let bound = match address {
            ListenAddr::Tcp(address) => Listener::tcp(*address, backlog),
            ListenAddr::Unix(path) => Listener::unix(path, backlog),
            ListenAddr::Fd(number) => Listener::inherited(*number, backlog),
        };
        bound.map_err(|error| cannot_listen(address, &error).into())
    };
    config.server.listen.iter().map(bind).collect()
}

/// What the metrics follow of the public listeners.
pub(super) fn listen_sockets(listeners: &[Listener], backlog: u32) -> Vec<ListenSocket> {
    let limit = granted_backlog(backlog);
    let sockets = listeners.iter().filter_map(|listener| {
        let inode = listener.tcp_inode()?;
        Some(ListenSocket { address: listener.local_addr(), inode, limit })
    });
    sockets.collect()
}

/// Says which address it was, and what may help.
pub(super) fn cannot_listen(address: &ListenAddr, error: &io::Error) -> String {
    let hint = match (error.kind(), address) {
        (io::ErrorKind::AddrInUse, _) => {
            "; another program has it: stop that one, or choose another by --listen or \
             --admin-listen"
        }
        (io::ErrorKind::PermissionDenied, ListenAddr::Tcp(_)) => {
            "; ports below 1024 need privileges"
        }
        (io::ErrorKind::AddrNotAvailable, _) => "; this machine has no such address",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{hint}")
}
