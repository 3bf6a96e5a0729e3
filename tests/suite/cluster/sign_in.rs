//! Sign-in at one replica, which holds at all.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hostile::cluster::{Cluster, Replica, eventually};
use serde_json::json;

use crate::access::user;
use crate::server::{BINARY, code};

/// Sends a request with the cookies of a browser, which has one jar for all replicas.
fn browse(jar: &Path, replica: &Replica, path: &str, arguments: &[&str]) -> u16 {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--cookie"])
        .arg(jar)
        .arg("--cookie-jar")
        .arg(jar)
        .args(arguments)
        .arg(format!("http://localhost:{}{path}", replica.address.port()))
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{answer}");
    code(&answer)
}

#[test]
fn session_of_one_replica_is_valid_at_all_and_ends_at_all() {
    let mut cluster = Cluster::new(Path::new(BINARY), 2, Duration::from_secs(60));
    let anna = json!({ "user": [user("anna", "right", &["read"])] });
    let config = cluster.config().set("auth", anna);
    for name in ["a", "b", "c"] {
        let replica = cluster.add(name);
        replica.configure(config.clone());
        replica.start();
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = folder.path().join("jar");
    let status = |replica: &Replica| browse(&jar, replica, "/api/v1/status", &[]);
    assert_eq!(status(&cluster.replicas[0]), 401);
    let form = ["--data-urlencode", "username=anna", "--data-urlencode", "password=right"];
    assert_eq!(browse(&jar, &cluster.replicas[0], "/login", &form), 303);
    for replica in &cluster.replicas {
        let name = replica.name();
        eventually(&format!("{name} knows the session"), || status(replica) == 200);
    }
    // Another copy of the cookie, which the browser forgets when it signs out.
    let copy = folder.path().join("copy");
    std::fs::copy(&jar, &copy).unwrap();
    assert_eq!(browse(&jar, &cluster.replicas[2], "/logout", &["--data", ""]), 303);
    for replica in &cluster.replicas {
        let is_over = || browse(&copy, replica, "/api/v1/status", &[]) == 401;
        eventually(&format!("the session is over at {}", replica.name()), is_over);
    }
}
