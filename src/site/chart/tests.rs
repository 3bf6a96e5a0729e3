//! The cache of charts over a real file of the history.

use std::sync::Arc;
use std::task::Poll;

use jiff::SignedDuration;

use super::fixture::recorded_site;
use super::{Cached, Drawing, Range, Subject};
use crate::site::fixture::now;

#[test]
fn chart_is_drawn_once_for_the_time_of_a_pixel() {
    let recorded = recorded_site("Cistern");
    let context = &recorded.site.context;
    let snapshot = context.snapshot();
    let chart = |seconds| {
        let source = &snapshot.sources[0];
        let subject = Subject { source, field: "level", range: Range::Week };
        let at = now() + SignedDuration::from_secs(seconds);
        if let Cached::Current(outcome) = context.charts.get(&context.history, subject, at) {
            return outcome.unwrap();
        }
        let mut drawing = Drawing::new(&context.history, subject, at);
        loop {
            if let Poll::Ready(outcome) = drawing.advance(&context.charts, &context.history) {
                return outcome.unwrap();
            }
        }
    };
    let first = chart(0);
    assert!(Arc::ptr_eq(&first, &chart(30)));
    assert!(!Arc::ptr_eq(&first, &chart(7 * 24 * 3600 / 600)));
}
