//! The files that pages load, under names that change with their bytes.

use crate::board::Rendered;
use crate::engine::Response;

use super::Site;
use super::deliver::{PLAIN, Policy, deliver};
use super::problem::Problem;
use super::render::digest;
use super::routes::Ask;

/// A name is never used again for other bytes, so a copy never goes bad.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// What has a fixed name may change with the next release.
const A_DAY: &str = "public, max-age=86400";

/// The files, rendered once at the start.
pub(super) struct Assets {
    /// The style sheet.
    pub(super) style: Asset,
    /// The script.
    pub(super) script: Asset,
    /// The icon.
    pub(super) icon: Asset,
    robots: Rendered,
}

/// A file and where it is served.
pub(super) struct Asset {
    /// `/assets/style.0123456789abcdef.css`
    pub(super) path: String,
    rendered: Rendered,
}

impl Assets {
    /// Renders the files that were compiled in.
    pub(super) fn new() -> Assets {
        Assets {
            style: Asset::new(
                "style",
                "css",
                "text/css; charset=utf-8",
                include_str!("assets/style.css"),
            ),
            script: Asset::new(
                "script",
                "js",
                "text/javascript; charset=utf-8",
                include_str!("assets/script.js"),
            ),
            icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
            // The water level of a household is nothing for a search engine.
            robots: Rendered::new(PLAIN, &b"User-agent: *\nDisallow: /\n"[..]),
        }
    }
}

impl Asset {
    fn new(stem: &str, suffix: &str, content_type: &'static str, text: &'static str) -> Asset {
        Asset {
            path: format!("{PREFIX}{stem}.{}.{suffix}", digest(text.as_bytes())),
            rendered: Rendered::new(content_type, text),
        }
    }
}

const PREFIX: &str = "/assets/";

/// A file by its hashed name.
pub(super) fn asset(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let Assets { style, script, icon, robots: _ } = &site.assets;
    let named = |asset: &&Asset| asset.path.strip_prefix(PREFIX) == Some(ask.parameter);
    let asset = [style, script, icon]
        .into_iter()
        .find(named)
        .ok_or_else(|| Problem::not_found("There is no file of that name in this release."))?;
    deliver(&ask.request.headers, &asset.rendered, Policy::undated(IMMUTABLE))
}

/// The icon, for those who ask without having seen the page.
pub(super) fn favicon(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    deliver(&ask.request.headers, &site.assets.icon.rendered, Policy::undated(A_DAY))
}

/// Keeps search engines out.
pub(super) fn robots(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    deliver(&ask.request.headers, &site.assets.robots, Policy::undated(A_DAY))
}
