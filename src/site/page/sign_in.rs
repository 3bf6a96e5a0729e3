//! The page on which browsers sign in.

use maud::{Markup, html};

use super::{icon, layout};
use crate::site::context::Context;

/// Message above the fields of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) enum Notice {
    /// Nothing has gone wrong yet.
    None,
    /// No such name and password.
    Wrong,
    /// Too many failures; so many seconds to wait.
    Throttled(u64),
    /// Too many sign-ins at the same time.
    Busy,
}

/// The form of a page: its message, and the values it keeps.
#[derive(Debug, Clone, Copy)]
pub(in crate::site) struct Form<'a> {
    /// Above the fields.
    pub(in crate::site) notice: Notice,
    /// The name that was typed before. The password is never sent back.
    pub(in crate::site) username: &'a str,
    /// Address to go to after sign-in: a path of this site.
    pub(in crate::site) next: &'a str,
}

/// The form. It works without scripts, and holds no data of the site.
pub(in crate::site) fn sign_in(context: &Context, form: Form<'_>) -> String {
    let Form { notice, username, next } = form;
    let message = message(notice);
    let has_failed = message.is_some().then_some("true");
    let described = message.is_some().then_some("sign-in-failure");
    let is_wrong = (notice == Notice::Wrong).then_some("true");
    let main = html! {
        section.sign-in aria-labelledby="sign-in" {
            h2 #sign-in { "Sign in" }
            @if let Some(message) = message {
                p.notice #sign-in-failure role="alert" {
                    (icon::Icon::Failing.show())
                    span { (message) }
                }
            }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label for="username" { "Name" }
                input #username name="username" type="text" value=(username) required
                    autocomplete="username" autocapitalize="none" spellcheck="false"
                    aria-invalid=[is_wrong] aria-describedby=[described]
                    autofocus[has_failed.is_none()];
                label for="password" { "Password" }
                input #password name="password" type="password" required
                    autocomplete="current-password"
                    aria-invalid=[is_wrong] aria-describedby=[described]
                    autofocus[has_failed.is_some()];
                button type="submit" { "Sign in" }
            }
        }
    };
    layout::still(context, &format!("Sign in · {}", context.settings().title), &main).into_string()
}

fn message(notice: Notice) -> Option<Markup> {
    Some(match notice {
        Notice::None => return None,
        Notice::Wrong => html! { "The name or the password is wrong." },
        Notice::Throttled(seconds) => html! {
            "Too many failed attempts. Try again in " (wait_in_words(seconds)) "."
        },
        Notice::Busy => html! { "Too many sign-ins are in progress. Try again in a second." },
    })
}

/// Seconds in words, for a person who waits.
fn wait_in_words(seconds: u64) -> String {
    match seconds {
        ..=1 => "a second".to_owned(),
        2..120 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_is_shown_in_words() {
        for (seconds, expected) in [
            (0, "a second"),
            (1, "a second"),
            (64, "64 seconds"),
            (120, "2 minutes"),
            (900, "15 minutes"),
        ] {
            assert_eq!(wait_in_words(seconds), expected);
        }
    }
}
