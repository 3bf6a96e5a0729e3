//! Reads a table of the file key by key.
//!
//! A faulty key is reported and reading continues, so that one run lists every error.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use toml_span::value::{Key, Table, ValueInner};
use toml_span::{Span, Value};

use super::configured_path::PathKey;
use super::key_list::KeyList;
use super::problem::located;
use super::reader::Reader;
use crate::file_error::FileError;
use crate::order;
use crate::suggestion::nearest;

/// Number of unknown keys of a table for which a known one is sought. More are no typing errors.
const MAX_SUGGESTIONS: usize = 200;

/// A value with its position in the file.
#[derive(Debug, Clone)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A table that is being read. Every key that is read becomes a known key; [`Section::finish`]
/// reports the others.
pub(super) struct Section<'reader, 'text> {
    reader: &'reader Reader<'reader>,
    /// Name in messages: `[server]`, `[[source]] "tank"`.
    title: String,
    span: Span,
    table: Table<'text>,
    /// Keys that were read, present or not.
    known: KeyList,
    /// Keys that were read and present.
    present: KeyList,
    /// Required keys that are absent, which are reported at the end: an unknown key may be a misspelt one
    /// of them.
    missing: RefCell<Vec<String>>,
}

impl<'reader, 'text> Section<'reader, 'text> {
    pub(super) fn new(
        reader: &'reader Reader<'reader>,
        title: impl Into<String>,
        value: Value<'text>,
    ) -> Option<Section<'reader, 'text>> {
        let (title, span) = (title.into(), value.span);
        match into_inner(value) {
            ValueInner::Table(table) => Some(Section::of_table(reader, title, span, table)),
            ValueInner::Array(_) if title.starts_with('[') => {
                reader.report(span, format!("[{title}] must be written {title}: there is one"));
                None
            }
            _ => {
                reader.report(
                    span,
                    format!("{title} must be a table; write {title}, and its keys below"),
                );
                None
            }
        }
    }

    /// Returns an empty section, for a table that the file omits.
    pub(super) fn absent(
        reader: &'reader Reader<'reader>,
        title: impl Into<String>,
    ) -> Section<'reader, 'text> {
        Section::of_table(reader, title.into(), Span::new(0, 0), BTreeMap::new())
    }

    fn of_table(
        reader: &'reader Reader<'reader>,
        title: String,
        span: Span,
        table: Table<'text>,
    ) -> Section<'reader, 'text> {
        let (known, present) = (KeyList::default(), KeyList::default());
        Section { reader, title, span, table, known, present, missing: RefCell::default() }
    }

    /// Returns the position of the table.
    pub(super) const fn own_span(&self) -> Span {
        self.span
    }

    /// Returns a variable of the environment.
    pub(super) fn environment(&self, name: &str) -> Option<String> {
        self.reader.variable(name)
    }

    /// Replaces each `${NAME}` by the variable of the environment.
    pub(super) fn expand(&self, span: Span, text: &str) -> Option<String> {
        self.reader.expand(span, text)
    }

    /// Notes a secret that the file contains.
    pub(super) fn note_inline_secret(&self, span: Span, key: &str) {
        self.reader.note_inline_secret(span, key);
    }

    /// Returns the addresses of a host, for a message.
    pub(super) fn addresses_of(&self, host: &str) -> Vec<std::net::IpAddr> {
        self.reader.addresses_of(host)
    }

    pub(super) fn rename(&mut self, title: String) {
        self.title = title;
    }

    /// Returns a key of this table whose value is a path at this position.
    pub(super) fn path_key(&self, name: &'static str, span: Span) -> PathKey {
        PathKey { name, table: self.title.clone(), position: Some(self.reader.position(span)) }
    }

    /// Returns the number of the line in which a span begins.
    pub(super) fn line_of(&self, span: Span) -> usize {
        let (_, (line, _)) = self.reader.position(span);
        line
    }

    /// Returns the number of problems found in the file so far.
    pub(super) fn problem_count(&self) -> usize {
        self.reader.problem_count()
    }

    /// Reports an error. The name of the table is inserted between the cause and the remedy.
    pub(super) fn report(&self, span: Span, message: impl fmt::Display) {
        self.reader.report(span, located(&message.to_string(), &self.title));
    }

    /// Reports a problem that another process may not have.
    pub(super) fn report_of_process(&self, span: Span, message: impl fmt::Display) {
        self.reader.report_of_process(span, located(&message.to_string(), &self.title));
    }

    /// Reports an error of the file that a key names. The table follows the key: behind the name of a file, it
    /// would be taken for the place of that.
    pub(super) fn report_file(&self, span: Span, key: &str, error: impl fmt::Display) {
        self.reader.report(span, format!("\"{key}\" in {}: {error}", self.title));
    }

    /// Reports that the file that a key names cannot be read.
    pub(super) fn report_unreadable(&self, span: Span, key: &str, error: &FileError) {
        if error.is_of_process() {
            let message = format!("\"{key}\" in {}: cannot read {error}", self.title);
            self.reader.report_of_process(span, message);
        } else {
            self.report_file(span, key, format_args!("cannot read {error}"));
        }
    }

    /// Reports a setting that is valid but probably unintended.
    pub(super) fn warn(&self, span: Span, message: impl fmt::Display) {
        self.reader.warn(span, located(&message.to_string(), &self.title));
    }

    /// Returns the keys in the order of the file, for tables whose keys the user chooses.
    pub(super) fn dynamic_keys(&self) -> Vec<Spanned<String>> {
        let mut keys: Vec<Spanned<String>> = self
            .table
            .keys()
            .map(|key| Spanned { value: key.name.to_string(), span: key.span })
            .collect();
        order::sort_by_key(&mut keys, |key| key.span.start);
        keys
    }

