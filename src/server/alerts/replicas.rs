//! The alerts of a replica: what the database reports goes to the rules, the channels and the leases.

use std::io;
use std::sync::Arc;

use super::LateStore;
#[allow(unused_imports, reason = "for the documentation")]
use crate::alert::store::StoreHandle;
use crate::alert::store::{AlertStore, Claim, Find, News, SharedSettings, SharedStore};
use crate::alert::{AlertSender, Instance, Replica};
use crate::kernel::clock::Clock;
use crate::notify::NotifierHandle;

/// Parts of a replica that the alerts need. The leases call [`StoreHandle::hold`], [`StoreHandle::release`] and
/// [`StoreHandle::lose`] as they change.
pub(in crate::server) struct Replicated {
    /// This process.
    pub(in crate::server) replica: Replica,
    /// Returns the present instance of this process.
    pub(in crate::server) instance: Box<dyn Fn() -> Instance + Send>,
    /// The database.
    pub(in crate::server) store: Box<dyn SharedStore>,
    /// Reads past incidents from it.
    pub(in crate::server) find: Find,
    /// Releases the leases on sources whose states are saved. Must not block.
    pub(in crate::server) flushed: Box<dyn Fn(Vec<Arc<str>>) + Send>,
}

/// Starts the store of a replica, and sets `late_store` to it.
///
/// # Errors
/// A thread cannot be created.
pub(super) fn start(
    replicated: Replicated,
    engine: AlertSender,
    channels: NotifierHandle,
    late_store: &LateStore,
    claim: Claim,
    clock: Clock,
) -> io::Result<AlertStore> {
    let Replicated { replica: _, instance, store, find, flushed } = replicated;
    let (names, claims) = (channels.clone(), channels.clone());
    let reporting = late_store.clone();
    let settings = SharedSettings {
        store,
        instance,
        clock,
        claim,
        channels: Box::new(move || names.channels()),
        claims: Box::new(move || claims.claims()),
        on_news: Box::new(move |news| {
            // What the rules save from now on has its place.
            let _ = reporting.wait();
            learn(news, &engine, &channels, &flushed);
        }),
    };
    let (store, handle) = AlertStore::start_shared(settings, find)?;
    // It is set once: there is one store.
    let _ = late_store.set(handle);
    Ok(store)
}

fn learn(
    news: News,
    engine: &AlertSender,
    channels: &NotifierHandle,
    flushed: &dyn Fn(Vec<Arc<str>>),
) {
    match news {
        // The rules start without the rows, and send from memory.
        News::Failed(_) => engine.unreadable(),
        News::Lost(sources) => engine.lose(sources),
        News::Followed(changes) => engine.follow(changes),
        News::Held(sources) => engine.hold(sources),
        News::Resumed(sources) => engine.resume(sources),
        News::Released(sources) => engine.release(sources),
        News::Flushed(sources) => flushed(sources),
        News::Saved(keys) => channels.saved(&keys),
        News::Taken(keys) => {
            log::info!("{} messages are those of other replicas", keys.len());
            channels.taken(&keys);
        }
        News::Adopted(notices) => {
            let notices: Vec<_> = notices.into_iter().map(Arc::new).collect();
            log::info!("{} messages that no other replica sends are taken over", notices.len());
            channels.adopt(&notices);
        }
        News::Recovered => channels.wake(),
    }
}
