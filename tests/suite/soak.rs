//! `make soak` in little.

use std::path::Path;
use std::time::Duration;

use crate::server::BINARY;
use hostile::soak::soak;
use hostile::target::Target;

#[test]
fn descriptors_threads_and_memory_stay_flat() {
    let keys = "header_timeout = \"1s\"\nkeep_alive = \"1s\"\nwrite_timeout = \"1s\"\n\
                handshake_timeout = \"1s\"\nbody_timeout = \"1s\"";
    let target = Target::start(Path::new(BINARY), keys).unwrap();
    let round = Duration::from_secs(2);
    let soaked = soak(&target, 110, round, 4 * round, |_, _| {}).unwrap();
    assert!(soaked.rounds >= 2);
    assert_eq!(soaked.faults(), Vec::<String>::new());
}
