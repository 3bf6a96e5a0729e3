//! The texts of the document, in files by subject.

use serde_json::{Map, Value as Json};

/// The members of the document besides its paths and the components below.
pub(super) const DOCUMENT: &str = include_str!("document/document.json");

/// Values that are inserted in several places.
pub(super) const PARTS: [&str; 2] =
    [include_str!("document/parts.json"), include_str!("document/examples.json")];

/// `components.schemas` (JSON Schema 2020-12)
pub(super) const SCHEMAS: [&str; 4] = [
    include_str!("document/schemas/readings.json"),
    include_str!("document/schemas/records.json"),
    include_str!("document/schemas/alerts.json"),
    include_str!("document/schemas/general.json"),
];

/// `components.parameters`, each with examples that tests try. Two parameters of one name with
/// different meanings have different keys.
pub(super) const PARAMETERS: [&str; 1] = [include_str!("document/parameters.json")];

/// `components.headers`
pub(super) const HEADERS: [&str; 1] = [include_str!("document/headers.json")];

/// `components.responses`
pub(super) const RESPONSES: [&str; 1] = [include_str!("document/responses.json")];

/// `paths`, without what [`OPERATIONS`] adds.
pub(super) const PATHS: [&str; 6] = [
    include_str!("document/paths/current.json"),
    include_str!("document/paths/recorded.json"),
    include_str!("document/paths/alerts.json"),
    include_str!("document/paths/pages.json"),
    include_str!("document/paths/probes.json"),
    include_str!("document/paths/sign_in.json"),
];

/// Parameters and responses that operations have in common.
pub(super) const OPERATIONS: &str = include_str!("document/operations.json");

/// Returns the object in a file.
pub(super) fn parsed(file: &str) -> Map<String, Json> {
    serde_json::from_str(file).expect("each file of the document is a JSON object")
}

/// Returns the members of all files.
pub(super) fn joined(files: &[&str]) -> Map<String, Json> {
    files.iter().copied().flat_map(parsed).collect()
}
