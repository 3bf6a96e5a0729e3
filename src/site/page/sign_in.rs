//! The page on which browsers sign in.

use maud::{Markup, html};

use super::{icon, layout};
use crate::site::Site;
use crate::site::login::{Form, Notice, wait_in_words};

/// The form. It works without scripts, and holds no data of the site.
pub(in crate::site) fn sign_in(site: &Site, form: Form<'_>) -> String {
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
    layout::still(site, &format!("Sign in · {}", site.settings().title), &main).into_string()
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
