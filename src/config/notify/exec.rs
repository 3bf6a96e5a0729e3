//! `kind = "exec"`: a command.

use super::super::paths::shell_syntax;
use super::super::section::Section;

/// Reads `command`: the program and its arguments. No shell is involved.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Vec<String>> {
    if let Some(span) = section.text_of("command").map(|at| at.span) {
        drop(section.take("command"));
        section.report(
            span,
            "\"command\" must be an array of strings, the program and its arguments, not a string; write \
             command = [\"/srv/pumphouse/notify\", \"argument\"]",
        );
        return None;
    }
    let span = section.span_of("command").unwrap_or_default();
    let problems = section.problem_count();
    let command = section.strings("command");
    let command = section.require("command", command)?;
    let Some(program) = command.first() else {
        // Elements of another type have been reported.
        if section.problem_count() == problems {
            section.report(span, "\"command\" is empty; write the program and its arguments");
        }
        return None;
    };
    if let Some(message) = shell_syntax(&program.value, &|name| section.environment(name)) {
        section.report(program.span, format_args!("\"command\": {message}"));
        return None;
    }
    let path = &program.value;
    if path.is_empty() || path.contains('/') && !path.starts_with('/') {
        section.report(
            program.span,
            "\"command\" must begin with the absolute path of a program, or with its name in PATH",
        );
        return None;
    }
    if let Some(argument) = command.iter().find(|argument| argument.value.contains('\0')) {
        section.report(
            argument.span,
            "\"command\" contains a NUL character, which no argument can have",
        );
        return None;
    }
    let is_valid = section.problem_count() == problems;
    is_valid.then(|| command.into_iter().map(|argument| argument.value).collect())
}
