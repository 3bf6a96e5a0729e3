//! Reads all sources of a file, those of a large one by several threads.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ca_file::CaFiles;
use super::placeholders;
use super::problem::located;
use super::reader::Reader;
use super::section::{Section, Spanned};
use super::source::{self, Fleet, Source};
use super::syntax::Piece;
use crate::threads::{self, divide, map_shared};
use crate::units::System;

/// Maximum number of warnings on sources that are listed. A fleet may have the same one for each source.
const MAX_WARNINGS: usize = 100;

/// Number of sources that a thread reads at a time, which takes about a millisecond.
const PART: usize = 64;

/// A source that was read.
struct Read {
    /// Its name with its position in the file, also of a source with errors.
    name: Option<Spanned<String>>,
    source: Option<Arc<Source>>,
}

/// Some sources of a file.
enum Part<'reader, 'text> {
    Sections(Vec<Section<'reader, 'text>>),
    /// They are parsed where they are read, so that few of them are in memory at a time.
    Piece(Piece<'text>),
}

/// Reads all sources, those of the beginning of the file and those of its other pieces; `units` is the default of
/// `[site]`. Returns `None` if a piece cannot be parsed by itself.
pub(super) fn read(
    reader: &Reader<'_>,
    sections: Vec<Section<'_, '_>>,
    pieces: Vec<Piece<'_>>,
    units: Option<System>,
    warnings: &mut Vec<String>,
) -> Option<Vec<Arc<Source>>> {
    let ca_files = CaFiles::default();
    let sections = divide(sections, PART).into_iter().map(Part::Sections);
    let parts = sections.chain(pieces.into_iter().map(Part::Piece)).collect();
    let parts = map_shared(threads::CONFIG, parts, |part| {
        let mut fleet = Fleet { ca_files: &ca_files, units, warnings: Vec::new() };
        let read = match part {
            Part::Sections(sections) => read_each(reader, sections, &mut fleet),
            Part::Piece(piece) => read_piece(&reader.of_piece(piece.start), &piece, &mut fleet)?,
        };
        Some((read, fleet.warnings))
    });
    let (mut names, mut sources, mut of_sources) = (BTreeSet::new(), Vec::new(), Vec::new());
    for part in parts {
        let (read, warnings) = part?;
        of_sources.extend(warnings);
        for Read { name, source } in read {
            match name {
                Some(name) if names.contains(&name.value) => {
                    let message = format!("the name \"{}\" is taken by another source", name.value);
                    reader.report(name.span, located(&message, "[[source]]"));
                }
                name => {
                    names.extend(name.map(|name| name.value));
                    sources.extend(source);
                }
            }
        }
    }
    let unlisted = of_sources.len().saturating_sub(MAX_WARNINGS);
    of_sources.truncate(MAX_WARNINGS);
    warnings.append(&mut of_sources);
    if unlisted > 0 {
        warnings.push(format!("{unlisted} more notes on sources are not listed"));
    }
    Some(sources)
}

/// Reads the sources of a piece; `None` if it cannot be parsed by itself.
fn read_piece(reader: &Reader<'_>, piece: &Piece<'_>, fleet: &mut Fleet<'_>) -> Option<Vec<Read>> {
    let root = piece.parse()?;
    placeholders::warn(reader, &root);
    let sections = Section::new(reader, "the file", root)?.sections("source");
    Some(read_each(reader, sections, fleet))
}

fn read_each(
    reader: &Reader<'_>,
    sections: Vec<Section<'_, '_>>,
    fleet: &mut Fleet<'_>,
) -> Vec<Read> {
    sections.into_iter().map(|section| read_one(reader, section, fleet)).collect()
}

fn read_one(reader: &Reader<'_>, mut section: Section<'_, '_>, fleet: &mut Fleet<'_>) -> Read {
    let name = source::name(&mut section);
    if let Some(name) = &name {
        section.rename(format!("[[source]] \"{}\"", name.value));
    }
    let source = source::read(section, name.as_ref().map(|name| name.value.as_str()), fleet);
    let name = name.map(|name| Spanned { span: reader.in_file(name.span), ..name });
    Read { name, source: source.map(Arc::new) }
}

#[cfg(test)]
mod tests {
    use crate::config::{parse, syntax};

