//! Alerts: rules on readings, on sources and on the server itself.

mod incident;
mod notice;
pub mod text;
mod view;

pub use incident::{
    Acknowledgement, EndReason, Ended, Evidence, Incident, IncidentId, IncidentIdError, SubjectKey,
};
pub use notice::{Notice, NoticeKey, NoticeKind};
pub use view::{AlertState, AlertView, AlertsView, MAX_RECENT, SubjectView};
