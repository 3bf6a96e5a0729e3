//! Services that push messages to phones: `ntfy`, `pushover`, `telegram`.

use super::super::secret::Secret;
use super::super::section::Section;
use super::endpoint::{RootPath, note_inline, root_or};
use super::{Ntfy, Pushover, Telegram};

const NTFY: &str = "https://ntfy.sh";
const PUSHOVER: &str = "https://api.pushover.net";
const TELEGRAM: &str = "https://api.telegram.org";

/// Longest topic of ntfy (`^[-_A-Za-z0-9]{1,64}$` in its server).
const MAX_TOPIC: usize = 64;

pub(super) fn ntfy(section: &mut Section<'_, '_>) -> Option<Ntfy> {
    let url = root_or(section, NTFY, RootPath::None);
    note_inline(section, "topic");
    let topic = checked(section, "topic", "1 to 64 letters, digits, \"_\" and \"-\"", |topic| {
        topic.len() <= MAX_TOPIC && topic.bytes().all(|byte| is_plain(byte, b"_-"))
    });
    let topic = section.require("topic", topic);
    let problems = section.problem_count();
    let token = checked(section, "token", "visible ASCII characters without blanks", |token| {
        token.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let is_valid = section.problem_count() == problems;
    (is_valid).then_some(Ntfy { url: url?, topic: topic?, token })
}

pub(super) fn pushover(section: &mut Section<'_, '_>) -> Option<Pushover> {
    let url = root_or(section, PUSHOVER, RootPath::Any);
    let is_key = |key: &str| key.bytes().all(|byte| is_plain(byte, b""));
    let token = checked(section, "token", "the application's key of letters and digits", is_key);
    let token = section.require("token", token);
    note_inline(section, "user");
    let user = checked(section, "user", "the user's or group's key of letters and digits", is_key);
    let user = section.require("user", user);
    Some(Pushover { url: url?, token: token?, user: user? })
}

pub(super) fn telegram(section: &mut Section<'_, '_>) -> Option<Telegram> {
    let url = root_or(section, TELEGRAM, RootPath::Any);
    // It is a part of the path of requests.
    let token =
        checked(section, "token", "the token of a bot, such as \"123456:ABC…\"", |token| {
            token.bytes().all(|byte| is_plain(byte, b":_-"))
        });
    let token = section.require("token", token);
    section.text_of_integer("chat");
    let chat = checked(section, "chat", "a chat's number, or a channel's \"@name\"", |chat| {
        let digits = chat.strip_prefix('-').unwrap_or(chat);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let name = chat.strip_prefix('@').unwrap_or_default();
        is_number || !name.is_empty() && name.bytes().all(|byte| is_plain(byte, b"_"))
    });
    let chat = section.require("chat", chat);
    Some(Telegram { url: url?, token: token?, chat: chat? })
}

fn is_plain(byte: u8, others: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || others.contains(&byte)
}

/// Reads a secret of a form that `expected` describes. The error does not repeat it.
fn checked(
    section: &mut Section<'_, '_>,
    key: &str,
    expected: &str,
    is_valid: impl Fn(&str) -> bool,
) -> Option<Secret> {
    let span = section.span_of(key).or(section.span_of(&format!("{key}_file"))).unwrap_or_default();
    let secret = section.secret(key)?;
    if is_valid(secret.expose()) {
        return Some(secret);
    }
    section.report(span, format_args!("\"{key}\" must be {expected}"));
    None
}
