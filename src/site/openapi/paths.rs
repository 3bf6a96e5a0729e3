//! All paths of the document, one or two for each route pattern.

use serde_json::{Map, Value as Json};
use strum::VariantArray as _;

use super::operation::Read;
use super::{alerts, current, pages, recorded, sign_in};
use crate::route_pattern::RoutePattern;

/// `paths`
pub(super) fn paths() -> Json {
    let items = RoutePattern::VARIANTS.iter().flat_map(|pattern| path_items(*pattern));
    items.collect::<Map<String, Json>>().into()
}

/// Returns the paths of a route, with their operations. The router matches a whole segment where
/// the document names its parts.
fn path_items(pattern: RoutePattern) -> Vec<(String, Json)> {
    let path = pattern.as_str();
    let read = |read: Read| vec![(path.to_owned(), read.item(path))];
    let parts = |path: &str, read: Read| (path.to_owned(), read.item(path));
    match pattern {
        RoutePattern::Dashboard => read(pages::dashboard()),
        RoutePattern::Group => read(pages::group()),
        RoutePattern::SourcePage => read(pages::source_page()),
        RoutePattern::Chart => vec![parts("/chart/{source}.{field}.svg", pages::chart())],
        RoutePattern::Status => read(current::status()),
        RoutePattern::Sources => read(current::sources()),
        RoutePattern::Source => read(current::source()),
        RoutePattern::Poll => vec![(path.to_owned(), current::poll(path))],
        RoutePattern::Value => vec![
            parts("/api/v1/values/{source}.{field}", current::value()),
            parts("/api/v1/values/{source}.{field}.txt", current::bare_value()),
        ],
        RoutePattern::History => read(recorded::history()),
        RoutePattern::Events => read(recorded::events()),
        RoutePattern::AlertsPage => read(pages::alerts()),
        RoutePattern::AlertPage => read(pages::alert()),
        RoutePattern::Alerts => read(alerts::list()),
        RoutePattern::Alert => read(alerts::alert()),
        RoutePattern::Acknowledge => vec![(path.to_owned(), alerts::acknowledge(path))],
        RoutePattern::Silence => vec![(path.to_owned(), alerts::silence(path))],
        RoutePattern::Unsilence => vec![(path.to_owned(), alerts::unsilence(path))],
        RoutePattern::OpenApi => read(pages::openapi()),
        RoutePattern::Ping => read(pages::ping()),
        RoutePattern::Health => read(pages::health()),
        RoutePattern::Readiness => read(pages::readiness()),
        RoutePattern::Login => vec![(path.to_owned(), sign_in::login(path))],
        RoutePattern::Logout => vec![(path.to_owned(), sign_in::logout(path))],
        RoutePattern::Asset => read(pages::asset()),
        RoutePattern::Favicon => read(pages::favicon()),
        RoutePattern::Robots => read(pages::robots()),
    }
}
