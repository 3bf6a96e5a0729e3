//! Operations of a path: what GET, HEAD and OPTIONS of most routes have in common.
//!
//! * HEAD is GET without the content of its 200. Members of the data replace those of GET.
//! * OPTIONS has the tags of GET or POST.
//! * GET with an entity tag in its 200 has the preconditions of RFC 9110 13.
//! * Every operation has the responses to wrong requests and of an overloaded server.
//!
//! The parameters and responses that are added are in `document/operations.json`.

use serde_json::{Map, Value as Json};

/// Adds the operations and members that the data of a path leaves out. Short forms are not expanded
/// yet.
pub(super) fn complete(path: &str, item: &mut Json, shared: &Map<String, Json>) {
    let Some(item) = item.as_object_mut() else { return };
    if let Some(get) = item.get_mut("get") {
        if has_entity_tag(get) {
            add(get, shared.get("get_with_entity_tag"));
        }
        let head = head_of(get);
        supply(item, "head", head);
    }
    if let Some(operation) = item.get("get").or_else(|| item.get("post")) {
        let mut options = options_of(operation);
        add(&mut options, shared.get("options"));
        if path.contains('{') {
            add(&mut options, shared.get("options_with_parameter"));
        }
        supply(item, "options", options);
    }
    let operations = item.iter_mut().filter(|(key, _)| *key != "parameters");
    operations.for_each(|(_, operation)| add(operation, shared.get("every")));
}

fn has_entity_tag(get: &Json) -> bool {
    match &get["responses"]["200"]["headers"] {
        Json::Array(names) => names.iter().any(|name| name == "ETag"),
        headers => headers.get("ETag").is_some(),
    }
}

fn head_of(get: &Json) -> Json {
    let mut head = get.clone();
    if let Some(ok) = head.pointer_mut("/responses/200").and_then(Json::as_object_mut) {
        ok.remove("content");
    }
    head["operationId"] = id_of(get, "Head");
    head
}

fn options_of(operation: &Json) -> Json {
    let mut options = Json::Object(Map::new());
    options["operationId"] = id_of(operation, "Options");
    options["tags"] = operation["tags"].clone();
    options
}

fn id_of(operation: &Json, suffix: &str) -> Json {
    let id = operation["operationId"].as_str().unwrap_or_default();
    format!("{id}{suffix}").into()
}

/// Adds an operation to a path. Members that the data has replace those of `operation`.
fn supply(item: &mut Map<String, Json>, method: &str, mut operation: Json) {
    if let Some(Json::Object(stated)) = item.remove(method)
        && let Some(members) = operation.as_object_mut()
    {
        members.extend(stated);
    }
    item.insert(method.to_owned(), operation);
}

/// Adds members to an operation, parameters behind its own, and responses with statuses that it
/// lacks.
fn add(operation: &mut Json, addition: Option<&Json>) {
    let Some(operation) = operation.as_object_mut() else { return };
    for (key, added) in addition.and_then(Json::as_object).into_iter().flatten() {
        match (operation.get_mut(key), added) {
            (None, _) => {
                operation.insert(key.clone(), added.clone());
            }
            (Some(Json::Array(own)), Json::Array(added)) => own.extend(added.iter().cloned()),
            (Some(Json::Object(own)), Json::Object(added)) => {
                for (status, response) in added {
                    own.entry(status.as_str()).or_insert_with(|| response.clone());
                }
            }
            _ => {}
        }
    }
}
