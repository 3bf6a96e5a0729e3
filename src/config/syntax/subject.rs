//! Decides what a message about a faulty line may repeat of it.
//!
//! In a file with a fault, any text may be a secret: half of one that was wrapped, or one without its key. Only
//! keys of the configuration are repeated, and the values of those that hold no secret.

use super::super::secret::is_secret_name;
use crate::suggestion::MAX_WORD;

/// Keys of the configuration, those of all tables.
const KEYS: &[&str] = &[
    "above",
    "admin_listen",
    "alert",
    "auth",
    "backlog",
    "basic",
    "bearer",
    "below",
    "between",
    "body",
    "body_timeout",
    "ca_file",
    "capacity",
    "cert",
    "certificate",
    "changes",
    "chat",
    "check_every",
    "clear",
    "command",
    "contact",
    "cors_origins",
    "device",
    "digest",
    "drain_timeout",
    "empty_within",
    "enabled",
    "equals",
    "every",
    "failing",
    "failures_per_account",
    "failures_per_address",
    "falls",
    "field",
    "fields",
    "filter",
    "first_delay",
    "flat",
    "flush",
    "for",
    "format",
    "from",
    "full",
    "group",
    "group_wait",
    "handshake_timeout",
    "header_timeout",
    "headers",
    "heartbeat",
    "heavy_requests",
    "height",
    "history",
    "hsts",
    "interval",
    "invert_from",
    "keep_15m",
    "keep_alive",
    "keep_daily",
    "keep_raw",
    "key",
    "kind",
    "last",
    "latitude",
    "limits",
    "linger_timeout",
    "list",
    "listen",
    "log",
    "longest_delay",
    "longitude",
    "mac",
    "map",
    "max",
    "max_body_bytes",
    "max_buffered_bytes",
    "max_connections",
    "max_connections_per_address",
    "max_header_bytes",
    "max_headers",
    "max_per_hour",
    "max_step",
    "max_throttled",
    "message",
    "method",
    "min",
    "name",
    "names",
    "no_rise",
    "not_equals",
    "notify",
    "observed_at",
    "offset",
    "open",
    "outside",
    "over_time",
    "password",
    "password_hash",
    "path",
    "pointer",
    "proxy",
    "public",
    "query",
    "queue",
    "queue_timeout",
    "quiet",
    "rate_limit",
    "rate_over",
    "redirect_listen",
    "refill",
    "remember",
    "repeat",
    "replica",
    "required",
    "rises",
    "scale",
    "scopes",
    "server",
    "session",
    "severity",
    "sha256",
    "show",
    "site",
    "slow_request",
    "source",
    "spool",
    "spool_max",
    "sslmode",
    "stale",
    "stale_after",
    "station",
    "store",
    "strangers_per_second",
    "tank",
    "template",
    "timeout",
    "timezone",
    "title",
    "tls",
    "to",
    "token",
    "topic",
    "trends",
    "trusted_proxies",
    "type",
    "unit",
    "unit_label",
    "units",
    "url",
    "user",
    "username",
    "values",
    "verifications",
    "watchdog_timeout",
    "where",
    "within",
    "workers",
    "write_timeout",
];

/// Tables and keys whose contents go into requests, and may be secrets whatever their names are.
const SENT: [&str; 3] = ["query", "headers", "body"];

/// Keys whose values may be secrets although their names do not say so.
const SECRET_KEYS: [&str; 5] = ["chat", "command", "template", "topic", "user"];

/// The key of a faulty line, as far as a message may repeat it.
pub(super) struct Subject<'text> {
    key: Option<&'text str>,
    repeats_value: bool,
}

impl<'text> Subject<'text> {
    /// Returns the subject of a line with this key, in the table with this path.
    pub(super) fn new(table: &str, key: &'text str) -> Subject<'text> {
        let is_sent = |path: &str| path.split('.').any(|part| SENT.contains(&part.trim()));
        let last = key.rsplit('.').next().unwrap_or(key).trim();
        let is_secret = |key: &str| is_secret_name(key) || SECRET_KEYS.contains(&key);
        let repeats_value =
            KEYS.contains(&last) && !is_secret(last) && !is_sent(table) && !is_sent(key);
        Subject { key: Some(key).filter(|key| is_near_key(key)), repeats_value }
    }

    /// Returns true if a message may repeat the value.
    pub(super) const fn repeats_value(&self) -> bool {
        self.repeats_value
    }

    /// Returns `"title"`.
    pub(super) fn name(&self) -> String {
        self.key.map_or_else(|| "this line".to_owned(), |key| format!("\"{key}\""))
    }

    /// Returns `of "title"`.
    pub(super) fn of(&self) -> String {
        self.key.map_or_else(|| "of this line".to_owned(), |key| format!("of \"{key}\""))
    }

    /// Returns `title`, for an example of the line.
    pub(super) fn example(&self) -> &'text str {
        self.key.unwrap_or("name")
    }
}

/// Returns true if a key is one of the configuration, but for an error of typing. All parts of a dotted key
/// must be.
pub(super) fn is_near_key(key: &str) -> bool {
    key.split('.').all(|part| {
        let part = part.trim().trim_matches(['"', '\'']).to_lowercase().replace([' ', '-'], "_");
        let is_near = |part: &str| {
            // One error in four letters: a random text is not near by chance.
            let max_errors = part.chars().count() / 4;
            KEYS.iter().any(|known| strsim::osa_distance(part, known) <= max_errors)
        };
        part.len() < MAX_WORD && (is_near(&part) || part.strip_suffix("_file").is_some_and(is_near))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_example_are_known() {
        let example = include_str!("../../../examples/pumphouse.toml");
        let keys = example.lines().filter_map(|line| {
            let (key, _) = line.trim_start_matches(['#', ' ']).split_once(" = ")?;
            let is_key =
                |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            Some(key).filter(|key| is_key(key))
        });
        let unknown: Vec<&str> = keys.filter(|key| !is_near_key(key)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
