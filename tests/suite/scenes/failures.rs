//! Sources that fail or have not answered yet, and servers that cannot be reached.

use hostile::config::Config;
use hostile::upstream::Upstream;

use super::Scene;
use super::sources::{configured, seconds_ago, source, values};
use super::stage::{self, Complete, served, served_when, visit, wait_for};
use crate::webdriver::Browser;

pub(super) fn stale(browser: &Browser) -> Scene {
    let at = seconds_ago(3 * 3600 + 240);
    let answer = format!(r#"{{"level":84.6,"volume":1185,"depth":49.1,"at":{at}}}"#);
    values(browser, "tank", &answer, "STALE")
}

pub(super) fn from_the_start(browser: &Browser) -> Scene {
    let (config, running) = configured(&["weather"]);
    let down = source("down", "tank", "http://127.0.0.1:1/").set("title", "Upper tank");
    served(browser, running, config.source(down), "No connection")
}

/// Visits the page of a tank whose upstream has failed since an observation of this age.
pub(super) fn since(browser: &Browser, age: i64) -> Scene {
    let answer =
        format!(r#"{{"level":84.6,"volume":1185,"depth":49.1,"at":{}}}"#, seconds_ago(age));
    let upstream = Upstream::answering(&answer);
    let tank = source("s0", "tank", &upstream.url()).observed_at_unix().set("interval", "1s");
    let config = Config::https().source(tank.set("stale_after", "20m"));
    let scene = served(browser, Vec::new(), config, "Observed");
    upstream.set(Some("<html>Service maintenance</html>"));
    wait_for(browser, "cannot be understood");
    stage::scene(vec![Box::new(scene), Box::new(upstream)])
}

pub(super) fn no_answer(browser: &Browser) -> Scene {
    let upstream = Upstream::hung();
    let sources = ["tank", "weather", "pump"].map(|kind| {
        source(kind, kind, &upstream.url()).set("timeout", "10m").set("interval", "20m")
    });
    let config = Config::https().sources(sources);
    let text = "3 of 3 have no reading yet";
    served_when(browser, vec![Box::new(upstream)], config, text, Complete::Text)
}

/// Visits a page whose server then ends.
pub(super) fn server_gone(browser: &Browser) -> Scene {
    let (config, running) = configured(&["tank", "weather"]);
    let server = stage::start(config);
    visit(browser, &server, "Observed", Complete::Charts);
    drop(server);
    wait_for(browser, "Connection lost");
    stage::scene(running)
}
