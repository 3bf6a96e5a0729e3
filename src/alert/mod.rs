//! Alerts: rules on readings, on sources and on the server itself.

mod assessment;
mod command;
mod condition_text;
mod describe;
mod effects;
mod engine;
mod evaluator;
mod fault;
mod fingerprint;
mod handle;
mod incident;
mod memory;
mod monitor;
mod notice;
pub mod replay;
mod rule;
mod run;
mod settings;
mod shared;
mod sight;
mod step;
pub mod store;
#[cfg(test)]
pub(crate) mod test_notices;
pub mod text;
mod view;
mod window;
mod windows;

pub use command::{Command, CommandError, MAX_SILENCE};
pub use describe::{measured, without_author};
pub use effects::Effects;
pub use engine::{AlertEngine, AlertHeartbeat, AlertSender, Outputs};
pub use evaluator::{GONE_AFTER, ServerState, UNKNOWN_AFTER};
pub use fault::Fault;
pub use handle::{AlertsHandle, PastError, PastIncidents, Settle};
pub use incident::{
    Acknowledgement, EndReason, Ended, Evidence, Incident, IncidentId, IncidentIdError, SubjectKey,
};
pub use monitor::{Monitor, Names, Phase, RestoreError, Transition};
pub use notice::{Notice, NoticeKey, NoticeKind};
pub use rule::Rule;
pub use settings::{Settings, SourceFacts};
pub use shared::{Acknowledged, FollowedChanges, Instance, Replica, Silence};
pub use sight::{FailureSight, FieldSight, ServerSight, Sight, SourceSight, TimeToEmpty};
pub use view::{AlertState, AlertView, AlertsView, MAX_RECENT, SubjectView};
pub use windows::{RecordedWindows, WindowSamples};
