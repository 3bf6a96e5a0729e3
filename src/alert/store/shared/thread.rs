//! The thread `pw-alert-store` with a database: exchanges what waits for what other replicas have written.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::claim::{Claim, Claims};
use super::{Exchange, Exchanged, SharedStore, SharedStoreError};
use crate::alert::store::handle::Shared;
use crate::alert::store::health::StoreFault;
use crate::alert::store::pending::Pending;
use crate::alert::{FollowedChanges, Instance, Notice, NoticeKey};
use crate::history::FaultKind;
use crate::kernel::clock::Clock;
use crate::logging::OnChange;
use crate::threads::StopToken;
use crate::wall_clock;

/// Time from one exchange to the next, while nothing is to be written.
pub const TICK: Duration = Duration::from_millis(500);

/// Time from one look at a database that starts to the next.
const START_CHECK: Duration = Duration::from_millis(50);

/// Interval at which an outage that lasts is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Time from an exchange that has failed to the next.
const RETRY: Duration = Duration::from_secs(1);

/// Time by which a claim ends before the database lets another replica have the notices: the clocks run differently.
const CLAIM_MARGIN: Duration = Duration::from_millis(500);

/// Time after which all rows are read again, whatever is known of them. The database looks for new rows among those of
/// twice this time.
const READ_ALL_INTERVAL: Duration = Duration::from_secs(300);

/// Reports of the store, in this order after an exchange. The receiver must not block.
#[derive(Debug)]
pub enum News {
    /// The database cannot be reached, for this reason. Changes stay in memory.
    Failed(Arc<str>),
    /// Leases of these sources are not those of this process any more. The states of the new holders follow.
    Lost(Vec<Arc<str>>),
    /// Rows of other replicas; the first ones are all rows.
    Followed(FollowedChanges),
    /// These sources are to be held, by leases of these epochs. Their rows were followed.
    Held(Vec<(Arc<str>, i64)>),
    /// These sources are to be held, although the database is away: their rows are those that are followed next.
    Resumed(Vec<(Arc<str>, i64)>),
    /// These sources are to be released.
    Released(Vec<Arc<str>>),
    /// All changes of these sources are written, after they were released: their leases can be released.
    Flushed(Vec<Arc<str>>),
    /// Notices that are in the database now.
    Saved(Vec<NoticeKey>),
    /// Notices that another replica claims, or has sent.
    Taken(Vec<NoticeKey>),
    /// Notices that no other replica sends. This process does.
    Adopted(Vec<Notice>),
    /// The database answers again, and the claim on notices is valid: channels may send them.
    Recovered,
}

/// Parts that the thread works with.
pub struct SharedSettings {
    /// The database.
    pub store: Box<dyn SharedStore>,
    /// Returns the instance of this process, which is another one after the database has forgotten the former.
    pub instance: Box<dyn Fn() -> Instance + Send>,
    /// Clocks of this machine.
    pub clock: Clock,
    /// Claim on the notices, which channels read.
    pub claim: Claim,
    /// Returns the names of the channels of this process.
    pub channels: Box<dyn Fn() -> Vec<Arc<str>> + Send>,
    /// Returns the notices that channels have. Those that they had before are done, and the store has got that.
    pub claims: Box<dyn Fn() -> Claims + Send>,
    /// Receives what the store reports.
    pub on_news: Box<dyn FnMut(News) + Send>,
}

/// Change of the sources that this process holds.
#[derive(Debug)]
pub(in crate::alert::store) enum TenureChange {
    Hold(Arc<str>, i64),
    Release(Arc<str>),
    Lose(Arc<str>),
}

/// State of the thread.
pub(in crate::alert) struct SharedThread {
    shared: Arc<Shared>,
    woken: Receiver<()>,
    settings: SharedSettings,
    /// Versions up to which the rows of other instances are known; `None`: all rows are to be read.
    known: Option<BTreeMap<Instance, i64>>,
    /// Time since boot at which all rows are read again.
    read_all_at: Duration,
    version: i64,
    /// Instance of the latest exchange.
    instance: Option<Instance>,
    /// Sources whose rows are to be read before they are held.
    to_hold: BTreeMap<Arc<str>, i64>,
    /// True while the claims are in doubt.
    is_uncertain: bool,
    /// Server with which the claims were compared.
    server: Option<i64>,
    /// That exchanges fail; the reasons of one outage alternate.
    failure: OnChange<()>,
}

