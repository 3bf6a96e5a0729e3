//! Divides a large text into pieces that are parsed on their own: a fleet of 3,000 sources is over a megabyte of TOML,
//! which takes fifteen times its size in memory once it is parsed.
//!
//! The first piece has the beginning of the file. Each of the others begins with the header of a `[[source]]` and
//! has nothing but sources.

use memchr::memmem;
use toml_span::Value;
use toml_span::value::ValueInner;

/// Size of a piece, bytes. It takes about a millisecond.
const SIZE: usize = 64 * 1024;

/// Line that begins a source.
const HEADER: &[u8] = b"\n[[source]]";

/// Beginnings of the tables that a source may have.
const OF_SOURCE: [&[u8]; 3] = [b"[source]]", b"[source.", b"source."];

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Piece<'text> {
    /// Its position in the text.
    pub(in crate::config) start: usize,
    text: &'text str,
}

impl<'text> Piece<'text> {
    /// Parses the piece, which is not the first one. Returns `None` if it has a fault, or anything but sources.
    pub(in crate::config) fn parse(&self) -> Option<Value<'text>> {
        let root = toml_span::parse(self.text).ok()?;
        let ValueInner::Table(table) = root.as_ref() else { return None };
        let has_sources = table.get("source").is_some_and(|sources| sources.as_array().is_some());
        (has_sources && table.len() == 1).then_some(root)
    }
}

/// Divides a text before headers of sources. Returns the value of the first piece, and the others; `None` if the text
/// is small, or must be parsed as a whole.
pub(in crate::config) fn divide(text: &str) -> Option<(Value<'_>, Vec<Piece<'_>>)> {
    let mut pieces = Vec::new();
    let (mut start, mut rest) = (0, text);
    while let Some(tail) = rest.as_bytes().get(SIZE..)
        && let Some(distance) = memmem::find(tail, HEADER)
    {
        let (text, others) = rest.split_at(SIZE + distance + 1);
        pieces.push(Piece { start, text });
        (start, rest) = (start + text.len(), others);
    }
    pieces.push(Piece { start, text: rest });
    let first = pieces.remove(0);
    if pieces.is_empty() || !pieces.iter().all(has_only_sources) {
        return None;
    }
    // No header may add to `source = [{…}]`, which only the parser of both can tell.
    memmem::find(first.text.as_bytes(), HEADER)?;
    let root = toml_span::parse(first.text).ok()?;
    // The header of another piece would add to anything else of this name.
    let is_list = root.as_table()?.get("source")?.as_array().is_some();
    is_list.then_some((root, pieces))
}

/// Returns true if no header of a piece is that of another section. A source is read with all that it names, such as
/// files, so a piece that does not stand on its own should be known before that.
fn has_only_sources(piece: &Piece<'_>) -> bool {
    let text = piece.text.as_bytes();
    memmem::find_iter(text, b"\n[").all(|at| {
        let header = &text[at + 2..];
        OF_SOURCE.iter().any(|beginning| header.starts_with(beginning))
    })
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

    fn sources<'value>(root: &'value Value<'_>) -> &'value [Value<'value>] {
        root.as_table().unwrap().get("source").unwrap().as_array().unwrap()
    }

    #[test]
    fn pieces_have_all_sources_at_their_positions() {
        for text in [fleet(4000), fleet(4000).replace('\n', "\r\n")] {
            let whole = toml_span::parse(&text).unwrap();
            let mut whole = sources(&whole).iter();
            let (root, pieces) = divide(&text).unwrap();
            assert!(pieces.len() > 4 && pieces.iter().all(|piece| piece.text.len() < SIZE + 1000));
            assert_eq!(root.as_table().unwrap().len(), 3);
            let first = (0, root);
            let others = pieces.iter().map(|piece| (piece.start, piece.parse().unwrap()));
            for (start, root) in [first].into_iter().chain(others) {
                for source in sources(&root) {
                    let same = whole.next().unwrap();
                    assert_eq!(same.span.start, start + source.span.start);
                    let name = |source: &Value<'_>| {
                        source.pointer("/name").unwrap().as_str().map(str::to_owned)
                    };
                    assert_eq!(name(source), name(same));
                }
            }
            assert!(whole.next().is_none());
        }
    }

    #[test]
    fn text_that_does_not_come_apart_is_parsed_as_a_whole() {
        let fleet_text = fleet(1200);
        let middle = divide(&fleet_text).unwrap().1[0].start;
        let with = |at: usize, text: &str| [&fleet_text[..at], text, &fleet_text[at..]].concat();
        for text in [
            fleet(10),
            "# no source\n".repeat(10_000),
            with(fleet_text.len(), "[site]\ntitle = \"behind the sources\"\n"),
            with(fleet_text.len(), "[[auth.user]]\nname = \"x\"\n"),
            with(0, "= 1\n"),
            with(0, "source = 1\n"),
            format!("source = [{{}}]\n{}\n[[source]]\n", "# no source\n".repeat(10_000)),
        ] {
            assert!(divide(&text).is_none(), "{}", &text[..60]);
        }
        for text in [
            with(fleet_text.len(), "name = \n"),
            with(fleet_text.len(), " [site]\ntitle = \"behind the sources\"\n"),
            // The header is within a text of several lines.
            with(middle, "[source.headers]\nX = \"\"\"\n[[source]]\n\"\"\"\n"),
        ] {
            let divided = divide(&text);
            let parses =
                |pieces: Vec<Piece<'_>>| pieces.iter().all(|piece| piece.parse().is_some());
            assert!(divided.is_none_or(|(_, pieces)| !parses(pieces)), "{}", &text[..60]);
        }
    }
}
