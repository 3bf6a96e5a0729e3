//! Rendered pages, as a client gets them.

mod alerts;
mod figures;
mod markup;
mod overview;
mod shown;
mod signs;
mod status;
mod trend;

use crate::board::SourceView;
use crate::site::fixture::{get, site, text};

/// Returns the dashboard of a site with these sources.
fn html(sources: Vec<SourceView>) -> String {
    text(&get(&site(sources), "/", &[])).to_owned()
}
