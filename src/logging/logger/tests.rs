use log::Level;

use super::*;
use crate::logging::filter;
use crate::logging::format::Format;
use crate::logging::queue::{self, BOUNDS};

fn logger(filter: &str) -> (Logger, queue::Consumer) {
    let (producer, consumer) = queue::bounded(BOUNDS);
    let layout = Layout { format: Format::Text, colours: false };
    let (filter, _) = filter::parse(Some(filter));
    (Logger { filter, layout, limiter: Arc::default(), producer }, consumer)
}

/// Logs like a macro at one line of `target`.
fn log_from(logger: &Logger, target: &str, level: Level, message: &str) {
    logger.log(
        &Record::builder()
            .level(level)
            .target(target)
            .file_static(Some("file.rs"))
            .line(Some(7))
            .args(format_args!("{message}"))
            .build(),
    );
}

fn drain(consumer: &queue::Consumer) -> Vec<String> {
    std::iter::from_fn(|| consumer.try_receive().ok()).collect()
}

#[test]
fn dependency_that_logs_a_line_a_connection_is_suppressed_and_summarized() {
    let (logger, consumer) = logger("info");
    for number in 0..500 {
        let message = format!("Illegal SNI {number}");
        log_from(&logger, "rustls::msgs::handshake", Level::Warn, &message);
    }
    let lines = drain(&consumer);
    assert_eq!(lines.len(), 5, "{lines:?}");
    logger.queue_summaries();
    let lines = drain(&consumer);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let summary = "WARN  495 more lines from rustls::msgs::handshake:7 suppressed";
    assert!(lines[0].contains(summary), "{lines:?}");
    assert_eq!(logger.limiter.suppressed(), 495);
}

#[test]
fn own_lines_of_a_reload_of_1000_sources_and_request_lines_pass() {
    let (logger, consumer) = logger("debug");
    for level in [Level::Info, Level::Debug] {
        (0..1000).for_each(|_| log_from(&logger, "pumphouse_web::site", level, "line"));
        assert_eq!(drain(&consumer).len(), 1000, "{level}");
    }
}

/// Panics when it is formatted.
struct NeverFormatted;

impl std::fmt::Display for NeverFormatted {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("formatted, but not written")
    }
}

#[test]
fn line_that_is_filtered_suppressed_or_dropped_is_not_formatted() {
    let (logger, consumer) = logger("info");
    let log_unformatted = |target: &str, level| {
        let mut record = Record::builder();
        record.level(level).target(target);
        logger.log(&record.args(format_args!("{NeverFormatted}")).build());
    };
    log_unformatted("pumphouse_web", Level::Debug);
    // The tokens of the callsite are used up first.
    for _ in 0..5 {
        logger.log(&Record::builder().level(Level::Warn).target("rustls").build());
    }
    log_unformatted("rustls", Level::Warn);
    assert_eq!(drain(&consumer).len(), 5);
    (0..BOUNDS.lines).for_each(|_| logger.producer.send(Level::Info, "line\n".to_owned()));
    log_unformatted("pumphouse_web", Level::Info);
    assert_eq!(logger.producer.counters().dropped(), 1);
}
