//! Addresses of the admin listener about alerts: those of the public API, which the site answers, and those of the
//! channels.

use super::channel_test::TEST_ROUTE;
use crate::route_pattern::RoutePattern;

const ALERTS: &str = "/api/v1/alerts";

const CHANNELS: &str = "/api/v1/channels";

/// An address about alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AlertRoute<'a> {
    /// The alerts, or one of them.
    Read(RoutePattern),
    /// A command on an alert.
    Command(RoutePattern),
    /// The channels.
    Channels,
    /// The test of the channel of that name.
    Test(&'a str),
}

impl<'a> AlertRoute<'a> {
    /// Returns the address of a path.
    pub(super) fn of(path: &'a str) -> Option<AlertRoute<'a>> {
        if path == ALERTS {
            return Some(AlertRoute::Read(RoutePattern::Alerts));
        }
        if path == CHANNELS {
            return Some(AlertRoute::Channels);
        }
        let below = |parent| path.strip_prefix(parent)?.strip_prefix('/');
        if let Some(channel) = below(CHANNELS) {
            let channel = channel.strip_suffix("/test").filter(|name| is_segment(name));
            return channel.map(AlertRoute::Test);
        }
        let (alert, command) = match below(ALERTS)?.split_once('/') {
            Some((alert, command)) => (alert, Some(command)),
            None => (below(ALERTS)?, None),
        };
        let route = match command {
            None => AlertRoute::Read(RoutePattern::Alert),
            Some("acknowledge") => AlertRoute::Command(RoutePattern::Acknowledge),
            Some("silence") => AlertRoute::Command(RoutePattern::Silence),
            Some("unsilence") => AlertRoute::Command(RoutePattern::Unsilence),
            Some(_) => return None,
        };
        is_segment(alert).then_some(route)
    }

    /// Returns the pattern, for the scoreboard.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            AlertRoute::Read(pattern) | AlertRoute::Command(pattern) => pattern.as_str(),
            AlertRoute::Channels => CHANNELS,
            AlertRoute::Test(_) => TEST_ROUTE,
        }
    }
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_leads_to_its_address_and_no_other_path_to_any() {
        use RoutePattern::{Acknowledge, Alert, Alerts, Silence, Unsilence};
        for (path, expected) in [
            ("/api/v1/alerts", Some(AlertRoute::Read(Alerts))),
            ("/api/v1/alerts/tank_low", Some(AlertRoute::Read(Alert))),
            ("/api/v1/alerts/x/acknowledge", Some(AlertRoute::Command(Acknowledge))),
            ("/api/v1/alerts/x/silence", Some(AlertRoute::Command(Silence))),
            ("/api/v1/alerts/x/unsilence", Some(AlertRoute::Command(Unsilence))),
            ("/api/v1/channels", Some(AlertRoute::Channels)),
            ("/api/v1/channels/phone/test", Some(AlertRoute::Test("phone"))),
            ("/api/v1/alerts/", None),
            ("/api/v1/alertsx", None),
            ("/api/v1/alerts//silence", None),
            ("/api/v1/alerts/x/", None),
            ("/api/v1/alerts/x/silence/y", None),
            ("/api/v1/alerts/x/delete", None),
            ("/api/v1/channels/", None),
            ("/api/v1/channels/phone", None),
            ("/api/v1/channels//test", None),
            ("/api/v1/channels/a/b/test", None),
            ("/api/v1/status", None),
            ("/", None),
        ] {
            assert_eq!(AlertRoute::of(path), expected, "{path}");
        }
    }

    #[test]
    fn pattern_is_that_of_the_public_api() {
        for path in ["/api/v1/alerts/{alert}/silence", "/api/v1/channels/{channel}/test"] {
            assert_eq!(AlertRoute::of(path).unwrap().pattern(), path);
        }
    }
}
