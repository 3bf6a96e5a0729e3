//! `/ping`, `/healthz` and `/readyz`.

use crate::board::{SourceView, State};
use crate::engine::Response;

use super::Site;
use super::deliver::plain;
use super::freshness::{retry_after, state_at};
use super::problem::Problem;
use super::routes::Ask;

/// Went the full path and came back.
pub(super) fn ping(_: &Site, _: &Ask<'_>) -> Result<Response, Problem> {
    Ok(plain("ok\n"))
}

/// Liveness: whoever can call this serves. Never depends on an upstream.
pub(super) fn healthz(_: &Site, _: &Ask<'_>) -> Result<Response, Problem> {
    Ok(plain("ok\n"))
}

/// Readiness: every source has answered and none is stale.
pub(super) fn readyz(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let snapshot = (site.snapshots)();
    let unready: Vec<&SourceView> = snapshot
        .sources
        .iter()
        .filter(|source| state_at(source, ask.now) != State::Fresh)
        .collect();
    if unready.is_empty() {
        return Ok(plain("ok\n"));
    }
    let list: Vec<String> = unready
        .iter()
        .map(|source| format!("{} is {}", source.name, state_at(source, ask.now).as_str()))
        .collect();
    let retry = retry_after(&unready, ask.now);
    Err(Problem::unavailable(format!("{}.", list.join(", ")))
        .retry_after(retry)
        .about(&unready, ask.now))
}