impl SharedThread {
    pub(in crate::alert::store) fn new(
        shared: Arc<Shared>,
        woken: Receiver<()>,
        settings: SharedSettings,
    ) -> SharedThread {
        SharedThread {
            shared,
            woken,
            settings,
            known: None,
            read_all_at: Duration::ZERO,
            version: 0,
            instance: None,
            to_hold: BTreeMap::new(),
            is_uncertain: false,
            server: None,
            failure: OnChange::repeating(LOG_INTERVAL),
        }
    }

    pub(in crate::alert::store) fn run(mut self, stop: &StopToken) {
        loop {
            // At a start, the rules wait for the rows that the first exchange reads.
            let is_starting = self.settings.store.is_starting();
            let is_well = !is_starting && self.turn();
            let wait = match is_starting {
                true => START_CHECK,
                false if is_well => TICK,
                false => RETRY,
            };
            let no_news = crossbeam_channel::never();
            // A database that is away is not asked for each change.
            let woken = if is_well { &self.woken } else { &no_news };
            select! {
                recv(stop) -> _ => break,
                recv(woken) -> _ => {}
                default(wait) => {}
            }
        }
        if self.shared.count() > 0 {
            self.turn();
        }
        self.shared.end("in the database");
    }

    /// Does one exchange. Returns false if it has failed.
    pub(in crate::alert) fn turn(&mut self) -> bool {
        self.change_tenure();
        // By the clock that counts a suspend, too.
        let begun = self.settings.clock.now().boot;
        if begun >= self.read_all_at {
            self.known = None;
        }
        let instance = (self.settings.instance)();
        let before = self.instance.replace(instance);
        let has_changed = before.is_some_and(|before| before != instance);
        let has_lapsed = self.settings.claim.end().is_some_and(|end| begun >= end);
        self.is_uncertain |= has_changed || has_lapsed;
        // Before the changes: a notice that is done meanwhile is in both, and not in neither.
        let claims = self.is_uncertain.then(|| (self.settings.claims)());
        let pending = self.shared.take().unwrap_or_default();
        let exchange = Exchange {
            pending: &pending,
            instance,
            version: self.version + 1,
            known: self.known.as_ref(),
            channels: &(self.settings.channels)(),
            claims: claims.as_ref(),
        };
        // A version that may have been used is not used again.
        self.version += 1;
        match self.settings.store.exchange(&exchange) {
            Ok(exchanged) => {
                self.succeed(&pending, exchanged, claims, begun);
                true
            }
            Err(error) => {
                self.fail(pending, &error);
                false
            }
        }
    }

    /// Applies the changes of the tenure that wait.
    fn change_tenure(&mut self) {
        for change in self.shared.take_tenure() {
            match change {
                TenureChange::Hold(source, epoch) => drop(self.to_hold.insert(source, epoch)),
                TenureChange::Release(source) => {
                    self.to_hold.remove(&source);
                    (self.settings.on_news)(News::Released(vec![source]));
                }
                TenureChange::Lose(source) => {
                    self.to_hold.remove(&source);
                    self.lose(vec![source]);
                }
            }
        }
    }

    /// Forgets what waits of sources that another replica has, and reads their rows.
    fn lose(&mut self, sources: Vec<Arc<str>>) {
        self.shared.forget(&sources);
        self.known = None;
        (self.settings.on_news)(News::Lost(sources));
    }

