//! The mail of a message, with a plain and an HTML part.
//!
//! The mails of one incident are a thread: all of them refer to a mail that does not exist, whose Message-ID is made of
//! the incident's id. The Message-ID of a mail is made of the key of its message, so that it is the same one if the
//! message is sent again, by which some servers recognise it, and another one if notices have joined.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use maud::{DOCTYPE, html};

use crate::config::Smtp;
use crate::notify::context::ChannelContext;
use crate::notify::cut::{Measure, cut, cut_title};
use crate::notify::delivery::Delivery;
use crate::notify::message::{Item, Message};
use crate::text::clean;

/// Longest subject, characters.
const MAX_SUBJECT: usize = 150;

/// Longest text of a part, characters.
const MAX_TEXT: usize = 20_000;

/// Last second of the year 9999.
const MAX_SECOND: u64 = 253_402_300_799;

/// Most threads that a mail refers to.
const MAX_REFERENCES: usize = 10;

/// A mail and its sender.
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) bytes: Vec<u8>,
}

/// `Auto-Submitted: auto-generated` (RFC 3834 5), to which no machine replies.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Returns the mail of a delivery.
///
/// # Errors
/// An address of the configuration is not valid. The text is for people.
pub(super) fn mail(
    delivery: &Delivery,
    smtp: &Smtp,
    context: &ChannelContext,
    machine: &str,
) -> Result<Mail, String> {
    let message = Message::of(delivery, context);
    let host = context.site_url.as_ref().map(|url| url.host_name().to_string());
    let ids = Ids { host: id_text(host.as_deref().unwrap_or(machine)) };
    let mut from = mailbox("from", &smtp.from)?;
    if from.name.is_none() {
        from.name = Some(clean(&context.site_title).into_owned());
    }
    let to: Vec<Mailbox> =
        smtp.to.iter().map(|address| mailbox("to", address)).collect::<Result<_, _>>()?;
    let subject = match (message.is_single, message.lines.first()) {
        (true, Some(line)) => line.as_str(),
        _ => message.title.as_str(),
    };
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .subject(cut_title(&clean(subject), MAX_SUBJECT, Measure::Characters))
        .date(date(delivery.now))
        .message_id(Some(ids.of(delivery)))
        .header(AutoSubmitted);
    for mailbox in &to {
        builder = builder.to(mailbox.clone());
    }
    let threads = ids.threads(delivery);
    if let Some(first) = threads.first() {
        builder = builder.in_reply_to(first.clone()).references(threads.join(" "));
    }
    let parts =
        MultiPart::alternative_plain_html(plain(&message, context), html(&message, context));
    let built =
        builder.multipart(parts).map_err(|error| format!("cannot make the mail: {error}"))?;
    Ok(Mail { from: from.email.to_string(), bytes: built.formatted() })
}

/// Returns the time of a mail, in the years that its field can have.
fn date(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default().min(MAX_SECOND);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Returns an address of the configuration without the name, as an envelope has it.
pub(super) fn bare_address(address: &str) -> String {
    let mailbox = mailbox("to", address);
    // One that is not valid fails each mail.
    mailbox.map_or_else(|_| address.to_owned(), |mailbox| mailbox.email.to_string())
}

/// Parses an address of the configuration.
fn mailbox(key: &str, address: &str) -> Result<Mailbox, String> {
    let mailbox: Option<Mailbox> = address.parse().ok();
    // Other characters need SMTPUTF8 (RFC 6531), which few servers have.
    let mailbox = mailbox.filter(|mailbox| mailbox.email.to_string().is_ascii());
    mailbox.ok_or_else(|| {
        let address = clean(address);
        format!("\"{address}\" in \"{key}\" is not an address such as anna@tank.example")
    })
}

fn plain(message: &Message, context: &ChannelContext) -> String {
    let mut text = cut(&message.lines.join("\n"), MAX_TEXT, Measure::Characters);
    text.push('\n');
    if let Some(link) = &message.link {
        text.push_str(&format!("\n{link}\n"));
    }
    // A signature begins with this line (RFC 3676 4.3).
    text + &format!("\n-- \n{}\n", clean(&context.site_title))
}

fn html(message: &Message, context: &ChannelContext) -> String {
    let text = cut(&message.lines.join("\n"), MAX_TEXT, Measure::Characters);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (message.title) }
            }
            body {
                @for (number, line) in text.lines().enumerate() {
                    @if number == 0 { p { strong { (line) } } } @else { p { (line) } }
                }
                @if let Some(link) = &message.link {
                    p { a href=(link) { "Open the page" } }
                }
                p { (clean(&context.site_title)) }
            }
        }
    };
    markup.into_string()
}

/// Message-IDs.
struct Ids {
    /// Part behind the `@`.
    host: String,
}

impl Ids {
    /// Returns the id of a mail, which differs if its content does.
    fn of(&self, delivery: &Delivery) -> String {
        let key = id_text(&delivery.key);
        match delivery.dropped {
            0 => format!("<{key}@{}>", self.host),
            dropped => format!("<{key}.{dropped}@{}>", self.host),
        }
    }

    /// Returns the ids of the threads of the incidents.
    fn threads(&self, delivery: &Delivery) -> Vec<String> {
        let id = |item: &Item<'_>| {
            let key = &item.notice.key;
            format!("<incident-{}.{}@{}>", key.incident, id_text(&key.channel), self.host)
        };
        Item::of(delivery).iter().take(MAX_REFERENCES).map(id).collect()
    }
}

/// Returns a text with the characters alone that a Message-ID may have everywhere.
fn id_text(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text: String = text.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    // A dot at an end, and two in a row, are not allowed (RFC 5322 3.2.3).
    let parts: Vec<&str> = text.split('.').filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => "pumphouse".to_owned(),
        false => parts.join("."),
    }
}

#[cfg(test)]
mod tests;
