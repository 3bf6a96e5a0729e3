//! Figures of fleets, as tables.

use std::fmt::Write as _;

use super::rules::RulesFigures;
use super::upstream::Evenness;
use crate::report::{Goal, goals};

/// Figures of a server with one number of sources, all of which answer.
pub struct SizeFigures {
    pub sources: usize,
    pub interval_seconds: f64,
    /// False: the trends had no day of recorded samples.
    pub has_day: bool,
    pub check_millis: f64,
    pub threads: usize,
    pub memory_kib: u64,
    pub cpu_micros: f64,
    pub polls_per_second: f64,
    /// `None`: measured for less than an interval.
    pub evenness: Option<Evenness>,
    /// Values that the recorder of the history has dropped.
    pub dropped: Option<u64>,
    pub page: PageFigures,
    pub status: PageFigures,
}

/// Figures of one path.
#[derive(Clone, Copy)]
pub struct PageFigures {
    /// Bytes with gzip.
    pub bytes: usize,
    /// Milliseconds, with two connections.
    pub p99: f64,
    pub per_second: f64,
}

/// Figures of a server whose sources hang for their timeout.
pub struct HungFigures {
    pub sources: usize,
    pub threads: usize,
    pub memory_kib: u64,
    pub evenness: Evenness,
    /// p99 of pages over that of the server whose sources answer.
    pub p99_over_well: f64,
}

/// Figures of a scrape of `/metrics`.
pub struct ScrapeFigures {
    pub sources: usize,
    pub millis: f64,
    pub bytes: usize,
    pub scoreboard_bytes: usize,
    pub scoreboard_millis: f64,
    /// p99 of `/ping` during scrapes over that without.
    pub light_p99_ratio: f64,
    /// p99 of `/ping` during scrapes, in milliseconds.
    pub light_p99: f64,
}

/// All figures; each part that could not be measured has the reason.
pub struct FleetFigures {
    pub sizes: Vec<Result<SizeFigures, (usize, String)>>,
    pub hung: Result<HungFigures, String>,
    /// Sources, and milliseconds from the start to the first byte with their values kept.
    pub start: Result<(usize, f64), String>,
    pub scrape: Result<ScrapeFigures, String>,
    pub rules: Result<RulesFigures, String>,
    /// Share of a processor that a server without sources uses; it is subtracted from the others.
    pub idle_share: f64,
}

