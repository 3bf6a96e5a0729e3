//! `make incident`: replays on loopback, in half a minute, the outage that led to this design.
//!
//! The first part runs the old design: one thread accepts, does the handshake, requests the upstream
//! and responds. A hung upstream stops it; so does one client that connects and sends nothing, and a
//! thread for each request would not help. The second part runs this engine under both at once.
//!
//! ```text
//! cargo run --release --example incident
//! ```

#![allow(clippy::print_stdout)] // The table is printed.

mod old;
mod ours;
mod stage;

use std::io;
use std::process::ExitCode;

use hostile::upstream::Upstream;

use stage::{Outcome, Stage};

fn main() -> ExitCode {
    match play() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("incident: the result is not the expected one, see above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("incident: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns true if the old design failed and this engine did not.
fn play() -> io::Result<bool> {
    let stage = Stage::new()?;
    let upstream = Upstream::hung();

    stage.print_heading("1a. The old design, with an upstream that never answers.");
    let hung = {
        let server = old::Server::start(&stage, Some(upstream.address()))?;
        stage.print_line(
            "A visitor requests the page. The handler requests the upstream, and waits.",
        );
        let visitor = stage.visit_and_wait(server.address)?;
        let outcome = stage.rush(
            server.address,
            "The listen queue stays full. The kernel drops new visitors without a response.",
        )?;
        drop(visitor);
        outcome
    };

    stage.print_heading(
        "1b. The old design, without an upstream, and one client that sends nothing.",
    );
    let silent = {
        let server = old::Server::start(&stage, None)?;
        stage.print_line(
            "It connects to the TLS port. The accepting thread waits for its handshake.",
        );
        stage.print_line(
            "A thread for each request would not help: the server never reads a request.",
        );
        let client = std::net::TcpStream::connect(server.address)?;
        let outcome = stage.rush(server.address, "One silent client stops the server.")?;
        drop(client);
        outcome
    };

    stage.print_heading(
        "2. This engine, with the hung upstream and two hundred silent clients at once.",
    );
    let ours = {
        let server = ours::Server::start(&stage, upstream.address())?;
        stage.print_line(
            "The poller waits for the upstream on a thread of its own; no request waits for it.",
        );
        stage.rush(
            server.address,
            "Two hundred clients hold their connections, and the visitor is served.",
        )?
    };

    stage.print_heading("Result");
    println!("{:<44} {:>12}   probe", "", "queue");
    for (name, outcome) in [
        ("the old design, hung upstream", &hung),
        ("the old design, one silent client", &silent),
        ("ours, hung upstream and 200 silent clients", &ours),
    ] {
        println!("{name:<44} {:>12}   {}", outcome.queue(), outcome.probe());
    }
    Ok(hung.is_stuck() && silent.is_stuck() && ours.is_well())
}

impl Outcome {
    fn queue(&self) -> String {
        format!("{} / {}", self.depth, self.limit)
    }

    fn probe(&self) -> String {
        match self.answered {
            Some(time) => format!("served in {:.1} ms", time.as_secs_f64() * 1e3),
            None => "timed out".to_owned(),
        }
    }

    /// Returns true if the probe timed out at a full queue. The kernel queues one connection more than
    /// the limit.
    fn is_stuck(&self) -> bool {
        self.answered.is_none() && self.depth > self.limit
    }

    fn is_well(&self) -> bool {
        self.answered.is_some() && self.depth == 0
    }
}
