//! Alerts: rules on readings, on sources and on the server itself.

mod command;
mod effects;
mod handle;
mod incident;
mod notice;
mod settings;
mod view;

pub use command::{Command, CommandError, MAX_SILENCE};
pub use effects::{Effects, Loaded, SavedState};
pub use handle::{AlertsHandle, PastError, PastIncidents};
pub use incident::{
    Acknowledgement, EndReason, Ended, Evidence, Incident, IncidentId, IncidentIdError, SubjectKey,
};
pub use notice::{Notice, NoticeKey, NoticeKind};
pub use settings::{Settings, SourceFacts};
pub use view::{AlertState, AlertView, AlertsView, MAX_RECENT, SubjectView};
