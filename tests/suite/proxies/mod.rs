//! The site behind real proxies, configured by the examples.

mod caddy;
mod nginx;
mod visitor;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use self::visitor::Visitor;
use crate::access::user;
use crate::harness::eventually;
use crate::process::Process;
use crate::server::{BINARY, run, serve_by};
use crate::users::{GROUP, USER, as_user, can_change_users};
use crate::webdriver::{Browser, Engine};

/// Hosts of the examples, in the order of their ways, each with the path of the site.
const WAYS: [(&str, &str); 3] =
    [("tank.example", "/"), ("home.example", "/pumphouse/"), ("barn.example", "/pumphouse/")];

/// User of the proxies, if root runs the tests: that of Debian's nginx, in the server's group.
const PROXY: &str = "www-data";

/// A folder with a certificate for the hosts of the examples, and a port for the proxy.
///
/// As root, the server is run by [`USER`], and the folder is closed to all but its group, as that of the unix
/// socket is by the example of systemd.
struct Fixture {
    folder: tempfile::TempDir,
    port: u16,
    upstream: Upstream,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let names = WAYS.into_iter().flat_map(|(host, _)| ["--name", host]);
        let command: Vec<&str> =
            ["cert", "--dir", ".", "--name", "localhost"].into_iter().chain(names).collect();
        let made = run(&command, folder.path());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        if can_change_users() {
            let mut chown = Command::new("chown");
            chown.args(["-R", &format!("{USER}:{GROUP}")]).arg(folder.path());
            assert!(chown.status().unwrap().success());
            set_mode(folder.path(), 0o750);
            // Caddy reads the key as its own user, nginx as root.
            set_mode(&folder.path().join("key.pem"), 0o640);
        }
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Fixture { folder, port, upstream: Upstream::answering(r#"{"level": 41}"#) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the public address of a site.
    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.port)
    }

    /// Returns the configuration of a server with an account, as the examples describe it, on a port and
    /// on the unix socket `web.sock`.
    fn config(&self) -> Config {
        let tank = Source::json("tank", &self.upstream.url())
            .value("level", "/level", "%")
            .set("title", "Cistern")
            .set("interval", "1s");
        Config::http()
            .listen("unix:web.sock")
            .push("server.trusted_proxies", "127.0.0.1")
            .push("server.names", "elsewhere.example")
            .push("auth.user", user("anna", "right", &["read", "poll"]))
            .set("history.flush", "200ms")
            .source(tank)
            .source(Source::json("well", &self.upstream.url()).value("level", "/level", "%"))
    }

