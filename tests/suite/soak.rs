//! `make soak` at a small scale.

use std::path::Path;
use std::time::Duration;

use hostile::config::Config;
use hostile::soak::soak;
use hostile::target::Target;

use crate::server::BINARY;

#[test]
fn soaked_server_keeps_descriptors_threads_and_memory_flat() {
    let timeouts =
        ["header_timeout", "keep_alive", "write_timeout", "handshake_timeout", "body_timeout"];
    let config = timeouts
        .iter()
        .fold(Config::https(), |config, key| config.set(&format!("server.{key}"), "1s"));
    let target = Target::start(Path::new(BINARY), config).unwrap();
    let round = Duration::from_secs(2);
    let soaked = soak(&target, 110, round, 4 * round, |_, _| {}).unwrap();
    assert!(soaked.rounds >= 2);
    assert_eq!(soaked.faults(), Vec::<String>::new());
}
