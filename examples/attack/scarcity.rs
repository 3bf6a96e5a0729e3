//! Far more connections than the server has descriptors for.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hostile::canary::visit;
use crate::hostile::mode::Mode;
use crate::hostile::outside;
use crate::hostile::swarm::{Plan, Swarm};
use crate::hostile::target::Target;

const DESCRIPTORS: u32 = 128;
const CONNECTIONS: usize = 1000;
const TIME: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it.
pub struct Scarcity {
    cpu: Duration,
    log_lines: usize,
    back_after: Duration,
}

/// Holds a server that has few descriptors with many silent connections, each opened again as
/// soon as it is closed; then lets go, and waits for a visitor to be served.
pub fn run(binary: &Path) -> Result<Scarcity, Box<dyn Error>> {
    let target = Target::start_with_descriptors(binary, DESCRIPTORS)?;
    let (cpu, lines) = (outside::cpu_time(target.process()), target.log_lines());
    let mut swarm = Swarm::new(Plan {
        target: target.address,
        config: Arc::clone(&target.config),
        large: "/".to_owned(),
        modes: vec![Mode::Silent],
        connections: CONNECTIONS,
    })?;
    swarm.run(TIME, |_| {});
    let cpu = outside::cpu_time(target.process()).saturating_sub(cpu);
    let log_lines = target.log_lines() - lines;
    drop(swarm);
    let gone = Instant::now();
    while let Err(error) = visit(target.address, &target.config, PATIENCE) {
        if gone.elapsed() > PATIENCE {
            return Err(error.into());
        }
    }
    Ok(Scarcity { cpu, log_lines, back_after: gone.elapsed() })
}

impl fmt::Display for Scarcity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = TIME.as_secs_f64();
        writeln!(
            f,
            "{CONNECTIONS} silent connections, opened again whenever closed, against {DESCRIPTORS} \
             descriptors for {seconds} s:"
        )?;
        writeln!(
            f,
            "server: {:.1} % of a core (goal: at most 5 %), {:.1} log lines a second (goal: at \
             most 1); a visitor is served {:.0} ms after they go (goal: at most 1000 ms)",
            100.0 * self.cpu.as_secs_f64() / seconds,
            self.log_lines as f64 / seconds,
            self.back_after.as_secs_f64() * 1e3
        )
    }
}
