//! The files that pages load, under names that change with their bytes.

use std::hash::{DefaultHasher, Hasher as _};

use super::media_type::PLAIN;
use crate::board::Rendered;

/// Path under which the files are served.
pub(super) const PREFIX: &str = "/assets/";

/// The files, rendered once at the start.
pub(super) struct AssetFiles {
    /// The style sheet.
    pub(super) style: Asset,
    /// The script.
    pub(super) script: Asset,
    /// The icon.
    pub(super) icon: Asset,
    /// `/robots.txt`
    pub(super) robots: Rendered,
}

/// A file and its address.
pub(super) struct Asset {
    /// `/assets/style.0123456789abcdef.css`
    pub(super) path: String,
    pub(super) rendered: Rendered,
}

impl AssetFiles {
    /// Renders the files that were compiled in.
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
                include_str!("assets/script.js"),
            ),
            icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
            // The water level of a household is nothing for a search engine.
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

/// Returns the digest of some bytes as 16 hexadecimal digits, for the name of a file.
fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}