    /// Returns the position of a text that has not been read yet, if no variable of the environment is in it.
    pub(super) fn inline_text_of(&self, key: &str) -> Option<Span> {
        let (key, value) = self.table.get_key_value(key)?;
        let text = value.as_str()?;
        (!text.is_empty() && !text.contains("${")).then_some(key.span)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<(Key<'text>, Value<'text>)> {
        self.known.push(key);
        let entry = self.table.remove_entry(key);
        if entry.is_some() {
            self.present.push(key);
        }
        entry
    }

    /// Notes a required key that is absent, to be reported at the end. One that is present but faulty has
    /// been reported already.
    pub(super) fn require<T>(&self, key: &str, value: Option<T>) -> Option<T> {
        let is_present = || self.was_present(key) || self.was_present(&format!("{key}_file"));
        if value.is_none() && !is_present() {
            self.missing.borrow_mut().push(key.to_owned());
        }
        value
    }

    /// Returns true if a key of an earlier version is present. It has no effect any more.
    pub(super) fn retired(&mut self, key: &str) -> bool {
        // Not recorded as a known key, so that it is not suggested for a misspelt one.
        self.table.remove(key).is_some()
    }

    /// Returns a text that has not been read yet, as it is written, with its position.
    pub(super) fn text_of(&self, key: &str) -> Option<Spanned<&str>> {
        let value = self.table.get(key)?;
        Some(Spanned { value: value.as_str()?, span: value.span })
    }

    /// Turns a key whose value is a whole number into a text, for values that are written as either.
    pub(super) fn text_of_integer(&mut self, key: &str) {
        if let Some(value) = self.table.get_mut(key)
            && let Some(number) = value.as_integer()
        {
            value.set(ValueInner::String(number.to_string().into()));
        }
    }

    /// Reads a table inside this one.
    pub(super) fn section(&mut self, key: &str, title: String) -> Option<Section<'reader, 'text>> {
        let (_, value) = self.take(key)?;
        Section::new(self.reader, title, value)
    }

    /// Reads an array of tables, `[[key]]`.
    pub(super) fn sections(&mut self, key: &str) -> Vec<Section<'reader, 'text>> {
        let Some((_, value)) = self.take(key) else { return Vec::new() };
        let span = value.span;
        // `[[auth.user]]` in `[auth]`.
        let title = match self.title.strip_prefix('[').and_then(|title| title.strip_suffix(']')) {
            Some(parent) => format!("[[{parent}.{key}]]"),
            None => format!("[[{key}]]"),
        };
        match into_inner(value) {
            ValueInner::Array(items) => items
                .into_iter()
                .filter_map(|item| {
                    let span = item.span;
                    match into_inner(item) {
                        ValueInner::Table(table) => {
                            Some(Section::of_table(self.reader, title.clone(), span, table))
                        }
                        _ => {
                            self.reader.report(span, format!("\"{key}\" must be written {title}"));
                            None
                        }
                    }
                })
                .collect(),
            _ => {
                let message = format!("\"{key}\" must be written {title}: there may be several");
                self.reader.report(span, message);
                Vec::new()
            }
        }
    }

    /// Returns true if a key was read, present or not.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.known.contains(key)
    }

    /// Returns true if a key was read and present.
    pub(super) fn was_present(&self, key: &str) -> bool {
        self.present.contains(key)
    }

    /// Returns the position of a key that has not been read yet, if it is present.
    pub(super) fn span_of(&self, key: &str) -> Option<Span> {
        self.table.get_key_value(key).map(|(key, _)| key.span)
    }

    /// Reports the keys that were not read as unknown, and the required ones that are missing. A required
    /// key for which another one is misspelt is reported once.
    pub(super) fn finish(self) {
        self.report_keys(true);
    }

    /// Reports the required keys that are missing, and keys that are probably misspelt ones of them. For a
    /// table of which not all keys are known.
    pub(super) fn finish_in_part(self) {
        self.report_keys(false);
    }

    /// Returns true if one of the keys that were not read is probably meant to be `key`, which is absent. The
    /// end of the table reports it.
    pub(super) fn misspells(&self, key: &str) -> bool {
        let written = |other: &Key<'_>| other.name.to_lowercase();
        let mut others = self.table.keys().take(MAX_SUGGESTIONS);
        !self.was_present(key) && others.any(|other| nearest(&written(other), [key]).is_some())
    }

    fn report_keys(self, all_are_known: bool) {
        let mut missing = self.missing.borrow().clone();
        let title = &self.title;
        for (index, key) in self.table.keys().enumerate() {
            if index >= MAX_SUGGESTIONS {
                if all_are_known {
                    self.reader
                        .report(key.span, format!("unknown key \"{}\" in {title}", key.name));
                }
                continue;
            }
            let name = &key.name;
            let known = self.known.iter().chain(missing.iter().map(String::as_str));
            // A key that is set already is not meant, unless no other one is near.
            let unset = known.clone().filter(|known| !self.was_present(known));
            let written = name.to_lowercase();
            let near = nearest(&written, unset).or_else(|| nearest(&written, known));
            let is_missing = near.is_some_and(|near| missing.iter().any(|key| key == near));
            if !all_are_known && !is_missing {
                continue;
            }
            let hint = match near {
                Some(near) => format!("; did you mean \"{near}\"?"),
                None => format!("; known are {}", self.known.joined()),
            };
            if let Some(near) = near.map(str::to_owned) {
                missing.retain(|key| *key != near);
            }
            self.reader.report(key.span, format!("unknown key \"{name}\" in {title}{hint}"));
        }
        for key in missing {
            self.reader.report(self.span, format!("missing key \"{key}\" in {title}"));
        }
    }
}

pub(super) fn into_inner(mut value: Value<'_>) -> ValueInner<'_> {
    value.take()
}
