//! The files that pages load, compiled in, under paths that change with their content.

use std::hash::{DefaultHasher, Hasher as _};

use super::media_type::PLAIN;
use super::rendered::Rendered;

/// Folder of the files, below the root of the site.
pub(super) const FOLDER: &str = "assets/";

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = concat!(include_str!("assets/morph.js"), include_str!("assets/script.js"));
const READOUT: &str = include_str!("assets/readout.js");
const ALERTS_STYLE: &str = include_str!("assets/alerts.css");
const ALERTS_SCRIPT: &str = include_str!("assets/alerts.js");

/// Files of the site, compressed once at the start.
pub(super) struct AssetFiles {
    pub(super) style: Asset,
    /// Keeps the page up to date.
    pub(super) script: Asset,
    /// Shows the point of a chart under the pointer.
    pub(super) readout: Asset,
    /// Style of alerts, for the pages of sites that have some.
    pub(super) alerts_style: Asset,
    /// Sends the commands of alerts.
    pub(super) alerts_script: Asset,
    pub(super) icon: Asset,
    /// The icon while an alert fires.
    pub(super) icon_alert: Asset,
    /// `/robots.txt`
    pub(super) robots: Rendered,
}

/// A file and its path.
pub(super) struct Asset {
    /// Path below the root of the site, with a digest of the content: `assets/style.0123456789abcdef.css`.
    pub(super) path: String,
    pub(super) rendered: Rendered,
}

impl AssetFiles {
    /// Compresses the files.
    pub(super) fn new() -> AssetFiles {
        AssetFiles {
            style: Asset::style("style", STYLE),
            script: Asset::script("script", SCRIPT),
            readout: Asset::script("readout", READOUT),
            alerts_style: Asset::style("alerts", ALERTS_STYLE),
            alerts_script: Asset::script("alerts", ALERTS_SCRIPT),
            icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
            icon_alert: Asset::new(
                "icon_alert",
                "svg",
                "image/svg+xml",
                include_str!("assets/icon_alert.svg"),
            ),
            // The water level of a household does not belong in a search engine.
            robots: Rendered::new(PLAIN, &b"User-agent: *\nDisallow: /\n"[..]),
        }
    }
}

impl Asset {
    fn style(stem: &str, text: &str) -> Asset {
        Asset::new(stem, "css", "text/css; charset=utf-8", &condensed(&without_comments(text)))
    }

    fn script(stem: &str, text: &str) -> Asset {
        Asset::new(stem, "js", "text/javascript; charset=utf-8", &without_comments(text))
    }

    fn new(stem: &str, suffix: &str, media_type: &'static str, text: &str) -> Asset {
        Asset {
            path: format!("{FOLDER}{stem}.{}.{suffix}", digest(text.as_bytes())),
            rendered: Rendered::new(media_type, text.to_owned()),
        }
    }
}

/// Returns a script or a style sheet without the lines that are comments, and without indentation: a
/// third of its compressed size.
///
/// Comments within a line stay, and no text of the files spans lines.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| {
        let is_comment = line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"));
        !line.is_empty() && !is_comment
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Returns a style sheet without the white space around its signs, and without the last semicolon of each block: a
/// further twentieth of its compressed size. A space before a colon may be one between two parts of a selector, so it
/// stays, and no text of the files has a sign with a space beside it.
fn condensed(style: &str) -> String {
    let mut sent = style.replace('\n', "");
    for sign in ["{", "}", ";", ","] {
        sent = sent.replace(&format!(" {sign}"), sign).replace(&format!("{sign} "), sign);
    }
    sent.replace(": ", ":").replace(";}", "}")
}

/// Returns a digest of 16 hexadecimal digits.
fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_of_a_style_sheet_is_sent_where_it_means_something() {
        let style = "@media (a: b) {\na :is(b, c) > d { e: f(1px, 2px + 3px); g: h; }\n}\n";
        assert_eq!(condensed(style), "@media (a:b){a :is(b,c) > d{e:f(1px,2px + 3px);g:h}}");
        for text in [STYLE, ALERTS_STYLE] {
            let texts = text.split('"').skip(1).step_by(2);
            texts.for_each(|text| assert_eq!(condensed(text), text, "a text would change"));
        }
    }

    #[test]
    fn comments_and_indentation_are_not_sent() {
        let sent = without_comments("// a\n  b; // c\n\n/* d */\ne { /* f */ }\n");
        assert_eq!(sent, "b; // c\ne { /* f */ }\n");
        for text in [STYLE, SCRIPT, READOUT, ALERTS_STYLE, ALERTS_SCRIPT] {
            for line in text.lines() {
                assert!(line.matches('`').count().is_multiple_of(2), "a text spans lines: {line}");
                let opens = line.contains("/*") == line.contains("*/");
                assert!(opens, "a comment spans lines: {line}");
            }
        }
    }
}
