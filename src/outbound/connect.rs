//! Sockets of a race: non-blocking connects, which the thread that needs the connection polls.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::connect_error::ConnectError;
use super::race::{Race, Step};

/// Pause before poll(2) is called again after it failed.
const POLL_RETRY_PAUSE: Duration = Duration::from_millis(10);

/// Connects to one of the addresses, in blocking mode, and closes the attempts that lost.
///
/// # Errors
/// Every attempt failed, or the deadline passed.
pub(super) fn connect(
    addresses: &[SocketAddr],
    deadline: Option<Instant>,
) -> Result<Socket, ConnectError> {
    let mut race = Race::new(addresses, Instant::now(), deadline);
    loop {
        match race.step(Instant::now()) {
            Step::Start(address) => match start(address) {
                Ok(socket) => race.started(socket, Instant::now()),
                Err(error) => race.attempt_failed(error, Instant::now()),
            },
            Step::Wait(until) => {
                let ended = wait(race.pending(), until);
                // In the order of their starts, so that a tie goes to the preferred address.
                for socket in race.take_ended(&ended) {
                    match finish(socket) {
                        Ok(socket) => return Ok(socket),
                        Err(error) => race.attempt_failed(error, Instant::now()),
                    }
                }
            }
            Step::GiveUp(error) => return Err(error),
        }
    }
}

/// Starts an attempt. It has ended when the socket is writable.
fn start(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(socket),
    }
}

/// Waits until an attempt has ended, or until `until`. Returns the numbers of the attempts that have
/// ended.
fn wait<'a>(pending: impl Iterator<Item = &'a Socket>, until: Option<Instant>) -> Vec<usize> {
    let mut polled: Vec<PollFd<'_>> =
        pending.map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
    let timeout = until.map(|until| {
        let left = until.saturating_duration_since(Instant::now());
        // A time that the kernel cannot represent is never reached.
        Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
    });
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) => {
            let ended = polled.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty());
            ended.map(|(number, _)| number).collect()
        }
        Err(Errno::INTR) => Vec::new(),
        // The kernel is short of memory for the moment, which is no failure of an attempt.
        Err(_) => {
            thread::sleep(POLL_RETRY_PAUSE);
            Vec::new()
        }
    }
}

/// Returns the connected socket in blocking mode, or the reason why the attempt failed.
fn finish(socket: Socket) -> io::Result<Socket> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    // Without an error and without a peer, the attempt has not ended.
    socket.peer_addr()?;
    socket.set_nonblocking(false)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::outbound::blackhole::Blackhole;

    /// Timeout that a busy machine does not reach.
    const GENEROUS: Duration = Duration::from_secs(20);

    fn refusing() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    }

    #[test]
    fn connect_with_blackholed_addresses_reaches_the_one_that_accepts() {
        let holes: Vec<Blackhole> = (0..3).map(|_| Blackhole::new()).collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let accepting = listener.local_addr().unwrap();
        let addresses: Vec<SocketAddr> =
            holes.iter().map(|hole| hole.address).chain([accepting]).collect();
        let socket = connect(&addresses, Some(Instant::now() + GENEROUS)).unwrap();
        assert_eq!(socket.peer_addr().unwrap().as_socket(), Some(accepting));
        assert!(!socket.nonblocking().unwrap() && socket.tcp_nodelay().unwrap());
    }

    #[test]
    fn connect_with_refusing_addresses_waits_for_no_delay() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut addresses: Vec<SocketAddr> = (0..12).map(|_| refusing()).collect();
        addresses.push(listener.local_addr().unwrap());
        let begun = Instant::now();
        connect(&addresses, Some(begun + GENEROUS)).unwrap();
        // Twelve Connection Attempt Delays would be three seconds.
        assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    }

    #[test]
    fn connect_that_all_addresses_refuse_names_the_cause() {
        let error =
            connect(&[refusing(), refusing()], Some(Instant::now() + GENEROUS)).unwrap_err();
        let text =
            "no connection to any of 2 addresses: Connection refused (os error 111) (2 times)";
        assert_eq!((error.timed_out(), error.to_string().as_str()), (false, text));
    }

    #[test]
    fn connect_without_an_answer_fails_at_the_deadline() {
        let (silent, begun) = (Blackhole::new(), Instant::now());
        let bound = Duration::from_millis(300);
        let addresses = [refusing(), silent.address];
        let error = connect(&addresses, Some(begun + bound)).unwrap_err();
        assert!(error.timed_out() && begun.elapsed() >= bound, "{error}");
        assert!(error.to_string().ends_with("Connection refused (os error 111), no answer"));
    }
}
