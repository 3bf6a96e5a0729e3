//! Cost of alert rules: two servers with the same sources at the same time, one of them with rules
//! over all sources.

use std::error::Error;
use std::fmt::Write as _;

use super::{Fleet, Settings, http, page_time};
use crate::load;
use crate::median::median;
use crate::report::Goal;
use crate::servers::Places;

/// Number of sources, and number of rules over all of them.
const SOURCES: usize = 10_000;
const RULES: usize = 20;

/// Fields of the sources, each with a threshold that some sources are below and one that none is above.
const FIELDS: [(&str, &str, &str); 4] = [
    ("level", "12 %", "200 %"),
    ("depth", "8 in", "500 in"),
    ("volume", "180 gal", "9000 gal"),
    ("pressure", "29.01 inHg", "90 inHg"),
];

/// Figures of rules.
pub struct RulesFigures {
    pub sources: usize,
    pub rules: usize,
    /// CPU per poll, over that without rules.
    pub cpu_ratio: f64,
    /// RSS of each rule and source beyond that without rules, in bytes.
    pub bytes_each: f64,
    /// p99 of `/` over that without rules.
    pub page_p99_ratio: f64,
    pub firing: u64,
    /// Time of `GET /api/v1/alerts`, in milliseconds, and its bytes.
    pub alerts_millis: f64,
    pub alerts_bytes: usize,
}

impl RulesFigures {
    pub fn goals(&self) -> [Goal; 3] {
        let goal = |name: &str, wanted, unit, measured| {
            let name = format!("{} sources × {} rules: {name}", self.sources, self.rules);
            Goal::most(&name, wanted, unit, measured)
        };
        [
            goal("CPU per poll over that without rules", 1.5, "", self.cpu_ratio),
            goal("RSS of each rule of a source", 1024.0, " B", self.bytes_each),
            goal("p99 of `/` over that without rules", 1.2, "", self.page_p99_ratio),
        ]
    }

    pub fn note(&self) -> String {
        format!(
            "With {} sources and {} rules, {} states were firing; `/api/v1/alerts` had {:.0} KiB in {:.0} ms.",
            self.sources,
            self.rules,
            self.firing,
            self.alerts_bytes as f64 / 1024.0,
            self.alerts_millis,
        )
    }
}

/// Returns the `[[alert]]` tables: 20 rules over every source, and a channel.
fn tables() -> String {
    let mut text =
        String::from("[[notify]]\nname = \"sink\"\nkind = \"exec\"\ncommand = [\"/bin/true\"]\n");
    for (field, low, high) in FIELDS {
        let conditions = [
            ("low", format!("below = \"{low}\"\nfor = \"30s\"")),
            ("high", format!("above = \"{high}\"")),
            ("falls", format!("falls = \"{high}\"\nwithin = \"1h\"")),
            ("rises", format!("rises = \"{high}\"\nwithin = \"1h\"")),
            ("flat", String::from("flat = \"12h\"")),
        ];
        for (name, condition) in conditions {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "[[alert]]\nname = \"{field}_{name}\"\nsource = \"*\"\nfield = \"{field}\"\n{condition}"
            );
        }
    }
    text
}

pub fn measure(places: &Places, settings: &Settings) -> Result<RulesFigures, Box<dyn Error>> {
    let sources = SOURCES.min(settings.largest);
    eprintln!("{sources} sources with and without {RULES} rules");
    let plain = Fleet::start(places, settings, sources, settings.interval, "")?;
    let ruled = Fleet::start(places, settings, sources, settings.interval, &tables())?;
    // The rules have states of every source, and the first messages are sent.
    std::thread::sleep(settings.interval * 2);
    let spans = [&plain, &ruled].map(Fleet::begin);
    std::thread::sleep(settings.interval);
    // Both have the same work beside polls, so no idle share is subtracted from either.
    let [without, with] =
        [(&plain, &spans[0]), (&ruled, &spans[1])].map(|(fleet, span)| fleet.end(span, 0.0));
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let p99 = |fleet: &Fleet| {
            let load = super::load_of(&fleet.running, "/", 2, page_time(settings));
            load::run(&load).map(|mut outcome| outcome.quantile(0.99))
        };
        let baseline = p99(&plain)?;
        ratios.push(p99(&ruled)? / baseline);
    }
    let alerts = http::get(ruled.running.server.address, "/api/v1/alerts", "")?;
    let grown = with.memory_kib.saturating_sub(without.memory_kib) as f64 * 1024.0;
    Ok(RulesFigures {
        sources,
        rules: RULES,
        cpu_ratio: with.cpu_micros / without.cpu_micros,
        bytes_each: grown / (sources * RULES) as f64,
        page_p99_ratio: median(ratios),
        firing: firing(&http::get(ruled.running.admin, "/metrics", "")?.body),
        alerts_millis: alerts.millis,
        alerts_bytes: alerts.body.len(),
    })
}

/// Returns the number of firing states of all rules.
fn firing(metrics: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(metrics);
    let states = text.lines().filter(|line| line.starts_with("pumphouse_alert_state{"));
    let firing = states.filter_map(|line| line.split_once("state=\"firing\"} "));
    firing.filter_map(|(_, count)| count.parse::<u64>().ok()).sum()
}
