//! A real browser opens the demo over TLS.

use crate::demo::Demo;
use crate::harness::eventually;
use crate::webdriver::Browser;

#[test]
fn values_change_in_place_without_reload() {
    let demo = Demo::start();
    let browser = Browser::open(1280, 900, true);
    browser.visit(&demo.url());
    browser.run("window.notReloaded = true");
    let first = browser.text("main");
    eventually("the page tells something new", || browser.text("main") != first);
    assert_eq!(browser.run("return window.notReloaded"), true, "the page was not reloaded");
    assert_eq!(browser.console(), [""; 0], "nothing to complain about, the CSP included");
    let foreign = browser.run(
        "return performance.getEntriesByType('resource').map(entry => entry.name)
             .filter(name => new URL(name).origin !== location.origin)",
    );
    assert_eq!(foreign, serde_json::json!([]), "nothing is loaded from elsewhere");
}

#[test]
fn without_javascript_the_page_refreshes_itself() {
    let demo = Demo::start();
    let browser = Browser::open(1280, 900, false);
    browser.visit(&demo.url());
    let first = browser.text("main");
    assert!(first.contains("gal"), "{first}");
    eventually("the page has refreshed itself", || browser.text("main") != first);
}

#[test]
fn nothing_scrolls_sideways_on_a_narrow_phone() {
    let demo = Demo::start();
    let browser = Browser::open(320, 640, true);
    browser.visit(&demo.url());
    let widths = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths = browser.run(widths);
    assert!(widths[0].as_u64() <= widths[1].as_u64(), "{widths}");
}
