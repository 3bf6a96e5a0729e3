//! nginx, configured by `examples/nginx.conf`.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use hostile::config::Config;

use super::visitor::Visitor;
use super::{
    Fixture, PROXY, WAYS, assert_browser_works, assert_forms_stay, assert_site_works, replaced,
    set_mode,
};
use crate::harness::eventually;
use crate::process::Process;
use crate::users::{GROUP, can_change_users, may_change_users};

const EXAMPLE: &str = include_str!("../../../examples/nginx.conf");

/// The parts of the example: the text before the first server, and each server.
fn parts() -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in EXAMPLE.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if line.starts_with("server {") {
            parts.push(String::new());
        }
        let part = parts.last_mut().unwrap();
        part.push_str(line);
        part.push('\n');
    }
    assert_eq!(parts.len(), 1 + WAYS.len());
    parts
}

/// A running nginx.
struct Nginx(Process);

impl Drop for Nginx {
    /// Ends the workers, too, which outlive a master that is killed.
    fn drop(&mut self) {
        self.0.signal("TERM");
        let _ = self.0.child().wait();
    }
}

/// Starts nginx with one server of the example before a server at `address`. As root, its workers have the
/// server's group, as after the `usermod` of the example.
fn start(fixture: &Fixture, upstream: &str, server: &str) -> Nginx {
    start_in_group(fixture, GROUP, upstream, server)
}

/// Starts nginx with workers of this group, if root starts it.
fn start_in_group(fixture: &Fixture, group: &str, upstream: &str, server: &str) -> Nginx {
    let user = if can_change_users() { format!("user {PROXY} {group};\n") } else { String::new() };
    let folder = fixture.path().display();
    let (listen, cert) =
        (format!("listen 127.0.0.1:{} ssl;", fixture.port), format!("{folder}/cert.pem"));
    let mut server = replaced(server, &[("listen 443 ssl;", &listen)]);
    for (host, _) in WAYS {
        let key = format!("/etc/letsencrypt/live/{host}/privkey.pem");
        let chain = format!("/etc/letsencrypt/live/{host}/fullchain.pem");
        server = server.replace(&chain, &cert).replace(&key, &format!("{folder}/key.pem"));
    }
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths.map(|kind| format!("{kind}_temp_path {folder}/nginx-{kind};\n")).concat();
    let text = format!(
        "daemon off;\nworker_processes 1;\n{user}pid {folder}/nginx.pid;\nerror_log stderr notice;\n\
         events {{}}\nhttp {{\naccess_log off;\n{paths}{upstream}\n{server}}}\n"
    );
    let file = fixture.path().join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(fixture.path()).arg("-c").arg(&file).stdin(Stdio::null());
    Nginx(Process::start_logged(&mut nginx))
}

/// Returns the `upstream` of the example with this server.
fn upstream(server: &str) -> String {
    replaced(&parts()[0], &[("server 127.0.0.1:6443;", &format!("server {server};"))])
}

fn with_url(fixture: &Fixture, way: usize) -> Config {
    let (host, path) = WAYS[way];
    fixture.config().set("site.url", fixture.url(host, path))
}

