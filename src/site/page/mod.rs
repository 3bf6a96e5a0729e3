//! Renders HTML: the dashboard, a page for each source, the sign-in form and the page of an error.
//!
//! Nothing here depends on a request: a handler collects a [`View`] or a [`Layout`] and gets a
//! string. A page is rendered for one second, because it contains ages, and [`DashboardCache`] and
//! [`PageCache`] share that rendering between visitors.
//!
//! Texts of ages change once a minute at most, and the entity tag is a digest of the page's bytes. So
//! `script.js`, which fetches the page again every few seconds with `If-None-Match`, mostly gets a
//! 304; otherwise it replaces the elements of `<main>` that differ. All pages are rendered on the server.
//!
//! ```text
//! dashboard, overview, source, alert_list, alert, sign_in, error   pages, on a layout
//!   └── grid                               widths of the cards
//!   └── source_card                        selects a card: tank, weather (sky, wind) or card (any kind)
//!         └── status, trend, amount        parts of cards
//!               └── time, icon             parts of these
//!   └── charts, events, notice             parts between cards
//!   └── firing, incidents                  alerts
//!         └── answers, alert_words         buttons and texts of these
//! ```
//! Pages contain no inline style and no inline script, so that the Content-Security-Policy can
//! forbid both. Texts of upstreams are escaped by maud.

mod alert;
mod alert_list;
mod alert_words;
mod amount;
mod answers;
mod cache;
mod card;
mod charts;
mod dashboard;
mod error;
mod events;
mod firing;
mod grid;
mod icon;
mod incidents;
mod layout;
mod notice;
mod number;
mod overview;
mod sign_in;
mod sky;
mod source;
mod source_card;
mod status;
mod tank;
mod time;
mod trend;
mod view;
mod weather;
mod wind;

pub(super) use self::alert::{AlertPage, alert_page};
pub(super) use self::alert_list::alert_list;
pub(super) use self::cache::{DashboardCache, Moment, PageCache, PageKey, Variant, Visitor};
pub(super) use self::charts::{chart_fields, leading_field};
pub(super) use self::dashboard::dashboard;
pub(super) use self::error::error_page;
pub(super) use self::layout::Layout;
pub(super) use self::overview::overview;
pub(super) use self::sign_in::{Form, Notice, sign_in};
pub(super) use self::source::source_page;
pub(super) use self::view::View;

#[cfg(test)]
mod tests;
