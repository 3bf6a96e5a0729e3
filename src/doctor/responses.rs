//! Responses of the admin listener to the requests of an examination.

use crate::admin::client::{RequestError, Response};

/// Responses to the three requests.
pub(super) struct Responses {
    pub(super) health: Result<Response, RequestError>,
    pub(super) ready: Result<Response, RequestError>,
    pub(super) scoreboard: Result<Response, RequestError>,
}
