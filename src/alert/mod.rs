//! Alerts: rules on readings, on sources and on the server itself.

mod assessment;
mod condition_text;
mod fault;
mod fingerprint;
mod incident;
mod memory;
mod monitor;
mod notice;
mod rule;
mod run;
mod sight;
mod step;
mod view;
mod window;

pub use fault::Fault;
pub use incident::{
    Acknowledgement, EndReason, Ended, Evidence, Incident, IncidentId, IncidentIdError, SubjectKey,
};
pub use monitor::{Monitor, Names, Phase, RestoreError, Transition};
pub use notice::{Notice, NoticeKey, NoticeKind};
pub use rule::Rule;
pub use sight::{FailureSight, FieldSight, ServerSight, Sight, SourceSight, TimeToEmpty};
pub use view::{AlertState, AlertView, AlertsView, MAX_RECENT, SubjectView};
pub use windows::{RecordedWindows, WindowSamples};
