//! `make screens`: pictures of every state of the site, and a contact sheet of all of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::scenes::ALL;
use crate::webdriver::{Browser, Engine};

/// Widths of the pages: a phone, a tablet, a small and a large screen.
pub const WIDTHS: [u32; 4] = [340, 768, 1024, 1440];

const COLOURS: [&str; 2] = ["light", "dark"];

/// Scale of the pictures on the contact sheet, and their greatest height there, in pixels.
const SCALE: f64 = 0.25;
const MAX_HEIGHT: u32 = 420;

/// Height of a screen; shorter pages fill it.
const SCREEN: u32 = 760;

/// Script that returns the references of a page to absolute paths, which lead beside a site below a path.
pub const ABSOLUTE_LINKS: &str =
    "return [...document.querySelectorAll('[href^=\"/\"], [src^=\"/\"], [action^=\"/\"], [srcset]')]
         .map((element) => element.outerHTML)";

/// Renders the pictures of one state; returns their files.
fn shoot(browser: &Browser, folder: &Path, name: &str, features: &[(&str, &str)]) -> Vec<String> {
    let mut files = Vec::new();
    for colours in COLOURS {
        let common = [("prefers-color-scheme", colours), ("prefers-reduced-motion", "reduce")];
        browser.emulate("", &[&common, features].concat());
        for width in WIDTHS {
            browser.resize(width, SCREEN);
            let height = browser.run("return document.documentElement.scrollHeight");
            let height = height.as_u64().and_then(|height| u32::try_from(height).ok()).unwrap();
            browser.resize(width, height.max(SCREEN));
            let file = format!("{name}-{width}-{colours}.png");
            std::fs::write(folder.join(&file), browser.screenshot()).unwrap();
            files.push(file);
        }
    }
    files
}

/// Returns the contact sheet, a page with a row for each state.
fn sheet(rows: &[(&str, Vec<String>)]) -> String {
    let mut html = String::from(
        "<!DOCTYPE html><meta charset=utf-8><title>Screens</title><style>
         body { margin: 12px; font: 14px system-ui, sans-serif; background: #777; color: #fff }
         h2 { font-size: 15px; margin: 10px 0 4px } div { display: flex; gap: 8px }
         img { object-fit: cover; object-position: top; display: block }</style>",
    );
    for (name, files) in rows {
        let _ = write!(html, "<h2>{name}</h2><div>");
        for file in files {
            let width = WIDTHS.iter().find(|width| file.contains(&format!("-{width}-")));
            let width = f64::from(*width.unwrap()) * SCALE;
            let _ = write!(
                html,
                "<a href={file}><img src={file} style='width:{width}px;max-height:{MAX_HEIGHT}px'></a>"
            );
        }
        html += "</div>";
    }
    html
}

#[test]
#[ignore = "run by `make screens`"]
fn every_state_is_rendered() {
    let wanted = std::env::var("SCREENS").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/screens"));
    // The sheet of some states does not replace that of all.
    let (page, sheet_name) = match wanted[..] {
        [] => ("index.html", "contact-sheet.png"),
        _ => ("part.html", "contact-sheet-part.png"),
    };
    std::fs::create_dir_all(&folder).unwrap();
    let mut rows = Vec::new();
    for (name, visit) in ALL {
        if !wanted.is_empty() && !wanted.contains(name) {
            continue;
        }
        // Each in a browser of its own, without cookies and signs of the one before.
        let browser = Browser::open(Engine::Chromium, 1024, SCREEN);
        let scene = visit(&browser);
        assert_eq!(browser.run(ABSOLUTE_LINKS), json!([]), "{name}");
        rows.push((*name, shoot(&browser, &folder, name, scene.features)));
        eprintln!("{name}");
    }
    assert!(!rows.is_empty(), "no state is named in SCREENS");
    let path = folder.join(page);
    std::fs::write(&path, sheet(&rows)).unwrap();
    let browser = Browser::open(Engine::Chromium, 1900, SCREEN);
    browser.visit(&format!("file://{}", path.display()));
    let height = browser.run("return document.documentElement.scrollHeight").as_u64().unwrap();
    let picture = browser.devtools(
        "Page.captureScreenshot",
        &json!({"captureBeyondViewport": true,
                "clip": {"x": 0, "y": 0, "width": 1900, "height": height, "scale": 1}}),
    );
    let picture = crate::webdriver::decoded(&picture["data"]);
    std::fs::write(folder.join(sheet_name), picture).unwrap();
    eprintln!("{}", folder.join(sheet_name).display());
}
