//! The pages: the dashboard, one for each source, and the small one that tells of an error.
//!
//! A page is rendered for a moment, since it tells ages in words, and kept for that
//! second, so that a flood of visitors costs copies of a handle.

mod cache;
mod card;
mod dashboard;
mod drawing;
mod error;
mod events;
mod figure;
mod icon;
mod layout;
mod plot;
mod sign_in;
mod source;
mod source_card;
mod state;
mod tank;
mod trend;
mod view;
mod weather;

pub(super) use self::cache::{PageCache, SourcePages};
pub(super) use self::dashboard::dashboard;
pub(super) use self::error::error;
pub(super) use self::figure::{grouped, label, short, symbol};
pub(super) use self::sign_in::{Form, Notice, sign_in};
pub(super) use self::source::source;

#[cfg(test)]
mod tests;
