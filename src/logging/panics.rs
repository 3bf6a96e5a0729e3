//! The panic hook, which logs panics like other events. The standard hook locks standard error and
//! writes to it, so a thread that panics would block until standard error is read.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use log::{Level, Record};

use super::logger::Logger;

/// Logs every panic from now on: the thread, place and message in one line, and with `RUST_BACKTRACE`
/// the backtrace in further lines. `RUST_LOG` does not filter these lines.
pub(super) fn install(logger: &'static Logger) {
    panic::set_hook(Box::new(|panic| report(logger, panic)));
}

fn report(logger: &Logger, panic: &PanicHookInfo<'_>) {
    let error = |line: &dyn std::fmt::Display| {
        logger.submit(
            &Record::builder()
                .level(Level::Error)
                .target(module_path!())
                .file_static(Some(file!()))
                .line(Some(line!()))
                .args(format_args!("{line}"))
                .build(),
        );
    };
    let current = thread::current();
    let name = current.name().unwrap_or("<unnamed>");
    let message = message(panic.payload());
    match panic.location() {
        Some(location) => error(&format_args!("thread '{name}' panicked at {location}: {message}")),
        None => error(&format_args!("thread '{name}' panicked: {message}")),
    }
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        backtrace.to_string().lines().for_each(|line| error(&line));
    }
}

/// Returns the message of a panic.
fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
