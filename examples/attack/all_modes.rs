//! The attack in all modes at once, with thousands of connections.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hostile::canary::Canary;
use hostile::mode::Mode;
use hostile::proc;
use hostile::swarm::{Plan, Swarm};
use hostile::target::Target;
use pumphouse_web::kernel::listen_queue::listen_losses;
use rustls::ClientConfig;

use crate::CANARY_TIMEOUT;
use crate::metrics;
use crate::report::{Report, ServerCounts};

/// Attacks a server for `time`. `own` is the server if it was started here.
pub fn attack(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    connections: usize,
    time: Duration,
    own: Option<&Target>,
) -> Result<Report, Box<dyn Error>> {
    let mut swarm = Swarm::new(Plan::new(address, config, &Mode::ATTACK, connections))?;
    let process = own.map(Target::process);
    let cpu_before = process.map(proc::cpu_time).unwrap_or_default();
    let overflows_before = listen_losses().overflows;
    let canary = Canary::start(address, Arc::clone(config), CANARY_TIMEOUT);
    let (mut fullest, mut largest, mut second) = (0, 0, 0);
    swarm.run(time, |tallies| {
        let queue = proc::accept_queue(address);
        let memory = process.map_or(0, |process| proc::status(process, "VmRSS"));
        fullest = fullest.max(queue);
        largest = largest.max(memory);
        second += 1;
        let held: usize = tallies.iter().map(|(_, tally)| tally.held).sum();
        println!("{second:>4} s   {held:>6} held   accept queue {queue:>4}   {memory:>7} KiB");
    });
    let canary = canary.stop();
    let counts = |target: &Target| -> Result<ServerCounts, Box<dyn Error>> {
        let mut closed = metrics::counts(target, "pumphouse_connections_closed_total")?;
        closed.retain(|(_, count)| *count > 0);
        let cpu = proc::cpu_time(target.process()).saturating_sub(cpu_before);
        Ok(ServerCounts { cpu, memory_kib: largest, closed })
    };
    Ok(Report {
        tallies: swarm.tallies(),
        canary,
        fullest_queue: fullest,
        overflows: listen_losses().overflows - overflows_before,
        server: own.map(counts).transpose()?,
        time,
    })
}
