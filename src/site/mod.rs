//! The public site: pages, the JSON API, assets.
//!
//! [`Site`] is the [`Service`](crate::engine::Service) behind the engine. Current readings come
//! from the latest snapshot, in memory, and never block. History comes from SQLite: requests that
//! read it are expensive, and run piece by piece under the engine's concurrency limits.
//!
//! A request passes through `service`, `router`, a handler and `finish`:
//!
//! ```text
//! Service::call ─► Gate: host, access ─► Router ─► handler ─┬─ Content ─────────────► finish ─► Response
//!                                                           └─ work, piece by piece ─────▲
//! ```
//!
//! Layers, from the top. A file imports only from layers below its own, or from its own.
//!
//! | layer | files |
//! | --- | --- |
//! | services | `service` (the site), `redirect` (plain listeners beside TLS) |
//! | last step of a response | `finish` |
//! | routing | `router`, `routes` (the table) |
//! | handlers | `alert_pages`, `pages` (and `page_charts`), `picture`, `status`, `values`, `history`, `events`, `alerts`, `alert_command`, `poll`, `health`, `login`, `assets`, `openapi` |
//! | handler interface | `answer` (handlers and their results), `exchange`, `context` (their arguments) |
//! | caches and views | `page` (HTML), `chart` (SVG), `asset_files`, `document_cache`, `snapshot_cache`, `series`, `export`, `shell`, `sources`, `freshness`, `request_log`, `alert_json` |
//! | requests and results | `content`, `query`, `history_query`, `history_problem`, `target`, `cors`, `denial`, `conditional`, `next`, `negotiate`, `request_id`, `problem`, `methods`, `media_type`, `observer` |

mod alert_command;
mod alert_json;
mod alert_pages;
mod alerts;
mod answer;
mod asset_files;
mod assets;
mod chart;
mod conditional;
mod content;
mod context;
mod cors;
mod denial;
mod document_cache;
mod events;
mod exchange;
mod export;
mod finish;

mod freshness;
mod health;
mod history;
mod history_problem;
mod history_query;
mod login;
mod media_type;
mod methods;
mod negotiate;
mod next;
mod observer;
mod openapi;
mod overview;
mod page;
mod page_charts;
mod pages;
mod picture;
mod poll;
mod problem;
mod query;
mod ranking;
mod redirect;
mod rendered;
mod request_id;
mod request_log;
mod router;
mod routes;
mod series;
mod service;
mod shell;
mod source_filter;
mod source_json;
mod sources;
mod status;
mod target;
mod values;

#[cfg(test)]
mod alert_fixture;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use self::context::{
    CertificateReader, CertificateState, ChannelReader, PollRequester, Settings, SnapshotReader,
    StoreOutage, StoreReader,
};
pub use self::export::{ExportError, export};
pub use self::finish::problem;
pub(crate) use self::methods::is_known;
pub use self::observer::RequestObserver;
pub use self::redirect::Redirect;
pub use self::series::Format;
pub use self::service::{Site, SiteService};
