//! Rendered pages, each kept for the second that it was rendered for.
//!
//! A page contains ages, so it is valid for one second and one version of the snapshot. Within that
//! second every visitor shares one rendering, so a flood of requests costs only copies of a handle. In most
//! seconds no byte of a page changes; the previous compressed form is then used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use strum::EnumCount as _;

use crate::access::Role;
use crate::site::chart::Range;
use crate::site::media_type::HTML;
use crate::site::ranking::OverviewQuery;
use crate::site::rendered::Rendered;

/// Variant of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::site) struct Variant {
    pub(in crate::site) range: Range,
    pub(in crate::site) visitor: Visitor,
}

/// Parts of a page that depend on its visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::site) struct Visitor {
    /// True for a page with a button to sign out.
    pub(in crate::site) by_session: bool,
    /// Decides on the buttons that answer alerts, and on the notices about channels.
    pub(in crate::site) role: Role,
}

/// State that a page is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) struct Moment {
    /// Version of the snapshot, or of the source that the page is about.
    pub(in crate::site) version: u64,
    /// Version of the alerts.
    pub(in crate::site) alerts: u64,
    /// Unix time.
    pub(in crate::site) second: i64,
}

/// A rendered page.
pub(in crate::site) struct CachedPage {
    moment: Moment,
    pub(in crate::site) page: Rendered,
}

impl CachedPage {
    /// Returns the compressed page of `html`, taken from `before` if the bytes are the same.
    fn compressed(before: Option<Rendered>, html: String) -> Rendered {
        before
            .filter(|page| page.identity.body == html)
            .unwrap_or_else(|| Rendered::new(HTML, html))
    }

    fn bytes(&self) -> usize {
        self.page.identity.body.len() + self.page.gzip.as_ref().map_or(0, |form| form.body.len())
    }
}

/// The latest rendering of the dashboard in each variant.
///
/// Workers that find it outdated at the same time each render it; none waits for another.
pub(in crate::site) struct DashboardCache(
    [ArcSwapOption<CachedPage>; 2 * Role::COUNT * Range::COUNT],
);

impl Default for DashboardCache {
    fn default() -> DashboardCache {
        DashboardCache(std::array::from_fn(|_| ArcSwapOption::empty()))
    }
}

impl DashboardCache {
    /// Drops every rendering.
    pub(in crate::site) fn clear(&self) {
        self.0.iter().for_each(|slot| slot.store(None));
    }

    fn slot(&self, variant: Variant) -> &ArcSwapOption<CachedPage> {
        let Variant { range, visitor: Visitor { by_session, role } } = variant;
        &self.0[2 * (Role::COUNT * range as usize + role as usize) + usize::from(by_session)]
    }

    /// Returns the rendering for this moment, if there is one.
    pub(in crate::site) fn get(&self, variant: Variant, moment: Moment) -> Option<Arc<CachedPage>> {
        self.slot(variant).load_full().filter(|cached| cached.moment == moment)
    }

    /// Compresses a rendering and keeps it.
    pub(in crate::site) fn insert(
        &self,
        variant: Variant,
        moment: Moment,
        html: String,
    ) -> Arc<CachedPage> {
        let slot = self.slot(variant);
        let before = slot.load_full().map(|cached| cached.page.clone());
        let page = CachedPage::compressed(before, html);
        let cached = Arc::new(CachedPage { moment, page });
        slot.store(Some(Arc::clone(&cached)));
        cached
    }
}

/// Maximum size of all pages in a [`PageCache`], compressed and not; beyond it the oldest are evicted.
const MAX_BYTES: usize = 8 << 20;

/// Seconds after which a page is dropped when another one is inserted.
const MAX_AGE: i64 = 60;

/// Seconds by which a rendering may be newer than a request that it answers: requests that have
/// waited for the same permit share one rendering.
const MAX_WAIT: i64 = 10;

/// The latest renderings of the pages of which there are many.
#[derive(Default)]
pub(in crate::site) struct PageCache {
    pages: Mutex<HashMap<PageKey, CachedPage>>,
    #[cfg(test)]
    renderings: std::sync::atomic::AtomicUsize,
}

/// A page of which there are many.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::site) enum PageKey {
    /// The page of a source.
    Source { name: Arc<str>, variant: Variant },
    /// A page of the overview.
    Overview { query: OverviewQuery, visitor: Visitor },
    /// The page of all alerts.
    Alerts { visitor: Visitor },
    /// The page of an alert.
    Alert { name: Arc<str>, visitor: Visitor },
}

impl PageCache {
    /// The lock is held for a few steps in memory, never while a page is rendered.
    fn pages(&self) -> MutexGuard<'_, HashMap<PageKey, CachedPage>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops every rendering.
    pub(in crate::site) fn clear(&self) {
        self.pages().clear();
    }

    /// Returns the rendering of a page for this moment, or one that was made while the request waited.
    pub(in crate::site) fn get(&self, key: &PageKey, moment: Moment) -> Option<Rendered> {
        let pages = self.pages();
        let cached = pages.get(key)?;
        let is_current = cached.moment.version == moment.version
            && cached.moment.alerts == moment.alerts
            && (0..=MAX_WAIT).contains(&(cached.moment.second - moment.second));
        is_current.then(|| cached.page.clone())
    }

    /// Compresses a rendering and keeps it.
    pub(in crate::site) fn insert(&self, key: PageKey, moment: Moment, html: String) -> Rendered {
        #[cfg(test)]
        self.renderings.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let before = self.pages().get(&key).map(|cached| cached.page.clone());
        let page = CachedPage::compressed(before, html);
        let mut pages = self.pages();
        pages.retain(|_, cached| (0..MAX_AGE).contains(&(moment.second - cached.moment.second)));
        pages.insert(key, CachedPage { moment, page: page.clone() });
        let mut excess =
            pages.values().map(CachedPage::bytes).sum::<usize>().saturating_sub(MAX_BYTES);
        while excess > 0 {
            let oldest = pages.iter().min_by_key(|(_, cached)| cached.moment.second);
            let oldest = oldest.map(|(key, _)| key.clone());
            let Some(evicted) = oldest.and_then(|key| pages.remove(&key)) else { break };
            excess = excess.saturating_sub(evicted.bytes());
        }
        page
    }

    /// Returns the number of pages inserted so far.
    #[cfg(test)]
    pub(in crate::site) fn renderings(&self) -> usize {
        self.renderings.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Returns the bytes of all kept pages.
    #[cfg(test)]
    pub(in crate::site) fn bytes(&self) -> usize {
        self.pages().values().map(CachedPage::bytes).sum()
    }
}
