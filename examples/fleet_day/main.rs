//! Records a day of a fleet: a database with an observation a minute of the field `volume` of each source
//! whose name is a line of the standard input. `make bench` starts servers with it.

use std::error::Error;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::Arc;

use argh::FromArgs;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, FieldName, Finite, Sample};
use pumphouse_web::history::{DAY, import};
use pumphouse_web::units::Unit;

/// Record a day of the sources named on the standard input.
#[derive(FromArgs)]
struct Arguments {
    /// file of the database
    #[argh(positional)]
    path: PathBuf,
}

/// Seconds between observations.
const INTERVAL: i64 = 60;

/// Seconds of each import, which bound its memory.
const IMPORT: i64 = 2 * 60 * 60;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Arguments = argh::from_env();
    let lines = std::io::stdin().lock().lines();
    let names: Vec<Arc<str>> = lines.map(|line| line.map(Arc::from)).collect::<Result<_, _>>()?;
    let now = Timestamp::now().as_second() / INTERVAL * INTERVAL;
    let field = FieldName::from("volume");
    for from in (now - DAY..now).step_by(IMPORT as usize) {
        let times = (from..(from + IMPORT).min(now)).step_by(INTERVAL as usize);
        let changes = times.map(|at| {
            let samples = names.iter().enumerate();
            Change::Observed(
                samples.filter_map(|(number, name)| sample(name, number, &field, at)).collect(),
            )
        });
        import(&arguments.path, &TimeZone::system(), changes)?;
    }
    Ok(())
}

/// Returns the content of a tank that is drawn and refilled once a day.
fn sample(name: &Arc<str>, number: usize, field: &FieldName, at: i64) -> Option<Sample> {
    let phase = (at % DAY) as f64 / DAY as f64 * std::f64::consts::TAU + number as f64;
    let volume = (700.0 + 560.0 * phase.sin() + (at * 7 % 13) as f64).round();
    let at = Timestamp::from_second(at).ok()?;
    Some(Sample::new(name.clone(), field.clone(), at, Finite::new(volume)?, Some(Unit::UsGallon)))
}
