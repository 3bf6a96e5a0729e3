//! Probes of servers of all kinds.

mod classification;
mod listeners;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Instant;

use super::*;
use crate::supervisor::plan::{Planner, ProbeSettings};

const BOUND: Duration = Duration::from_millis(300);

fn prober_within(addresses: &[&str], bound: Duration) -> Prober {
    let urls = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let settings = ProbeSettings { urls, urls_alone: true, ..ProbeSettings::default() };
    Prober::new(Planner::new(settings).load(false).unwrap().unwrap(), bound)
}

fn prober(addresses: &[&str]) -> Prober {
    prober_within(addresses, BOUND)
}

/// Returns the verdict on the one address, and its text.
fn probe(prober: &mut Prober) -> (Verdict, String) {
    let [outcome] = prober.probe_once().try_into().unwrap();
    (outcome.verdict, outcome.text)
}

/// Writes the same bytes to each connection, if `drip` one byte every 50 ms.
fn answer(listener: UnixListener, bytes: &'static str, drip: bool) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            for piece in bytes.as_bytes().chunks(if drip { 1 } else { bytes.len() }) {
                let pause = if drip { Duration::from_millis(50) } else { Duration::ZERO };
                thread::sleep(pause);
                if stream.write_all(piece).is_err() {
                    break;
                }
            }
        }
    });
}

/// Resets the first connections and responds to the later ones. Returns true if all probes succeeded,
/// and the number of connections.
fn reset_first(resets: usize, probes: usize) -> (bool, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/healthz", listener.local_addr().unwrap());
    listener.set_nonblocking(false).unwrap();
    let (count, counted) = crossbeam_channel::unbounded();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let _ = count.send(());
            let _ = stream.read(&mut [0; 4096]);
            if number < resets {
                let now = Some(Duration::ZERO);
                socket2::SockRef::from(&stream).set_linger(now).unwrap();
            } else {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
            }
        }
    });
    let mut prober = prober_within(&[&address], Duration::from_secs(20));
    let healthy = (0..probes).all(|_| probe(&mut prober).0 == Verdict::Healthy);
    (healthy, counted.try_iter().count())
}

#[test]
fn connection_reset_before_the_response_is_opened_again_a_few_times() {
    assert_eq!(reset_first(3, 1), (true, 4));
    assert_eq!(reset_first(usize::MAX, 1), (false, 4));
}

#[test]
fn probe_of_a_unix_socket_reports_its_response() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, drip, expected) in [
        ("well", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", false, "answered 200"),
        ("ill", "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\na\nb\u{1b}\n", false, "503: a b"),
        ("garbage", "SSH-2.0-x\r\n\r\n", false, "http: the response violates the HTTP protocol"),
        ("early", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n", false, "connect: "),
        ("drip", "HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaaaa\r\n", true, "timeout: no"),
    ] {
        let path = folder.path().join(name);
        answer(UnixListener::bind(&path).unwrap(), bytes, drip);
        let address = format!("unix:{}", path.display());
        let (verdict, text) = probe(&mut prober(&[&address]));
        assert!(text.starts_with(&address) && text.contains(expected), "{name}: {text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let is_healthy = verdict == Verdict::Healthy;
        assert_eq!(is_healthy, expected == "answered 200", "{name}: {verdict:?}");
        assert!(is_healthy || verdict == Verdict::Unresponsive, "{name}: {verdict:?}");
    }
    let missing = format!("unix:{}", folder.path().join("missing").display());
    let (verdict, text) = probe(&mut prober(&[&missing]));
    assert_eq!(verdict, Verdict::Unresponsive, "the server may not have been started");
    assert!(text.contains("connect: No such file"), "{text}");
}

/// The kernel completes connections for a stopped process until its accept queue is full; then
/// connect(2) blocks.
#[test]
fn probe_of_a_full_accept_queue_times_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let socket = socket.unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(1).unwrap();
    let address = format!("unix:{}", path.display());
    for _ in 0..4 {
        let (_, text) = probe(&mut prober(&[&address]));
        assert!(text.contains("timeout: no complete response within 0.3 s"), "{text}");
    }
}

#[test]
fn probe_of_several_servers_takes_one_timeout() {
    let silent: Vec<_> = (0..8).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<String> = silent
        .iter()
        .map(|listener| format!("http://{}/?key=s3cret", listener.local_addr().unwrap()))
        .collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let begun = Instant::now();
    let outcomes = prober(&addresses).probe_once();
    // Eight timeouts in sequence would be twice as long as this.
    assert!(begun.elapsed() < 4 * BOUND, "{:?}", begun.elapsed());
    let first = format!("http://{}/: timeout: ", silent[0].local_addr().unwrap());
    assert!(outcomes[0].text.starts_with(&first), "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Unresponsive));
}
