//! A builder of configurations for the server.
//!
//! ```
//! # use hostile::config::{Config, Source};
//! let config = Config::http()
//!     .set("server.workers", 2)
//!     .source(Source::json("tank", "http://127.0.0.1:1/").value("level", "/level", "%"));
//! assert!(config.to_string().contains("[[source]]\nkind = \"json\"\nname = \"tank\"\n"));
//! ```

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

/// A configuration, set key by key. Displays as TOML.
#[derive(Debug, Clone, Default)]
pub struct Config {
    tables: Map<String, Value>,
    appended: String,
}

/// A `[[source]]` table.
#[derive(Debug, Clone)]
pub struct Source(Value);

impl Config {
    /// Returns an empty configuration.
    pub fn new() -> Config {
        Config::default()
    }

    /// Serves plain HTTP and the admin listener on ports of the kernel's choice.
    pub fn http() -> Config {
        Config::new().listen("127.0.0.1:0").set("server.admin_listen", "127.0.0.1:0")
    }

    /// Serves HTTPS by `cert.pem` and `key.pem`, and the admin listener, on ports of the kernel's
    /// choice.
    pub fn https() -> Config {
        Config::http().set("tls.cert", "cert.pem").set("tls.key", "key.pem")
    }

    /// Listens on one more address.
    pub fn listen(self, address: &str) -> Config {
        self.push("server.listen", address)
    }

    /// Admits every client without credentials.
    pub fn open(self) -> Config {
        self.set("auth.open", true)
    }

    /// Sets the value of a key such as `server.workers`.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Config {
        set(&mut self.tables, path, value.into());
        self
    }

    /// Appends a value to the list of a key such as `auth.user`.
    pub fn push(mut self, path: &str, value: impl Into<Value>) -> Config {
        let list = entry(&mut self.tables, path);
        match list {
            Value::Array(values) => values.push(value.into()),
            _ => *list = json!([value.into()]),
        }
        self
    }

    /// Adds a source.
    pub fn source(self, source: Source) -> Config {
        self.push("source", source.0)
    }

    /// Adds sources.
    pub fn sources(self, sources: impl IntoIterator<Item = Source>) -> Config {
        sources.into_iter().fold(self, Config::source)
    }

    /// Appends text at the end, such as a table that the program printed.
    pub fn append(mut self, text: &str) -> Config {
        self.appended += text;
        self.appended += "\n";
        self
    }

    /// Returns true if it has a `[tls]` table.
    pub fn has_tls(&self) -> bool {
        self.tables.contains_key("tls")
    }

    /// Writes `pumphouse.toml` into a folder.
    pub fn write(&self, folder: &Path) {
        std::fs::write(folder.join("pumphouse.toml"), self.to_string()).unwrap();
    }
}

impl Source {
    /// Returns a source of the kind `json`.
    pub fn json(name: &str, url: &str) -> Source {
        Source::new("json", name, url)
    }

    /// Returns a source of any kind.
    pub fn new(kind: &str, name: &str, url: &str) -> Source {
        Source(json!({ "name": name, "kind": kind, "url": url }))
    }

    /// Sets the value of a key such as `interval` or `values.level.pointer`.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Source {
        if let Value::Object(table) = &mut self.0 {
            set(table, path, value.into());
        }
        self
    }

    /// Adds a value in this unit; `""`: without a unit.
    pub fn value(self, name: &str, pointer: &str, unit: &str) -> Source {
        let value = match unit {
            "" => json!({ "pointer": pointer }),
            unit => json!({ "pointer": pointer, "unit": unit }),
        };
        self.set(&format!("values.{name}"), value)
    }

    /// Reads the observation time as Unix seconds at `/at`.
    pub fn observed_at_unix(self) -> Source {
        self.set("observed_at", json!({ "pointer": "/at", "format": "unix" }))
    }
}

fn set(tables: &mut Map<String, Value>, path: &str, value: Value) {
    *entry(tables, path) = value;
}

/// Returns the value at a dotted path, after creating the tables that lead to it.
fn entry<'a>(table: &'a mut Map<String, Value>, path: &str) -> &'a mut Value {
    match path.split_once('.') {
        None => table.entry(path).or_insert(Value::Null),
        Some((first, rest)) => match table.entry(first).or_insert_with(|| json!({})) {
            Value::Object(inner) => entry(inner, rest),
            other => panic!("{first} of {path} is no table: {other}"),
        },
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.tables {
            match value {
                Value::Object(table) => write_table(f, &format!("[{name}]"), table)?,
                Value::Array(tables) => {
                    for table in tables.iter().filter_map(Value::as_object) {
                        write_table(f, &format!("[[{name}]]"), table)?;
                    }
                }
                other => panic!("{name} is no table: {other}"),
            }
        }
        f.write_str(&self.appended)
    }
}

fn write_table(
    f: &mut fmt::Formatter<'_>,
    header: &str,
    table: &Map<String, Value>,
) -> fmt::Result {
    writeln!(f, "{header}")?;
    table.iter().try_for_each(|(key, value)| writeln!(f, "{} = {}", Key(key), Inline(value)))
}

/// A key, quoted where TOML requires it.
struct Key<'a>(&'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match self.0.chars().all(is_bare) && !self.0.is_empty() {
            true => f.write_str(self.0),
            false => write!(f, "{}", Value::from(self.0)),
        }
    }
}

/// A value on one line. Strings and numbers have the same form in TOML as in JSON.
struct Inline<'a>(&'a Value);

impl fmt::Display for Inline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Object(table) => {
                f.write_str("{")?;
                for (number, (key, value)) in table.iter().enumerate() {
                    let comma = if number > 0 { "," } else { "" };
                    write!(f, "{comma} {} = {}", Key(key), Inline(value))?;
                }
                f.write_str(" }")
            }
            Value::Array(values) => {
                f.write_str("[")?;
                for (number, value) in values.iter().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", Inline(value))?;
                }
                f.write_str("]")
            }
            Value::Null => panic!("TOML has no null"),
            plain => write!(f, "{plain}"),
        }
    }
}
