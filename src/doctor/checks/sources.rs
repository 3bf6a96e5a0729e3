//! The sources.

use crate::admin::scoreboard::report::{Report as Scoreboard, Source};
use crate::doctor::finding::{Finding, span};

/// Failed polls in a row from which on a source is wrong: fewer may be a passing failure of the
/// network.
const MAX_FAILURES: u64 = 3;

const CHECK_UPSTREAM: &str = "see the upstream's answer by `pumphouse-web check --poll`; a restart of \
                              this server does not help";

pub(super) fn sources(scoreboard: &Scoreboard) -> impl Iterator<Item = Finding> {
    scoreboard.sources.iter().map(|source| self::source(scoreboard, source))
}

fn source(scoreboard: &Scoreboard, source: &Source) -> Finding {
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
    if let Some(poller) = scoreboard.pollers.iter().find(|poller| poller.source == *name) {
        detail = format!("{detail}; poller {} for {}", poller.phase, span(poller.seconds));
    }
    let is_failing = source.error.as_ref().is_some_and(|error| error.failures >= MAX_FAILURES);
    match &*source.state {
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
