//! Caddy, configured by `examples/Caddyfile`.

use std::process::{Command, Stdio};

use super::{Fixture, PROXY, WAYS, assert_forms_stay, assert_site_works, replaced};
use crate::process::Process;
use crate::users::{GROUP, as_user_in, can_change_users};

const EXAMPLE: &str = include_str!("../../../examples/Caddyfile");

/// Starts Caddy with all sites of the example before a server at `upstream`. As root, it is run by a user in the
/// server's group, as after the `usermod` of the README.
fn start(fixture: &Fixture, upstream: &str) -> Process {
    let folder = fixture.path().display();
    let mut text = replaced(
        EXAMPLE,
        &[("reverse_proxy 127.0.0.1:6443", &format!("reverse_proxy {upstream}"))],
    );
    for (host, _) in WAYS {
        let site = format!(
            "\nhttps://{host}:{} {{\n\tbind 127.0.0.1\n\ttls {folder}/cert.pem {folder}/key.pem",
            fixture.port
        );
        text = replaced(&text, &[(&format!("\n{host} {{"), &site)]);
    }
    let text = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{text}");
    let file = fixture.path().join("Caddyfile");
    std::fs::write(&file, text).unwrap();
    let state = fixture.path().join("caddy");
    std::fs::create_dir_all(&state).unwrap();
    let mut caddy = if can_change_users() {
        assert!(Command::new("chown").arg(PROXY).arg(&state).status().unwrap().success());
        as_user_in(PROXY, GROUP, "caddy")
    } else {
        Command::new("caddy")
    };
    caddy
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&file)
        .env("HOME", &state)
        .env("XDG_DATA_HOME", &state)
        .env("XDG_CONFIG_HOME", &state)
        .stdin(Stdio::null());
    Process::start_logged(&mut caddy)
}

#[test]
fn each_way_of_the_example_works_over_a_port_and_a_unix_socket() {
    let fixture = Fixture::new();
    let socket = format!("unix/{}/web.sock", fixture.path().display());
    for (way, (host, path)) in WAYS.into_iter().enumerate() {
        let config = fixture.config().set("site.url", fixture.url(host, path));
        let (mut server, address) = fixture.serve(&config);
        let to = if way == 1 { socket.clone() } else { address.to_string() };
        let mut caddy = start(&fixture, &to);
        assert_site_works(&fixture, host, path);
        if path != "/" {
            let codes = assert_forms_stay(&fixture, host, path);
            assert!(codes.contains(&401), "{codes:?}");
        }
        caddy.stop();
        server.stop();
    }
}

#[test]
fn example_is_valid_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/Caddyfile");
    for check in [&["adapt", "--validate"][..], &["fmt", "--diff"]] {
        let mut caddy = Command::new("caddy");
        caddy.args(check).env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
        match check[0] {
            "fmt" => caddy.arg(file),
            _ => caddy.args(["--adapter", "caddyfile", "--config", file]),
        };
        let output = caddy.output().unwrap();
        assert!(output.status.success(), "{check:?}: {}", String::from_utf8_lossy(&output.stderr));
        let changed = String::from_utf8_lossy(&output.stdout);
        let changed = changed.lines().find(|line| line.starts_with(['+', '-']));
        assert!(check[0] != "fmt" || changed.is_none(), "{changed:?}");
    }
}
