//! Differences between the sources of two configurations, for a reload.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Source;

/// Maximum number of sources that the log line names of those added, changed or removed.
const MAX_NAMED: usize = 10;

/// Sources that a reload adds, changes and removes.
#[derive(Debug)]
pub(super) struct SourceChanges<'a> {
    added: Vec<&'a Arc<Source>>,
    changed: Vec<&'a Arc<Source>>,
    removed: Vec<&'a Arc<Source>>,
    /// True if sources that stay have another order.
    is_reordered: bool,
}

impl<'a> SourceChanges<'a> {
    /// Compares two lists, in time proportional to their length.
    pub(super) fn between(
        before: &'a [Arc<Source>],
        after: &'a [Arc<Source>],
    ) -> SourceChanges<'a> {
        let mut former: HashMap<&str, &Arc<Source>> =
            before.iter().map(|source| (&*source.name, source)).collect();
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for source in after {
            match former.remove(&*source.name) {
                None => added.push(source),
                Some(old) if old != source => changed.push(source),
                Some(_) => {}
            }
        }
        let is_removed = |source: &&Arc<Source>| former.contains_key(&*source.name);
        let removed: Vec<&Arc<Source>> = before.iter().filter(is_removed).collect();
        let names = |sources: &'a [Arc<Source>]| sources.iter().map(|source| &source.name);
        let is_reordered = !names(before).eq(names(after));
        SourceChanges { added, changed, removed, is_reordered }
    }

    /// Returns true if both lists are equal.
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.changed.is_empty()
            && self.removed.is_empty()
            && !self.is_reordered
    }

    /// Returns the sources that are new or have other settings.
    pub(super) fn new_and_changed(&self) -> Vec<Arc<Source>> {
        self.added.iter().chain(&self.changed).copied().cloned().collect()
    }

    /// Returns a phrase for each source that was added, changed or removed. Many of one kind are one phrase.
    pub(super) fn phrases(&self) -> Vec<String> {
        let kinds =
            [(&self.added, "added"), (&self.changed, "changed"), (&self.removed, "removed")];
        let mut phrases: Vec<String> =
            kinds.into_iter().flat_map(|(sources, verb)| of_kind(sources, verb)).collect();
        if phrases.is_empty() && self.is_reordered {
            phrases.push("the order of the sources changed".to_owned());
        }
        phrases
    }
}

fn of_kind(sources: &[&Arc<Source>], verb: &str) -> Vec<String> {
    if sources.len() <= MAX_NAMED {
        return sources.iter().map(|source| format!("source {} {verb}", source.name)).collect();
    }
    let named: Vec<&str> = sources.iter().take(MAX_NAMED).map(|source| &*source.name).collect();
    let more = sources.len() - MAX_NAMED;
    vec![format!("{} sources {verb}: {} and {more} more", sources.len(), named.join(", "))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn sources(names: impl IntoIterator<Item = (String, u32)>) -> Vec<Arc<Source>> {
        let source = |(name, device): (String, u32)| {
            format!(
                "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"http://h/{device}\"\n\
                 [source.values.v]\npointer = \"/v\"\n"
            )
        };
        let text: String = names.into_iter().map(source).collect();
        config::parse("p.toml".as_ref(), &text, &|_| None).unwrap().sources
    }

    fn named(names: &[(&str, u32)]) -> Vec<Arc<Source>> {
        sources(names.iter().map(|(name, device)| ((*name).to_owned(), *device)))
    }

    #[test]
    fn added_changed_and_removed_sources_are_named() {
        let before = named(&[("a", 1), ("b", 1), ("c", 1)]);
        let after = named(&[("d", 1), ("b", 2), ("c", 1)]);
        let changes = SourceChanges::between(&before, &after);
        assert_eq!(changes.phrases(), ["source d added", "source b changed", "source a removed"]);
        let renewed = changes.new_and_changed();
        let renewed: Vec<&str> = renewed.iter().map(|source| &*source.name).collect();
        assert_eq!(renewed, ["d", "b"]);
    }

    #[test]
    fn another_order_is_the_only_change_or_none() {
        let before = named(&[("a", 1), ("b", 1)]);
        let after = named(&[("b", 1), ("a", 1)]);
        let changes = SourceChanges::between(&before, &after);
        assert_eq!(changes.phrases(), ["the order of the sources changed"]);
        assert!(!changes.is_empty() && changes.new_and_changed().is_empty());
        assert!(SourceChanges::between(&before, &before).is_empty());
    }

    #[test]
    fn thousands_of_sources_are_one_phrase_of_each_kind() {
        let fleet = |device| sources((0..3000).map(|number| (format!("s{number}"), device)));
        let (before, after) = (fleet(1), fleet(2));
        assert_eq!(
            SourceChanges::between(&before, &after).phrases(),
            ["3000 sources changed: s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2990 more"]
        );
        assert_eq!(SourceChanges::between(&before, &[]).phrases().len(), 1);
    }
}
