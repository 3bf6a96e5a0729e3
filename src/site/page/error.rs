//! The page of an error.

use maud::html;

use super::layout::Layout;

/// Renders the page of an error: its status, title and detail, and a link to the dashboard.
pub(in crate::site) fn error_page(
    layout: Layout<'_>,
    status: u16,
    title: &str,
    detail: &str,
) -> String {
    let main = html! {
        section.trouble {
            p.code { (status) }
            div {
                h2 { (title) }
                p { (detail) }
                p { a href=(layout.root) { "Back to the readings" } }
            }
        }
    };
    layout.fixed(&format!("{title} · {}", layout.title), &main)
}
