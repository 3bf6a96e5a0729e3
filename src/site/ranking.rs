//! Order of the overview, the worst source first, and numbers of sources by state.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::freshness::state_at;
use super::source_filter::{SourceFilter, group_below};
use crate::board::{SourceView, SourceViews, State};
use crate::order;

/// Severity of a source's state, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    /// The reading is too old, and the latest poll failed.
    StaleAndFailing,
    /// The reading is too old, although polls succeed.
    Stale,
    /// There has been no reading, and polls fail.
    NeverAnswered,
    /// The reading is fresh, and the latest poll failed.
    Failing,
    /// The first poll has not ended.
    Waiting,
    /// The reading is fresh, and the latest poll succeeded.
    Fresh,
}

/// Rank of a source: by severity, then those that have been in that state for the longest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    severity: Severity,
    since: Timestamp,
}

impl Rank {
    fn of(source: &SourceView, now: Timestamp) -> Rank {
        let observed = || source.reading.as_ref().map(|reading| reading.observed.at);
        let failing = source.error.as_ref().map(|failure| failure.since);
        let (severity, since) = match (state_at(source, now), failing) {
            (State::Stale, Some(_)) => (Severity::StaleAndFailing, observed()),
            (State::Stale, None) => (Severity::Stale, observed()),
            (State::Waiting, Some(since)) => (Severity::NeverAnswered, Some(since)),
            (State::Fresh, Some(since)) => (Severity::Failing, Some(since)),
            (State::Waiting, None) => (Severity::Waiting, None),
            (State::Fresh, None) => (Severity::Fresh, None),
        };
        Rank { severity, since: since.unwrap_or(Timestamp::MAX) }
    }
}

/// Numbers of sources. One that fails is also counted by the state of its reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) total: usize,
    pub(super) failing: usize,
    pub(super) stale: usize,
    /// Without a reading, including those that fail from the start.
    pub(super) waiting: usize,
    /// Without a reading, and without a failure.
    pub(super) unanswered: usize,
    pub(super) fresh: usize,
}

impl Counts {
    /// Counts sources at `now`.
    pub(super) fn of<'a>(
        sources: impl IntoIterator<Item = &'a SourceView>,
        now: Timestamp,
    ) -> Counts {
        let mut counts = Counts::default();
        sources.into_iter().for_each(|source| counts.add(source, now));
        counts
    }

    fn add(&mut self, source: &SourceView, now: Timestamp) {
        self.total += 1;
        self.failing += usize::from(source.error.is_some());
        match state_at(source, now) {
            State::Stale => self.stale += 1,
            State::Waiting => {
                self.waiting += 1;
                self.unanswered += usize::from(source.error.is_none());
            }
            State::Fresh => self.fresh += 1,
        }
    }

    /// Compares how bad two groups are: first by stale sources, then by failing ones.
    fn compare(&self, other: &Counts) -> Ordering {
        (other.stale, other.failing, other.waiting).cmp(&(self.stale, self.failing, self.waiting))
    }
}

/// Sources that the overview shows, as its visitor requests them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct OverviewQuery {
    pub(super) filter: SourceFilter,
    /// Words in lower case of which each has to be in the title, the name or the group of a source.
    pub(super) words: String,
    /// Number of the page, from 0. One beyond the last means the last.
    pub(super) page: usize,
}

/// One page of the sources that a query selects, the worst first.
pub(super) struct Overview<'a> {
    /// Sources of the group that have the words, by state.
    pub(super) counts: Counts,
    /// The groups directly below the group, the worst first, with their sources.
    pub(super) groups: Vec<(&'a str, Counts)>,
    /// Number of sources that the query selects.
    pub(super) selected: usize,
    /// Number of the page, from 0, and number of pages.
    pub(super) page: usize,
    pub(super) pages: usize,
    /// Sources of the page.
    pub(super) rows: Vec<&'a SourceView>,
}

/// Number of sources on a page.
pub(super) const PAGE: usize = 100;

impl<'a> Overview<'a> {
    /// Selects and orders sources at `now`.
    pub(super) fn of(
        sources: &'a SourceViews,
        query: &OverviewQuery,
        now: Timestamp,
    ) -> Overview<'a> {
        let OverviewQuery { filter, words, page } = query;
        let of_group = SourceFilter { conditions: Vec::new(), ..filter.clone() };
        let (mut counts, mut groups) = (Counts::default(), BTreeMap::<&str, Counts>::new());
        let mut ranked: Vec<(Rank, usize, &SourceView)> = Vec::new();
        for (position, source) in sources.by_name().enumerate() {
            if !of_group.matches(source, now) || !has_words(source, words) {
                continue;
            }
            counts.add(source, now);
            if let Some(below) = group_below(source, filter.group.as_deref()) {
                groups.entry(below).or_default().add(source, now);
            }
            if filter.matches(source, now) {
                ranked.push((Rank::of(source, now), position, source));
            }
        }
        let selected = ranked.len();
        let pages = selected.div_ceil(PAGE).max(1);
        let page = (*page).min(pages - 1);
        let (first, end) = (page * PAGE, ((page + 1) * PAGE).min(selected));
        let place = |(rank, position, _): &(Rank, usize, &SourceView)| (*rank, *position);
        // Only the page and those before it are sorted.
        if end < selected {
            ranked.select_nth_unstable_by_key(end, place);
        }
        ranked[..end].sort_unstable_by_key(place);
        let rows = ranked[first..end].iter().map(|(_, _, source)| *source).collect();
        let mut groups: Vec<(&str, Counts)> = groups.into_iter().collect();
        order::sort_by(&mut groups, |(_, one), (_, other)| one.compare(other));
        Overview { counts, groups, selected, page, pages, rows }
    }
}

