//! Parts that all pages share: the head, the masthead and the footer.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use super::icon;
use crate::site::asset_files::AssetFiles;
use crate::time_zone;

/// Seconds after which a browser without scripts reloads a page.
const REFRESH: u32 = 30;

/// Description of a page that visitors without an account may see.
const DESCRIPTION: &str = "Readings of water systems, their age and their history.";

/// Parts of a page that are the same for all pages of a site.
#[derive(Clone, Copy)]
pub(in crate::site) struct Layout<'a> {
    /// Title of the site.
    pub(in crate::site) title: &'a str,
    /// Relative reference from the page to the root of the site: `./` or `../`. All links begin with it, so
    /// that one rendering serves the site below any path.
    pub(in crate::site) root: &'a str,
    /// Files that the page loads.
    pub(in crate::site) assets: &'a AssetFiles,
    /// Time zone of charts and events, which the footer names.
    pub(in crate::site) zone: &'a TimeZone,
}

/// A page that the script keeps up to date.
pub(super) struct LivePage<'a> {
    pub(super) title: &'a str,
    /// Text for previews of links.
    pub(super) description: &'a str,
    pub(super) main: &'a Markup,
    /// True if the page has a button to sign out.
    pub(super) by_session: bool,
    /// True if alerts of the page fire unanswered: the icon warns of them.
    pub(super) alarms: bool,
    /// True if the site has alerts: the footer links to them.
    pub(super) has_alerts: bool,
    pub(super) now: Timestamp,
}

/// Returns a sentence about the time zone: `Times are in UTC.`, `Times are those of America/Denver.`
fn times(zone: &TimeZone, now: Timestamp) -> String {
    let label = time_zone::label(zone, now);
    // The name of a zone is that of a place, except those of fixed offsets.
    let how = if label.contains('/') { "those of" } else { "in" };
    format!("Times are {how} {label}.")
}

impl Layout<'_> {
    /// Renders a page that the script keeps up to date.
    pub(super) fn live(&self, page: &LivePage<'_>) -> String {
        self.render(page.title, page.main, Some(page))
    }

    /// Renders a page that does not change.
    ///
    /// Visitors without an account may see it, so it contains neither the time zone nor the
    /// version.
    pub(super) fn fixed(&self, title: &str, main: &Markup) -> String {
        self.render(title, main, None)
    }

    /// `live` is `None` for a page that does not change.
    fn render(&self, title: &str, main: &Markup, live: Option<&LivePage<'_>>) -> String {
        let Layout { title: site_title, root, assets, zone } = *self;
        let alarms = live.is_some_and(|page| page.alarms);
        let icon = if alarms { &assets.icon_alert } else { &assets.icon };
        let by_session = live.is_some_and(|page| page.by_session);
        let description = live.map_or(DESCRIPTION, |page| page.description);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    // Under `no-referrer`, the policy of the response header, browsers send
                    // `Origin: null` with a form, which is also what other sites' forms can send.
                    meta name="referrer" content="same-origin";
                    title { (title) }
                    // Tells the script a page of this program from one that a proxy or a network
                    // sends in its place.
                    meta name="generator" content="pumphouse-web";
                    meta name="description" content=(description);
                    // Below a path, `robots.txt` is not at the address where search engines look for it.
                    meta name="robots" content="noindex";
                    meta name="color-scheme" content="light dark";
                    meta name="theme-color" content="#e9efee" media="(prefers-color-scheme: light)";
                    meta name="theme-color" content="#0b1518" media="(prefers-color-scheme: dark)";
                    link rel="icon" type="image/svg+xml" href={ (root) (icon.path) };
                    link rel="stylesheet" href={ (root) (assets.style.path) };
                    @let has_alerts = live.is_some_and(|page| page.has_alerts);
                    @if has_alerts {
                        link rel="stylesheet" href={ (root) (assets.alerts_style.path) };
                    }
                    @if live.is_some() {
                        script defer src={ (root) (assets.script.path) } {}
                        script defer src={ (root) (assets.readout.path) } {}
                        @if has_alerts {
                            script defer src={ (root) (assets.alerts_script.path) } {}
                        }
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
                            form method="post" action={ (root) "logout" } {
                                button type="submit" { "Sign out" }
                            }
                        }
                    }
                    // Screen readers announce changes of a live region only if it was there before
                    // the change, so these are outside <main>, which the script replaces.
                    @if live.is_some() {
                        p.lost #lost role="alert" hidden {
                            span {} " "
                            // This text changes each minute and is not announced again.
                            span aria-live="off" {} " "
                            a hidden href="" { "Open it" }
                        }
                        p.lost #signed-out role="alert" hidden {
                            "You are not signed in any more, so nothing below is kept up to date. "
                            a href={ (root) "login" } { "Sign in again" }
                        }
                    }
                    @if live.is_some() {
                        p.lost #refused role="alert" hidden { }
                    }
                    p.unseen #spoken role="status" { }
                    main #main tabindex="-1" { (main) }
                    @if let Some(page) = live {
                        footer.colophon {
                            p { (times(zone, page.now)) " The same readings for scripts: "
                                a href={ (root) "api/v1/status" } { "JSON" } }
                            @if page.has_alerts { p { a href={ (root) "alerts" } { "Alerts" } } }
                            p { "pumphouse-web " (env!("CARGO_PKG_VERSION")) }
                        }
                    }
                }
            }
        };
        page.into_string()
    }
}
