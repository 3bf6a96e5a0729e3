//! The database that replicas share: connections to it, its health, and its schema.
//!
//! ```text
//! config::Store ─► Access (target, names, TLS, health) ─┬─► Link of pw-cluster
//!                                                       ├─► Link of pw-history
//!                                                       ├─► Link of pw-alert-store
//!                                                       └─► Links of the readers of the history
//! ```
//!
//! Each thread that uses the database has a `Link` of its own, which connects when it is needed and again after an
//! error. Each call has a deadline. The outcome of every call is noted in one [`StoreHealth`]: while it says that the
//! database is away, readers that serve requests fail at once, and only the thread of the cluster tries, twice a
//! second. So a database that hangs holds up each worker once, for one deadline.
//!
//! All tables are in the schema `pumphouse`, and `schema` creates and migrates them. The statements of each part are
//! in that part.

mod access;
mod health;
mod inspection;
mod link;
pub(crate) mod schema;

pub(crate) use access::Access;
pub use health::{FaultScope, StoreFault, StoreHealth, StoreState};
pub(crate) use inspection::Inspection;
pub(crate) use link::{Link, SEARCH_PATH, is_outage};
pub(crate) use schema::{Readiness, VERSION as SCHEMA_VERSION};
