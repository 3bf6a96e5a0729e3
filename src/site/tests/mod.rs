//! The site as a whole, from a request to its response.

mod access;
mod alert_guests;
mod alerts;
mod caching;
mod cross_origin;
mod fleet;
mod health;
mod links;
mod observation;
mod polls;
mod problems;
mod replicas;
mod routing;
mod status;
mod values;

use serde_json::Value as Json;

use super::fixture::text;
use crate::engine::Response;

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn parsed(response: &Response) -> Json {
    serde_json::from_str(text(response)).unwrap()
}
