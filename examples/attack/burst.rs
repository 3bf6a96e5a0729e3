//! A burst of connects, twice as many as the connection cap.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use hostile::burst::burst;
use hostile::config::Config;
use hostile::target::Target;

use crate::goals::Goal;
use crate::metrics;

const CONNECTS: usize = 4096;
const CAP: usize = CONNECTS / 2;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a server of its own. Returns the goals with what was measured.
pub fn run(binary: &Path) -> Result<Vec<Goal>, Box<dyn Error>> {
    let target = Target::start(binary, Config::https().set("server.max_connections", CAP))?;
    let burst = burst(target.address, CONNECTS, CAP, TIMEOUT)?;
    let limits = metrics::counts(&target, "pumphouse_accept_queue_limit")?;
    let (_, limit) =
        limits.first().ok_or("the server has no metric of its accept queue's limit")?;
    let took = burst.took.as_secs_f64() * 1e3;
    let name = format!("burst of {CONNECTS} connects in {took:.0} ms, twice max_connections");
    let silent = burst.held.saturating_sub(CAP);
    Ok(vec![
        Goal::at_most(
            format!("{name}: accept queue, half its limit"),
            burst.fullest_queue.into(),
            *limit as f64 / 2.0,
            "",
        )
        .of_speed(),
        Goal::at_most("the same: connections beyond the cap left open", silent as f64, 0.0, ""),
    ])
}
