//! More connections than descriptors: the loop never ends, and the log does not flood.

use std::net::TcpStream;

use crate::harness::eventually;
use crate::server::{Server, Setup};

#[test]
fn it_serves_again_when_the_descriptors_are_free() {
    let server = Server::start(&Setup { shell: "ulimit -n 64", ..Setup::default() });
    let line = server.wait_for_log("max_connections");
    assert!(line.contains("64"), "the limit and its cause are told: {line}");
    let lines = server.log().len();

    let crowd: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    eventually("a newcomer is served in the crowd", || server.serves());
    drop(crowd);
    eventually("it serves again", || server.serves());
    let logged = server.log().len() - lines;
    assert!(logged <= 60, "{logged} lines: {:#?}", server.log());
}

#[test]
fn where_accept_runs_out_newcomers_are_closed_at_once() {
    // So few descriptors that no estimate can leave a margin: what an idle server holds, and
    // five for connections.
    let idle = Server::start(&Setup::default());
    let held = std::fs::read_dir(format!("/proc/{}/fd", idle.process())).unwrap().count();
    drop(idle);
    let server = Server::start(&Setup {
        server: "handshake_timeout = \"50s\"\nheader_timeout = \"50s\"",
        shell: &format!("ulimit -n {}", held + 5),
        ..Setup::default()
    });
    let crowd: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for stream in &crowd {
        stream.set_nonblocking(true).unwrap();
    }
    let closed = |stream: &TcpStream| match stream.peek(&mut [0; 1]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    };
    eventually("all that there is no descriptor for are closed, none waits in silence", || {
        crowd.iter().filter(|stream| closed(stream)).count() >= crowd.len() - 8
    });
    let held = crowd.iter().filter(|stream| !closed(stream)).count();
    assert!(held > 0, "those with a descriptor are kept");
    let warnings = server.log().iter().filter(|line| line.contains("cannot accept")).count();
    assert!((1..=60).contains(&warnings), "{:#?}", server.log());
    drop(crowd);
    eventually("it serves again", || server.serves());
}
