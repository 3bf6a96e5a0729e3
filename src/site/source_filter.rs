//! Filter of sources by group and state, which the API and the overview share.

use jiff::Timestamp;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::freshness::state_at;
use super::problem::Problem;
use crate::board::{SourceView, SourceViews, State};
use crate::config;
use crate::order;

/// Condition on a source: its state by the age of its reading, or whether its polls fail.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Condition {
    /// The latest poll failed. The reading may still be fresh.
    Failing,
    /// The reading is too old.
    Stale,
    /// There is no reading yet.
    Waiting,
    /// The reading is fresh.
    Fresh,
}

impl Condition {
    /// Returns the name in queries.
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns true if the source satisfies the condition at `now`.
    pub(super) fn holds(self, source: &SourceView, now: Timestamp) -> bool {
        match self {
            Condition::Failing => source.error.is_some(),
            Condition::Stale => state_at(source, now) == State::Stale,
            Condition::Waiting => state_at(source, now) == State::Waiting,
            Condition::Fresh => state_at(source, now) == State::Fresh,
        }
    }
}

/// Sources of a group that satisfy one of some conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct SourceFilter {
    /// The group, with those below it; `None` for all.
    pub(super) group: Option<String>,
    /// Conditions, of which one has to hold, each once and in order; none for all sources.
    pub(super) conditions: Vec<Condition>,
}

impl SourceFilter {
    /// Returns true if the source passes at `now`.
    pub(super) fn matches(&self, source: &SourceView, now: Timestamp) -> bool {
        self.group.as_deref().is_none_or(|group| is_in_group(source, group))
            && (self.conditions.is_empty()
                || self.conditions.iter().any(|condition| condition.holds(source, now)))
    }
}

/// Parses a list of conditions, such as `stale,failing`. Returns each once and in order: each is compared with each
/// source, and equal lists share a page.
///
/// # Errors
/// One of them does not exist.
pub(super) fn conditions(text: &str) -> Result<Vec<Condition>, Problem> {
    let conditions = text.split(',').map(|name| name.parse().ok());
    let mut conditions: Vec<Condition> = conditions.collect::<Option<_>>().ok_or_else(|| {
        Problem::bad_request("state is one or more of failing, stale, waiting and fresh, such as state=stale,failing.")
    })?;
    order::sort(&mut conditions);
    conditions.dedup();
    Ok(conditions)
}

/// Returns true if the source is in the group or in one below it: `north/ridge` is in `north`.
pub(super) fn is_in_group(source: &SourceView, group: &str) -> bool {
    source.group.as_deref().is_some_and(|own| config::is_within(own, group))
}

/// Returns the group directly below `group` that the source is in: of `north/ridge/upper`, `north/ridge` is below
/// `north`, and `north` is below none.
pub(super) fn group_below<'a>(source: &'a SourceView, group: Option<&str>) -> Option<&'a str> {
    let own = source.group.as_deref()?;
    let begin = match group {
        None => 0,
        Some(group) => own.strip_prefix(group)?.strip_prefix('/').map(|_| group.len() + 1)?,
    };
    let end = own[begin..].find('/').map_or(own.len(), |length| begin + length);
    Some(&own[..end])
}

/// Returns true if a source is in the group or in one below it.
pub(super) fn is_group(sources: &SourceViews, group: &str) -> bool {
    sources.iter().any(|source| is_in_group(source, group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::ErrorKind;
    use crate::site::fixture::{failing, now, stale, tank, waiting};

    #[test]
    fn group_contains_those_below_it_and_no_other_of_the_same_beginning() {
        let source = |group: Option<&str>| SourceView { group: group.map(Into::into), ..tank() };
        for (own, group, expected) in [
            (Some("north"), "north", true),
            (Some("north/ridge"), "north", true),
            (Some("north/ridge"), "north/ridge", true),
            (Some("north"), "north/ridge", false),
            (Some("northern"), "north", false),
            (Some("south/north"), "north", false),
            (None, "north", false),
        ] {
            assert_eq!(is_in_group(&source(own), group), expected, "{own:?} {group}");
        }
    }

    #[test]
    fn source_passes_if_one_of_the_conditions_holds() {
        let sources = [
            tank(),
            stale(tank(), 7200),
            waiting("well", "json"),
            failing(tank(), ErrorKind::Dns, "no such name"),
        ];
        let passing = |text: &str| -> Vec<usize> {
            let filter = SourceFilter { conditions: conditions(text).unwrap(), group: None };
            (0..sources.len()).filter(|&at| filter.matches(&sources[at], now())).collect()
        };
        for (text, expected) in [
            ("fresh", &[0, 3][..]),
            ("stale", &[1]),
            ("waiting", &[2]),
            ("failing", &[3]),
            ("failing,stale", &[1, 3]),
            ("fresh,fresh", &[0, 3]),
        ] {
            assert_eq!(passing(text), expected, "{text}");
        }
        // A client may repeat a condition thousands of times.
        let many = vec!["fresh,failing"; 2000].join(",");
        assert_eq!(conditions(&many).unwrap(), [Condition::Failing, Condition::Fresh]);
        for text in ["", "Stale", "stale,", "old", "stale fresh"] {
            assert!(conditions(text).is_err(), "{text}");
        }
    }
}
