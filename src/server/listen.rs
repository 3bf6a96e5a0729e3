//! Binds the listeners that the configuration names.
//!
//! A passed socket (`fd:0`) is bound by a supervisor and outlives the server. At a stop the engine
//! still accepts the connections that wait at listeners of its own, as closing these would reset them,
//! but leaves a passed socket's queue to the next process.

use std::io;

use crate::config::ListenAddr;
use crate::engine::Listener;
use crate::kernel::listen_queue::{ListenSocket, granted_backlog};

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}{}", hint(.address, .error))]
pub struct ListenError {
    address: ListenAddr,
    #[source]
    error: io::Error,
}

/// Binds all of these addresses.
pub(super) fn bind(addresses: &[ListenAddr], backlog: u32) -> Result<Vec<Listener>, ListenError> {
    addresses.iter().map(|address| bind_one(address, backlog)).collect()
}

/// Binds one address.
pub(super) fn bind_one(address: &ListenAddr, backlog: u32) -> Result<Listener, ListenError> {
    let bound = match address {
        ListenAddr::Tcp(address) => Listener::tcp(*address, backlog),
        ListenAddr::Unix(path) => Listener::unix(path, backlog),
        ListenAddr::Fd(number) => Listener::inherited(*number, backlog),
    };
    bound.map_err(|error| ListenError { address: address.clone(), error })
}

/// Returns the sockets of the TCP listeners, whose accept queues are shown in the metrics.
pub(super) fn listen_sockets(listeners: &[Listener], backlog: u32) -> Vec<ListenSocket> {
    let limit = granted_backlog(backlog);
    let sockets = listeners.iter().filter_map(|listener| {
        let inode = listener.tcp_inode()?;
        Some(ListenSocket { address: listener.local_addr(), inode, limit })
    });
    sockets.collect()
}

/// Returns the remedy for the usual errors, to follow the error's text.
fn hint(address: &ListenAddr, error: &io::Error) -> &'static str {
    match (error.kind(), address) {
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
    }
}
