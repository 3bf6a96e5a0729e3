//! Checks responses against the document.

use std::collections::HashMap;

use http::HeaderMap;
use jsonschema::{Registry, Validator};
use serde_json::{Value as Json, json};

use super::{Document, HERE};
use crate::engine::Response;
use crate::site::fixture::drained;

/// Headers that any response may have. The document describes them in prose only.
const EVERYWHERE: [&str; 8] = [
    "content-type",
    "content-encoding",
    "content-security-policy",
    "referrer-policy",
    "set-cookie",
    "strict-transport-security",
    "x-content-type-options",
    "x-request-id",
];

/// The document with strict schemas, which reject a member that it does not describe.
pub(super) struct SchemaCheck {
    pub(super) document: Json,
    schemas: HashMap<String, Validator>,
}

/// An operation of the document.
#[derive(Clone)]
pub(super) struct Operation {
    /// Path template.
    pub(super) path: String,
    /// Method in capitals.
    pub(super) method: String,
    /// Parameters, with their references resolved.
    pub(super) parameters: Vec<Json>,
    pub(super) responses: Json,
    pub(super) id: String,
}

const BASE: &str = "https://pumphouse.example/openapi.json";

impl SchemaCheck {
    pub(super) fn new() -> SchemaCheck {
        let document = serde_json::to_value(Document::new(HERE)).unwrap();
        let mut strict = document["components"].clone();
        make_strict(&mut strict["schemas"]);
        let names: Vec<String> = strict["schemas"].as_object().unwrap().keys().cloned().collect();
        let resource = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": strict,
        });
        let registry = Registry::new().add(BASE, resource).unwrap().prepare().unwrap();
        let compiled = |name: String| {
            let schema = json!({"$ref": format!("{BASE}#/components/schemas/{name}")});
            let mut options = jsonschema::draft202012::options();
            options = options.with_registry(&registry).should_validate_formats(true);
            let validator =
                options.build(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, validator)
        };
        let schemas = names.into_iter().map(compiled).collect();
        SchemaCheck { document, schemas }
    }

    /// Resolves a reference. Returns any other value unchanged.
    pub(super) fn resolved<'a>(&'a self, json: &'a Json) -> &'a Json {
        match json["$ref"].as_str() {
            None => json,
            Some(reference) => {
                let pointer = reference.strip_prefix('#').unwrap();
                let target = self.document.pointer(pointer);
                target.unwrap_or_else(|| panic!("{reference} does not exist"))
            }
        }
    }

    /// Returns every operation, in the order of the paths.
    pub(super) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, item) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                let listed = [&item["parameters"], &operation["parameters"]];
                let listed = listed.into_iter().filter_map(Json::as_array).flatten();
                operations.push(Operation {
                    path: path.clone(),
                    method: method.to_ascii_uppercase(),
                    parameters: listed.map(|parameter| self.resolved(parameter).clone()).collect(),
                    responses: operation["responses"].clone(),
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                });
            }
        }
        operations
    }

    /// Returns the violations of a schema by a value.
    pub(super) fn faults(&self, schema: &str, value: &Json) -> Vec<String> {
        let fault =
            |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
        self.schemas[schema].iter_errors(value).map(fault).collect()
    }

    /// Checks the status, headers, media type and body of a response.
    ///
    /// `default` does not count: it describes requests that the engine refuses before the site is
    /// called.
    pub(super) fn response(&self, operation: &Operation, response: Response) -> Result<(), String> {
        let status = response.status().as_u16();
        let described = &operation.responses[status.to_string()];
        if described.is_null() {
            return Err(format!("{status} is not in the document: {}", drained(response)));
        }
        let described = self.resolved(described);
        self.check_headers(&described["headers"], response.headers())?;
        let kind =
            response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let packed = response.headers().contains_key("content-encoding");
        let content = match operation.method.as_str() {
            // The engine leaves the body out.
            "HEAD" => return Ok(()),
            _ => described["content"].as_object(),
        };
        let (content, kind) = match (content, kind) {
            (None, None) => return Ok(()),
            (Some(content), Some(kind)) => (content, kind),
            (content, kind) => return Err(format!("{status}: {kind:?} for {content:?}")),
        };
        let essence = kind.split(';').next().unwrap();
        let media = content.get(essence).ok_or_else(|| format!("{status}: {kind} is unknown"))?;
        if packed {
            return Ok(());
        }
        let name = media["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let body = drained(response);
        let value = match essence.ends_with("json") && essence != "application/x-ndjson" {
            true => serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?,
            false => Json::String(body.clone()),
        };
        let mut faults = self.faults(name, &value);
        if name == "SeriesLines" {
            let lines = body.lines().map(|line| serde_json::from_str(line).unwrap());
            faults.extend(lines.flat_map(|line: Json| self.faults("Point", &line)));
        }
        match faults[..] {
            [] => Ok(()),
            _ => {
                let begin: String = body.chars().take(1000).collect();
                Err(format!("{status} {essence} is no {name}: {faults:?}\n{begin}"))
            }
        }
    }

    fn check_headers(&self, described: &Json, headers: &HeaderMap) -> Result<(), String> {
        let none = serde_json::Map::new();
        let described = described.as_object().unwrap_or(&none);
        let is_described =
            |name: &str| described.keys().any(|header| header.eq_ignore_ascii_case(name));
        for name in headers.keys().map(|name| name.as_str()) {
            if !EVERYWHERE.contains(&name) && !is_described(name) {
                return Err(format!("the header {name} is not in the document"));
            }
        }
        for (name, header) in described {
            if self.resolved(header)["required"] == true && !headers.contains_key(name) {
                return Err(format!("the header {name} is missing"));
            }
        }
        Ok(())
    }
}

/// Forbids properties that a schema does not list.
fn make_strict(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            members.values_mut().for_each(make_strict);
            let lists = members.get("type").is_some_and(|kind| kind == "object");
            if lists && members.contains_key("properties") {
                members.entry("additionalProperties").or_insert(Json::Bool(false));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(make_strict),
        _ => {}
    }
}
