//! The page on which browsers sign in.

use maud::{Markup, html};

use super::icon::Icon;
use super::layout::Layout;
use crate::format::wait;

/// Message above the fields of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) enum Notice {
    /// The form was not sent yet.
    None,
    /// The name or the password is wrong.
    Wrong,
    /// The caller has failed too often, and has to wait for this many seconds.
    Throttled(u64),
    /// Every permit to verify a password is taken.
    Busy,
}

/// Content of the form.
#[derive(Debug, Clone, Copy)]
pub(in crate::site) struct Form<'a> {
    pub(in crate::site) notice: Notice,
    /// Name entered in the previous attempt. The password is never sent back.
    pub(in crate::site) username: &'a str,
    /// Path of the site to redirect to after sign-in.
    pub(in crate::site) next: &'a str,
}

/// Renders the form. It works without scripts, and contains no data of the site.
pub(in crate::site) fn sign_in(layout: Layout<'_>, form: Form<'_>) -> String {
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
                    (Icon::Failing.render())
                    span { (message) }
                }
            }
            form method="post" action={ (layout.root) "login" } {
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
    layout.fixed(&format!("Sign in · {}", layout.title), &main)
}

fn message(notice: Notice) -> Option<Markup> {
    Some(match notice {
        Notice::None => return None,
        Notice::Wrong => html! { "The name or the password is wrong." },
        Notice::Throttled(seconds) => html! {
            "Too many failed attempts. Try again in " (wait(seconds)) "."
        },
        Notice::Busy => html! { "Too many sign-ins are in progress. Try again in a second." },
    })
}
