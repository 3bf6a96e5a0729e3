//! The views of all sources, as a persistent list: a snapshot and its successor share what did not change.
//!
//! ```text
//! SourceViews ──► roster: position of each name, order by name     (changes with the configuration)
//!            └──► chunk, chunk, … ──► 64 × Arc<SourceView>          (a report replaces one of each)
//! ```
//! A report changes one view. Its snapshot copies the list of chunks and the handles of one chunk, so 3,000
//! sources cost it about a hundred reference counts and no copy of another source.

use std::collections::HashMap;
use std::ops::Index;
use std::sync::Arc;

use super::snapshot::SourceView;
use crate::order;

/// Number of views in a chunk. Half of a change's cost is the number of chunks, and half the size of one.
const CHUNK: usize = 64;

/// Views of all sources, in the order of the configuration. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct SourceViews {
    roster: Arc<Roster>,
    chunks: Vec<Arc<[Arc<SourceView>]>>,
}

/// Iterator over the sources in the order of the configuration.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    views: &'a SourceViews,
    position: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a SourceView;

    fn next(&mut self) -> Option<&'a SourceView> {
        if self.position == self.views.len() {
            return None;
        }
        self.position += 1;
        Some(&self.views[self.position - 1])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.views.len() - self.position;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Positions of the sources in the configuration.
#[derive(Debug, Default)]
pub(super) struct Roster {
    positions: HashMap<Arc<str>, usize>,
    /// Positions in the order of the names.
    by_name: Box<[usize]>,
}

impl Roster {
    /// Returns the roster of the sources with these names, which differ.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a Arc<str>>) -> Roster {
        let names: Vec<&Arc<str>> = names.into_iter().collect();
        let by_name =
            order::positions(names.len(), &mut |one, other| names[one].cmp(names[other])).into();
        let positions = names.into_iter().cloned().zip(0..).collect();
        Roster { positions, by_name }
    }

    /// Returns the position of the source of that name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }
}

impl SourceViews {
    /// Returns the views of the sources of a roster, in its order.
    pub(super) fn new(
        roster: Arc<Roster>,
        views: impl IntoIterator<Item = Arc<SourceView>>,
    ) -> Self {
        let views: Vec<Arc<SourceView>> = views.into_iter().collect();
        SourceViews { roster, chunks: views.chunks(CHUNK).map(Arc::from).collect() }
    }

    /// Replaces the view at a position. Clones of the list keep the previous one.
    pub(super) fn replace(&mut self, position: usize, view: Arc<SourceView>) {
        Arc::make_mut(&mut self.chunks[position / CHUNK])[position % CHUNK] = view;
    }

    /// Returns the number of sources.
    pub fn len(&self) -> usize {
        self.roster.by_name.len()
    }

    /// Returns true if no source is configured.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the source of that name.
    pub fn get(&self, name: &str) -> Option<&SourceView> {
        self.roster.position(name).map(|position| &self[position])
    }

    /// Returns the sources in the order of the configuration.
    pub fn iter(&self) -> Iter<'_> {
        Iter { views: self, position: 0 }
    }

    /// Returns the sources in the order of their names.
    pub fn by_name(&self) -> impl ExactSizeIterator<Item = &Arc<SourceView>> + Clone {
        self.roster.by_name.iter().map(|&position| self.shared(position))
    }

    fn shared(&self, position: usize) -> &Arc<SourceView> {
        &self.chunks[position / CHUNK][position % CHUNK]
    }
}

impl<'a> IntoIterator for &'a SourceViews {
    type Item = &'a SourceView;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Returns the source at a position of the configuration.
impl Index<usize> for SourceViews {
    type Output = SourceView;

    fn index(&self, position: usize) -> &SourceView {
        self.shared(position)
    }
}

impl FromIterator<SourceView> for SourceViews {
    fn from_iter<I: IntoIterator<Item = SourceView>>(views: I) -> SourceViews {
        let views: Vec<Arc<SourceView>> = views.into_iter().map(Arc::new).collect();
        let roster = Arc::new(Roster::new(views.iter().map(|view| &view.name)));
        SourceViews::new(roster, views)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::board::State;

    fn view(number: usize) -> SourceView {
        SourceView {
            name: format!("tank_{number}").into(),
            title: "Tank".into(),
            group: None,
            kind: "json",
            show: [].into(),
            state: State::Waiting,
            reading: None,
            interval: Duration::from_secs(300),
            next_poll_at: None,
            error: None,
            configuration: 0,
            version: 1,
            is_held: true,
            is_stale_announced: false,
            changed_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn sources_are_found_by_position_and_name_and_listed_in_both_orders() {
        for count in [0, 1, 2, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
            // The configuration lists them backwards.
            let views: SourceViews = (0..count).rev().map(view).collect();
            assert_eq!((views.len(), views.is_empty()), (count, count == 0));
            let configured: Vec<_> = views.iter().map(|view| view.name.to_string()).collect();
            let expected: Vec<_> =
                (0..count).rev().map(|number| format!("tank_{number}")).collect();
            assert_eq!(configured, expected);
            let mut sorted = expected.clone();
            sorted.sort_unstable();
            let by_name: Vec<_> = views.by_name().map(|view| view.name.to_string()).collect();
            assert_eq!(by_name, sorted);
            for (position, name) in expected.iter().enumerate() {
                assert_eq!(*views.get(name).unwrap().name, **name);
                assert_eq!(*views[position].name, **name);
            }
            assert!(views.get("well").is_none());
        }
    }

    #[test]
    fn replaced_view_leaves_earlier_lists_and_other_views_as_they_are() {
        let mut views: SourceViews = (0..3 * CHUNK).map(view).collect();
        let before = views.clone();
        let position = CHUNK + 7;
        views.replace(position, Arc::new(SourceView { version: 2, ..view(position) }));
        assert_eq!((before[position].version, views[position].version), (1, 2));
        let copied =
            (0..views.len()).filter(|&at| !Arc::ptr_eq(before.shared(at), views.shared(at)));
        assert_eq!(copied.collect::<Vec<_>>(), [position]);
        let chunks = before.chunks.iter().zip(&views.chunks);
        let copied = chunks.filter(|(before, now)| !Arc::ptr_eq(before, now)).count();
        assert_eq!(copied, 1, "other chunks are shared");
    }
}