impl FleetFigures {
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}", goals(self.goals()), self.sizes_table(), self.notes())
    }

    fn size(&self, at: usize) -> Option<&SizeFigures> {
        self.sizes.get(at)?.as_ref().ok()
    }

    fn goals(&self) -> Vec<Goal> {
        let mut rows = Vec::new();
        if let (Some(small), Some(large)) = (self.size(0), self.size(2)) {
            let (few, many) = (small.sources, large.sources);
            rows.push(Goal::most(
                &format!("CPU per poll with {many} sources over that with {few}"),
                1.3,
                "",
                large.cpu_micros / small.cpu_micros,
            ));
            let grown = large.memory_kib.saturating_sub(small.memory_kib) as f64;
            let day = if large.has_day { ", with a day of samples" } else { "" };
            rows.push(Goal::most(
                &format!("RSS of each of {many} sources beyond {few}{day}"),
                48.0,
                " KiB",
                grown / (many - few).max(1) as f64,
            ));
        }
        if let Some(large) = self.size(2) {
            let many = large.sources;
            rows.push(Goal::most(
                &format!("{many} sources: threads"),
                64.0,
                "",
                large.threads as f64,
            ));
            rows.extend(large.evenness.as_ref().map(|evenness| {
                let name = "polls in the busiest tenth of the interval over a tenth of all";
                Goal::most(&format!("{many} sources: {name}"), 2.0, "", evenness.busiest_tenth)
            }));
            rows.push(Goal::most(
                &format!("{many} sources: `/` with gzip"),
                60.0,
                " KiB",
                large.page.bytes as f64 / 1024.0,
            ));
            rows.push(Goal::most(
                &format!("{many} sources: p99 of `/`"),
                20.0,
                " ms",
                large.page.p99,
            ));
        }
        if let Ok(hung) = &self.hung {
            let many = hung.sources;
            rows.push(Goal::most(
                &format!(
                    "{many} sources that hang: longest time between two polls of one, in intervals"
                ),
                1.2,
                "",
                hung.evenness.longest_gap,
            ));
            rows.push(Goal::most(
                &format!("{many} sources that hang: p99 of `/` over that with all well"),
                1.2,
                "",
                hung.p99_over_well,
            ));
        }
        if let Ok(scrape) = &self.scrape {
            let many = scrape.sources;
            rows.push(Goal::most(
                &format!("{many} sources: `/metrics`"),
                1000.0,
                " ms",
                scrape.millis,
            ));
            rows.push(Goal::most(
                &format!("{many} sources: p99 of `/ping` during scrapes over that without"),
                1.2,
                "",
                scrape.light_p99_ratio,
            ));
        }
        rows.extend(self.rules.iter().flat_map(RulesFigures::goals));
        if let Ok((sources, millis)) = self.start {
            rows.push(Goal::most(
                &format!("start with {sources} sources kept from before: exec to first byte"),
                100.0,
                " ms",
                millis,
            ));
        }
        rows
    }

    fn sizes_table(&self) -> String {
        let mut text = String::from(
            "| sources | interval | polls/s | busiest tenth | CPU ms/poll | threads | RSS MiB | KiB/source | \
             `/` KiB | `/` p99 ms | `/api/v1/status` KiB | p99 ms | requests/s | `check` ms |\n\
             | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for size in self.sizes.iter().flatten() {
            let SizeFigures { sources, page, status, .. } = size;
            let kib = |bytes: usize| bytes as f64 / 1024.0;
            let busiest = size.evenness.as_ref().map(|it| format!("{:.2}", it.busiest_tenth));
            let _ = writeln!(
                text,
                "| {sources} | {:.0} s | {:.1} | {} | {:.2} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | \
                 {:.1} | {:.0} | {:.0} |",
                size.interval_seconds,
                size.polls_per_second,
                busiest.as_deref().unwrap_or("–"),
                size.cpu_micros / 1e3,
                size.threads,
                size.memory_kib as f64 / 1024.0,
                size.memory_kib as f64 / *sources as f64,
                kib(page.bytes),
                page.p99,
                kib(status.bytes),
                status.p99,
                status.per_second,
                size.check_millis,
            );
        }
        text
    }

    fn notes(&self) -> String {
        let mut notes = vec![format!(
            "A server without sources used {:.2} % of a processor, which is subtracted.",
            self.idle_share * 100.0
        )];
        for (sources, reason) in self.sizes.iter().filter_map(|size| size.as_ref().err()) {
            notes.push(format!("{sources} sources were not measured: {reason}."));
        }
        for size in self.sizes.iter().flatten().filter(|size| !size.has_day) {
            notes.push(format!("{} sources began without recorded samples.", size.sources));
        }
        for size in self.sizes.iter().flatten() {
            if let Some(dropped) = size.dropped.filter(|dropped| *dropped > 0) {
                notes.push(format!(
                    "With {} sources the recorder dropped {dropped} values.",
                    size.sources
                ));
            }
        }
        match &self.hung {
            Ok(hung) => notes.push(format!(
                "While {} sources hung: {:.2} polls of a source in an interval, {} threads, {:.0} MiB.",
                hung.sources,
                hung.evenness.per_interval,
                hung.threads,
                hung.memory_kib as f64 / 1024.0
            )),
            Err(reason) => notes.push(format!("Sources that hang were not measured: {reason}.")),
        }
        if let Err(reason) = &self.start {
            notes.push(format!("The start was not measured: {reason}."));
        }
        match &self.scrape {
            Ok(scrape) => notes.push(format!(
                "With {} sources `/metrics` had {:.1} MiB, and `/scoreboard` {:.1} MiB in {:.0} ms. During scrapes \
                 the p99 of `/ping` was {:.2} ms.",
                scrape.sources,
                scrape.bytes as f64 / f64::from(1 << 20),
                scrape.scoreboard_bytes as f64 / f64::from(1 << 20),
                scrape.scoreboard_millis,
                scrape.light_p99,
            )),
            Err(reason) => notes.push(format!("`/metrics` was not measured: {reason}.")),
        }
        notes.push(match &self.rules {
            Ok(rules) => rules.note(),
            Err(reason) => format!("Rules were not measured: {reason}."),
        });
        notes.join("\n") + "\n"
    }
}
