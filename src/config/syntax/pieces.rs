//! Parses a large text in pieces on several threads: a fleet of 3,000 sources is over a megabyte of TOML.
//!
//! A piece begins with the header of a `[[source]]`. It has nothing but sources, so the value of the whole text is
//! that of the first piece with the sources of the others. A text that does not come apart in this way, or that
//! has an error, is parsed as a whole by the caller.

use memchr::memmem;
use toml_span::value::{Key, ValueInner};
use toml_span::{Span, Value};

use crate::config::section::into_inner;
use crate::threads::{self, map_shared};

/// Size of a piece, bytes. It takes about a millisecond.
const SIZE: usize = 64 * 1024;

/// Line that begins a source.
const HEADER: &[u8] = b"\n[[source]]";

const SOURCE: &str = "source";

/// Parses a text in pieces; `None` if it must be parsed as a whole.
pub(super) fn parse(text: &str) -> Option<Value<'_>> {
    let pieces = pieces(text);
    if pieces.len() < 2 {
        return None;
    }
    let parsed = map_shared(threads::CONFIG, pieces, |(start, piece)| match start {
        0 => toml_span::parse(piece).ok(),
        start => Some(Value::new(ValueInner::Array(sources(piece, start)?))),
    });
    let mut parsed = parsed.into_iter();
    let ValueInner::Table(mut root) = into_inner(parsed.next()??) else { return None };
    let (key, all) = root.remove_entry(SOURCE)?;
    let span = all.span;
    let ValueInner::Array(mut sources) = into_inner(all) else { return None };
    for others in parsed {
        let ValueInner::Array(others) = into_inner(others?) else { return None };
        sources.extend(others);
    }
    root.insert(key, Value::with_span(ValueInner::Array(sources), span));
    Some(Value::with_span(ValueInner::Table(root), Span::new(0, text.len())))
}

/// Divides a text before headers. Returns the pieces with their positions.
fn pieces(text: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let (mut start, mut rest) = (0, text);
    while let Some(tail) = rest.as_bytes().get(SIZE..)
        && let Some(distance) = memmem::find(tail, HEADER)
    {
        let (piece, others) = rest.split_at(SIZE + distance + 1);
        pieces.push((start, piece));
        (start, rest) = (start + piece.len(), others);
    }
    pieces.push((start, rest));
    pieces
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
        for text in [fleet(4000), fleet(4000).replace('\n', "\r\n")] {
            let pieces = pieces(&text);
            assert!(pieces.len() > 4 && pieces.iter().all(|(_, piece)| piece.len() < SIZE + 1000));
            let joined: String = pieces.iter().map(|(_, piece)| *piece).collect();
            assert_eq!(joined, text);
            let whole = format!("{:?}", toml_span::parse(&text).unwrap());
            assert_eq!(format!("{:?}", parse(&text).unwrap()), whole);
        }
    }

    #[test]
    fn text_that_does_not_come_apart_is_left_to_the_caller() {
        let fleet_text = fleet(1200);
        let middle = pieces(&fleet_text)[1].0;
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
            assert!(parse(&text).is_none(), "{}", &text[..60]);
        }
        assert!(parse(&fleet_text).is_some());
    }
}
