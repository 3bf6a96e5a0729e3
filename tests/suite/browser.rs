//! Pages of the demo in a real browser, over TLS.

use crate::demo::Demo;
use crate::harness::eventually;
use crate::webdriver::{Browser, Engine};

#[test]
fn values_change_in_the_page_without_a_reload() {
    let demo = Demo::start();
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 1280, 900);
        browser.visit(&demo.url());
        browser.run("window.notReloaded = true");
        let first = browser.text("main");
        eventually("the page shows a new value", || browser.text("main") != first);
        assert_eq!(browser.run("return window.notReloaded"), true, "the page was not reloaded");
        if engine == Engine::Chromium {
            assert_eq!(
                browser.console(),
                [""; 0],
                "the console has messages, of the CSP for example"
            );
        }
        let foreign = browser.run(
            "return performance.getEntriesByType('resource').map(entry => entry.name)
                 .filter(name => new URL(name).origin !== location.origin)",
        );
        assert_eq!(foreign, serde_json::json!([]), "a resource of another origin was loaded");
    }
}

#[test]
fn page_without_javascript_refreshes_itself() {
    let demo = Demo::start();
    let browser = Browser::without_scripts(1280, 900);
    browser.visit(&demo.url());
    let first = browser.text("main");
    assert!(first.contains("gal"), "{first}");
    eventually("the page has refreshed itself", || browser.text("main") != first);
}

#[test]
fn page_on_a_narrow_phone_does_not_scroll_sideways() {
    let demo = Demo::start();
    for (engine, width) in [(Engine::Chromium, 320), (Engine::WebKit, 340)] {
        let browser = Browser::open(engine, width, 640);
        for path in ["", "source/tank?range=1y", "source/weather", "nowhere"] {
            browser.visit(&format!("{}{path}", demo.url()));
            let needed = browser.run("return document.documentElement.scrollWidth");
            assert_eq!(needed, width, "{engine:?}, {path}");
        }
    }
}

/// Script that counts the visible charts.
const CHARTS: &str = "return [...document.querySelectorAll('svg.chart')]
    .filter(chart => chart.getBoundingClientRect().width > 100).length";

#[test]
fn page_of_each_range_has_its_charts() {
    let demo = Demo::start();
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    for range in ["6h", "24h", "3d", "7d", "30d", "1y"] {
        browser.visit(&format!("{}?range={range}", demo.url()));
        assert_eq!(browser.run(CHARTS), 3, "{range}");
        assert!(browser.text(".ranges [aria-current]").starts_with(range));
        let first = browser.text("main");
        eventually("the values are renewed in place", || browser.text("main") != first);
        assert_eq!(browser.run(CHARTS), 3, "{range}: the charts are still there");
    }
    assert_eq!(browser.console(), [""; 0]);
    // Without scripts the charts are the same.
    let plain = Browser::without_scripts(1280, 900);
    plain.visit(&format!("{}source/tank?range=7d", demo.url()));
    assert!(plain.text("main").contains("The last 7 days"));
    assert!(plain.text("figure.history").contains("Show as table"));
}

