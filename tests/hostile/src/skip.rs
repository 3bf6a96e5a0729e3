//! Tests that this machine cannot run.

use std::io::Write as _;

/// Reports a part of the tests that is skipped, with the reason.
pub fn report(part: &str) {
    // Not by a macro: its output is captured unless the test fails.
    let _ = std::io::stderr().write_all(format!("\n*** SKIPPED: {part} ***\n").as_bytes());
}
