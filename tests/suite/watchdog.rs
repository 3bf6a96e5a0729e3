//! Stuck threads: strace delays a system call of a thread of the real program for longer than the
//! watchdog waits.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hostile::config::Config;

use crate::harness::{eventually, get};
use crate::server::Server;

/// Threads that strace delays; they continue when this is dropped.
pub struct Wedge(Vec<Child>);

impl Wedge {
    /// Delays each of these threads at its next call of `calls`.
    pub fn new(threads: &[u32], calls: &str) -> Wedge {
        assert!(!threads.is_empty());
        let hold = |thread: &u32| {
            Command::new("strace")
                .args(["-qq", "-o", "/dev/null", "-p", &thread.to_string()])
                .args(["-e", &format!("trace={calls}")])
                .args(["-e", &format!("inject={calls}:delay_enter=120s")])
                .stderr(Stdio::null())
                .spawn()
                .expect("strace is needed: apt-get install strace")
        };
        let wedge = Wedge(threads.iter().map(hold).collect());
        for thread in threads {
            eventually("strace has attached", || {
                let status = std::fs::read_to_string(format!("/proc/{thread}/status"));
                status.is_ok_and(|text| !text.contains("TracerPid:\t0"))
            });
        }
        wedge
    }
}

impl Drop for Wedge {
    fn drop(&mut self) {
        for strace in &mut self.0 {
            let _ = strace.kill();
            let _ = strace.wait();
        }
    }
}

#[test]
fn stuck_acceptor_ends_the_process_with_70() {
    let mut server = Server::start(&Config::https());
    let wedge = Wedge::new(&[server.thread("pw-acceptor")], "epoll_wait");
    let line = server.wait_for_log("giving up: the acceptor has been silent");
    assert!(line.contains("scoreboard: {"), "{line}");
    drop(wedge);
    assert_eq!(server.wait().code(), Some(70));
}

/// Files of `/proc` can hang, for example in containers where a FUSE file system serves them.
#[test]
fn stuck_acceptor_with_a_hung_scoreboard_ends_the_process_with_70() {
    let mut server = Server::start(&Config::https());
    let files = [server.thread("pw-watchdog"), server.thread("pw-scoreboard")];
    let files = Wedge::new(&files, "openat");
    let acceptor = Wedge::new(&[server.thread("pw-acceptor")], "epoll_wait");
    let line = server.wait_for_log("giving up: the acceptor has been silent");
    assert!(line.contains("scoreboard: not rendered within 500 ms"), "{line}");
    drop((files, acceptor));
    assert_eq!(server.wait().code(), Some(70));
}

#[test]
fn all_workers_stuck_end_the_process_with_70_and_one_does_not() {
    let mut server = Server::start(&Config::https().set("server.workers", 2));
    let workers: Vec<u32> =
        (0..2).map(|number| server.thread(&format!("pw-worker-{number}"))).collect();
    // A worker answers this at once, and is blocked in the write.
    let ask = || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(get("/ping").as_bytes()).unwrap();
        stream
    };
    // Not write(2), with which workers wake each other.
    let calls = "writev,sendto,sendmsg";
    // One worker serves while there is little to do. Which one is found by trying.
    let mut requests = Vec::new();
    let mut tries = workers.iter().cycle().take(20);
    let (stuck, one) = tries
        .find_map(|worker| {
            let wedge = Wedge::new(&[*worker], calls);
            // strace takes effect after a moment.
            let held = (0..20).any(|_| {
                let mut stream = ask();
                stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                let unanswered = stream.read(&mut [0]).is_err() && !busy(&server).is_empty();
                requests.push(stream);
                unanswered
            });
            held.then_some((*worker, wedge))
        })
        .expect("one of the workers serves");
    eventually("the worker is stuck for longer than the limit for all", || {
        busy(&server).iter().any(|seconds| *seconds > 5.0)
    });
    assert!(server.serves(), "the other worker does not serve");

    let rest: Vec<u32> = workers.into_iter().filter(|worker| *worker != stuck).collect();
    let other = Wedge::new(&rest, calls);
    requests.push(ask());
    // The worker may be blocked with a connection, or before it takes one.
    let line = server.wait_for_log("giving up: ");
    assert!(line.contains("worker"), "{line}");
    assert!(line.contains("scoreboard: {"), "{line}");
    drop((one, other, requests));
    assert_eq!(server.wait().code(), Some(70));
}

/// Returns the seconds for which each busy worker has been busy.
fn busy(server: &Server) -> Vec<f64> {
    let scoreboard = crate::server::json(&server.admin_get("/scoreboard"));
    let workers = scoreboard["workers"].as_array().unwrap().iter();
    workers.filter_map(|worker| worker["seconds"].as_f64()).collect()
}
