//! Secrets of channels, for redaction.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::super::kind::Login;
use super::super::secret::Secret;
use super::super::source_url::{SourceUrl, form_decoded};
use super::{Channel, ChannelKind, Ntfy, Webhook};

/// Length in bytes from which a part of a path may be a key, if it is no ordinary word.
const MIN_KEY: usize = 16;

impl Channel {
    /// Returns the secrets in its keys, as configured and as sent, which are redacted wherever they occur.
    pub fn secrets(&self) -> Vec<Secret> {
        match &self.kind {
            ChannelKind::Ntfy(Ntfy { url, topic, token }) => {
                let own = [topic.clone()].into_iter().chain(token.clone());
                own.chain(of_root(url)).collect()
            }
            ChannelKind::Webhook(Webhook { url, headers, .. }) => {
                let of_headers = headers
                    .iter()
                    .flat_map(|(_, value)| [value.clone()].into_iter().chain(value.last_word()));
                of_headers.chain(of_url(url)).collect()
            }
            ChannelKind::Smtp(keys) => keys.login.iter().flat_map(of_login).collect(),
            ChannelKind::Pushover(keys) => {
                let own = [keys.token.clone(), keys.user.clone()].into_iter();
                own.chain(of_root(&keys.url)).collect()
            }
            ChannelKind::Telegram(keys) => {
                let own = [keys.token.clone(), keys.chat.clone()].into_iter();
                own.chain(of_root(&keys.url)).collect()
            }
            ChannelKind::Discord(url)
            | ChannelKind::Slack(url)
            | ChannelKind::HomeAssistant(url) => of_capability(url),
            // Arguments may be credentials.
            ChannelKind::Exec(command) => {
                command.iter().skip(1).cloned().map(Secret::new).collect()
            }
        }
    }
}

/// Returns the secrets of a name and a password: as AUTH PLAIN (RFC 4616) and AUTH LOGIN send them, too.
fn of_login(login: &Login) -> Vec<Secret> {
    let (name, password) = (&login.username, login.password.expose());
    let plain = BASE64_STANDARD.encode(format!("\0{name}\0{password}"));
    let texts = [plain, BASE64_STANDARD.encode(password)].into_iter();
    let sent = texts.filter(|text| !text.is_empty()).map(Secret::new);
    sent.chain([login.password.clone()]).collect()
}

/// Returns the secrets in the root of a server: its path is none.
fn of_root(url: &Secret) -> Vec<Secret> {
    let is_default = |url: &SourceUrl| url.share().is_none_or(|share| share.expose().is_empty());
    match url.expose().parse::<SourceUrl>() {
        Ok(parsed) if is_default(&parsed) || !has_path(url) => Vec::new(),
        _ => of_url(url),
    }
}

fn has_path(url: &Secret) -> bool {
    let rest = url.expose().split_once("://").map_or("", |(_, rest)| rest);
    rest.trim_end_matches('/').contains('/')
}

/// Returns the secrets of a URL that is a capability: all of it, the last part of its path, and those of
/// [`of_url`].
pub(in crate::config) fn of_capability(url: &Secret) -> Vec<Secret> {
    let path = url.expose().split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit_once('/').map(|(_, last)| last);
    let last = last.filter(|last| has_path(url) && !last.is_empty()).map(str::to_owned);
    of_url(url).into_iter().chain(last.map(Secret::new)).collect()
}

/// Returns the possible secrets of a URL: all of it, the parts of its path that look like keys, and the values of its
/// query, encoded and decoded.
fn of_url(url: &Secret) -> Vec<Secret> {
    let text = url.expose();
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = path.split_once("://").unwrap_or_default();
    let parts = path.split('/').skip(1);
    let keys = parts.filter(|part| part.len() >= MIN_KEY).map(str::to_owned).map(Secret::new);
    let of_source: Vec<Secret> =
        text.parse().map(|url: SourceUrl| url.secrets().collect()).unwrap_or_default();
    let mut secrets: Vec<Secret> = vec![url.clone()];
    secrets.extend(keys);
    secrets.extend(of_source);
    let decoded: Vec<Secret> =
        secrets.iter().map(|secret| Secret::new(form_decoded(secret.expose()))).collect();
    secrets.extend(decoded);
    secrets.retain(|secret| !secret.expose().is_empty());
    let mut unique: Vec<Secret> = Vec::new();
    for secret in secrets {
        if !unique.contains(&secret) {
            unique.push(secret);
        }
    }
    unique
}
