//! Brings a browser to a page, and waits until the page is complete.

use std::any::Any;

use hostile::config::Config;

use super::Scene;
use crate::demo::Demo;
use crate::harness::eventually;
use crate::server::Server;
use crate::webdriver::Browser;

/// Servers and upstreams of a page.
pub(super) type Running = Vec<Box<dyn Any>>;

/// Parts that a page needs to be complete.
#[derive(Debug, Clone, Copy)]
pub(super) enum Complete {
    /// A text only.
    Text,
    /// A reading or a failure in each card, too.
    Readings,
    /// And each chart.
    Charts,
}

impl Complete {
    /// Returns true if the page that is loaded has these parts.
    fn is_loaded(self, browser: &Browser) -> bool {
        const CARDS: &str = "return document.readyState === 'complete'
            && !document.querySelector('[data-state=waiting][data-key]:not([data-failing]), .card[data-state=waiting]:not([data-failing])')";
        const CHARTS: &str = "return ![...document.querySelectorAll('.no-plot')]
            .some(chart => /moment|Nothing recorded/.test(chart.textContent))";
        match self {
            Complete::Text => true,
            Complete::Readings => browser.run(CARDS) == true,
            Complete::Charts => browser.run(CARDS) == true && browser.run(CHARTS) == true,
        }
    }
}

pub(super) fn scene(running: Running) -> Scene {
    Scene { features: &[], _running: running }
}

/// Returns true if the page contains a text, in upper or lower case.
fn contains(browser: &Browser, text: &str) -> bool {
    browser.text("body").to_lowercase().contains(&text.to_lowercase())
}

/// Waits until the page contains a text.
pub(super) fn wait_for(browser: &Browser, text: &str) {
    eventually(text, || contains(browser, text));
}

/// Visits a page again and again until it has a text and is complete.
pub(super) fn load(browser: &Browser, url: &str, text: &str, complete: Complete) {
    eventually(&format!("{text:?} and {complete:?}"), || {
        browser.visit(url);
        contains(browser, text) && complete.is_loaded(browser)
    });
}

/// Visits the dashboard of a server until it has a text and is complete.
pub(super) fn visit(browser: &Browser, server: &Server, text: &str, complete: Complete) {
    let url = format!("https://localhost:{}/", server.address.port());
    load(browser, &url, text, complete);
}

/// Starts a server that writes its history at once.
pub(super) fn start(config: Config) -> Server {
    Server::start(&config.set("history.flush", "200ms"))
}

/// Starts a server, and visits its page until it has a text and is complete.
pub(super) fn served_when(
    browser: &Browser,
    mut running: Running,
    config: Config,
    text: &str,
    complete: Complete,
) -> Scene {
    let server = start(config);
    visit(browser, &server, text, complete);
    running.push(Box::new(server));
    scene(running)
}

/// Starts a server, and visits its page until it has a text and all charts.
pub(super) fn served(browser: &Browser, running: Running, config: Config, text: &str) -> Scene {
    served_when(browser, running, config, text, Complete::Charts)
}

/// Visits a page of the demo.
pub(super) fn demo(browser: &Browser, path: &str) -> Scene {
    let demo = Demo::start();
    let text = if path == "nowhere" { "Not found" } else { "Observed" };
    load(browser, &format!("{}{path}", demo.url()), text, Complete::Charts);
    scene(vec![Box::new(demo)])
}
