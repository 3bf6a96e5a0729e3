//! The files of `examples/cluster`: the program that each is for accepts them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::server::{run, text};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cluster");

/// Returns a folder with a certificate, and an example with these parts replaced, each of which it has.
fn folder_with(example: &str, replaced: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = run(&["cert", "--dir", "certs"], folder.path());
    assert!(made.status.success(), "{}", text(&made));
    let mut content = fs::read_to_string(Path::new(FOLDER).join(example)).unwrap();
    for (from, to) in replaced {
        assert!(content.contains(from), "{example} has no {from}");
        content = content.replace(from, &to.replace("FOLDER", folder.path().to_str().unwrap()));
    }
    fs::write(folder.path().join(example), content).unwrap();
    folder
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

#[test]
fn configuration_of_a_replica_passes_the_check() {
    let folder = folder_with("pumphouse.toml", &[]);
    fs::copy(folder.path().join("certs/cert.pem"), folder.path().join("certs/database-ca.pem"))
        .unwrap();
    let password = folder.path().join("store-password");
    fs::write(&password, "long random").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&password, mode).unwrap();
    let checked = run(&["check", "pumphouse.toml"], folder.path());
    assert_success(&checked);
    let described = text(&checked);
    for name in ["db-1.example", "db-2.example", "verify-full"] {
        assert!(described.contains(name), "{described}");
    }
}

#[test]
fn configuration_of_haproxy_passes_its_check() {
    let folder = folder_with(
        "haproxy.cfg",
        &[
            ("/etc/haproxy/tank.example.pem", "FOLDER/pair.pem"),
            ("/etc/haproxy/replicas.pem", "FOLDER/certs/cert.pem"),
        ],
    );
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let pair = read("certs/cert.pem") + &read("certs/key.pem");
    fs::write(folder.path().join("pair.pem"), pair).unwrap();
    let mut haproxy = Command::new("haproxy");
    let checked = haproxy.args(["-c", "-f"]).arg(folder.path().join("haproxy.cfg")).output();
    let checked = checked.unwrap();
    assert_success(&checked);
    assert!(!text(&checked).to_lowercase().contains("warning"), "{}", text(&checked));
}

#[test]
fn configuration_of_nginx_passes_its_test() {
    let folder = folder_with(
        "nginx.conf",
        &[
            ("/etc/letsencrypt/live/tank.example/fullchain.pem", "FOLDER/certs/cert.pem"),
            ("/etc/letsencrypt/live/tank.example/privkey.pem", "FOLDER/certs/key.pem"),
            ("/etc/nginx/replicas.pem", "FOLDER/certs/cert.pem"),
            ("listen 443 ssl", "listen 127.0.0.1:1443 ssl"),
        ],
    );
    let shown = folder.path().display();
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths.map(|kind| format!("{kind}_temp_path {shown}/{kind};\n")).concat();
    let main = format!(
        "pid {shown}/nginx.pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{paths}include {shown}/nginx.conf;\n}}\n"
    );
    fs::write(folder.path().join("main.conf"), main).unwrap();
    let mut nginx = Command::new("nginx");
    let tested = nginx.args(["-t", "-e", "stderr", "-c"]).arg(folder.path().join("main.conf"));
    assert_success(&tested.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap());
}

#[test]
fn program_of_supervisord_is_that_of_the_other_example() {
    let read = |path: &str| fs::read_to_string(Path::new(FOLDER).join(path)).unwrap();
    let single = read("../supervisord.conf");
    let (own, single) = (read("supervisord.conf"), single.lines().collect::<Vec<_>>());
    for line in own.lines().filter(|line| !line.starts_with(';')) {
        assert!(single.contains(&line), "{line}");
    }
}

#[test]
fn links_of_the_document_lead_to_files() {
    let document = fs::read_to_string(Path::new(FOLDER).join("README.md")).unwrap();
    let links: Vec<&str> =
        document.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() >= 5);
    for link in links {
        assert!(Path::new(FOLDER).join(link).exists(), "{link}");
    }
}