#[test]
fn chart_shows_the_point_under_the_pointer() {
    let demo = Demo::start();
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    browser.visit(&format!("{}source/tank?range=7d", demo.url()));
    let place = browser.run(
        "const chart = document.querySelector('figure.history svg.wide');
         chart.scrollIntoView({ block: 'center' });
         const box = chart.getBoundingClientRect();
         return [box.left + box.width / 2, box.top + 9]",
    );
    browser.point(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    let readout = browser.run(&format!(
        "const readout = document.querySelector('.readout');
         const seen = readout.getBoundingClientRect();
         return [readout.hidden, readout.textContent,
                 Math.abs((seen.left + seen.right) / 2 - {})]",
        place[0]
    ));
    assert_eq!(readout[0], false);
    let text = readout[1].as_str().unwrap();
    assert!(text.contains('%') && text.contains(':'), "a level and a time: {text}");
    assert!(readout[2].as_f64().unwrap() < 20.0, "the readout is not at the pointer: {readout}");
    // An opened element stays open when the page updates itself.
    browser.run("document.querySelector('details').open = true");
    let first = browser.text("main");
    eventually("the page is renewed", || browser.text("main") != first);
    assert_eq!(browser.run("return document.querySelector('details').open"), true);
    assert_eq!(browser.console(), [""; 0]);
}

/// Returns axe, the accessibility checker, as a script.
pub fn axe() -> String {
    let axe = concat!(env!("CARGO_MANIFEST_DIR"), "/target/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(axe).expect("`make test` installs axe-core")
}

/// Returns the violations that axe, already loaded, finds on the page by these rules.
pub fn violations(browser: &Browser, rules: &str) -> serde_json::Value {
    browser.run_async(&format!(
        "const done = arguments[0];
         axe.run({rules}).then(found => done(found.violations.map(it =>
             `${{it.id}}: ${{it.nodes.map(node => node.html + node.failureSummary).join(', ')}}`)))",
    ))
}

#[test]
fn pages_have_no_axe_violation() {
    let axe = axe();
    let demo = Demo::start();
    for (width, height) in [(1280, 900), (360, 740)] {
        let browser = Browser::open(Engine::Chromium, width, height);
        for path in ["", "?range=1y", "source/tank", "source/weather?range=7d", "nowhere"] {
            browser.visit(&format!("{}{path}", demo.url()));
            browser.run("document.querySelectorAll('details').forEach(it => it.open = true)");
            browser.run(&axe);
            // The dark theme differs in its colours only.
            for (colours, rules) in [("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")] {
                browser.emulate("", &[("prefers-color-scheme", colours)]);
                let found = violations(&browser, rules);
                assert_eq!(found, serde_json::json!([]), "{path} at {width}, {colours}: {found:#}");
            }
        }
    }
}

/// Script that returns the background colour.
const BACKGROUND: &str = "return getComputedStyle(document.body).backgroundColor";

#[test]
fn page_follows_preferences_for_colours_and_motion() {
    let demo = Demo::start();
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    browser.visit(&demo.url());
    let seen = |script: &str| browser.run(script);
    let moving = "return document.getAnimations().length";
    browser.emulate("", &[("prefers-color-scheme", "light")]);
    let light = seen(BACKGROUND);
    eventually("the water is animated", || seen(moving) != 0);
    browser.emulate("", &[("prefers-reduced-motion", "reduce")]);
    assert_eq!(seen(moving), 0, "an animation runs");
    browser.emulate("", &[("prefers-color-scheme", "dark")]);
    assert_ne!(seen(BACKGROUND), light, "the dark theme has the colours of the light one");
    let chart = "return [getComputedStyle(document.querySelector('.chart text')).fill,
                         getComputedStyle(document.querySelector('.chart .line')).stroke]";
    let dark = seen(chart);
    browser.emulate("", &[("prefers-color-scheme", "light")]);
    assert_ne!(seen(chart), dark, "the charts have the colours of the light theme");
}

#[test]
fn printed_page_is_dark_on_white() {
    let demo = Demo::start();
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    // Printed pages are white, also with the dark theme.
    browser.emulate("print", &[("prefers-color-scheme", "dark")]);
    browser.visit(&demo.url());
    let displayed = |selector: &str| {
        browser.run(&format!(
            "return [...document.querySelectorAll('{selector}')]
                 .filter(it => it.getClientRects().length > 0).length"
        ))
    };
    for (selector, number) in
        [(".ranges", 0), (".skip", 0), ("details", 0), ("svg.chart", 3), (".card", 3), ("time", 6)]
    {
        let found = displayed(selector).as_u64().unwrap();
        assert!(if number == 0 { found == 0 } else { found >= number }, "{selector}: {found}");
    }
    assert_eq!(browser.run(BACKGROUND), "rgb(255, 255, 255)");
    let ink = browser.run("return getComputedStyle(document.body).color");
    assert_eq!(ink, "rgb(0, 0, 0)");
    let card =
        browser.run("return getComputedStyle(document.querySelector('.card')).backgroundColor");
    assert_eq!(card, "rgb(255, 255, 255)");
}

/// Script that returns the boxes of the titles of all cards.
const TITLES: &str = "return [...document.querySelectorAll('.card h2')].map(title => {
    const { x, y, width, height } = title.getBoundingClientRect();
    return { x: x + scrollX, y: y + scrollY, width, height, scale: 1 };
})";

// In Chromium only: WebKit knows the media feature, but has no forced colours on any system, and its driver
// emulates none. Chromium also draws the opaque boxes behind texts that hid titles.
#[test]
fn forced_colours_hide_no_title_and_no_icon() {
    let demo = Demo::start();
    let browser = Browser::open(Engine::Chromium, 1024, 900);
    // The page of a tank has the largest figures.
    for path in ["", "source/tank"] {
        browser.visit(&format!("{}{path}", demo.url()));
        eventually("every card has its figures", || {
            !browser.text("main").contains("No reading yet")
        });
        // The page stays as it is during the comparison.
        browser.run(
            "const main = document.querySelector('main');
             main.replaceWith(main.cloneNode(true));
             busy = true",
        );
        titles_and_icons_are_visible(&browser);
    }
}

/// Requires that figures cover no title, and that icons have the colour of texts.
fn titles_and_icons_are_visible(browser: &Browser) {
    for colours in ["light", "dark"] {
        browser.emulate(
            "",
            &[
                ("forced-colors", "active"),
                ("prefers-color-scheme", colours),
                ("prefers-reduced-motion", "reduce"),
            ],
        );
        for width in [340, 768, 1024, 1440] {
            browser.resize(width, 900);
            let titles = browser.run(TITLES);
            let pictures = || -> Vec<serde_json::Value> {
                let clips = titles.as_array().unwrap().iter();
                let picture = |clip| {
                    browser.devtools(
                        "Page.captureScreenshot",
                        &serde_json::json!({"captureBeyondViewport": true, "clip": clip}),
                    )["data"]
                        .clone()
                };
                clips.map(picture).collect()
            };
            let show = |visibility: &str| {
                browser.run(&format!(
                    "for (const figure of document.querySelectorAll('.level, .volume, .temperature'))
                         figure.style.visibility = '{visibility}'"
                ));
            };
            let with_figures = pictures();
            show("hidden");
            let alone = pictures();
            show("");
            assert!(!with_figures.is_empty());
            assert!(with_figures == alone, "figures cover a title at {width}, {colours}");
            let unlike = browser.run(
                "const text = getComputedStyle(document.body).color;
                 return [...document.querySelectorAll('.card .icon, .summary .icon')]
                     .filter(icon => getComputedStyle(icon).stroke !== text).length",
            );
            assert_eq!(unlike, 0, "icons without the colour of the text at {width}, {colours}");
        }
    }
}
