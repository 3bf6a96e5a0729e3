//! The sources.
//!
//! Sources that are well are one finding if there are many, and only the first of the others are listed.

use std::collections::HashMap;

use crate::admin::scoreboard::report::{Poller, Report as Scoreboard, Source};
use crate::doctor::finding::{Finding, Mark, span};
use crate::upstream::Phase;

/// Maximum number of sources that are all listed, and of those listed of each mark if there are more.
const MAX_LISTED: usize = 20;

/// Failed polls in a row from which on a source is wrong: fewer may be a passing failure of the
/// network.
const MAX_FAILURES: u64 = 3;

const CHECK_UPSTREAM: &str = "see the upstream's answer by `pumphouse-web check --poll`; a restart of \
                              this server does not help";

const NAMED_BY_JSON: &str = "`pumphouse-web doctor --json` has all of them in `scoreboard.sources`";

pub(super) fn sources(scoreboard: &Scoreboard) -> Vec<Finding> {
    let pollers: HashMap<&str, &Poller> =
        scoreboard.pollers.iter().map(|poller| (poller.source.as_str(), poller)).collect();
    let sources = scoreboard.sources.iter();
    let is_store_away = scoreboard.store.as_ref().is_some_and(|store| !store.up);
    let findings = sources.map(|source| {
        let poller = pollers.get(&*source.source).copied();
        let is_cut_off =
            is_store_away && poller.is_some_and(|poller| poller.phase == Phase::Elsewhere.as_str());
        self::source(source, poller, is_cut_off)
    });
    if scoreboard.sources.len() <= MAX_LISTED {
        return findings.collect();
    }
    let (mut listed, mut counts) = (Vec::new(), [0; 3]);
    for finding in findings {
        let (count, limit) = match finding.mark {
            Mark::Wrong => (&mut counts[0], MAX_LISTED),
            Mark::Note => (&mut counts[1], MAX_LISTED),
            Mark::Well => (&mut counts[2], 0),
        };
        *count += 1;
        if *count <= limit {
            listed.push(finding);
        }
    }
    let [wrong, notes, well] = counts;
    let unlisted = |count: usize| count.checked_sub(MAX_LISTED).filter(|more| *more > 0);
    listed.extend(unlisted(wrong).map(|more| {
        let detail = format!("{more} more of {wrong} sources that are stale or fail");
        Finding::wrong("source", detail, NAMED_BY_JSON)
    }));
    listed.extend(unlisted(notes).map(|more| {
        let detail = format!("{more} more of {notes} sources that wait or have failed polls");
        Finding::note("source", detail).advise(NAMED_BY_JSON)
    }));
    let all = scoreboard.sources.len();
    let summary =
        || Finding::well("source", format!("{well} of {all} sources are fresh and answer"));
    listed.extend((well > 0).then(summary));
    listed
}

/// Returns the finding of a source. `is_cut_off`: another replica polls it, whose readings do not arrive.
fn source(source: &Source, poller: Option<&Poller>, is_cut_off: bool) -> Finding {
    let name = &source.source;
    let age = source.age_seconds.map(|age| format!(", observed {} ago", span(age)));
    let mut detail = format!("{name}: {}{}", source.state, age.unwrap_or_default());
    if let Some(error) = &source.error {
        detail = format!(
            "{detail}; polls have failed for {}, {} in a row: {}: {}",
            span(error.seconds),
            error.failures,
            error.kind,
            error.message
        );
    }
    if let Some(poller) = poller {
        detail = format!("{detail}; poller {} for {}", poller.phase, span(poller.seconds));
    }
    let is_failing = source.error.as_ref().is_some_and(|error| error.failures >= MAX_FAILURES);
    match &*source.state {
        "stale" if is_cut_off => Finding::wrong(
            "source",
            detail,
            "another replica polls it, whose readings come through the database: see the finding \"store\"",
        ),
        "stale" if source.error.is_none() => Finding::wrong(
            "source",
            detail,
            "check the sensor, as the upstream answers with old data; or raise stale_after",
        ),
        "stale" => Finding::wrong("source", detail, CHECK_UPSTREAM),
        _ if is_failing => Finding::wrong("source", detail, CHECK_UPSTREAM),
        "fresh" if source.error.is_none() => Finding::well("source", detail),
        _ => Finding::note("source", detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::scoreboard::report::{SourceError, Store};

    fn scoreboard(sources: impl Iterator<Item = (&'static str, u64)>) -> Scoreboard {
        let source = |(number, (state, failures)): (usize, (&'static str, u64))| Source {
            source: format!("s{number}"),
            state: state.into(),
            error: (failures > 0).then(|| SourceError { failures, ..SourceError::default() }),
            ..Source::default()
        };
        Scoreboard { sources: sources.enumerate().map(source).collect(), ..Scoreboard::default() }
    }

    #[test]
    fn findings_of_a_fleet_are_bounded_and_say_how_many_there_are() {
        let of = |number: u32| match number % 3 {
            0 => ("fresh", 0),
            1 => ("stale", 0),
            _ => ("waiting", 0),
        };
        let found = sources(&scoreboard((0..3000).map(of)));
        let marked = |mark| found.iter().filter(|finding| finding.mark == mark).count();
        assert_eq!((marked(Mark::Wrong), marked(Mark::Note), marked(Mark::Well)), (21, 21, 1));
        let last: Vec<&str> = found[40..].iter().map(|finding| finding.detail.as_str()).collect();
        assert_eq!(
            last,
            [
                "980 more of 1000 sources that are stale or fail",
                "980 more of 1000 sources that wait or have failed polls",
                "1000 of 3000 sources are fresh and answer"
            ]
        );
    }

    #[test]
    fn single_failure_in_a_fleet_is_listed() {
        let found = sources(&scoreboard((0..3000).map(|at| ("fresh", u64::from(at == 2990) * 5))));
        assert_eq!(found.len(), 2);
        assert!(found[0].mark == Mark::Wrong && found[0].detail.starts_with("s2990: fresh; polls"));
        assert_eq!(found[1].detail, "2999 of 3000 sources are fresh and answer");
    }

    #[test]
    fn stale_source_of_another_replica_is_a_matter_of_the_database_while_that_is_away() {
        let advice = |phase: &'static str, up: bool| {
            let mut scoreboard = scoreboard([("stale", 0)].into_iter());
            let poller = Poller { source: "s0".to_owned(), phase: phase.into(), seconds: 9.0 };
            scoreboard.pollers = vec![poller];
            scoreboard.store = Some(Store { up, ..Store::default() });
            sources(&scoreboard).remove(0).advice.expect("a wrong finding has advice")
        };
        assert!(advice("elsewhere", false).contains("see the finding \"store\""));
        assert!(advice("waiting", false).starts_with("check the sensor"));
        assert!(advice("elsewhere", true).starts_with("check the sensor"));
    }

    #[test]
    fn few_sources_are_all_listed() {
        let found = sources(&scoreboard((0..MAX_LISTED).map(|_| ("fresh", 0))));
        assert_eq!(found.len(), MAX_LISTED);
    }
}
