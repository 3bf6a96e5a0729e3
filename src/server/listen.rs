//! Binding what the configuration names.

use std::io;

use super::Failure;
use crate::config::ListenAddr;
use crate::engine::Listener;
use crate::kernel::listen_queue::{ListenSocket, granted_backlog};

/// Binds every one of these.
pub(super) fn bind(addresses: &[ListenAddr], backlog: u32) -> Result<Vec<Listener>, Failure> {
    addresses.iter().map(|address| bind_one(address, backlog)).collect()
}

/// Binds one address.
pub(super) fn bind_one(address: &ListenAddr, backlog: u32) -> Result<Listener, Failure> {
    let bound = match address {
        ListenAddr::Tcp(address) => Listener::tcp(*address, backlog),
        ListenAddr::Unix(path) => Listener::unix(path, backlog),
        ListenAddr::Fd(number) => Listener::inherited(*number, backlog),
    };
    bound.map_err(|error| cannot_listen(address, &error).into())
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
fn cannot_listen(address: &ListenAddr, error: &io::Error) -> String {
    let hint = match (error.kind(), address) {
        // The error names the file at the path and the remedy.
        (io::ErrorKind::AddrInUse, ListenAddr::Unix(_)) => "",
        (io::ErrorKind::NotFound, ListenAddr::Unix(_)) => "; create the socket's folder first",
        (io::ErrorKind::PermissionDenied, ListenAddr::Unix(_)) => {
            "; this user must be able to create a file in the socket's folder"
        }
        (io::ErrorKind::InvalidInput, ListenAddr::Unix(_)) => {
            "; the path of a unix socket has at most 107 bytes"
        }
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
