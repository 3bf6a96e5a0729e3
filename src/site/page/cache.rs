//! Rendered pages, kept for the second that they were rendered for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use crate::board::Rendered;
use crate::site::chart::Range;
use crate::site::media_type::HTML;

/// What a rendering of a page depends on besides its source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant {
    /// Version of the snapshot.
    pub(super) version: u64,
    /// Second that the page was requested in.
    pub(super) second: i64,
    pub(super) range: Range,
    /// True if the page has a button to sign out.
    pub(super) by_session: bool,
}

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

    fn place(&self, variant: Variant) -> &ArcSwapOption<Kept> {
        let place = Range::ALL.iter().position(|range| *range == variant.range).unwrap_or_default();
        &self.0[2 * place + usize::from(variant.by_session)]
    }

    /// The rendering of this second, if there is one.
    pub(super) fn current(&self, variant: Variant) -> Option<Arc<Kept>> {
        let kept = self.place(variant).load_full();
        kept.filter(|kept| (kept.version, kept.second) == (variant.version, variant.second))
    }

    /// Compresses a page and keeps it.
    pub(super) fn store(&self, variant: Variant, html: String) -> Arc<Kept> {
        let page = match self.place(variant).load_full() {
            // Most seconds change no word, and then there is nothing to compress.
            Some(kept) if kept.page.identity.body == html => kept.page.clone(),
            _ => Rendered::new(HTML, html),
        };
        let Variant { version, second, .. } = variant;
        let fresh = Arc::new(Kept { version, second, page });
        self.place(variant).store(Some(Arc::clone(&fresh)));
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
    fn new(variant: Variant, source: &Arc<str>) -> Key {
        let Variant { range, by_session, .. } = variant;
        Key { source: Arc::clone(source), range, by_session }
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
    pub(super) fn current(&self, variant: Variant, source: &Arc<str>) -> Option<Rendered> {
        let kept = self.kept();
        let kept = kept.get(&Key::new(variant, source))?;
        let is_current = kept.version == variant.version
            && (0..=MAX_WAIT).contains(&(kept.second - variant.second));
        is_current.then(|| kept.page.clone())
    }

    /// Compresses a page and keeps it.
    pub(super) fn store(&self, variant: Variant, source: &Arc<str>, html: String) -> Rendered {
        #[cfg(test)]
        self.renderings.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let key = Key::new(variant, source);
        // Most seconds change no word, and then there is nothing to compress.
        let unchanged = self.kept().get(&key).map(|kept| kept.page.clone());
        let page = unchanged
            .filter(|page| page.identity.body == html)
            .unwrap_or_else(|| Rendered::new(HTML, html));
        let Variant { version, second, .. } = variant;
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
