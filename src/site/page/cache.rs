//! Rendered pages, kept for the second that they were rendered for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use super::{View, dashboard_html, source_html};
use crate::board::{Rendered, SourceView};
use crate::site::chart::Range;
use crate::site::deliver::HTML;

/// The latest rendering of the dashboard for each range, with and without the button to sign out.
/// Workers that find it out of date at
/// the same time each render it; none waits for another.
#[derive(Default)]
pub(in crate::site) struct PageCache([ArcSwapOption<Kept>; 2 * Range::ALL.len()]);

pub(super) struct Kept {
    version: u64,
    second: i64,
    pub(super) page: Rendered,
}

impl PageCache {
    /// Forgets every rendering.
    pub(in crate::site) fn clear(&self) {
        self.0.iter().for_each(|kept| kept.store(None));
    }

    fn place(&self, view: &View<'_>) -> &ArcSwapOption<Kept> {
        let place = Range::ALL.iter().position(|range| *range == view.range).unwrap_or_default();
        &self.0[2 * place + usize::from(view.by_session)]
    }

    /// The rendering of this second, if there is one.
    pub(super) fn current(&self, view: &View<'_>) -> Option<Arc<Kept>> {
        let (version, second) = (view.snapshot.version, view.now.as_second());
        let kept = self.place(view).load_full();
        kept.filter(|kept| (kept.version, kept.second) == (version, second))
    }

    pub(super) fn render(&self, view: &View<'_>) -> Arc<Kept> {
        let html = dashboard_html(view);
        let page = match self.place(view).load_full() {
            // Most seconds change no word, and then there is nothing to compress.
            Some(kept) if kept.page.identity.body == html => kept.page.clone(),
            _ => Rendered::new(HTML, html),
        };
        let (version, second) = (view.snapshot.version, view.now.as_second());
        let fresh = Arc::new(Kept { version, second, page });
        self.place(view).store(Some(Arc::clone(&fresh)));
        fresh
    }
}

/// Bytes of kept source pages, compressed and not. With more, the pages rendered longest ago go.
const MAX_BYTES: usize = 8 << 20;

/// Seconds after which a source page is dropped when another one is kept.
const KEPT_FOR: i64 = 60;

/// Difference up to which a rendering is sent to a request that began earlier, in seconds: requests
/// that have waited for the same permit share one rendering.
const MAX_WAIT: i64 = 10;

/// The latest renderings of the sources' pages, shared by all visitors.
#[derive(Default)]
pub(in crate::site) struct SourcePages {
    kept: Mutex<HashMap<Key, Kept>>,
    #[cfg(test)]
    renderings: std::sync::atomic::AtomicUsize,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    source: Arc<str>,
    range: Range,
    by_session: bool,
}

impl Key {
    fn new(view: &View<'_>, source: &SourceView) -> Key {
        let View { range, by_session, .. } = *view;
        Key { source: Arc::clone(&source.name), range, by_session }
    }
}

impl SourcePages {
    /// Held for a few steps in memory, never while a page is rendered.
    fn kept(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops every rendering.
    pub(in crate::site) fn clear(&self) {
        self.kept().clear();
    }

    /// The rendering of this second, if there is one.
    pub(super) fn current(&self, view: &View<'_>, source: &SourceView) -> Option<Rendered> {
        let (version, second) = (view.snapshot.version, view.now.as_second());
        let kept = self.kept();
        let kept = kept.get(&Key::new(view, source))?;
        let is_current =
            kept.version == version && (0..=MAX_WAIT).contains(&(kept.second - second));
        is_current.then(|| kept.page.clone())
    }

    /// Renders and compresses the page, and keeps it.
    pub(super) fn render(&self, view: &View<'_>, source: &SourceView) -> Rendered {
        #[cfg(test)]
        self.renderings.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let html = source_html(view, source);
        let key = Key::new(view, source);
        // Most seconds change no word, and then there is nothing to compress.
        let unchanged = self.kept().get(&key).map(|kept| kept.page.clone());
        let page = unchanged
            .filter(|page| page.identity.body == html)
            .unwrap_or_else(|| Rendered::new(HTML, html));
        let (version, second) = (view.snapshot.version, view.now.as_second());
        let mut kept = self.kept();
        kept.retain(|_, kept| (0..KEPT_FOR).contains(&(second - kept.second)));
        kept.insert(key, Kept { version, second, page: page.clone() });
        let mut excess = kept.values().map(Kept::bytes).sum::<usize>().saturating_sub(MAX_BYTES);
        while excess > 0 {
            let oldest =
                kept.iter().min_by_key(|(_, kept)| kept.second).map(|(key, _)| key.clone());
            let Some(oldest) = oldest.and_then(|key| kept.remove(&key)) else { break };
            excess = excess.saturating_sub(oldest.bytes());
        }
        page
    }

    /// Number of pages rendered so far.
    #[cfg(test)]
    pub(in crate::site) fn renderings(&self) -> usize {
        self.renderings.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Bytes of all that is kept.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.kept().values().map(Kept::bytes).sum()
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.page.identity.body.len() + self.page.gzip.as_ref().map_or(0, |form| form.body.len())
    }
}
