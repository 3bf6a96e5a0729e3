//! The filter `RUST_LOG`: levels for the whole program and for single modules.

use env_logger::Logger;
use log::LevelFilter;

/// Filter without the variable.
const DEFAULT: &str = "info";

/// Modules that log whole URLs at `trace`. The queries of some hold keys.
const URL_WRITERS: [&str; 2] = ["ureq", "ureq_proto"];

/// Returns the filter for the value of `RUST_LOG`, and a message for each part that is invalid.
///
/// Invalid parts are ignored. If no part is valid, the filter is `info`.
pub(super) fn parse(variable: Option<&str>) -> (Logger, Vec<String>) {
    let specification = variable.unwrap_or(DEFAULT);
    let (modules, text) = match specification.split_once('/') {
        Some((modules, text)) => (modules, Some(text)),
        None => (specification, None),
    };
    let mut problems = Vec::new();
    // env_logger writes to standard error about invalid parts, so it gets the valid ones only.
    let mut is_valid = |part: &str| match env_filter::Builder::new().try_parse(part) {
        Ok(_) => true,
        Err(error) => {
            problems.push(format!("RUST_LOG: {error}"));
            false
        }
    };
    let valid: Vec<&str> = modules.split(',').filter(|part| is_valid(part)).collect();
    let mut specification = if valid.is_empty() { DEFAULT.to_owned() } else { valid.join(",") };
    if let Some(text) = text.map(|text| format!("/{text}")).filter(|text| is_valid(text)) {
        specification.push_str(&text);
    }
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(&specification);
    for module in URL_WRITERS {
        builder.filter_module(module, LevelFilter::Info);
    }
    // tiny_http also returns its errors to its callers.
    builder.filter_module("tiny_http", LevelFilter::Off);
    (builder.build(), problems)
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use log::{Level, Log, Metadata};

    use super::*;
    use crate::engine::Settings;

    fn enabled(filter: &Logger, target: &str, level: Level) -> bool {
        filter.enabled(&Metadata::builder().target(target).level(level).build())
    }

    #[test]
    fn filter_has_the_levels_of_the_variable_and_info_without_it() {
        for (variable, own, other) in [
            (None, Some(Level::Info), Some(Level::Info)),
            (Some("debug"), Some(Level::Debug), Some(Level::Debug)),
            (Some("warn,pumphouse_web=trace"), Some(Level::Trace), Some(Level::Warn)),
            (Some("pumphouse_web=debug"), Some(Level::Debug), None),
            (Some("off"), None, None),
        ] {
            let (filter, problems) = parse(variable);
            assert_eq!(problems, Vec::<String>::new());
            for level in Level::iter() {
                // The engine, a crate of its own, follows the program's name.
                for target in ["pumphouse_web::site", type_name::<Settings>()] {
                    let seen = enabled(&filter, target, level);
                    assert_eq!(seen, own.is_some_and(|own| level <= own), "{variable:?} {level}");
                }
                let seen = enabled(&filter, "rustls", level);
                assert_eq!(seen, other.is_some_and(|other| level <= other), "{variable:?}");
            }
        }
    }

    #[test]
    fn filter_never_passes_lines_with_urls() {
        let (filter, _) = parse(Some("trace,ureq=trace"));
        assert!(enabled(&filter, "rustls", Level::Trace));
        assert!(!enabled(&filter, "ureq::run", Level::Debug));
        assert!(!enabled(&filter, "ureq_proto", Level::Trace));
    }

    #[test]
    fn filter_with_invalid_parts_reports_them_and_applies_the_valid_ones() {
        let (filter, problems) = parse(Some("warn,rustls=loud,pumphouse_web=debug/a/b"));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("loud"), "{problems:?}");
        assert!(enabled(&filter, "pumphouse_web", Level::Debug));
        assert!(!enabled(&filter, "rustls", Level::Info));
        let (filter, problems) = parse(Some("rustls=loud"));
        assert_eq!(problems.len(), 1);
        assert!(enabled(&filter, "pumphouse_web", Level::Info), "the filter is info");
    }

    #[test]
    fn filter_with_a_text_behind_a_slash_selects_lines_with_it() {
        let (filter, problems) = parse(Some("info/tank"));
        assert_eq!(problems, Vec::<String>::new());
        for (message, matches) in [("the tank is full", true), ("the well is dry", false)] {
            let mut record = log::Record::builder();
            let seen =
                filter.matches(&record.level(Level::Info).args(format_args!("{message}")).build());
            assert_eq!(seen, matches, "{message}");
        }
    }
}
