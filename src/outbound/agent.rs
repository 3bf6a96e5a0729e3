//! The settings that every HTTP client of this program shares.

use std::time::Duration;

use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::Connector;
use ureq::{Agent, Proxy};

/// Longest response head, bytes.
const MAX_HEAD: usize = 32 * 1024;

/// Size of the input and of the output buffer of a connection, bytes. It exceeds [`MAX_HEAD`], as a
/// head must fit in whole before it can be found too large.
const BUFFER: usize = 2 * MAX_HEAD;

/// Returns an HTTP client whose exchanges take no longer than `timeout`, from the lookup of the name
/// to the last byte of the body.
///
/// It follows no redirect, returns responses of every status, uses no proxy but the one given, and
/// keeps no connection, since the next request is seconds or minutes away.
pub(crate) fn agent(
    timeout: Duration,
    user_agent: &str,
    proxy: Option<Proxy>,
    connector: impl Connector,
    resolver: impl Resolver,
) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(proxy)
        .max_response_header_size(MAX_HEAD)
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_idle_connections(0)
        .user_agent(user_agent)
        .build();
    Agent::with_parts(config, connector, resolver)
}
