//! `format=shell`: current readings as assignments for `eval` in a POSIX shell.
//!
//! A variable has the name of its path in the JSON, joined by `_`: `sources.tank.values.level` is
//! `tank_level`, its unit `tank_level_unit`, the state of its source `tank_state`. A missing value is
//! assigned the empty string, so that no value of an earlier response remains. Numbers are bare. All
//! other values, which may come from an upstream, are between single quotes, where a shell expands
//! nothing (POSIX.1-2017, Shell Command Language 2.2.2).

use std::collections::HashSet;
use std::fmt::{Display, Write as _};

use crate::board::{Datum, LastReading, ServiceInfo, SourceView, State, Value};
use crate::timestamp::Rfc3339;

use super::problem::Problem;

/// Suffix of a field's variable whose name is that of a member of the source.
const VALUE: &str = "_value";

/// Members of a source besides its values.
const MEMBERS: [&str; 12] = [
    "title",
    "kind",
    "state",
    "observed_at",
    "observed_at_inferred",
    "fetched_at",
    "stale_at",
    "next_poll_at",
    "error_kind",
    "error_message",
    "error_since",
    "error_failures",
];

/// Renders one value, with its state and times.
pub(super) fn value(
    source: &SourceView,
    reading: &LastReading,
    field: &str,
    value: &Value,
    state: State,
) -> Result<String, Problem> {
    let mut script = Script::default();
    script.value(&source.name, field, value);
    script.text(format_args!("{}_state", source.name), state.as_str());
    script.text(format_args!("{}_observed_at", source.name), Rfc3339(reading.observed.at));
    script.text(format_args!("{}_fetched_at", source.name), Rfc3339(reading.fetched_at));
    script.finish()
}

/// Assignments, each on a line.
#[derive(Default)]
pub(super) struct Script {
    text: String,
    names: HashSet<String>,
    /// First name that was assigned twice.
    ambiguous: Option<String>,
}

impl Script {
    /// Begins the assignments of a status with these sources. `next` is the cursor of the next page, on a page.
    pub(super) fn of_status<'a>(
        service: &ServiceInfo,
        sources: impl Iterator<Item = &'a str>,
        next: Option<Option<&str>>,
    ) -> Script {
        let mut script = Script::default();
        script.text("service_name", service.name);
        script.text("service_version", service.version);
        script.text("sources", sources.collect::<Vec<_>>().join(" "));
        if let Some(next) = next {
            script.text("next", next.unwrap_or_default());
        }
        script
    }

    /// Appends the assignments of a source.
    pub(super) fn source(&mut self, source: &SourceView) {
        let reading = source.reading.as_ref();
        let time =
            |at: Option<_>| quoted(&at.map(|at| Rfc3339(at).to_string()).unwrap_or_default());
        let error = source.error.as_ref();
        let literals: [String; MEMBERS.len()] = [
            quoted(&source.title),
            quoted(source.kind),
            quoted(source.state.as_str()),
            time(reading.map(|reading| reading.observed.at)),
            quoted(if reading.is_some_and(|reading| reading.observed.inferred) {
                "true"
            } else {
                "false"
            }),
            time(reading.map(|reading| reading.fetched_at)),
            time(reading.map(|reading| reading.stale_at)),
            time(source.next_poll_at),
            quoted(error.map_or("", |error| error.kind.as_str())),
            quoted(error.map_or("", |error| &*error.message)),
            time(error.map(|error| error.since)),
            error.map_or(0, |error| error.failures).to_string(),
        ];
        for (name, literal) in MEMBERS.iter().zip(literals) {
            self.set(format_args!("{}_{name}", source.name), literal);
        }
        for (field, value) in source.values() {
            self.value(&source.name, field, value);
        }
    }

    fn value(&mut self, source: &str, field: &str, value: &Value) {
        let is_taken = MEMBERS.contains(&field);
        let name = format!("{source}_{field}{}", if is_taken { VALUE } else { "" });
        match &value.datum {
            Some(Datum::Number(number)) => self.set(&name, format_args!("{}", number.get())),
            Some(Datum::Text(text)) => self.text(&name, text),
            None => self.text(&name, ""),
        }
        self.text(
            format_args!("{name}_unit"),
            value.unit.map(|unit| unit.as_str()).unwrap_or_default(),
        );
        self.text(format_args!("{name}_note"), value.note.as_deref().unwrap_or_default());
        if let Some(observed) = value.observed {
            self.text(format_args!("{name}_observed_at"), Rfc3339(observed.at));
        }
    }

    fn text(&mut self, name: impl Display, text: impl Display) {
        self.set(name, quoted(&text.to_string()));
    }

    fn set(&mut self, name: impl Display, literal: impl Display) {
        let name = identifier(&name.to_string());
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{name}={literal}");
        if let Some(twice) = self.names.replace(name) {
            self.ambiguous.get_or_insert(twice);
        }
    }

    /// Returns the text since the last call, so that a long one is sent on in parts.
    pub(super) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Returns the rest of the text.
    ///
    /// # Errors
    /// A variable was assigned twice.
    pub(super) fn finish(self) -> Result<String, Problem> {
        match self.ambiguous {
            None => Ok(self.text),
            Some(name) => Err(Problem::bad_request(format!(
                "Two values would be assigned to the shell variable {name}: select one of them by \
                 fields=, or use format=json."
            ))),
        }
    }
}