#[test]
fn site_on_a_host_of_its_own_works_and_connections_are_reused() {
    let fixture = Fixture::new();
    let (server, address) = fixture.serve(&with_url(&fixture, 0));
    let _nginx = start(&fixture, &upstream(&address.to_string()), &parts()[1]);
    let (host, path) = WAYS[0];
    assert_site_works(&fixture, host, path);
    let admin = server.log().wait_for_address("admin listener on http://");
    let metric = |name: &str| -> f64 {
        let url = format!("http://{admin}/metrics");
        let page = Command::new("curl").args(["-sf", &url]).output().unwrap().stdout;
        let page = String::from_utf8(page).unwrap();
        let line = page.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let accepted = metric("pumphouse_connections_accepted_total");
    assert!(accepted <= 8.0, "nginx opened {accepted} connections for more than 50 requests");
}

#[test]
fn site_below_a_path_that_nginx_passes_on_works_over_a_port_and_a_unix_socket() {
    let fixture = Fixture::new();
    let (_server, address) = fixture.serve(&with_url(&fixture, 1));
    let (host, path) = WAYS[1];
    let socket = format!("unix:{}/web.sock", fixture.path().display());
    for to in [address.to_string(), socket] {
        let nginx = start(&fixture, &upstream(&to), &parts()[2]);
        assert_site_works(&fixture, host, path);
        assert!(assert_forms_stay(&fixture, host, path).contains(&401));
        drop(nginx);
    }
}

/// The folder is open to all, so that the mode and the group of the socket alone decide.
#[test]
fn nginx_reaches_the_unix_socket_by_the_group_of_the_server_only() {
    if !may_change_users() {
        return;
    }
    let fixture = Fixture::new();
    let (_server, _) = fixture.serve(&with_url(&fixture, 0));
    set_mode(fixture.path(), 0o755);
    let (host, path) = WAYS[0];
    let socket = format!("unix:{}/web.sock", fixture.path().display());
    let visitor = Visitor::new(&fixture, host);
    for (group, code) in [(GROUP, 200), (PROXY, 502)] {
        let nginx = start_in_group(&fixture, group, &upstream(&socket), &parts()[1]);
        let mut answered = 0;
        eventually("nginx answers", || {
            answered = visitor.get(&fixture.url(host, &format!("{path}ping"))).code;
            answered != 0
        });
        assert_eq!(answered, code, "workers of the group {group}");
        if code == 502 {
            nginx.0.log().wait_for("(13: Permission denied) while connecting to upstream");
        }
    }
}

#[test]
fn site_below_a_path_that_nginx_removes_works_over_tls() {
    let fixture = Fixture::new();
    let config = with_url(&fixture, 2).set("tls.cert", "cert.pem").set("tls.key", "key.pem");
    let (_server, address) = fixture.serve(&config);
    let _nginx = start(&fixture, "", &removing(&fixture, address));
    let (host, path) = WAYS[2];
    assert_site_works(&fixture, host, path);
    let codes = assert_forms_stay(&fixture, host, path);
    assert!(codes.contains(&400) && codes.contains(&401), "{codes:?}");
}

#[test]
fn browser_without_fetch_metadata_signs_in_at_any_port_without_a_public_address() {
    let fixture = Fixture::new();
    let (_server, address) = fixture.serve(&fixture.config().push("server.names", WAYS[1].0));
    let (host, path) = WAYS[1];
    let removing = ("proxy_pass http://pumphouse;", "proxy_pass http://pumphouse/;");
    for (to, expected) in [("$host", 403), ("$http_host", 303)] {
        let host_field =
            ("proxy_set_header Host $http_host;", &*format!("proxy_set_header Host {to};"));
        let server = replaced(&parts()[2], &[removing, host_field]);
        let nginx = start(&fixture, &upstream(&address.to_string()), &server);
        let visitor = Visitor::new(&fixture, host);
        let root = fixture.url(host, path);
        eventually("nginx answers", || visitor.get(&format!("{root}ping")).code == 200);
        let form = visitor.get(&format!("{root}login"));
        let answer = visitor.post(&format!("{root}login"), &form.fields("anna", "right"));
        assert_eq!(answer.code, expected, "{}", answer.body);
        for named in [format!("https://{host}:{}", fixture.port), "proxy_set_header".to_owned()] {
            assert_eq!(answer.body.contains(&named), expected == 403, "{named}: {}", answer.body);
        }
        drop(nginx);
    }
}

/// Returns the third server of the example, before a server at this address.
fn removing(fixture: &Fixture, address: SocketAddr) -> String {
    let certificate = format!("{}/cert.pem", fixture.path().display());
    replaced(
        &parts()[3],
        &[
            ("https://192.0.2.7:6443/", &format!("https://{address}/")),
            ("/etc/nginx/pumphouse-cert.pem", &certificate),
            ("proxy_ssl_name pumphouse.example;", "proxy_ssl_name localhost;"),
        ],
    )
}

#[test]
fn browser_below_a_path_signs_in_sees_values_change_and_signs_out() {
    let fixture = Fixture::new();
    // A form of `proxy_pass` that removes the path, without a public address.
    let config = fixture.config().push("server.names", "localhost");
    let (_server, address) = fixture.serve(&config);
    let server = replaced(
        &parts()[2],
        &[
            ("home.example;", "localhost;"),
            ("proxy_pass http://pumphouse;", "proxy_pass http://pumphouse/;"),
        ],
    );
    let _nginx = start(&fixture, &upstream(&address.to_string()), &server);
    assert_browser_works(&fixture, "/pumphouse/");
}