    fn succeed(
        &mut self,
        pending: &Pending,
        mut exchanged: Exchanged,
        claims: Option<Claims>,
        begun: Duration,
    ) {
        let is_compared = claims.is_some();
        let is_other = self.compare(&mut exchanged, claims);
        let Exchanged { followed, versions, refused, taken, adopted, ends_in, .. } = exchanged;
        self.shared.written();
        self.shared.set_open(true);
        self.shared.clear_error();
        if self.failure.clear() {
            log::info!("the alerts are saved in the database again");
        }
        if self.known.is_none() {
            self.read_all_at = begun + READ_ALL_INTERVAL;
        }
        self.known.get_or_insert_default().extend(versions);
        if is_other && !followed.is_all {
            self.known = None;
        }
        // One that was lost and taken again meanwhile is held once its rows were read by the next exchange.
        let (again, to_hold) = std::mem::take(&mut self.to_hold)
            .into_iter()
            .partition::<Vec<_>, _>(|(source, _)| refused.contains(source));
        self.to_hold.extend(again);
        let saved: Vec<NoticeKey> =
            pending.saved_notices().into_iter().filter(|key| !taken.contains(key)).collect();
        let flushed: Vec<Arc<str>> = pending.shared.released.iter().cloned().collect();
        if !refused.is_empty() {
            self.lose(refused);
        }
        let news = [
            (!followed.is_empty()).then_some(News::Followed(followed)),
            (!to_hold.is_empty()).then_some(News::Held(to_hold)),
            (!flushed.is_empty()).then_some(News::Flushed(flushed)),
            (!taken.is_empty()).then_some(News::Taken(taken)),
            (!saved.is_empty()).then_some(News::Saved(saved)),
            (!adopted.is_empty()).then_some(News::Adopted(adopted)),
        ];
        news.into_iter().flatten().for_each(&mut self.settings.on_news);
        // After channels know which notices are not theirs any more.
        let Some(ends_in) = ends_in else {
            // Another replica may adopt the rest at any time.
            return self.settings.claim.end_by(begun);
        };
        if self.is_uncertain {
            return;
        }
        self.settings.claim.extend(begun + ends_in.saturating_sub(CLAIM_MARGIN));
        if is_compared {
            (self.settings.on_news)(News::Recovered);
        }
    }

    /// Decides on claims that have no row, and whether the next exchange is in doubt. Returns true if the server is
    /// another one than before, which may lack what that had acknowledged.
    fn compare(&mut self, exchanged: &mut Exchanged, claims: Option<Claims>) -> bool {
        let is_other = self.server.is_some_and(|server| server != exchanged.server);
        let Some(claims) = claims else {
            self.is_uncertain = exchanged.is_repeated || is_other;
            self.server.get_or_insert(exchanged.server);
            return is_other;
        };
        self.is_uncertain = false;
        self.server = Some(exchanged.server);
        let missing = std::mem::take(&mut exchanged.missing);
        if !is_other || missing.is_empty() {
            exchanged.taken.extend(missing);
            return is_other;
        }
        log::warn!(
            "the server of the database is another one, and has lost {} messages; they are saved again",
            missing.len()
        );
        let missing: HashSet<NoticeKey> = missing.into_iter().collect();
        let lost = claims.saved.into_iter().filter(|notice| missing.contains(&notice.key));
        self.shared.reclaim(lost.collect());
        is_other
    }

    fn fail(&mut self, pending: Pending, error: &SharedStoreError) {
        self.shared.put_back(pending);
        self.shared.set_open(false);
        self.known = None;
        self.is_uncertain = true;
        let message: Arc<str> = format!(
            "the alerts cannot be saved in the database: {error}; messages are sent from memory"
        )
        .into();
        self.shared.set_error(StoreFault {
            since: wall_clock::now(),
            kind: FaultKind::Other,
            message: Arc::clone(&message),
        });
        let begins = !self.failure.is_set();
        if self.failure.set(()) {
            log::error!("{message}");
        }
        if begins {
            (self.settings.on_news)(News::Failed(message));
        }
        // The rules begin without the rows.
        let to_hold = std::mem::take(&mut self.to_hold);
        if !to_hold.is_empty() {
            (self.settings.on_news)(News::Resumed(to_hold.into_iter().collect()));
        }
    }
}

/// Returns a store whose thread does not run, for tests: they do its turns.
#[cfg(test)]
pub(in crate::alert) fn detached(
    settings: SharedSettings,
) -> (SharedThread, crate::alert::store::StoreHandle) {
    let find = Box::new(|_: &str, _, _| Ok(Vec::new()));
    let (handle, woken, _) = crate::alert::store::StoreHandle::new("".into(), find);
    (SharedThread::new(Arc::clone(&handle.shared), woken, settings), handle)
}
