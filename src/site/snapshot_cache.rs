//! A body that is rendered once for each snapshot.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::problem::Problem;
use crate::board::{Rendered, Snapshot};

/// A body rendered from the latest snapshot, shared by all requests until the next one.
///
/// Requests that find it out of date at the same time each render it; none waits for another.
#[derive(Default)]
pub(super) struct SnapshotCache(ArcSwapOption<(u64, Rendered)>);

impl SnapshotCache {
    /// Returns the body of this snapshot, and renders it first if the cache holds another's.
    pub(super) fn get_or_render(
        &self,
        snapshot: &Snapshot,
        render: impl FnOnce() -> Result<Rendered, Problem>,
    ) -> Result<Rendered, Problem> {
        match &*self.0.load() {
            Some(cached) if cached.0 == snapshot.version => Ok(cached.1.clone()),
            _ => {
                let rendered = render()?;
                self.0.store(Some(Arc::new((snapshot.version, rendered.clone()))));
                Ok(rendered)
            }
        }
    }
}
