//! Pages of a server with accounts.

use hostile::upstream::Upstream;

use super::Scene;
use super::sources::{ANSWER, source};
use super::stage::{scene, start, wait_for};
use crate::access::with_anna;
use crate::server::Server;
use crate::webdriver::Browser;

/// Visits a page with an account that then signs out elsewhere.
pub(super) fn ended(browser: &Browser) -> Scene {
    let upstream = Upstream::answering(ANSWER);
    let server = start(with_anna().source(source("s0", "tank", &upstream.url())));
    sign_in(browser, &server, "right");
    wait_for(browser, "Observed");
    browser.run_async(
        "const done = arguments[0];
         fetch('/logout', { method: 'POST', redirect: 'manual' }).then(it => done(it.type))",
    );
    wait_for(browser, "not signed in");
    scene(vec![Box::new(server), Box::new(upstream)])
}

fn sign_in(browser: &Browser, server: &Server, password: &str) {
    browser.visit(&format!("https://localhost:{}/", server.address.port()));
    browser.keys("#username", "anna");
    browser.keys("#password", password);
    browser.click(".sign-in button");
}

pub(super) fn form(browser: &Browser, is_wrong: bool) -> Scene {
    let server = Server::start(&with_anna());
    if is_wrong {
        sign_in(browser, &server, "wrong");
        wait_for(browser, "is wrong");
    } else {
        browser.visit(&format!("https://localhost:{}/", server.address.port()));
    }
    scene(vec![Box::new(server)])
}
