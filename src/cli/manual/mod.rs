//! The reference of the command line: `--help`, the man page and the shells' completions.
//!
//! All of them, and the parser's suggestions, are rendered from one table, the one that
//! `#[derive(ArgsInfo)]` makes of the structures that argh parses into. What that table has no room
//! for is in `context`.

mod command;
pub(super) mod completions;
mod context;
pub(super) mod help;
pub(super) mod man;
mod text;

pub(super) use self::command::{Command, PROGRAM, Value, find, flag_with_value, short, value_of};
