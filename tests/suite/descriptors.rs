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
fn without_a_margin_the_reserve_descriptor_answers() {
    // Too many other files are open for the estimate to hold: accept(2) itself runs out.
    let shell = "ulimit -n 64 && for fd in 3 4 5 6 7 8 9; do eval \"exec $fd</dev/null\"; done";
    let server = Server::start(&Setup { shell, ..Setup::default() });
    let crowd: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    drop(crowd);
    eventually("it serves again", || server.serves());
}