    /// Starts a server; returns it with its address.
    fn serve(&self, config: &Config) -> (Process, SocketAddr) {
        config.write(self.path());
        let program = if can_change_users() { as_user(BINARY) } else { Command::new(BINARY) };
        let server = serve_by(program, self.path());
        let scheme = if config.has_tls() { "https" } else { "http" };
        let address = server.log().wait_for_address(&format!("listening on {scheme}://"));
        (server, address)
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Replaces texts of an example, each of which it must contain.
fn replaced(example: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(example.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the example has no {from}");
        text.replace(from, to)
    })
}

/// Requires that everything works that a browser and a script do, at this public address.
fn assert_site_works(fixture: &Fixture, host: &str, path: &str) {
    let root = fixture.url(host, path);
    let visitor = Visitor::new(fixture, host);
    eventually("the proxy and the server answer", || {
        visitor.get(&format!("{root}ping")).code == 200
    });

    assert_forms_lead_within(&visitor, &root);
    let page = sign_in(fixture, &visitor, &root, path);
    assert_links_lead_within(&visitor, &root);
    assert_scripts_work(&visitor, &root);

    // Sign-out ends the session, and removes the cookie of that path.
    let signed_out = visitor.post(&format!("{root}logout"), &[]);
    assert_eq!((signed_out.code, signed_out.location()), (303, Some(format!("{root}login"))));
    assert_eq!(visitor.get(&page).code, 401);
    assert!(!visitor.has_cookie("pumphouse_session_"));

    // The path without its last slash.
    if let Some(folder) = path.strip_suffix('/').filter(|folder| !folder.is_empty()) {
        for query in ["", "?range=7d&from=a%20b"] {
            let redirect = visitor.get(&format!("{}{query}", fixture.url(host, folder)));
            assert!(matches!(redirect.code, 301 | 308), "{}", redirect.code);
            assert_eq!(redirect.location(), Some(format!("{root}{query}")));
        }
    }
}

/// Requires that a page without credentials has the form, at every depth, and the form's files.
fn assert_forms_lead_within(visitor: &Visitor, root: &str) {
    for page in ["", "source/tank?range=7d", "nowhere", "a/b/c", "source/tank/", "source/"] {
        let form = visitor.get(&format!("{root}{page}"));
        assert_eq!(form.code, 401, "{root}{page}: {}", form.body);
        for link in form.links() {
            let is_action = link.ends_with("/login");
            assert!(link.starts_with(root), "{root}{page} links to {link}");
            assert_eq!(visitor.get(&link).code, 200, "{root}{page}: {link}, {is_action}");
        }
    }
}

/// Signs in, which leads back to the page, by a cookie of the site's path. Returns the page.
fn sign_in(fixture: &Fixture, visitor: &Visitor, root: &str, path: &str) -> String {
    let page = format!("{root}source/tank?range=7d");
    let form = visitor.get(&page);
    let action = form.links().into_iter().find(|link| link.ends_with("/login")).unwrap();
    let signed_in = visitor.post(&action, &form.fields("anna", "right"));
    assert_eq!((signed_in.code, signed_in.location()), (303, Some(page.clone())));
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(cookie.starts_with(&format!("pumphouse_session_{}=", fixture.port)), "{cookie}");
    assert!(cookie.contains(&format!("; Path={path};")), "{cookie}");
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(visitor.get(&page).code, 200);
    page
}

/// Requires that every link of every page leads to something, within the site.
fn assert_links_lead_within(visitor: &Visitor, root: &str) {
    eventually("a chart", || visitor.get(&format!("{root}chart/tank.level.svg")).code == 200);
    let pages =
        ["", "?range=7d", "source/tank?range=7d", "nowhere", "a/b/c", "source/none", "a%20b"];
    let mut links: Vec<String> = pages
        .into_iter()
        .flat_map(|page| visitor.get(&format!("{root}{page}")).links())
        .filter(|link| !link.ends_with("/logout"))
        .collect();
    links.sort_unstable();
    links.dedup();
    assert!(links.len() > 15, "{links:?}");
    for link in &links {
        assert!(link.starts_with(root), "{link} is beside {root}");
        let answer = visitor.get(link);
        assert!(matches!(answer.code, 200 | 303), "{link}: {}", answer.code);
    }
}

/// Requires that scripts find the site by the references in JSON and in Location.
fn assert_scripts_work(visitor: &Visitor, root: &str) {
    let events = visitor.get(&format!("{root}api/v1/events?limit=1"));
    let next = events.resolved(events.json()["next"].as_str().unwrap());
    assert!(next.starts_with(root) && visitor.get(&next).code == 200, "{next}");
    let document = visitor.get(&format!("{root}openapi.json"));
    let server = document.resolved(document.json()["servers"][0]["url"].as_str().unwrap());
    assert_eq!(server.trim_end_matches('/'), root.trim_end_matches('/'));
    let poll = format!("{root}api/v1/sources/well/poll");
    eventually("a poll begins", || {
        let answer = visitor.post(&poll, &[]);
        let source = Some(format!("{root}api/v1/sources/well"));
        assert!(answer.code == 429 || answer.location() == source, "{}", answer.body);
        answer.code == 202
    });
    let forged = ["--header", "Sec-Fetch-Site: cross-site"];
    assert_eq!(visitor.post_with(&poll, &[], &forged).code, 403);
}

/// Requires that the sign-in form of a page at an oddly written address sends the password nowhere but to this
/// site. Returns the status codes of the pages.
fn assert_forms_stay(fixture: &Fixture, host: &str, path: &str) -> Vec<u16> {
    let visitor = Visitor::new(fixture, host);
    eventually("the proxy and the server answer", || {
        visitor.get(&fixture.url(host, &format!("{path}ping"))).code == 200
    });
    let folder = path.trim_end_matches('/');
    let name = folder.trim_start_matches('/');
    let odd = [
        format!("{folder}/source%2Ftank"),
        format!("{folder}/a/b%2fc"),
        format!("{folder}/x/..%2Fsource%2Ftank"),
        format!("{folder}/source%5Ctank"),
        format!("{folder}//source/tank"),
        format!("{folder}//a//b"),
        format!("/{folder}/source/tank"),
        format!("/{folder}/login"),
        format!("{folder}%2Fsource/tank"),
        format!("{folder}%2flogin"),
        format!("{folder}%2Fnowhere"),
        format!("/{}/source/tank", name.to_uppercase()),
        format!("/{}/login", name.to_uppercase()),
        format!("/{}/a/b", name.to_uppercase()),
    ];
    let codes = odd.iter().map(|odd| {
        let page = visitor.get(&fixture.url(host, odd));
        assert_ne!(page.code, 0, "{odd}: no answer");
        if page.body.contains("<form") {
            let action = page.links().into_iter().find(|link| link.ends_with("/login")).unwrap();
            let action = action.strip_prefix(&fixture.url(host, "")).unwrap().to_lowercase();
            // Both proxies join slashes, and Caddy compares without case.
            let joined: Vec<&str> = action.split('/').filter(|part| !part.is_empty()).collect();
            assert!(joined.starts_with(&[name]), "{odd}: the password goes to {action}");
        }
        page.code
    });
    codes.collect()
}

/// Requires that a page in a browser works below a path: sign-in, updates, links and sign-out.
fn assert_browser_works(fixture: &Fixture, path: &str) {
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    let root = fixture.url("localhost", path);
    let seen = |script: &str| browser.run(&format!("return {script}"));
    browser.visit(&format!("{root}source/tank?range=7d"));
    browser.keys("#username", "anna");
    browser.keys("#password", "right");
    browser.click(".sign-in button");
    let page = format!("{path}source/tank?range=7d");
    eventually("the page", || seen("location.pathname + location.search") == *page);
    eventually("its value", || browser.text("main").contains("41"));
    browser.run("window.notReloaded = true");
    fixture.upstream.set(Some(r#"{"level": 73}"#));
    eventually("the value changes in place", || browser.text("main").contains("73"));
    assert_eq!(seen("window.notReloaded"), true);
    browser.click(".back a");
    eventually("the dashboard", || {
        seen("location.pathname + location.search") == *format!("{path}?range=7d")
    });
    let outside = browser.run(&format!(
        "return performance.getEntriesByType('resource').map(entry => entry.name)
             .filter(name => !name.startsWith({root:?}))"
    ));
    assert_eq!(outside, serde_json::json!([]));
    assert!(!seen("getComputedStyle(document.querySelector('.masthead')).display").is_null());
    // The notice after a sign-out in another tab leads to the form, and from there to the page.
    browser.run("fetch('logout', { method: 'POST', redirect: 'manual' })");
    eventually("the notice", || seen("document.getElementById('signed-out').hidden") == false);
    browser.click("#signed-out a");
    eventually("the form", || seen("location.pathname") == *format!("{path}login"));
    browser.keys("#username", "anna");
    browser.keys("#password", "right");
    browser.click(".sign-in button");
    eventually("the dashboard once more", || {
        seen("location.pathname + location.search") == *format!("{path}?range=7d")
    });
    browser.click(".masthead button");
    eventually("signed out", || seen("location.pathname") == *format!("{path}login"));
    let console = browser.console();
    let is_expected =
        |line: &String| line.contains("401") || line.contains("Cleared data types: \"cache\"");
    assert!(console.iter().all(is_expected), "{console:?}");
}

/// Returns the lines of `pumphouse.toml` in the comments of an example: those that all ways need, and the
/// addresses of the ways.
fn configuration_in(example: &str) -> (String, Vec<&str>) {
    let lines = example.lines().filter_map(|line| line.strip_prefix("#     "));
    let (addresses, others): (Vec<&str>, Vec<&str>) =
        lines.filter(|line| *line != "[site]").partition(|line| line.starts_with("url = "));
    let is_key = |line: &&str| line.starts_with('[') || line.contains(" = ");
    (others.into_iter().filter(is_key).collect::<Vec<_>>().join("\n"), addresses)
}

#[test]
fn configuration_in_the_examples_passes_check_without_a_note_on_the_address() {
    let folder = tempfile::tempdir().unwrap();
    for example in
        [include_str!("../../../examples/nginx.conf"), include_str!("../../../examples/Caddyfile")]
    {
        let (server, addresses) = configuration_in(example);
        assert!(server.contains("trusted_proxies") && server.contains("names"), "{server}");
        assert!(addresses.len() >= 2, "{addresses:?}");
        for address in addresses {
            let text = format!("{server}\n[site]\n{address}\n[auth]\nopen = true\n");
            std::fs::write(folder.path().join("pumphouse.toml"), &text).unwrap();
            let output = run(&["check"], folder.path());
            let printed = String::from_utf8_lossy(&output.stdout);
            let refused = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}: {refused}");
            let url = address.split('"').nth(1).unwrap();
            let host = url.split('/').nth(2).unwrap();
            assert!(printed.contains(&format!("public address {url}\n")), "{printed}");
            let names = printed.lines().find(|line| line.contains("host names only")).unwrap();
            assert!(names.contains(host) && !printed.contains("note: \"url\""), "{printed}");
        }
    }
}
