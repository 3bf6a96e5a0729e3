//! Binds the listeners that the configuration names.
//!
//! A passed socket (`fd:0`) is bound by a supervisor and outlives the server. At a stop the engine
//! still accepts the connections that wait at listeners of its own, as closing these would reset them,
//! but leaves a passed socket's queue to the next process.
//!
//! An IP address that the machine does not have is no error of a start: [`super::late_listeners`] waits
//! for it. Host names are not resolved, except `localhost`, so no start waits for a name server.

use std::io;

use rustix::io::Errno;

use super::late_listeners::Role;
use crate::admin::listeners::WaitCause;
use crate::config::ListenAddr;
use crate::engine::{Listener, SocketPathError};
use crate::kernel::descriptors;
use crate::kernel::listen_queue::{ListenSocket, granted_backlog};

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}{}", hint(.address, .error))]
pub struct ListenError {
    address: ListenAddr,
    #[source]
    error: io::Error,
}

impl ListenError {
    /// Returns why an address that was missing at the start is not listened on yet.
    pub(super) fn wait_cause(&self) -> WaitCause {
        if self.is_absence() {
            WaitCause::Absent
        } else if self.is_passing() {
            WaitCause::Failing
        } else {
            WaitCause::Misconfigured
        }
    }

    /// Returns true if the machine does not have the address, or no IPv6, now.
    pub(super) fn is_absence(&self) -> bool {
        const ABSENCE: [Errno; 3] = [
            Errno::ADDRNOTAVAIL,
            // No IPv6.
            Errno::AFNOSUPPORT,
            // No interface with the number in a link-local address.
            Errno::NODEV,
        ];
        matches!(self.address, ListenAddr::Tcp(_))
            && Errno::from_io_error(&self.error).is_some_and(|errno| ABSENCE.contains(&errno))
    }

    /// Returns true if the process has as many descriptors as its limit allows.
    pub(super) fn is_at_descriptor_limit(&self) -> bool {
        descriptors::is_at_limit(&self.error)
    }

    /// Returns true if the same start may succeed later: the port is in use, or a resource is short.
    pub(super) fn is_passing(&self) -> bool {
        use io::ErrorKind as Kind;
        match (self.error.kind(), &self.address) {
            (Kind::AddrInUse, ListenAddr::Unix(_)) => {
                let reason = self.error.get_ref().and_then(|error| error.downcast_ref());
                matches!(reason, Some(SocketPathError::Listening | SocketPathError::Replaced))
            }
            (
                Kind::PermissionDenied
                | Kind::NotFound
                | Kind::NotADirectory
                | Kind::InvalidInput
                | Kind::InvalidFilename
                | Kind::ReadOnlyFilesystem,
                _,
            ) => false,
            // The supervisor passes no such descriptor.
            (_, ListenAddr::Fd(_)) => Errno::from_io_error(&self.error) != Some(Errno::BADF),
            _ => true,
        }
    }
}

/// Binds an address. A proxy of the server's group may connect to a unix socket of the site, whatever the umask.
pub(super) fn bind(
    address: &ListenAddr,
    role: Role,
    backlog: u32,
) -> Result<Listener, ListenError> {
    let bound = match address {
        ListenAddr::Tcp(address) => Listener::tcp(*address, backlog),
        ListenAddr::Unix(path) if role == Role::Admin => Listener::unix(path, backlog),
        ListenAddr::Unix(path) => Listener::unix_for_group(path, backlog),
        ListenAddr::Fd(number) => Listener::inherited(*number, backlog),
    };
    bound.map_err(|error| ListenError { address: address.clone(), error })
}

/// Returns the socket of a TCP listener, whose accept queue is shown in the metrics.
pub(super) fn listen_socket(listener: &Listener, backlog: u32) -> Option<ListenSocket> {
    let inode = listener.tcp_inode()?;
    Some(ListenSocket { address: listener.local_addr(), inode, limit: granted_backlog(backlog) })
}

/// Returns the remedy for the usual errors, to follow the error's text.
fn hint(address: &ListenAddr, error: &io::Error) -> &'static str {
    match (error.kind(), address) {
        // The error names the file at the path and the remedy.
        (io::ErrorKind::AddrInUse, ListenAddr::Unix(_)) => "",
        (io::ErrorKind::NotFound, ListenAddr::Unix(_)) => {
            "; create the socket's folder first (systemd: RuntimeDirectory=)"
        }
        (io::ErrorKind::PermissionDenied, ListenAddr::Unix(_)) => {
            "; this user must be able to create a file in the socket's folder"
        }
        (io::ErrorKind::InvalidInput, ListenAddr::Unix(_)) => {
            "; the path of a unix socket has at most 107 bytes"
        }
        (io::ErrorKind::InvalidInput, ListenAddr::Tcp(_)) => {
            "; a link-local address needs the number of its interface, such as [fe80::1%2]:6443"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn error(address: &str, error: io::Error) -> ListenError {
        ListenError { address: address.parse().unwrap(), error }
    }

    #[test]
    fn only_failures_that_pass_are_worth_another_start() {
        const TCP: &str = "192.0.2.7:443";
        const UNIX: &str = "unix:/run/x.sock";
        for (address, errno, is_absence, is_passing) in [
            (TCP, Errno::ADDRNOTAVAIL, true, true),
            ("[2001:db8::7]:443", Errno::AFNOSUPPORT, true, true),
            ("[fe80::7%9]:443", Errno::NODEV, true, true),
            (TCP, Errno::ADDRINUSE, false, true),
            (TCP, Errno::MFILE, false, true),
            (TCP, Errno::NOBUFS, false, true),
            (TCP, Errno::ACCESS, false, false),
            (TCP, Errno::PERM, false, false),
            ("[fe80::7]:443", Errno::INVAL, false, false),
            (UNIX, Errno::NOENT, false, false),
            (UNIX, Errno::ACCESS, false, false),
            (UNIX, Errno::ROFS, false, false),
            (UNIX, Errno::NAMETOOLONG, false, false),
            (UNIX, Errno::NOSPC, false, true),
            (UNIX, Errno::ADDRNOTAVAIL, false, true),
            ("fd:9", Errno::BADF, false, false),
            ("fd:0", Errno::INVAL, false, false),
            ("fd:0", Errno::MFILE, false, true),
        ] {
            let error = error(address, errno.into());
            let found = (error.is_absence(), error.is_passing());
            assert_eq!(found, (is_absence, is_passing), "{error}");
            let cause = match found {
                (true, _) => WaitCause::Absent,
                (false, true) => WaitCause::Failing,
                (false, false) => WaitCause::Misconfigured,
            };
            assert_eq!(error.wait_cause(), cause, "{error}");
        }
        for (reason, is_passing) in [
            (SocketPathError::Listening, true),
            (SocketPathError::Replaced, true),
            (SocketPathError::NotASocket("a directory"), false),
            (SocketPathError::NotRemoved(Errno::ACCESS.into()), false),
            (SocketPathError::Unknown(Errno::ACCESS.into()), false),
        ] {
            let error = error(UNIX, reason.into());
            assert_eq!(error.is_passing(), is_passing, "{error}");
        }
    }
}
