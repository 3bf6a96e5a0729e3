//! The OpenAPI document, rendered again only when the address of the server in it changes.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::rendered::Rendered;

/// The latest rendering of the document, with the address in it.
///
/// Workers that find it outdated at the same time each render it; none waits for another.
#[derive(Default)]
pub(super) struct DocumentCache(ArcSwapOption<(String, Rendered)>);

impl DocumentCache {
    /// Returns the document with this address, rendered by this call unless it was before.
    pub(super) fn get(&self, server: &str, render: impl FnOnce(&str) -> Rendered) -> Rendered {
        if let Some(cached) = &*self.0.load()
            && cached.0 == server
        {
            return cached.1.clone();
        }
        let rendered = render(server);
        self.0.store(Some(Arc::new((server.to_owned(), rendered.clone()))));
        rendered
    }
}
