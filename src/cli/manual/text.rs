//! Paragraphs and lists of plain text in lines of bounded width.

/// Longest line.
const WIDTH: usize = 80;

/// Widest column of names. Longer names have a line of their own.
const MAX_NAMES: usize = 24;

/// A part of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// Text to be wrapped.
    Paragraph(String),
    /// Lines to be shown as they are, such as a part of a file.
    Literal(Vec<String>),
}

/// Splits a note at its empty lines. Indented lines are literal.
pub(super) fn blocks(note: &str) -> impl Iterator<Item = Block> {
    note.split("\n\n").map(|block| {
        if block.starts_with(' ') {
            Block::Literal(
                block.lines().map(|line| line.trim_start_matches("  ").to_owned()).collect(),
            )
        } else {
            Block::Paragraph(block.split_whitespace().collect::<Vec<_>>().join(" "))
        }
    })
}

/// Appends a text in lines that begin with `indent` spaces; the first one continues the line
/// that `out` ends with.
pub(super) fn wrap(out: &mut String, text: &str, indent: usize) {
    let mut used = out.rsplit('\n').next().unwrap_or_default().chars().count();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > indent && used + 1 + length > WIDTH {
            out.push('\n');
            used = 0;
        }
        if used < indent {
            out.extend(std::iter::repeat_n(' ', indent - used));
            used = indent;
        } else if used > indent {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out.push('\n');
}

/// Appends a heading and a list of names with their descriptions in one column. An empty list is left
/// out.
pub(super) fn list(out: &mut String, heading: &str, entries: &[(String, String)]) {
    if entries.is_empty() {
        return;
    }
    out.push_str(&format!("\n{heading}:\n"));
    let lengths = entries.iter().map(|(name, _)| name.chars().count());
    let widest = lengths.filter(|length| *length <= MAX_NAMES).max().unwrap_or_default();
    let column = 2 + widest + 2;
    for (name, description) in entries {
        out.push_str("  ");
        out.push_str(name);
        if name.chars().count() > widest {
            out.push('\n');
        }
        wrap(out, description, column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_has_one_column_and_bounded_lines() {
        let mut out = String::new();
        let long = "word ".repeat(30);
        list(
            &mut out,
            "Names",
            &[
                ("-a, --all".to_owned(), long.clone()),
                ("--a-name-that-is-longer-than-the-column VALUE".to_owned(), "text".to_owned()),
                ("-b".to_owned(), String::new()),
            ],
        );
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[1], "Names:");
        assert!(lines[2].starts_with("  -a, --all  word word"), "{out}");
        assert!(lines[3].starts_with("             word"), "{out}");
        assert!(lines.contains(&"             text"), "{out}");
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH), "{out}");
        assert_eq!(out.matches("word").count(), 30);
    }

    #[test]
    fn indented_block_is_literal_and_others_are_wrapped() {
        let blocks: Vec<Block> = blocks("One\ntwo.\n\n  [section]\n    key=1\n\nThree.").collect();
        assert_eq!(
            blocks,
            [
                Block::Paragraph("One two.".to_owned()),
                Block::Literal(vec!["[section]".to_owned(), "key=1".to_owned()]),
                Block::Paragraph("Three.".to_owned()),
            ]
        );
    }
}
