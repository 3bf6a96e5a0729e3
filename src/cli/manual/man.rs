//! The man page, in roff.

use roff::{Inline, Roff, bold, italic, roman};

use super::command::{Command, PROGRAM, flag_with_value, short};
use super::context::{FILES, SIGNALS};
use super::text::Block;

/// Returns the page `pumphouse-web(1)` for the program and all commands.
pub(crate) fn render(program: &Command<'_>) -> String {
    let mut page = Roff::new();
    let version = format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"));
    page.control("TH", [&*PROGRAM.to_uppercase(), "1", "", &*version, "User Commands"]);
    // Names of options and commands are not hyphenated.
    page.control("nh", []).control("ad", ["l"]);

    page.control("SH", ["NAME"]);
    page.text([roman(format!("{PROGRAM} - {}", lower_first(program.summary())))]);
    page.control("SH", ["SYNOPSIS"]);
    for child in leaves(program) {
        page.control("TP", ["4"]);
        usage(&mut page, &child);
        page.control("PD", ["0"]);
    }
    page.control("PD", []);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(program.info.description)]);
    notes(&mut page, program);
    page.control("SH", ["OPTIONS"]);
    options(&mut page, program);

    page.control("SH", ["COMMANDS"]);
    for command in leaves(program) {
        page.control("SS", [&*command.path.join(" ")]);
        page.control("PP", []);
        usage(&mut page, &command);
        page.control("PP", []);
        page.text([roman(command.info.description)]);
        let arguments = command
            .positionals()
            .map(|positional| (vec![italic(positional.name)], positional.description));
        definitions(&mut page, arguments);
        options(&mut page, &command);
        notes(&mut page, &command);
        examples(&mut page, &command);
        // Codes that every command has are listed once, for the program.
        for code in command.info.error_codes {
            definitions(
                &mut page,
                [(vec![roman(format!("Exit code {}", code.code))], code.description)],
            );
        }
    }

    page.control("SH", ["EXIT STATUS"]);
    for (code, text) in program.exit_codes() {
        definitions(&mut page, [(vec![bold(code.to_string())], text)]);
    }
    for (heading, entries) in
        [("ENVIRONMENT", &program.environment()[..]), ("FILES", &FILES), ("SIGNALS", &SIGNALS)]
    {
        page.control("SH", [heading]);
        definitions(&mut page, entries.iter().map(|(name, text)| (vec![bold(*name)], *text)));
    }
    page.control("SH", ["EXAMPLES"]);
    examples(&mut page, program);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        roman("README.md, ARCHITECTURE.md, SECURITY.md and CHANGELOG.md in "),
        italic("/usr/local/share/doc/pumphouse-web/"),
        roman(", or below another PREFIX; in the Debian package in "),
        italic("/usr/share/doc/pumphouse-web/"),
        roman("."),
    ]);
    page.render()
}

/// Returns the commands that do something.
fn leaves<'a>(program: &Command<'a>) -> impl Iterator<Item = Command<'a>> {
    program.tree().into_iter().filter(|command| command.info.commands.is_empty())
}

/// Appends how to call a command.
fn usage(page: &mut Roff, command: &Command<'_>) {
    let usage = command.usage();
    let name = command.name();
    let rest = usage.strip_prefix(&name).unwrap_or_default().to_owned();
    page.text([bold(name), roman(rest)]);
}

/// Appends the options of a command.
fn options(page: &mut Roff, command: &Command<'_>) {
    let options = command.flags().map(|flag| {
        let letter = short(flag).map_or(String::new(), |letter| format!("-{letter}, "));
        (vec![bold(letter + &flag_with_value(flag))], flag.description)
    });
    definitions(page, options);
}

/// Appends a list of terms with their descriptions.
fn definitions<'a>(page: &mut Roff, entries: impl IntoIterator<Item = (Vec<Inline>, &'a str)>) {
    for (term, description) in entries {
        page.control("TP", []).text(term).text([roman(description)]);
    }
}

/// Appends the notes of a command.
fn notes(page: &mut Roff, command: &Command<'_>) {
    for block in command.notes() {
        match block {
            Block::Paragraph(text) => {
                page.control("PP", []).text([roman(text)]);
            }
            Block::Literal(lines) => literal(page, &lines),
        }
    }
}

/// Appends the examples of a command.
fn examples(page: &mut Roff, command: &Command<'_>) {
    for (text, commands) in command.examples() {
        page.control("PP", []).text([roman(format!("{text}:"))]);
        literal(page, &commands);
    }
}

/// Appends lines that are shown as they are.
fn literal(page: &mut Roff, lines: &[String]) {
    page.control("PP", []).control("RS", ["4"]).control("nf", []);
    lines.iter().for_each(|line| {
        page.text([roman(&**line)]);
    });
    page.control("fi", []).control("RE", []);
}

/// Returns a text with its first letter in lower case.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}
