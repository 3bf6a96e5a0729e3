//! The page of an error.

use maud::html;

use super::layout;
use crate::site::context::Context;

/// The page for an error.
pub(in crate::site) fn error(context: &Context, status: u16, title: &str, detail: &str) -> String {
    let main = html! {
        section.trouble {
            p.code { (status) }
            h2 { (title) }
            p { (detail) }
            p { a href="/" { "Back to the readings" } }
        }
    };
    layout::still(context, &format!("{title} · {}", context.settings().title), &main).into_string()
}
