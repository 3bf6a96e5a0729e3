//! `/assets/{name}`, `/favicon.ico` and `/robots.txt`.

use super::asset_files::{AssetFiles, FOLDER};
use super::content::{CachePolicy, Content, Representation};
use super::context::{Context, RouteRequest};
use super::problem::Problem;
use super::rendered::Rendered;

/// Caching of a file whose name is never used again for other bytes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Caching of a file with a fixed name, which may change with the next release.
const A_DAY: &str = "public, max-age=86400";

/// Answers `GET /assets/{name}`: a file by its hashed name.
pub(super) fn asset(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let AssetFiles {
        style,
        script,
        readout,
        alerts_style,
        alerts_script,
        icon,
        icon_alert,
        robots: _,
    } = &context.assets;
    let asset = [style, script, readout, alerts_style, alerts_script, icon, icon_alert]
        .into_iter()
        .find(|asset| asset.path.strip_prefix(FOLDER) == Some(request.parameter))
        .ok_or_else(|| Problem::not_found("There is no file of that name in this release."))?;
    Ok(cached(&asset.rendered, IMMUTABLE))
}

/// Answers `GET /favicon.ico`, for browsers that request the icon without having seen a page.
pub(super) fn favicon(context: &Context, _: &RouteRequest<'_>) -> Result<Content, Problem> {
    Ok(cached(&context.assets.icon.rendered, A_DAY))
}

/// Answers `GET /robots.txt`, which keeps search engines out.
pub(super) fn robots(context: &Context, _: &RouteRequest<'_>) -> Result<Content, Problem> {
    Ok(cached(&context.assets.robots, A_DAY))
}

fn cached(rendered: &Rendered, cache_control: &'static str) -> Content {
    Representation::new(rendered.clone(), CachePolicy::undated(cache_control)).into()
}
