//! Patterns of the public routes.
//!
//! This is the only list of routes. The router inserts each pattern into its search tree, `[auth] public`
//! contains patterns, metrics and logs label requests with them, and the OpenAPI document and the tests
//! iterate over them. The module depends on no other, because both the configuration and the site use it.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Label of requests that matched no route.
pub const NO_ROUTE: &str = "-";

/// Pattern of a public route. `{group}` matches the rest of a path, any other `{name}` one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray, IntoStaticStr, EnumString)]
pub enum RoutePattern {
    /// The dashboard.
    #[strum(serialize = "/")]
    Dashboard,
    /// The overview of one group.
    #[strum(serialize = "/group/{group}")]
    Group,
    /// The page of one source.
    #[strum(serialize = "/source/{source}")]
    SourcePage,
    /// The chart of one field, as SVG.
    #[strum(serialize = "/chart/{chart}")]
    Chart,
    /// The readings of all sources.
    #[strum(serialize = "/api/v1/status")]
    Status,
    /// The readings of all sources, as a list.
    #[strum(serialize = "/api/v1/sources")]
    Sources,
    /// The readings of one source.
    #[strum(serialize = "/api/v1/sources/{source}")]
    Source,
    /// The request to poll one source now.
    #[strum(serialize = "/api/v1/sources/{source}/poll")]
    Poll,
    /// One value.
    #[strum(serialize = "/api/v1/values/{value}")]
    Value,
    /// The recorded series of one field.
    #[strum(serialize = "/api/v1/history")]
    History,
    /// The recorded events.
    #[strum(serialize = "/api/v1/events")]
    Events,
    /// All alerts, as a page.
    #[strum(serialize = "/alerts")]
    AlertsPage,
    /// The page of one alert.
    #[strum(serialize = "/alert/{alert}")]
    AlertPage,
    /// All alerts.
    #[strum(serialize = "/api/v1/alerts")]
    Alerts,
    /// One alert and its incidents.
    #[strum(serialize = "/api/v1/alerts/{alert}")]
    Alert,
    /// The statement of a person that they know of an alert.
    #[strum(serialize = "/api/v1/alerts/{alert}/acknowledge")]
    Acknowledge,
    /// The begin of a silence.
    #[strum(serialize = "/api/v1/alerts/{alert}/silence")]
    Silence,
    /// The end of a silence.
    #[strum(serialize = "/api/v1/alerts/{alert}/unsilence")]
    Unsilence,
    /// The OpenAPI document.
    #[strum(serialize = "/openapi.json")]
    OpenApi,
    /// A minimal response that passes through all layers.
    #[strum(serialize = "/ping")]
    Ping,
    /// Liveness.
    #[strum(serialize = "/healthz")]
    Health,
    /// Readiness.
    #[strum(serialize = "/readyz")]
    Readiness,
    /// The sign-in form.
    #[strum(serialize = "/login")]
    Login,
    /// Sign-out.
    #[strum(serialize = "/logout")]
    Logout,
    /// A static file of the pages.
    #[strum(serialize = "/assets/{name}")]
    Asset,
    /// The icon.
    #[strum(serialize = "/favicon.ico")]
    Favicon,
    /// Rules for search engines.
    #[strum(serialize = "/robots.txt")]
    Robots,
}

impl RoutePattern {
    /// Returns the pattern's text.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns true for a command on an alert.
    pub fn is_alert_command(self) -> bool {
        matches!(self, RoutePattern::Acknowledge | RoutePattern::Silence | RoutePattern::Unsilence)
    }

    /// Returns the pattern in the syntax of `matchit`.
    pub fn for_router(self) -> String {
        self.as_str().replace("{group}", "{*group}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_parsed_back_from_its_text() {
        for pattern in RoutePattern::VARIANTS {
            assert_eq!(pattern.as_str().parse(), Ok(*pattern));
            assert!(pattern.as_str().starts_with('/'));
        }
        assert!("/nowhere".parse::<RoutePattern>().is_err());
    }
}
