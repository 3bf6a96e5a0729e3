//! `make incident`: the outage, played again on loopback, in two acts and under a minute.
//!
//! Act one is the server before ours: one thread accepts, shakes hands, asks the upstream and
//! answers. A hung upstream stops it; so does one client that connects and says nothing, and a
//! thread for each request would not have helped. Act two is our engine under both at once.
//!
//! ```text
//! cargo run --release --example incident
//! ```

#![allow(clippy::print_stdout)] // Its table is its purpose.

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
            eprintln!("incident: it did not go as told above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("incident: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True when the old design failed and ours did not.
fn play() -> io::Result<bool> {
    let stage = Stage::new()?;
    let upstream = Upstream::hung();

    stage.act("Act one, scene one: the old design, and an upstream that never answers.");
    let hung = {
        let server = old::Server::start(&stage, Some(upstream.address()))?;
        stage.say("A visitor asks for the page. The handler asks the upstream, and waits.");
        let visitor = stage.visit_and_wait(server.address)?;
        let outcome =
            stage.rush(server.address, "The queue stands. New visitors are dropped in silence.")?;
        drop(visitor);
        outcome
    };

    stage.act("Act one, scene two: a well upstream this time, and one client that says nothing.");
    let silent = {
        let server = old::Server::start(&stage, None)?;
        stage.say("It connects to the TLS port. The handshake waits for it, on the accept path.");
        stage.say("A thread for each request changes nothing: no request is ever reached.");
        let client = std::net::TcpStream::connect(server.address)?;
        let outcome = stage.rush(server.address, "One silent client was enough.")?;
        drop(client);
        outcome
    };

    stage
        .act("Act two: our engine, with the hung upstream and two hundred silent clients at once.");
    let ours = {
        let server = ours::Server::start(&stage, upstream.address())?;
        stage
            .say("The poller waits for the upstream, on a thread of its own. Nobody waits for it.");
        stage.rush(server.address, "Two hundred hold, and the visitor is served.")?
    };

    stage.act("What was seen");
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

    /// The kernel lets one more in than the limit says.
    fn is_stuck(&self) -> bool {
        self.answered.is_none() && self.depth > self.limit
    }

    fn is_well(&self) -> bool {
        self.answered.is_some() && self.depth == 0
    }
}
