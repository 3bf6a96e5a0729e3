//! The two JSON forms of a body with sources: the object of `/api/v1/status`, and the list of
//! `/api/v1/sources`.
//!
//! A body is an opening, a piece for each source with a comma between two of them, and a closing.

use serde::Serialize;

use crate::board::{ServiceInfo, SourceView};
use crate::site::content::to_json;

/// Form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{"service":{…},"sources":{"tank":{…},…}}`
    Status,
    /// `[{"name":"tank",…},…]`
    List,
    /// `{"service":{…},"sources":{"tank":{…},…},"next":"well"}`
    StatusPage,
    /// `{"sources":[{"name":"tank",…},…],"next":"well"}`
    ListPage,
}

/// A source with its name as a member, where no key names it.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    name: &'a str,
    #[serde(flatten)]
    source: &'a SourceView,
}

impl<'a> Named<'a> {
    pub(super) fn new(source: &'a SourceView) -> Named<'a> {
        Named { name: &source.name, source }
    }
}

impl Form {
    /// Returns the form of one page of the sources.
    pub(super) fn page(self) -> Form {
        match self {
            Form::Status | Form::StatusPage => Form::StatusPage,
            Form::List | Form::ListPage => Form::ListPage,
        }
    }

    /// Returns the opening.
    pub(super) fn opening(self, service: &ServiceInfo) -> Vec<u8> {
        match self {
            Form::Status | Form::StatusPage => {
                [&b"{\"service\":"[..], &to_json(service), b",\"sources\":{"].concat()
            }
            Form::List => b"[".to_vec(),
            Form::ListPage => b"{\"sources\":[".to_vec(),
        }
    }

    /// Returns the piece of a source.
    pub(super) fn piece(self, source: &SourceView) -> Vec<u8> {
        match self {
            Form::Status | Form::StatusPage => {
                // The name of a source is letters, digits and underscores, so it is JSON between quotes.
                let mut piece = format!("\"{}\":", source.name).into_bytes();
                piece.append(&mut to_json(source));
                piece
            }
            Form::List | Form::ListPage => to_json(&Named::new(source)),
        }
    }

    /// Returns the closing, with a newline for terminals. `next` is the cursor of the next page.
    pub(super) fn closing(self, next: Option<&str>) -> Vec<u8> {
        match self {
            Form::Status => b"}}\n".to_vec(),
            Form::List => b"]\n".to_vec(),
            Form::StatusPage => [&b"},\"next\":"[..], &to_json(&next), b"}\n"].concat(),
            Form::ListPage => [&b"],\"next\":"[..], &to_json(&next), b"}\n"].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::{at, waiting};

    #[test]
    fn body_of_each_form_is_json_with_the_same_sources() {
        let service = ServiceInfo { name: "x", version: "1", started_at: at(0) };
        let sources = [waiting("tank", "json"), waiting("well", "json")];
        for (form, next, pointer) in [
            (Form::Status, None, "/sources/well"),
            (Form::List, None, "/1"),
            (Form::StatusPage, None, "/sources/well"),
            (Form::StatusPage, Some("well"), "/sources/well"),
            (Form::ListPage, Some("well"), "/sources/1"),
        ] {
            let pieces: Vec<Vec<u8>> = sources.iter().map(|source| form.piece(source)).collect();
            let parts = [form.opening(&service), pieces.join(&b","[..]), form.closing(next)];
            let body = parts.concat();
            assert_eq!(body.last(), Some(&b'\n'));
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json.pointer(pointer).unwrap()["state"], "waiting", "{form:?}");
            assert_eq!(json["next"].as_str(), next, "{form:?}");
            let is_page = form == form.page();
            assert_eq!(json.get("next").is_some(), is_page, "{form:?}");
        }
    }
}
