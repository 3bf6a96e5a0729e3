//! The table of routes: for each pattern its methods, the access that it requires, and its handler.

use super::answer::Handler::{self, Form, Heavy, Light};
use super::login::LOGIN_BODY_LIMIT;
use super::methods::Methods::{self, Post, Read};
use super::{
    alert_command, alert_pages, alerts, assets, events, health, history, login, openapi, overview,
    pages, picture, poll, status, values,
};
use crate::access::{RouteAccess, Scope};
use crate::engine::Lane::{Bulk, Interactive};
use crate::route_pattern::RoutePattern;

/// A route of the table.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// Methods that it allows.
    pub(super) methods: Methods,
    /// Access that it requires while access is restricted.
    pub(super) access: RouteAccess,
    /// Its handler.
    pub(super) handler: Handler,
}

const READ: RouteAccess = RouteAccess::Scope(Scope::Read);
const POLL: RouteAccess = RouteAccess::Scope(Scope::Poll);
const ALERT: RouteAccess = RouteAccess::Scope(Scope::Alert);
const OPEN: RouteAccess = RouteAccess::Open;

/// Returns the route of a pattern.
pub(super) fn route(pattern: RoutePattern) -> Route {
    let (methods, access, handler) = match pattern {
        RoutePattern::Dashboard => (Read, READ, Heavy(Interactive, pages::root)),
        RoutePattern::Group => (Read, READ, Heavy(Interactive, overview::group)),
        RoutePattern::SourcePage => (Read, READ, Heavy(Interactive, pages::source)),
        RoutePattern::Chart => (Read, READ, Heavy(Interactive, picture::picture)),
        RoutePattern::Status => (Read, READ, Heavy(Bulk, status::status)),
        RoutePattern::Sources => (Read, READ, Heavy(Bulk, status::sources)),
        RoutePattern::Source => (Read, READ, Light(status::source)),
        RoutePattern::Poll => (Post, POLL, Light(poll::poll)),
        RoutePattern::Value => (Read, READ, Light(values::value)),
        RoutePattern::History => (Read, READ, Heavy(Bulk, history::history)),
        RoutePattern::Events => (Read, READ, Heavy(Bulk, events::events)),
        RoutePattern::AlertsPage => (Read, READ, Heavy(Interactive, alert_pages::all)),
        RoutePattern::AlertPage => (Read, READ, Heavy(Interactive, alert_pages::one)),
        RoutePattern::Alerts => (Read, READ, Heavy(Bulk, alerts::list)),
        RoutePattern::Alert => (Read, READ, Heavy(Bulk, alerts::alert)),
        RoutePattern::Acknowledge => (Post, ALERT, Heavy(Interactive, alert_command::acknowledge)),
        RoutePattern::Silence => (Post, ALERT, Heavy(Interactive, alert_command::silence)),
        RoutePattern::Unsilence => (Post, ALERT, Heavy(Interactive, alert_command::unsilence)),
        RoutePattern::OpenApi => (Read, READ, Light(openapi::openapi)),
        RoutePattern::Ping => (Read, READ, Light(health::ping)),
        RoutePattern::Health => (Read, READ, Light(health::healthz)),
        RoutePattern::Readiness => (Read, READ, Light(health::readyz)),
        RoutePattern::Login => (Methods::Form, OPEN, Form(LOGIN_BODY_LIMIT, login::login)),
        RoutePattern::Logout => (Post, OPEN, Light(login::logout)),
        RoutePattern::Asset => (Read, OPEN, Light(assets::asset)),
        RoutePattern::Favicon => (Read, OPEN, Light(assets::favicon)),
        RoutePattern::Robots => (Read, OPEN, Light(assets::robots)),
    };
    Route { methods, access, handler }
}
