//! Tables: figures as medians over the rounds, and each goal with what was measured.

use std::fmt::Write as _;

use crate::far::{Far, ROUND_TRIP_MILLIS};
use crate::median::median;
use crate::servers::Kind;

/// Kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestKind {
    pub tls: bool,
    pub keep_alive: bool,
}

impl RequestKind {
    pub const ALL: [RequestKind; 4] = [
        RequestKind { tls: false, keep_alive: true },
        RequestKind { tls: true, keep_alive: true },
        RequestKind { tls: false, keep_alive: false },
        RequestKind { tls: true, keep_alive: false },
    ];

    pub const fn as_str(self) -> &'static str {
        match (self.tls, self.keep_alive) {
            (false, true) => "http, keep-alive",
            (true, true) => "https, keep-alive",
            (false, false) => "http, connection per request",
            (true, false) => "https, connection per request",
        }
    }
}

/// Figures of one round.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub request: RequestKind,
    pub kind: Kind,
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
    pub cpu_micros: f64,
    pub memory_kib: u64,
    pub failed: u64,
}

/// Figures of pumphouse-web alone.
pub struct OwnFigures {
    pub idle_connections: usize,
    pub idle_kib_each: f64,
    pub idle_canary_p99: f64,
    pub hung_over_well: f64,
    /// Download over a line with a long round trip; `None`: the machine cannot emulate one.
    pub far: Option<Far>,
    pub at_rest_kib: u64,
    pub start_millis: f64,
    pub binary_bytes: u64,
}

fn figure(all: &[Figures], request: RequestKind, kind: Kind, of: impl Fn(&Figures) -> f64) -> f64 {
    let these = all.iter().filter(|figures| figures.request == request && figures.kind == kind);
    median(these.map(of).collect())
}

pub fn figures_table(all: &[Figures]) -> String {
    let mut text = String::new();
    let _ =
        writeln!(text, "| | server | requests/s | p50 ms | p99 ms | CPU µs/request | RSS MiB |");
    let _ = writeln!(text, "| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for request in
        RequestKind::ALL.into_iter().filter(|request| all.iter().any(|it| it.request == *request))
    {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.speaks_tls() || !request.tls) {
            let of = |of: fn(&Figures) -> f64| figure(all, request, kind, of);
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} |",
                request.as_str(),
                kind.as_str(),
                of(|it| it.per_second),
                of(|it| it.p50),
                of(|it| it.p99),
                of(|it| it.cpu_micros),
                of(|it| it.memory_kib as f64 / 1024.0),
            );
        }
    }
    text
}

pub fn goals_table(all: &[Figures], own: &OwnFigures) -> String {
    let rate = |request, kind| figure(all, request, kind, |it| it.per_second);
    // Ratios are computed within a round, so that a slow moment of the machine affects both sides.
    let ratio = |request: RequestKind, kind: Kind, of: fn(&Figures) -> f64| {
        let side =
            |kind| all.iter().filter(move |it| it.request == request && it.kind == kind).map(of);
        median(side(Kind::Ours).zip(side(kind)).map(|(ours, theirs)| ours / theirs).collect())
    };
    let better_peer = |request| match rate(request, Kind::Nginx) > rate(request, Kind::Axum) {
        true => Kind::Nginx,
        false => Kind::Axum,
    };
    let [http_keep, https_keep, http_close, https_close] = RequestKind::ALL;
    let speed: fn(&Figures) -> f64 = |it| it.per_second;
    let cost: fn(&Figures) -> f64 = |it| it.cpu_micros;
    let mib = |kib: u64| kib as f64 / 1024.0;
    let far = own.far.map(|Far { megabytes, ours_seconds, nginx_seconds }| {
        Goal::most(
            &format!(
                "one response of {megabytes:.1} MB over a line of {ROUND_TRIP_MILLIS} ms, \
                 {ours_seconds:.1} s: time over nginx"
            ),
            1.1,
            "",
            ours_seconds / nginx_seconds,
        )
    });
    let rows = [
        Goal::least(
            "http keep-alive: requests/s over the better of nginx and axum",
            1.0,
            ratio(http_keep, better_peer(http_keep), speed),
        ),
        Goal::least(
            "https keep-alive: the same",
            1.0,
            ratio(https_keep, better_peer(https_keep), speed),
        ),
        Goal::least(
            "http, connection per request: requests/s over nginx",
            1.0,
            ratio(http_close, Kind::Nginx, speed),
        ),
        Goal::least(
            "https, connection per request: requests/s over nginx",
            1.7,
            ratio(https_close, Kind::Nginx, speed),
        ),
        Goal::most(
            "http keep-alive: CPU per request over nginx",
            1.0,
            "",
            ratio(http_keep, Kind::Nginx, cost),
        ),
        Goal::most(
            "https keep-alive: CPU per request over nginx",
            1.0,
            "",
            ratio(https_keep, Kind::Nginx, cost),
        ),
        Goal::most("p99 with all upstreams hung over all well", 1.1, "", own.hung_over_well),
        Goal::most(
            &format!("{} idle TLS connections: each", own.idle_connections),
            12.0,
            " KiB",
            own.idle_kib_each,
        ),
        Goal::most("idle TLS connections: canary p99", 50.0, " ms", own.idle_canary_p99),
        Goal::most("at rest: RSS", 12.0, " MiB", mib(own.at_rest_kib)),
        Goal::most("start: exec to first byte", 50.0, " ms", own.start_millis),
        Goal::most("binary", 12.0, " MB", own.binary_bytes as f64 / 1e6),
    ];
    goals(rows.into_iter().chain(far))
}

/// A goal, and what was measured.
pub struct Goal {
    name: String,
    wanted: String,
    measured: String,
    is_reached: bool,
}

impl Goal {
    fn least(name: &str, goal: f64, reached: f64) -> Goal {
        Goal {
            name: name.to_owned(),
            wanted: format!("≥ {goal}"),
            measured: format!("{reached:.2}"),
            is_reached: reached >= goal,
        }
    }

    pub fn most(name: &str, goal: f64, unit: &str, reached: f64) -> Goal {
        let digits = if reached < 10.0 { 2 } else { 1 };
        Goal {
            name: name.to_owned(),
            wanted: format!("≤ {goal}{unit}"),
            measured: format!("{reached:.digits$}{unit}"),
            is_reached: reached <= goal,
        }
    }
}

/// Returns a table of goals.
pub fn goals(rows: impl IntoIterator<Item = Goal>) -> String {
    let mut text = String::from("| goal | wanted | measured | |\n| --- | --- | --- | --- |\n");
    for Goal { name, wanted, measured, is_reached } in rows {
        let verdict = if is_reached { "reached" } else { "missed" };
        let _ = writeln!(text, "| {name} | {wanted} | {measured} | {verdict} |");
    }
    text
}

/// Returns a description of the machine.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("an unknown processor", |(_, it)| it);
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    // Without the suffix of the local build.
    let version = kernel.trim().split('-').next().unwrap_or_default();
    format!("{cores} cores of {model}, Linux {version}")
}
