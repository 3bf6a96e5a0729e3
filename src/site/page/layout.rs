//! Parts that all pages share: the head, the masthead and the footer.

use maud::{DOCTYPE, Markup, html};

use super::icon;
use crate::site::asset_files::AssetFiles;

/// Seconds after which a browser without scripts reloads a page.
const REFRESH: u32 = 30;

/// Parts of a page that are the same for all pages of a site.
#[derive(Clone, Copy)]
pub(in crate::site) struct Layout<'a> {
    /// Title of the site.
    pub(in crate::site) title: &'a str,
    /// Files that the page loads.
    pub(in crate::site) assets: &'a AssetFiles,
    /// Time zone of the charts, by its IANA name.
    pub(in crate::site) zone: &'a str,
}

impl Layout<'_> {
    /// Renders a page that the script keeps up to date. With `by_session`, it has a button to sign
    /// out.
    pub(super) fn live(&self, title: &str, main: &Markup, by_session: bool) -> String {
        self.render(title, main, Some(by_session))
    }

    /// Renders a page that does not change.
    ///
    /// Visitors without an account may see it, so it contains neither the time zone nor the
    /// version.
    pub(super) fn fixed(&self, title: &str, main: &Markup) -> String {
        self.render(title, main, None)
    }

    /// `live` is `None` for a page that does not change; otherwise true for one with a button to
    /// sign out.
    fn render(&self, title: &str, main: &Markup, live: Option<bool>) -> String {
        let Layout { title: site_title, assets, zone } = *self;
        let (live, by_session) = (live.is_some(), live == Some(true));
        let page = html! {
            (DOCTYPE)
            html lang="en" data-zone=[live.then_some(zone)] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    // Under `no-referrer`, the policy of the response header, browsers send
                    // `Origin: null` with a form, which is also what other sites' forms can send.
                    meta name="referrer" content="same-origin";
                    title { (title) }
                    meta name="color-scheme" content="light dark";
                    meta name="theme-color" content="#e9efee" media="(prefers-color-scheme: light)";
                    meta name="theme-color" content="#0b1518" media="(prefers-color-scheme: dark)";
                    link rel="icon" type="image/svg+xml" href=(assets.icon.path);
                    link rel="stylesheet" href=(assets.style.path);
                    @if live {
                        script defer src=(assets.script.path) {}
                        script defer src=(assets.readout.path) {}
                        noscript { meta http-equiv="refresh" content=(REFRESH); }
                    }
                }
                body {
                    (icon::sheet())
                    a.skip href="#main" { "Skip to the readings" }
                    header.masthead {
                        (icon::mark())
                        h1 { (site_title) }
                        @if by_session {
                            form method="post" action="/logout" { button type="submit" { "Sign out" } }
                        }
                    }
                    // Screen readers announce changes of a live region only if it was there before
                    // the change, so these are outside <main>, which the script replaces.
                    p.lost #lost role="alert" hidden {
                        "Connection lost. The numbers below were loaded "
                        // This text changes each minute and is not announced again.
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
        };
        page.into_string()
    }
}
