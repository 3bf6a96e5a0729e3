//! The overview of many sources: a row each, the worst first, with filters and pages.

use maud::{Markup, html};

use super::amount::{Age, amount_in_words};
use super::firing::Firing;
use super::layout::LivePage;
use super::time::{AgeFormat, Clock, time};
use super::view::View;
use super::{events, notice, status, trend};
use crate::access::percent::percent_encoded;
use crate::board::{SourceView, Value};
use crate::format::{field_label, whole};
use crate::history::StoredEvent;
use crate::site::freshness::state_at;
use crate::site::ranking::{Counts, Overview, OverviewQuery, PAGE};
use crate::site::source_filter::{Condition, is_in_group};

/// Number of events that the overview shows.
const EVENTS: usize = 6;

/// Most values in a row.
const MAX_VALUES: usize = 3;

/// Most groups that the overview lists.
const MAX_GROUPS: usize = 60;

/// Renders the overview of the sources that a query selects.
pub(in crate::site) fn overview(view: &View<'_>, query: &OverviewQuery) -> String {
    let View { layout, snapshot, history, now, .. } = *view;
    let clock = view.clock();
    let overview = Overview::of(&snapshot.sources, query, now);
    let recent = history.recent_events();
    let of_group = |stored: &&StoredEvent| match (&query.filter.group, &stored.event.source) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(group), Some(name)) => {
            snapshot.sources.get(name).is_some_and(|source| is_in_group(source, group))
        }
    };
    let firing = Firing::of(view.alerts, |name| match &query.filter.group {
        None => true,
        Some(group) => name
            .and_then(|name| snapshot.sources.get(name))
            .is_some_and(|source| is_in_group(source, group)),
    });
    let main = html! {
        (heading(view, query))
        div.between-parts { (status::counted(&overview.counts)) (search(view, query)) }
        (notice::data(view))
        (notice::certificate(view.certificate, clock))
        (notice::channels(view.channels, clock))
        (firing.section(view))
        (filters(view, query, &overview.counts))
        (groups(view, &overview))
        @if overview.rows.is_empty() {
            p.no-rows { "No source matches." }
        } @else {
            div.fleet { (table(view, &overview, clock)) }
        }
        (pages(view, query, &overview))
        (events::list(recent.iter().filter(of_group), EVENTS, &snapshot.sources, view.visitor.role, clock))
    };
    layout.live(&LivePage {
        title: &title(layout.title, firing.title(&snapshot.sources), query, &overview.counts),
        description: &description(query, &overview.counts),
        main: &main,
        by_session: view.visitor.by_session,
        alarms: firing.alarms(),
        has_alerts: !view.alerts.alerts.is_empty(),
        now,
    })
}

/// Returns the page's title: what is wrong comes first, because a row of tabs shows little more.
fn title(site: &str, alarms: Vec<String>, query: &OverviewQuery, counts: &Counts) -> String {
    let count = |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}"));
    let wrong = [count(counts.stale, "stale"), count(counts.failing, "failing")];
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    let wrong = (!wrong.is_empty()).then(|| wrong.join(", "));
    let wrong = if alarms.is_empty() { wrong.into_iter().collect() } else { alarms };
    let parts = wrong.into_iter().chain(query.filter.group.clone()).chain([site.to_owned()]);
    parts.collect::<Vec<_>>().join(" · ")
}

fn description(query: &OverviewQuery, counts: &Counts) -> String {
    let group = query.filter.group.as_deref().map(|group| format!(" of {group}"));
    let (total, group) = (whole(counts.total as f64), group.unwrap_or_default());
    format!("Readings of the {total} sources{group}, the worst first, and their age.")
}

/// Renders the path of the group, whose parts are links to the groups above it.
fn heading(view: &View<'_>, query: &OverviewQuery) -> Markup {
    let root = view.layout.root;
    html! {
        @if let Some(group) = &query.filter.group {
            @let (above, own) = group.rsplit_once('/').unwrap_or(("", group));
            nav.path aria-label="Group" {
                a href=(root) { "All sources" }
                @for (end, _) in above.match_indices('/').chain([(above.len(), "")]) {
                    @if end > 0 {
                        " / " a href={ (root) "group/" (&above[..end]) } {
                            (above[..end].rsplit('/').next().unwrap_or_default())
                        }
                    }
                }
                " / " h2 { (own) }
            }
        }
    }
}

/// Renders the form for words. It keeps the state, and begins with the first page.
fn search(view: &View<'_>, query: &OverviewQuery) -> Markup {
    let states = states(&query.filter.conditions);
    html! {
        form.search role="search" action=(address(view, query)) {
            @if !states.is_empty() { input type="hidden" name="state" value=(states); }
            label.unseen for="words" { "Names and titles with these words" }
            input #words type="search" name="q" value=(query.words) placeholder="Find a source"
                autocomplete="off" maxlength="100";
            button { "Find" }
        }
    }
}

/// Renders the links that select sources by state, with the number of each.
fn filters(view: &View<'_>, query: &OverviewQuery, counts: &Counts) -> Markup {
    let choices: [(&str, &[Condition], usize); 5] = [
        ("All", &[], counts.total),
        ("Stale", &[Condition::Stale], counts.stale),
        ("Failing", &[Condition::Failing], counts.failing),
        ("Waiting", &[Condition::Waiting], counts.waiting),
        ("Fresh", &[Condition::Fresh], counts.fresh),
    ];
    html! {
        nav.ranges.filters aria-label="Sources by state" {
            @for (name, conditions, count) in choices {
                @let is_current = query.filter.conditions == conditions;
                a href=(href(view, query, conditions, 0)) aria-current=[is_current.then_some("true")] {
                    (name) " " span.count { (whole(count as f64)) }
                }
            }
        }
    }
}

