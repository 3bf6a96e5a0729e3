//! Buttons by which visitors answer alerts.
//!
//! They are forms, which work without scripts. `script.js` sends them itself, and stays on the page.

use maud::{Markup, html};

use super::view::View;
use crate::access::Role;
use crate::access::percent::percent_encoded;
use crate::alert::AlertView;

/// Lengths of a silence beside an alert, by their names in the API.
pub(super) const SHORT: [(&str, &str); 1] = [("8h", "8 hours")];

/// Lengths of a silence on the page of an alert.
pub(super) const ALL: [(&str, &str); 4] =
    [("1h", "1 hour"), ("8h", "8 hours"), ("1d", "1 day"), ("7d", "7 days")];

/// Subject of the buttons.
pub(super) struct Answerable<'a> {
    pub(super) alert: &'a AlertView,
    /// Source whose incident is acknowledged; `None`: all of the alert.
    pub(super) source: Option<&'a str>,
    /// True if there is something to acknowledge.
    pub(super) is_open: bool,
    /// Name of the subject for screen readers, which meet several buttons of the same name.
    pub(super) about: &'a str,
    /// Lengths of a silence; empty: no button to silence it.
    pub(super) lengths: &'a [(&'a str, &'a str)],
}

/// Renders the buttons that apply; none for a visitor without the scope.
pub(super) fn answers(view: &View<'_>, subject: &Answerable<'_>) -> Markup {
    let Answerable { alert, source, is_open, about, lengths } = *subject;
    let next = percent_encoded(view.path);
    let base = format!("{}api/v1/alerts/{}", view.layout.root, alert.name);
    let mut buttons = Vec::new();
    if is_open {
        let source = source.map_or_else(String::new, |source| format!("source={source}&"));
        let action = format!("{base}/acknowledge?{source}next={next}");
        buttons.push((action, "Acknowledge".to_owned()));
    }
    if !lengths.is_empty() && alert.silenced_until.is_some() {
        buttons.push((format!("{base}/unsilence?next={next}"), "End the silence".to_owned()));
    } else {
        buttons.extend(lengths.iter().map(|(length, words)| {
            (format!("{base}/silence?for={length}&next={next}"), format!("Silence for {words}"))
        }));
    }
    html! {
        @if view.visitor.role == Role::Responder && let Some((first, _)) = buttons.first() {
            form.answers method="post" action=(first) {
                @for (action, words) in &buttons {
                    button type="submit" formaction=(action) {
                        (words) span.unseen { ": " (about) }
                    }
                }
            }
        }
    }
}
