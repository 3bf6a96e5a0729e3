//! Operations of a path: what GET, HEAD and OPTIONS of most routes have in common.

use serde_json::{Map, Value as Json, json};

use super::parameter::{CONDITIONS, references};
use super::response::shared;

/// A path that can be read, and so has GET and HEAD.
pub(super) struct Read {
    /// `operationId` of GET.
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// Keys of the parameters, without the preconditions.
    pub(super) parameters: &'static [&'static str],
    /// The 200 of GET.
    pub(super) ok: Json,
    /// True if the response can have an entity tag.
    pub(super) tagged: bool,
    /// Keys of further responses, besides those that every route has.
    pub(super) also: &'static [&'static str],
}

/// Returns the keys of the path's parameters, which are the names in braces.
pub(super) fn path_parameters(path: &str) -> Vec<&str> {
    let names = path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    let key = |name| match name {
        "name" => "asset",
        // A query has a parameter of the same name.
        "group" => "path_group",
        name => name,
    };
    names.map(key).collect()
}

/// Returns the responses that every operation has, and those with the keys in `also`.
pub(super) fn common(also: &[&str]) -> Map<String, Json> {
    let always = ["BadRequest", "Unauthorized", "Forbidden", "MethodNotAllowed", "TooManyRequests"];
    let overloaded = ["Unavailable", "Refused"];
    let keys = always.iter().chain(also).chain(&overloaded);
    keys.map(|key| (status_of(key).to_owned(), shared(key))).collect()
}

fn status_of(key: &str) -> &'static str {
    match key {
        "Options" => "204",
        "SeeOther" => "303",
        "NotModified" => "304",
        "BadRequest" => "400",
        "Unauthorized" => "401",
        "Forbidden" => "403",
        "NotFound" => "404",
        "MethodNotAllowed" => "405",
        "Conflict" => "409",
        "PreconditionFailed" => "412",
        "ContentTooLarge" => "413",
        "UnsupportedMediaType" => "415",
        "TooManyRequests" => "429",
        "Unavailable" => "503",
        _ => "default",
    }
}

/// Returns the operation OPTIONS of a path.
pub(super) fn options(id: &str, tag: &str, path: &str) -> Json {
    let also: &[&str] = match path.contains('{') {
        true => &["Options", "NotFound"],
        false => &["Options"],
    };
    json!({
        "operationId": format!("{id}Options"),
        "tags": [tag],
        "summary": "Returns the allowed methods.",
        "responses": common(also),
    })
}

impl Read {
    /// Returns the operations of a path.
    pub(super) fn item(self, path: &str) -> Json {
        let Read { id, tag, summary, parameters, ok, tagged, also } = self;
        let mut responses = common(also);
        let mut parameters = parameters.to_vec();
        if tagged {
            responses.extend(common(&["NotModified", "PreconditionFailed"]));
            parameters.extend(CONDITIONS);
        }
        let mut head = ok.clone();
        if let Some(members) = head.as_object_mut() {
            members.remove("content");
        }
        let operation = |id: &str, ok: Json| {
            let mut responses = responses.clone();
            responses.insert("200".to_owned(), ok);
            json!({
                "operationId": id,
                "tags": [tag],
                "summary": summary,
                "parameters": references(&parameters),
                "responses": responses,
            })
        };
        json!({
            "parameters": references(&path_parameters(path)),
            "get": operation(id, ok),
            "head": operation(&format!("{id}Head"), head),
            "options": options(id, tag, path),
        })
    }
}
