//! Backup and restore of the database, as `examples/cluster/README.md` has it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hostile::cluster::Cluster;

use super::{assert_recorded, wait_for_polls};
use crate::server::{BINARY, text};

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
}

#[test]
#[ignore = "make cluster-test"]
fn restored_database_has_all_observations_and_replicas_go_on() {
    let mut cluster = Cluster::start(Path::new(BINARY), 2, 6, Duration::from_secs(2));
    wait_for_polls(&cluster, 2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pumphouse.dump");
    let url = cluster.database.url.clone();
    for replica in &mut cluster.replicas {
        replica.stop();
    }
    assert_recorded(&cluster);
    let observations = cluster.observations();
    let file_option = format!("--file={}", file.display());
    succeed(Command::new("pg_dump").args([
        "--format=custom",
        "--schema=pumphouse",
        &file_option,
        &url,
    ]));
    cluster.sql("DROP SCHEMA IF EXISTS pumphouse CASCADE");
    succeed(Command::new("pg_restore").args(["--no-owner", "--dbname", &url]).arg(&file));
    assert_eq!(cluster.observations(), observations);
    for replica in &mut cluster.replicas {
        replica.start();
    }
    cluster.wait_for_holders(&["a", "b"]);
    wait_for_polls(&cluster, 2);
    assert_recorded(&cluster);
}