/// Returns true if each of the words, which are in lower case, is in the title, the name or the group.
fn has_words(source: &SourceView, words: &str) -> bool {
    if words.is_empty() {
        return true;
    }
    let title = source.title.to_lowercase();
    let group = source.group.as_deref().unwrap_or_default();
    words
        .split_whitespace()
        .all(|word| title.contains(word) || source.name.contains(word) || group.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::ErrorKind;
    use crate::site::fixture::{failing, now, stale, tank, waiting};
    use crate::site::source_filter::Condition;

    fn named(name: &str, source: SourceView) -> SourceView {
        SourceView { name: name.into(), title: name.to_uppercase().into(), ..source }
    }

    fn fails(source: SourceView) -> SourceView {
        failing(source, ErrorKind::Dns, "no such name")
    }

    fn overview(sources: &SourceViews, query: &OverviewQuery) -> Vec<String> {
        let overview = Overview::of(sources, query, now());
        overview.rows.iter().map(|source| source.name.to_string()).collect()
    }

    #[test]
    fn worst_sources_come_first_and_equal_ones_in_the_order_of_their_names() {
        let sources: SourceViews = [
            named("b_fresh", tank()),
            named("a_fresh", tank()),
            named("waiting", waiting("x", "json")),
            named("failing", fails(tank())),
            named("silent", fails(waiting("x", "json"))),
            named("stale", stale(tank(), 1000)),
            named("older", stale(tank(), 2000)),
            named("worst", fails(stale(tank(), 500))),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            overview(&sources, &OverviewQuery::default()),
            ["worst", "older", "stale", "silent", "failing", "waiting", "a_fresh", "b_fresh"]
        );
        let whole = Overview::of(&sources, &OverviewQuery::default(), now());
        let counts = Counts { total: 8, failing: 3, stale: 3, waiting: 2, unanswered: 1, fresh: 3 };
        assert_eq!(whole.counts, counts);
    }

    #[test]
    fn pages_in_a_row_are_all_sources_with_the_stale_one_among_thousands_on_top() {
        let source = |number: usize| {
            let source = if number == 1234 { stale(tank(), 5000) } else { tank() };
            named(&format!("tank_{number:04}"), source)
        };
        let sources: SourceViews = (0..3050).map(source).collect();
        let mut all = Vec::new();
        for page in 0..31 {
            let query = OverviewQuery { page, ..OverviewQuery::default() };
            let overview = Overview::of(&sources, &query, now());
            assert_eq!((overview.page, overview.pages, overview.selected), (page, 31, 3050));
            all.extend(overview.rows.iter().map(|source| source.name.to_string()));
        }
        assert_eq!(all.remove(0), "tank_1234");
        assert!(all.len() == 3049 && all.is_sorted());
        let beyond = OverviewQuery { page: 99, ..OverviewQuery::default() };
        assert_eq!(Overview::of(&sources, &beyond, now()).page, 30);
    }

    #[test]
    fn sources_are_selected_by_group_words_and_state() {
        let grouped = |name: &str, group: &str, source| SourceView {
            group: Some(group.into()),
            ..named(name, source)
        };
        let sources: SourceViews = [
            grouped("ridge_upper", "north/ridge", tank()),
            grouped("ridge_lower", "north/ridge", stale(tank(), 900)),
            grouped("valley", "north/valley", fails(tank())),
            grouped("north_pump", "north", tank()),
            grouped("beach", "south", tank()),
            named("well", tank()),
        ]
        .into_iter()
        .collect();
        let query = |group: Option<&str>, words: &str, conditions: &[Condition]| OverviewQuery {
            filter: SourceFilter {
                group: group.map(str::to_owned),
                conditions: conditions.to_vec(),
            },
            words: words.to_owned(),
            page: 0,
        };
        let north = query(Some("north"), "", &[]);
        assert_eq!(
            overview(&sources, &north),
            ["ridge_lower", "valley", "north_pump", "ridge_upper"]
        );
        let below = Overview::of(&sources, &north, now()).groups;
        let names: Vec<&str> = below.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["north/ridge", "north/valley"], "the one with a stale source first");
        assert_eq!((below[0].1.total, below[0].1.stale), (2, 1));
        let all = Overview::of(&sources, &OverviewQuery::default(), now()).groups;
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["north", "south"]);
        assert_eq!(overview(&sources, &query(None, "ridge upp", &[])), ["ridge_upper"]);
        assert_eq!(overview(&sources, &query(None, "south", &[])), ["beach"]);
        assert!(overview(&sources, &query(None, "nowhere", &[])).is_empty());
        let stale = query(Some("north"), "", &[Condition::Stale]);
        assert_eq!(overview(&sources, &stale), ["ridge_lower"]);
        // The numbers are those of the group, so that a visitor sees what another state would show.
        assert_eq!(Overview::of(&sources, &stale, now()).counts.total, 4);
    }
}