    /// Returns the sources of a fleet, six lines each.
    fn sources(count: usize) -> String {
        let source = |number| {
            format!(
                "[[source]]\nname = \"s{number}\"\nkind = \"json\"\nurl = \"http://h/\"\n\
                 [source.values.v]\npointer = \"/v\"\n"
            )
        };
        (0..count).map(source).collect()
    }

    #[test]
    fn errors_of_a_fleet_are_those_of_its_sources_in_their_order() {
        let source = |number: usize| {
            let name = match number {
                250 | 2399 => 7,
                number => number,
            };
            let interval = if number == 1400 { "1ms" } else { "1m" };
            format!(
                "[[source]]\nname = \"s{name}\"\ninterval = \"{interval}\"\nkind = \"json\"\n\
                 url = \"http://h/\"\n[source.values.v]\npointer = \"/v\"\n"
            )
        };
        let text = |count: usize| {
            let sources: String = (0..count).map(source).collect();
            format!("[auth]\nopen = true\n{sources}")
        };
        let fleet = parse("p.toml".as_ref(), &text(250), &|_| None).unwrap();
        let names: Vec<&str> = fleet.sources.iter().map(|source| &*source.name).collect();
        let expected: Vec<String> = (0..250).map(|number| format!("s{number}")).collect();
        assert_eq!(names, expected);
        let large = text(2400);
        assert!(syntax::divide(&large).is_some());
        let errors = parse("p.toml".as_ref(), &large, &|_| None).unwrap_err();
        let errors: Vec<String> =
            errors.lines().into_iter().map(|error| error.text.to_string()).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        let line = |number: usize| 3 + 7 * number;
        for (error, (at, part)) in errors.iter().zip([
            (line(250) + 1, "the name \"s7\" is taken by another source"),
            (line(1400) + 2, "\"interval\" must be at least 1s"),
            (line(2399) + 1, "the name \"s7\" is taken by another source"),
        ]) {
            assert!(error.contains(&format!(":{at}:")) && error.contains(part), "{at}: {error}");
        }
    }

    #[test]
    fn sources_are_divided_without_loss() {
        let fleet = |count: usize| format!("[auth]\nopen = true\n{}", sources(count));
        // A file with its settings behind the sources is read as a whole.
        for (end, title) in [("", "Pumphouse"), (" [site]\ntitle = \"North\"\n", "North")] {
            for count in [1, super::PART, super::PART + 1, 2001] {
                let text = fleet(count) + end;
                let config = parse("p.toml".as_ref(), &text, &|_| None).unwrap();
                let names = config.sources.iter().map(|source| source.name.to_string());
                assert!(names.eq((0..count).map(|number| format!("s{number}"))), "{count}");
                assert_eq!(config.site.title, title);
            }
        }
    }

    #[test]
    fn faults_of_pieces_are_those_of_the_whole_text() {
        let sources = sources(3000);
        for (fault, expected) in [
            ("[source.values.w]\npointer = \"/w\"\nunit = \n", ":18005:"),
            ("[source.values.w]\npointer = \"w\"\n", ":18004:"),
            ("[source.basic]\nuser = \"u\"\npasword = \"p\"\n", ":18005:"),
            ("[auth]\nopen = true\n", ":18003:"),
        ] {
            let text = format!("[auth]\nopen = true\n{sources}{fault}");
            let errors = parse("p.toml".as_ref(), &text, &|_| None).unwrap_err();
            assert!(errors.to_string().contains(expected), "{errors}");
        }
    }
}