/// Returns a valid name of a variable. Names of sources and fields are valid as they are.
fn identifier(name: &str) -> String {
    name.replace(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_', "_")
}

/// Returns the text between single quotes. A single quote in it becomes `'\''`. NUL is removed, as no
/// variable can hold it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::site::fixture::{failing, get, pump, site, stale, tank, text, values, waiting};
    use crate::units::Unit;

    /// Evaluates a response in a shell, in a folder of its own, and returns the output of `then`.
    fn eval(script: &str, then: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("response"), script).unwrap();
        let output = Command::new("sh")
            .args(["-eufc", &format!("eval \"$(cat response)\"\n{then}")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && stderr.is_empty(), "{stderr}: {script}");
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "the script created a file: {script}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn value_sets_variables_of_itself_and_its_source() {
        let response = get(&site(vec![tank()]), "/api/v1/values/tank.level?format=shell", &[]);
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(
            text(&response),
            "tank_level=84.6\ntank_level_unit='%'\ntank_level_note=''\ntank_state='fresh'\n\
             tank_observed_at='2026-01-31T17:16:00Z'\ntank_fetched_at='2026-01-31T17:19:01Z'\n"
        );
        let json = get(&site(vec![tank()]), "/api/v1/values/tank.level?format=json", &[]);
        assert!(text(&json).starts_with('{'));
    }

    #[test]
    fn status_sets_a_variable_for_each_member() {
        let mut odd = failing(stale(tank(), 7200), crate::board::ErrorKind::Dns, "no such name");
        odd.name = "odd".into();
        odd.title = "What's up".into();
        let site = site(vec![tank(), odd, waiting("well", "json")]);
        let response = get(&site, "/api/v1/status?format=shell", &[]);
        let output = eval(
            text(&response),
            "echo $sources; echo $service_name $tank_volume $tank_volume_unit $tank_error_failures
             echo \"$odd_title: $odd_state, $odd_error_kind: $odd_error_message\"
             echo \"$well_state [$well_observed_at] $well_observed_at_inferred\"",
        );
        let expected = "odd tank well\npumphouse-web 1185 gal 0\n\
                        What's up: stale, dns: no such name\nwaiting [] false\n";
        assert_eq!(output, expected);
        let narrow = get(&site, "/api/v1/status?format=shell&fields=tank.level", &[]);
        let names: Vec<&str> =
            text(&narrow).lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(names.contains(&"tank_level") && !names.contains(&"tank_volume"), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("odd")), "{names:?}");
        let old = get(&site, "/api/v1/status?format=shell&max_age=1&fields=tank.level", &[]);
        assert_eq!(old.status(), 503);
    }

    #[test]
    fn hostile_text_is_assigned_and_not_run() {
        let sent =
            "'; touch a #\n$(touch b)`touch c`\\'\"\r\n' ; exit 3; '\0 ${IFS} !! ~ * é \u{1}";
        let mut source = pump();
        source.title = sent.into();
        // Without the constructors, which clean texts: quotes alone have to hold them.
        let (datum, note) = (Some(Datum::Text(sent.into())), Some(sent.into()));
        source.reading.as_mut().unwrap().values = values([
            ("mode", Value { datum, ..Value::text("") }),
            ("level", Value { note, ..Value::missing(Some(Unit::Percent), "") }),
        ]);
        let site = site(vec![failing(source, crate::board::ErrorKind::Decode, sent)]);
        for target in ["/api/v1/status", "/api/v1/values/pump.mode"] {
            let response = get(&site, &format!("{target}?format=shell"), &[]);
            let output = eval(text(&response), "printf '%s' \"$pump_mode\"");
            assert_eq!(output, sent.replace('\0', ""), "{target}");
        }
        let missing = get(&site, "/api/v1/values/pump.level?format=shell", &[]);
        let output = eval(text(&missing), "printf '%s|%s' \"$pump_level\" \"$pump_level_note\"");
        assert_eq!(output, format!("|{}", sent.replace('\0', "")));
    }

    #[test]
    fn variable_with_two_meanings_is_rejected() {
        let mut source = pump();
        source.reading.as_mut().unwrap().values =
            values([("state", Value::text("running")), ("mode", Value::text("automatic"))]);
        let plain = site(vec![source.clone()]);
        for target in ["/api/v1/status?format=shell", "/api/v1/values/pump.state?format=shell"] {
            let response = get(&plain, target, &[]);
            let output = eval(text(&response), "echo $pump_state $pump_state_value");
            assert_eq!(output, "fresh running\n", "{target}");
        }
        let reading = source.reading.as_mut().unwrap();
        reading.values = values([
            ("level", Value::number(1.0, Unit::Percent)),
            ("level_unit", Value::text("per cent")),
        ]);
        let response = get(&site(vec![source]), "/api/v1/status?format=shell", &[]);
        assert_eq!(response.status(), 400);
        assert!(text(&response).contains("pump_level_unit"), "{}", text(&response));
    }

    #[test]
    fn name_becomes_a_valid_identifier() {
        for (name, expected) in
            [("tank_level", "tank_level"), ("a;b", "a_b"), ("é\n", "__"), ("a b=c", "a_b_c")]
        {
            assert_eq!(identifier(name), expected);
        }
    }
}
