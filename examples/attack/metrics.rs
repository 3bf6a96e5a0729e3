//! Samples of the server's metrics.

use std::error::Error;

use hostile::target::Target;

/// Returns the samples of a metric, each with the value of its last label.
pub fn counts(target: &Target, metric: &str) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let page = target.admin_page("/metrics")?;
    let samples = page.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix(metric)?.rsplit_once(' ')?;
        let label = name.trim_end_matches("\"}").rsplit('"').next()?;
        Some((label.to_owned(), value.parse().ok()?))
    });
    Ok(samples.collect())
}
