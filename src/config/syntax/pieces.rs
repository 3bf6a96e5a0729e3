//! Parses a large text in pieces, each on a thread of its own: a fleet of 3,000 sources is over a megabyte of TOML.
//!
//! A piece begins with the header of a `[[source]]`. It has nothing but sources, so the value of the whole text is
//! that of the first piece with the sources of the others. A text that does not come apart in this way, or that
//! has an error, is parsed as a whole by the caller.

use std::thread;

use toml_span::value::{Key, ValueInner};
use toml_span::{Span, Value};

use crate::config::machine::reading_threads;
use crate::config::section::into_inner;
use crate::threads;

/// Size from which on a text is parsed in pieces, bytes. A smaller one takes about a millisecond.
const MIN_SIZE: usize = 64 * 1024;

/// Line that begins a source.
const HEADER: &[u8] = b"\n[[source]]";

const SOURCE: &str = "source";

/// Parses a text in pieces; `None` if it must be parsed as a whole.
pub(super) fn parse(text: &str) -> Option<Value<'_>> {
    parse_in(text, reading_threads())
}

fn parse_in(text: &str, count: usize) -> Option<Value<'_>> {
    let starts = starts(text, count);
    let (&first_end, _) = starts.split_first()?;
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let (first, others) = thread::scope(|scope| {
        let spawn = |(start, end): (usize, usize)| {
            let parse = move || sources(text.get(start..end)?, start);
            thread::Builder::new().name(threads::CONFIG.to_owned()).spawn_scoped(scope, parse).ok()
        };
        let others: Vec<_> = starts.iter().copied().zip(ends).map(spawn).collect();
        let first = toml_span::parse(text.get(..first_end)?).ok()?;
        // A piece that panics is parsed again with the whole text.
        let joined = others.into_iter().map(|piece| piece?.join().ok()?);
        Some((first, joined.collect::<Option<Vec<_>>>()?))
    })?;
    let ValueInner::Table(mut root) = into_inner(first) else { return None };
    let (key, all) = root.remove_entry(SOURCE)?;
    let span = all.span;
    let ValueInner::Array(mut sources) = into_inner(all) else { return None };
    sources.extend(others.into_iter().flatten());
    root.insert(key, Value::with_span(ValueInner::Array(sources), span));
    Some(Value::with_span(ValueInner::Table(root), Span::new(0, text.len())))
}

/// Returns the positions of the headers with which the pieces but the first begin.
fn starts(text: &str, count: usize) -> Vec<usize> {
    if text.len() < MIN_SIZE {
        return Vec::new();
    }
    let near = |piece: usize| {
        let from = text.len() * piece / count;
        let found = text.as_bytes()[from..].windows(HEADER.len()).position(|at| at == HEADER);
        found.map(|distance| from + distance + 1)
    };
    let mut starts: Vec<usize> = (1..count).filter_map(near).collect();
    starts.dedup();
    starts
}

/// Parses a piece that begins at `start` of the whole text. Returns its sources; `None` if it has an error or
/// anything else.
fn sources(text: &str, start: usize) -> Option<Vec<Value<'_>>> {
    let ValueInner::Table(mut root) = into_inner(toml_span::parse(text).ok()?) else { return None };
    let sources = root.remove(SOURCE)?;
    match into_inner(sources) {
        ValueInner::Array(sources) if root.is_empty() => {
            Some(sources.into_iter().map(|source| moved(source, start)).collect())
        }
        _ => None,
    }
}

/// Returns a value of a piece with the positions that it has in the whole text.
fn moved<'text>(mut value: Value<'text>, start: usize) -> Value<'text> {
    let span = moved_span(value.span, start);
    let inner = match value.take() {
        ValueInner::Array(items) => {
            ValueInner::Array(items.into_iter().map(|item| moved(item, start)).collect())
        }
        ValueInner::Table(table) => {
            let entry = |(key, value): (Key<'text>, Value<'text>)| {
                (Key { span: moved_span(key.span, start), ..key }, moved(value, start))
            };
            ValueInner::Table(table.into_iter().map(entry).collect())
        }
        plain => plain,
    };
    Value::with_span(inner, span)
}

fn moved_span(span: Span, start: usize) -> Span {
    Span::new(span.start + start, span.end + start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(count: usize) -> String {
        let source = |number: usize| {
            format!(
                "[[source]]\nname = \"tank_{number}\"\ntitle = 'Tänk {number}' # [[source]]\n\
                 show = [\"level\", \"depth\"]\n[source.values.level]\npointer = \"/a~1b\\u00e9\"\n\
                 unit = \"%\"\nscale = {number}.5\n\n"
            )
        };
        let head = "[server]\nlisten = [\"127.0.0.1:1\"]\n[auth]\nopen = true\n";
        [head.to_owned(), (0..count).map(source).collect()].concat()
    }

    #[test]
    fn value_and_positions_are_those_of_the_whole_text() {
        for text in [fleet(800), fleet(800).replace('\n', "\r\n")] {
            assert!(text.len() > MIN_SIZE);
            let whole = format!("{:?}", toml_span::parse(&text).unwrap());
            for count in 2..=4 {
                assert_eq!(starts(&text, count).len(), count - 1);
                let joined = parse_in(&text, count).unwrap();
                assert_eq!(format!("{joined:?}"), whole, "{count}");
            }
        }
    }

    #[test]
    fn text_that_does_not_come_apart_is_left_to_the_caller() {
        let fleet_text = fleet(800);
        let middle = starts(&fleet_text, 2)[0];
        let with = |at: usize, text: &str| [&fleet_text[..at], text, &fleet_text[at..]].concat();
        for text in [
            fleet(10),
            "# no source\n".repeat(10_000),
            with(fleet_text.len(), "[site]\ntitle = \"behind the sources\"\n"),
            with(fleet_text.len(), "name = \n"),
            with(0, "= 1\n"),
            // The header is within a text of several lines.
            [
                &fleet_text[..middle],
                "[source.headers]\nX = \"\"\"\n[[source]]\n\"\"\"\n",
                &fleet_text[middle..],
            ]
            .concat(),
        ] {
            assert!(parse_in(&text, 2).is_none(), "{}", &text[..60]);
        }
        assert!(parse_in(&fleet_text, 1).is_none());
    }
}
