//! TERM under load, as a supervisor sends it.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::{eventually, get};
use crate::hostile::client::{Client, connect_tls, read_response};
use crate::hostile::mode::Mode;
use crate::server::{Server, Setup};
use std::io::Write;

#[test]
fn requests_in_flight_are_answered_and_the_exit_is_clean() {
    let mut server = Server::start(&Setup::default());
    let hostile: Vec<Client> = [Mode::Silent, Mode::HalfClientHello, Mode::DripHead, Mode::Idle]
        .into_iter()
        .flat_map(|mode| std::iter::repeat_n(mode, 10))
        .map(|mode| Client::start(mode, server.address, &server.client).unwrap())
        .collect();
    let stop = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    // Refused: the listener is gone.
                    let Ok(mut stream) = connect_tls(server.address, &server.client) else {
                        continue;
                    };
                    if stream.write_all(get("/ping").as_bytes()).is_err() {
                        continue;
                    }
                    let response = read_response(&mut stream).unwrap_or_default();
                    assert!(
                        response.is_empty() || response.starts_with(b"HTTP/1.1 200"),
                        "a request is answered or refused, never in between"
                    );
                    served.fetch_add(usize::from(!response.is_empty()), Ordering::SeqCst);
                }
            });
        }
        eventually("it is under load", || served.load(Ordering::SeqCst) > 50);
        server.signal("TERM");
        eventually("new connections are refused", || TcpStream::connect(server.address).is_err());
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(server.wait().code(), Some(0));
    drop(hostile);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(&Setup {
        server: "drain_timeout = \"50s\"\nheader_timeout = \"50s\"",
        ..Setup::default()
    });
    let mut half = connect_tls(server.address, &server.client).unwrap();
    // What comes with a request is read with it, so its answer tells that half a head was.
    half.write_all((get("/ping") + "GET / HTTP/1.1\r\n").as_bytes()).unwrap();
    read_response(&mut half).unwrap();
    server.signal("INT");
    server.wait_for_log("stopping");
    server.signal("INT");
    server.wait();
}
