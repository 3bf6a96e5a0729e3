//! The log: to standard error, one line an event, filtered by `RUST_LOG`.

use std::io::Write;

use env_logger::Env;
use jiff::Timestamp;
use log::LevelFilter;

/// At `trace` the HTTP client writes whole URLs, and their queries hold keys.
const URL_WRITERS: [&str; 2] = ["ureq", "ureq_proto"];

/// Starts to log. Colours are used on a terminal only.
pub fn start() {
    let mut builder = env_logger::Builder::from_env(Env::default().default_filter_or("info"));
    builder.format(|out, record| {
        let style = out.default_level_style(record.level());
        writeln!(
            out,
            "{} {style}{:<5}{style:#} {}",
            Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
            record.level(),
            record.args()
        )
    });
    for module in URL_WRITERS {
        builder.filter_module(module, LevelFilter::Info);
    }
    // Its calls give its errors back, too, and whoever made them tells of them at a bounded rate.
    builder.filter_module("tiny_http", LevelFilter::Off);
    // A second start, as in tests, changes nothing.
    let _ = builder.try_init();
}