/// Renders the groups directly below this one, each with the number of its sources in each bad state.
fn groups(view: &View<'_>, overview: &Overview<'_>) -> Markup {
    let hidden = overview.groups.len().saturating_sub(MAX_GROUPS);
    html! {
        @if !overview.groups.is_empty() {
            nav.groups aria-label="Groups" {
                ul {
                    @for (group, counts) in overview.groups.iter().take(MAX_GROUPS) {
                        li data-key=(group) data-state=(worst(counts)) {
                            a href={ (view.layout.root) "group/" (group) } {
                                (group.rsplit('/').next().unwrap_or_default())
                            }
                            span { (in_words(counts)) }
                        }
                    }
                }
                @if hidden > 0 { p.quiet { "And " (hidden) " other groups, none of them worse." } }
            }
        }
    }
}

/// Returns the worst state in a group, for the style sheet.
fn worst(counts: &Counts) -> &'static str {
    match counts {
        Counts { stale: 1.., .. } => "stale",
        Counts { failing: 1.., .. } => "failing",
        Counts { unanswered: 1.., .. } => "waiting",
        _ => "fresh",
    }
}

/// Returns the state of a group: `2 stale, 1 failing of 40`, `40 fresh`.
fn in_words(counts: &Counts) -> String {
    let Counts { total, failing, stale, unanswered, fresh, .. } = *counts;
    let parts = [(stale, "stale"), (failing, "failing"), (unanswered, "waiting")];
    let bad: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", whole(count as f64)))
        .collect();
    match bad.is_empty() {
        true => format!("{} fresh", whole(fresh as f64)),
        false => format!("{} of {}", bad.join(", "), whole(total as f64)),
    }
}

fn table(view: &View<'_>, overview: &Overview<'_>, clock: Clock<'_>) -> Markup {
    html! {
        table {
            caption.unseen { "Sources, the worst first" }
            thead {
                tr {
                    th scope="col" { "Source" }
                    th scope="col" { "State" }
                    th scope="col" { "Reading" }
                    th scope="col" { "Observed" }
                }
            }
            tbody { @for source in &overview.rows { (row(view, source, clock)) } }
        }
    }
}

fn row(view: &View<'_>, source: &SourceView, clock: Clock<'_>) -> Markup {
    let reading = source.reading.as_ref();
    let failing = source.error.is_some().then_some("true");
    html! {
        tr.row data-key=(source.name) data-state=(state_at(source, clock.now).as_str())
            data-failing=[failing] data-stale-at=[reading.map(|reading| reading.stale_at.as_second())] {
            th scope="row" {
                a href={ (view.layout.root) "source/" (source.name) } { (source.title) }
                @if let Some(group) = &source.group { small { (group) } }
            }
            td {
                (status::badge(source, clock.now))
                @if let Some(failure) = &source.error {
                    small {
                        (status::in_words(failure.kind)) ", for "
                        (time(failure.since, clock, AgeFormat::Span))
                    }
                }
            }
            td { (values(source, clock)) }
            td {
                @if let Some(reading) = reading {
                    (time(reading.observed.at, clock, AgeFormat::Ago))
                } @else { span.absent { "never" } }
            }
        }
    }
}

/// Renders the first values of a source.
fn values(source: &SourceView, clock: Clock<'_>) -> Markup {
    let is_shown = |name: &str, value: &Value| !trend::contains(source, name, value);
    let shown = source.shown().into_iter().filter(|(name, value)| is_shown(name, value));
    html! {
        @for (name, value) in shown.take(MAX_VALUES) {
            @let age = Age::of(source, value, clock.now);
            span.value.old[age.is_old] data-old-at=[age.old_at] data-key=(name) {
                (field_label(name)) " "
                @match amount_in_words(value) {
                    Some(amount) => b { (amount) },
                    None => span.absent { "–" span.unseen { "no value" } },
                }
            }
            " "
        }
    }
}

/// Renders the links to the pages before and after this one.
fn pages(view: &View<'_>, query: &OverviewQuery, overview: &Overview<'_>) -> Markup {
    let Overview { selected, page, pages, rows, .. } = overview;
    let link = |page: usize| href(view, query, &query.filter.conditions, page);
    let (first, last) = (page * PAGE + 1, page * PAGE + rows.len());
    html! {
        @if *pages > 1 {
            nav.pages aria-label="Pages" {
                @if *page > 0 { a rel="prev" href=(link(page - 1)) { "← Worse" } }
                span { (whole(first as f64)) "–" (whole(last as f64)) " of " (whole(*selected as f64)) }
                @if page + 1 < *pages { a rel="next" href=(link(page + 1)) { "Better →" } }
            }
        }
    }
}

/// Returns the reference to the overview of the same group.
fn address(view: &View<'_>, query: &OverviewQuery) -> String {
    let root = view.layout.root;
    query.filter.group.as_ref().map_or(root.to_owned(), |group| format!("{root}group/{group}"))
}

/// Returns the reference to another page of the same group and words. Pages have numbers from 1 in addresses.
fn href(view: &View<'_>, query: &OverviewQuery, conditions: &[Condition], page: usize) -> String {
    let (words, states) = (&query.words, states(conditions));
    let parts = [
        (!states.is_empty()).then(|| format!("state={states}")),
        (!words.is_empty()).then(|| format!("q={}", percent_encoded(words))),
        (page > 0).then(|| format!("page={}", page + 1)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let address = address(view, query);
    if parts.is_empty() { address } else { format!("{address}?{}", parts.join("&")) }
}

fn states(conditions: &[Condition]) -> String {
    let names: Vec<&str> = conditions.iter().map(|condition| condition.as_str()).collect();
    names.join(",")
}
