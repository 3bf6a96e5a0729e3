//! The table of an alert's incidents.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::alert_words::{acknowledgement, measured};
use super::view::View;
use crate::alert::{EndReason, Incident};
use crate::format::{duration, local_time};
use crate::timestamp::Rfc3339;

/// Renders incidents in the order given. `is_named` adds the names of their alerts.
pub(super) fn table<'i>(
    view: &View<'_>,
    incidents: impl Iterator<Item = &'i Incident>,
    is_named: bool,
) -> Markup {
    html! {
        div.scroll.records role="region" tabindex="0" aria-label="Table of incidents" {
            table {
                caption.unseen { "Incidents, the latest first" }
                thead {
                    tr {
                        @if is_named { th scope="col" { "Alert" } }
                        th scope="col" { "Source" }
                        th scope="col" { "Began" }
                        th scope="col" { "Lasted" }
                        th scope="col" { "Value" }
                        th scope="col" { "Acknowledged" }
                    }
                }
                tbody { @for incident in incidents { (row(view, incident, is_named)) } }
            }
        }
    }
}

fn row(view: &View<'_>, incident: &Incident, is_named: bool) -> Markup {
    let zone = view.layout.zone;
    html! {
        tr data-key=(incident.id) {
            @if is_named {
                td {
                    a href={ (view.layout.root) "alert/" (incident.subject.alert) } {
                        (incident.subject.alert)
                    }
                }
            }
            th scope="row" { (incident.title) }
            td { (moment(incident.since, zone)) }
            td { (lasted(incident)) }
            td {
                @match (measured(&incident.at_fire), measured(&incident.evidence)) {
                    (Some(first), Some(last)) if first != last => { (first) ", then " (last) }
                    (Some(value), _) | (None, Some(value)) => { (value) }
                    (None, None) => { (incident.condition) }
                }
            }
            td { (acknowledgement(incident, view.visitor.role, view.clock())) }
        }
    }
}

/// Renders a time by the clocks of the site. Times of a table are no ages.
fn moment(at: Timestamp, zone: &TimeZone) -> Markup {
    html! { time datetime=(Rfc3339(at)) { (local_time(at.as_second(), zone)) } }
}

/// Returns the length of an incident, and the reason of its end unless the condition held no more.
fn lasted(incident: &Incident) -> String {
    let Some(ended) = incident.ended else { return "fires".to_owned() };
    let length = duration(ended.at.duration_since(incident.since));
    match ended.reason {
        EndReason::Resolved => length,
        EndReason::OutsideHours => format!("{length}, to the end of its hours"),
        EndReason::Withdrawn => format!("{length}, until the rule or its source was changed"),
        EndReason::Duplicate => format!("{length}, as a duplicate of an earlier one"),
    }
}
