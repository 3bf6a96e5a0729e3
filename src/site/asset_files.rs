//! The files that pages load, compiled in, under paths that change with their content.

use std::hash::{DefaultHasher, Hasher as _};

use super::media_type::PLAIN;
use crate::board::Rendered;

/// Path under which the files are served.
pub(super) const PREFIX: &str = "/assets/";

/// Files of the site, compressed once at the start.
pub(super) struct AssetFiles {
    pub(super) style: Asset,
    /// Keeps the page up to date.
    pub(super) script: Asset,
    /// Shows the point of a chart under the pointer.
    pub(super) readout: Asset,
    pub(super) icon: Asset,
    /// `/robots.txt`
    pub(super) robots: Rendered,
}

/// A file and its path.
pub(super) struct Asset {
    /// Path with a digest of the content: `/assets/style.0123456789abcdef.css`.
    pub(super) path: String,
    pub(super) rendered: Rendered,
}

impl AssetFiles {
    /// Compresses the files.
    pub(super) fn new() -> AssetFiles {
        AssetFiles {
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
                concat!(include_str!("assets/morph.js"), include_str!("assets/script.js")),
            ),
            readout: Asset::new(
                "readout",
                "js",
                "text/javascript; charset=utf-8",
                include_str!("assets/readout.js"),
            ),
            icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
            // The water level of a household does not belong in a search engine.
            robots: Rendered::new(PLAIN, &b"User-agent: *\nDisallow: /\n"[..]),
        }
    }
}

impl Asset {
    fn new(stem: &str, suffix: &str, media_type: &'static str, text: &'static str) -> Asset {
        Asset {
            path: format!("{PREFIX}{stem}.{}.{suffix}", digest(text.as_bytes())),
            rendered: Rendered::new(media_type, text),
        }
    }
}

/// Returns a digest of 16 hexadecimal digits.
fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}
