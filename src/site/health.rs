//! `/ping`, `/healthz` and `/readyz`.

use super::content::{Content, uncached};
use super::context::{Context, RouteRequest};
use super::freshness::Freshness;
use super::media_type::PLAIN;
use super::problem::Problem;

/// Answers `GET /ping`: the shortest request that passes through all layers.
pub(super) fn ping(_: &Context, _: &RouteRequest<'_>) -> Result<Content, Problem> {
    Ok(ok())
}

/// Answers `GET /healthz`, liveness: the process serves. Never depends on an upstream.
pub(super) fn healthz(_: &Context, _: &RouteRequest<'_>) -> Result<Content, Problem> {
    Ok(ok())
}

/// Answers `GET /readyz`, readiness: every source has answered and none is stale.
pub(super) fn readyz(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    Freshness::assess(&snapshot.sources, request.now).require_fresh()?;
    Ok(ok())
}

fn ok() -> Content {
    uncached("ok\n", PLAIN).into()
}
