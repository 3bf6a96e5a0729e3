//! An attack with many more connections than the server has descriptors.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use hostile::canary::visit;
use hostile::config::Config;
use hostile::mode::Mode;
use hostile::proc;
use hostile::swarm::{Plan, Swarm};
use hostile::target::{Setup, Target};

use crate::goals::Goal;

const DESCRIPTORS: u32 = 128;
const CONNECTIONS: usize = 1000;
const TIME: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Result of the attack.
pub struct Scarcity {
    cpu: Duration,
    log_lines: usize,
    back_after: Duration,
}

/// Attacks a server that has few descriptors with many silent connections, each opened again as soon
/// as it is closed. Then ends the attack, and waits until a visitor is served.
pub fn run(binary: &Path) -> Result<Scarcity, Box<dyn Error>> {
    let setup = Setup { descriptors: Some(DESCRIPTORS), ..Setup::from(Config::https()) };
    let target = Target::start(binary, setup)?;
    let (cpu, lines) = (proc::cpu_time(target.process()), target.log_lines());
    let mut swarm =
        Swarm::new(Plan::new(target.address, &target.config, &[Mode::Silent], CONNECTIONS))?;
    swarm.run(TIME, |_| {});
    let cpu = proc::cpu_time(target.process()).saturating_sub(cpu);
    let log_lines = target.log_lines() - lines;
    drop(swarm);
    let gone = Instant::now();
    while let Err(error) = visit(target.address, &target.config, TIMEOUT) {
        if gone.elapsed() > TIMEOUT {
            return Err(error.into());
        }
    }
    Ok(Scarcity { cpu, log_lines, back_after: gone.elapsed() })
}

impl Scarcity {
    /// Returns the goals with what was measured.
    pub fn goals(&self) -> Vec<Goal> {
        let seconds = TIME.as_secs_f64();
        let attack =
            format!("{CONNECTIONS} connections on {DESCRIPTORS} descriptors for {seconds} s");
        let share = 100.0 * self.cpu.as_secs_f64() / seconds;
        let lines = self.log_lines as f64 / seconds;
        let back = self.back_after.as_secs_f64() * 1e3;
        vec![
            Goal::at_most(format!("{attack}: CPU"), share, 5.0, "% of a core").of_speed(),
            Goal::at_most("the same: log lines a second", lines, 1.0, ""),
            Goal::at_most("the same: a visitor is served after they go", back, 1000.0, "ms")
                .of_speed(),
        ]
    }
}
