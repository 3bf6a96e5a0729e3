//! What every page shares: the head, the masthead, the footer.

use maud::{DOCTYPE, Markup, html};

use super::icon;
use crate::site::context::Context;

/// Seconds after which a browser without scripts loads the page again.
const REFRESH: u32 = 30;

/// A page that keeps itself up to date, with a button to sign out if its visitor has signed in.
pub(super) fn live(context: &Context, title: &str, main: &Markup, by_session: bool) -> Markup {
    page(context, title, main, Some(by_session))
}

/// A page that stays as it is. Strangers may see it, so it tells neither where this is nor which
/// release.
pub(super) fn still(context: &Context, title: &str, main: &Markup) -> Markup {
    page(context, title, main, None)
}

/// `live`: true if the visitor of a live page has signed in; `None`: the page is not live.
fn page(context: &Context, title: &str, main: &Markup, live: Option<bool>) -> Markup {
    let (live, by_session) = (live.is_some(), live == Some(true));
    let zone = context.history.zone().iana_name().unwrap_or("UTC");
    html! {
        (DOCTYPE)
        html lang="en" data-zone=[live.then_some(zone)] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Without an origin of ours in its requests no form could be distinguished from one
                // of another site: under `no-referrer` browsers send `Origin: null`.
                meta name="referrer" content="same-origin";
                title { (title) }
                meta name="color-scheme" content="light dark";
                meta name="theme-color" content="#e9efee" media="(prefers-color-scheme: light)";
                meta name="theme-color" content="#0b1518" media="(prefers-color-scheme: dark)";
                link rel="icon" type="image/svg+xml" href=(context.assets.icon.path);
                link rel="stylesheet" href=(context.assets.style.path);
                @if live {
                    script defer src=(context.assets.script.path) {}
                    noscript { meta http-equiv="refresh" content=(REFRESH); }
                }
            }
            body {
                (icon::sheet())
                a.skip href="#main" { "Skip to the readings" }
                header.masthead {
                    (icon::mark())
                    h1 { (context.settings().title) }
                    @if by_session {
                        form method="post" action="/logout" { button type="submit" { "Sign out" } }
                    }
                }
                // Both stand outside of what the script replaces: a live region speaks
                // of changes in it only if it was there before.
                p.lost #lost role="alert" hidden {
                    "Connection lost. The numbers below were loaded "
                    // It grows each minute, which is not worth an alert each time.
                    span aria-live="off" {}
                }
                @if live {
                    p.lost #signed-out role="alert" hidden {
                        "You are not signed in any more, so nothing below is kept up to date."
                        a href="/login" { "Sign in" }
                    }
                }
                p.unseen #spoken role="status" { }
                main #main tabindex="-1" { (main) }
                @if live {
                    footer.colophon {
                        p { "Charts are by the clocks of " (zone.trim_start_matches("Etc/"))
                            ". The same readings for scripts: "
                            a href="/api/v1/status" { "JSON" } }
                        p { "pumphouse-web " (env!("CARGO_PKG_VERSION")) }
                    }
                }
            }
        }
    }
}
