//! Sources of what the admin listener shows of the alerts.

use std::sync::Arc;

use crate::alert::AlertsHandle;
use crate::notify::{ChannelStatus, PingCounts};

/// Returns the states of the channels that carry messages of alerts, in the order of the configuration. Must not
/// block.
pub type ChannelStates = Arc<dyn Fn() -> Arc<[ChannelStatus]> + Send + Sync>;

/// Returns the other process that announces the alerts, such as `pid 42`; `None` if this one does. Must not block.
pub type AlertsHolder = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Alerts, their channels, and the dead man's switch. Cheap to clone.
#[derive(Clone)]
pub struct Alerting {
    /// The alerts.
    pub alerts: AlertsHandle,
    /// The channels.
    pub channels: ChannelStates,
    /// The other process that announces the alerts.
    pub holder: AlertsHolder,
    /// Pings of the dead man's switch.
    pub pings: Arc<PingCounts>,
}

impl Alerting {
    /// Returns the pings; `None` without `[heartbeat]`.
    pub(super) fn configured_pings(&self) -> Option<&PingCounts> {
        Some(&*self.pings).filter(|pings| pings.is_configured())
    }
}

/// A server without alerts.
impl Default for Alerting {
    fn default() -> Alerting {
        Alerting {
            alerts: AlertsHandle::default(),
            channels: Arc::new(|| [].into()),
            holder: Arc::new(|| None),
            pings: Arc::default(),
        }
    }
}
