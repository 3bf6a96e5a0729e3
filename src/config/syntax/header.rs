//! Explains faulty headers of tables: incomplete ones, and those with one bracket instead of two.

use toml_span::Span;

use super::line::{line_at, line_number};
use super::subject::is_near_key;

/// Paths of the tables of which there may be several.
const ARRAYS: [&str; 6] =
    ["alert", "notify", "source", "auth.user", "auth.token", "tls.certificate"];

/// A header, `[path]` or `[[path]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    start: usize,
    /// Without blanks and quotation marks.
    path: String,
    is_double: bool,
}

impl Header {
    /// Parses a line that is a complete header.
    fn parse(start: usize, line: &str) -> Option<Header> {
        let text = line.trim_start();
        let start = start + line.len() - text.len();
        let inner = text.strip_prefix('[')?;
        let (inner, is_double) = match inner.strip_prefix('[') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let (path, rest) = inner.split_once(']')?;
        let rest = if is_double { rest.strip_prefix(']')? } else { rest }.trim_start();
        let is_name = |c: char| c.is_alphanumeric() || "_-.\"' \t".contains(c);
        let is_header = (rest.is_empty() || rest.starts_with('#')) && path.chars().all(is_name);
        is_header.then(|| Header { start, path: normal_path(path), is_double })
    }

    fn written(&self) -> String {
        if self.is_double { format!("[[{}]]", self.path) } else { format!("[{}]", self.path) }
    }

    fn span(&self) -> Span {
        Span::new(self.start, self.start)
    }

    /// Returns true if this table contains those of a path.
    fn contains(&self, path: &str) -> bool {
        path.strip_prefix(&self.path).is_some_and(|rest| rest.starts_with('.'))
    }
}

fn normal_path(path: &str) -> String {
    path.split('.').map(|part| part.trim().trim_matches(['"', '\''])).collect::<Vec<_>>().join(".")
}

/// Returns the headers of a text in their order. Lines in texts of several lines are none.
fn headers(text: &str) -> impl Iterator<Item = Header> {
    let mut start = 0;
    let mut open: Option<&str> = None;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let was_open = open.is_some();
        let mut rest = line;
        loop {
            let marks = match open {
                Some(mark) => rest.find(mark).map(|at| (at, mark)),
                None => ["\"\"\"", "'''"].iter().filter_map(|m| Some((rest.find(m)?, *m))).min(),
            };
            let Some((at, mark)) = marks else { break };
            open = if open.is_some() { None } else { Some(mark) };
            rest = &rest[at + mark.len()..];
        }
        if was_open { None } else { Header::parse(at, line) }
    })
}

/// Returns the path of the table that a position is in; empty for the top of the file.
pub(super) fn table_at(text: &str, at: usize) -> String {
    let above = text.get(..at).unwrap_or(text);
    let mut path = String::new();
    for header in headers(above) {
        path = header.path;
    }
    path
}

/// Explains a table that occurs twice. The position is that of the line to change.
pub(super) fn duplicate_table(text: &str, name: &str, first: Span, second: Span) -> (Span, String) {
    let line = |start| line_number(text, start);
    let already = |written: &str, line| {
        format!("the table {written} is in line {line} already; move its keys there")
    };
    // The spans of the parser may be those of elements between the two.
    let at = |span: Span| {
        let (start, line) = line_at(text, span.start);
        Header::parse(start, line)
    };
    let Some(Header { path, .. }) = at(second).or_else(|| at(first)) else {
        return (second, already(&format!("[{name}]"), line(first.start)));
    };
    let same = same_tables(text, &path, second.start.max(first.start));
    let is_array = ARRAYS.contains(&path.as_str());
    let wrong = same.iter().find(|header| header.is_double != is_array);
    let right = same.iter().find(|header| header.is_double == is_array);
    match (wrong, right, same.as_slice()) {
        (Some(wrong), Some(right), _) => {
            let reason = if is_array { "there may be several" } else { "there is one" };
            let message = format!(
                "{} must be written {}, as in line {}: {reason}",
                wrong.written(),
                right.written(),
                line(right.start)
            );
            (wrong.span(), message)
        }
        (Some(_), None, [earlier, later, ..]) if is_array => {
            let message = format!(
                "the table {} is in line {} already; write [[{path}]] in both lines for two of them",
                later.written(),
                line(earlier.start)
            );
            (later.span(), message)
        }
        (_, _, [earlier, later, ..]) => {
            (later.span(), already(&later.written(), line(earlier.start)))
        }
        _ => (second, already(&format!("[{path}]"), line(first.start))),
    }
}

/// Returns the headers of one table. Those in other tables of an array around it, as of another
/// `[[source]]` than that at `at`, do not count.
fn same_tables(text: &str, path: &str, at: usize) -> Vec<Header> {
    let all: Vec<Header> = headers(text).collect();
    let is_border = |header: &&Header| header.is_double && header.contains(path);
    let begin = all.iter().filter(is_border).map(|border| border.start).rfind(|start| *start <= at);
    let end = all.iter().filter(is_border).map(|border| border.start).find(|start| *start > at);
    let is_between = |header: &Header| {
        begin.is_none_or(|begin| header.start > begin) && end.is_none_or(|end| header.start < end)
    };
    all.into_iter().filter(|header| header.path == path && is_between(header)).collect()
}

/// Explains a complete header of an array of tables, one of whose tables is above it.
pub(super) fn part_before_array(text: &str, at: usize) -> Option<(Span, String)> {
    let (start, line) = line_at(text, at);
    let array = Header::parse(start, line).filter(|header| header.is_double)?;
    let part = headers(text).find(|header| array.contains(&header.path))?;
    let message = format!(
        "{} must follow the {} that it belongs to; the first one is in line {}",
        part.written(),
        array.written(),
        line_number(text, array.start)
    );
    (part.start < array.start).then(|| (part.span(), message))
}

/// Explains a header without a closing bracket.
pub(super) fn incomplete(line: &str) -> Option<String> {
    let is_list = line.contains(['=', '"', '\'', ',']);
    if !line.starts_with('[') || is_list || Header::parse(0, line).is_some() {
        return None;
    }
    let path = normal_path(line.trim_start_matches('[').split([']', '#']).next()?);
    let first = path.split('.').next().unwrap_or_default();
    // The line may be one of a list, whose values are not repeated.
    if !is_near_key(first) {
        return Some("the header of a table is not complete; write [name]".to_owned());
    }
    let right =
        if ARRAYS.contains(&path.as_str()) { format!("[[{path}]]") } else { format!("[{path}]") };
    Some(format!("the header of a table is not complete; write {right}"))
}
