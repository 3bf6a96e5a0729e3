//! Short forms of the data, and what operations have in common.

use serde_json::{Map, Value as Json, json};

use super::super::operation::complete;
use super::super::short_form::expand;

#[test]
fn short_form_is_expanded_to_references() {
    let limit = json!({"$ref": "#/components/parameters/limit"});
    let vary = json!({"$ref": "#/components/headers/Vary"});
    for (data, expanded) in [
        (json!({"schema": "Text"}), json!({"schema": {"$ref": "#/components/schemas/Text"}})),
        (json!({"schema": {"type": "string"}}), json!({"schema": {"type": "string"}})),
        (json!({"parameters": ["limit"]}), json!({"parameters": [limit]})),
        (json!({"headers": ["Vary"]}), json!({"headers": {"Vary": vary}})),
        (
            json!({"headers": {"Vary": "Vary", "ETag": {"schema": "Text"}}}),
            json!({"headers": {
                "Vary": vary, "ETag": {"schema": {"$ref": "#/components/schemas/Text"}},
            }}),
        ),
        (
            json!({"responses": {"404": "NotFound", "200": {"headers": ["Vary"]}}}),
            json!({"responses": {
                "404": {"$ref": "#/components/responses/NotFound"}, "200": {"headers": {"Vary": vary}},
            }}),
        ),
        (
            json!({"examples": [7, "a/b-c", 0.5]}),
            json!({"examples": {
                "7": {"value": 7}, "a_b_c": {"value": "a/b-c"}, "0.5": {"value": 0.5},
            }}),
        ),
        (
            json!({"examples": {"one": {"value": ["a"]}}}),
            json!({"examples": {"one": {"value": ["a"]}}}),
        ),
        (json!({"example": {"schema": "Text"}}), json!({"example": {"schema": "Text"}})),
    ] {
        let mut json = data.clone();
        expand(&mut json);
        assert_eq!(json, expanded, "{data}");
    }
}

/// Returns a path with the additions of the test.
fn completed(path: &str, mut item: Json) -> Json {
    let shared: Map<String, Json> = serde_json::from_value(json!({
        "every": {"responses": {"400": "BadRequest", "503": "Unavailable"}},
        "get_with_entity_tag": {"parameters": ["if_match"], "responses": {"412": "Failed"}},
        "options": {"summary": "Methods.", "responses": {"204": "Options"}},
        "options_with_parameter": {"responses": {"404": "NotFound"}},
    }))
    .unwrap();
    complete(path, &mut item, &shared);
    item
}

#[test]
fn path_gets_the_operations_that_its_data_leaves_out() {
    let ok = json!({"headers": ["ETag"], "content": {"text/plain": {"schema": "Text"}}});
    let get = json!({"operationId": "get", "tags": ["now"], "parameters": ["limit"], "responses": {"200": ok}});
    let item = completed("/a", json!({"get": get, "head": {"summary": "Own."}}));
    assert_eq!(item["get"]["parameters"], json!(["limit", "if_match"]));
    let responses = json!({"200": ok, "400": "BadRequest", "412": "Failed", "503": "Unavailable"});
    assert_eq!(item["get"]["responses"], responses);
    let head = json!({
        "operationId": "getHead",
        "tags": ["now"],
        "summary": "Own.",
        "parameters": ["limit", "if_match"],
        "responses": {
            "200": {"headers": ["ETag"]}, "400": "BadRequest", "412": "Failed", "503": "Unavailable",
        },
    });
    assert_eq!(item["head"], head);
    let options = json!({
        "operationId": "getOptions",
        "tags": ["now"],
        "summary": "Methods.",
        "responses": {"204": "Options", "400": "BadRequest", "503": "Unavailable"},
    });
    assert_eq!(item["options"], options);
}

#[test]
fn path_without_get_has_no_head_and_keeps_its_own_responses() {
    let post = json!({"operationId": "begin", "tags": ["now"], "responses": {"503": "Unsaved"}});
    let item = completed("/a/{b}", json!({"parameters": ["b"], "post": post}));
    let keys: Vec<&String> = item.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["options", "parameters", "post"]);
    assert_eq!(item["post"]["responses"], json!({"400": "BadRequest", "503": "Unsaved"}));
    assert_eq!(item["options"]["operationId"], "beginOptions");
    assert_eq!(item["options"]["responses"]["404"], "NotFound");
}
