//! Sources in groups that are too many for a dashboard.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use super::Scene;
use super::sources::{ANSWER, seconds_ago, source};
use super::stage::{self, Complete, visit};
use crate::webdriver::Browser;

const GROUPS: [&str; 5] = ["north/ridge", "north/valley", "south", "town/upper", "town/lower"];

/// Visits the overview of a fleet in which all is well, but for two stale tanks and two without a connection.
pub(super) fn overview(browser: &Browser) -> Scene {
    fleet(browser, "", "2 of 130 failing")
}

/// Visits the overview of a group of the fleet.
pub(super) fn group(browser: &Browser) -> Scene {
    fleet(browser, "group/north?q=tank", "1 of 35 stale")
}

fn fleet(browser: &Browser, path: &str, text: &str) -> Scene {
    let upstream = Upstream::answering(ANSWER);
    let at = seconds_ago(3 * 3600 + 240);
    let old =
        Upstream::answering(&format!(r#"{{"level":31.4,"volume":440,"depth":18,"at":{at}}}"#));
    let fleet = (0..130).map(|number| {
        let kind = ["tank", "tank", "pump"][number % 3];
        let source = match number {
            25 | 27 => member(number, "tank", &old).observed_at_unix(),
            41 | 77 => member(number, kind, &upstream).set("url", "http://127.0.0.1:1/"),
            _ => member(number, kind, &upstream),
        };
        source.set("group", GROUPS[number % GROUPS.len()])
    });
    let server = stage::start(Config::https().sources(fleet));
    visit(browser, &server, "Observed", Complete::Text);
    let url = format!("https://localhost:{}/{path}", server.address.port());
    stage::load(browser, &url, text, Complete::Readings);
    stage::scene(vec![Box::new(server), Box::new(upstream), Box::new(old)])
}

fn member(number: usize, kind: &str, upstream: &Upstream) -> Source {
    let title = format!("{} {number}", if kind == "tank" { "Tank" } else { "Booster pump" });
    source(&format!("s{number:03}"), kind, &upstream.url()).set("title", title)
}
