//! Sign-in on a page: by curl with a cookie jar, and by a real browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::access::{source, text, user, with_anna, with_throttled_anna};
use crate::browser::{axe, violations};
use crate::harness::eventually;
use crate::server::{Server, code, serve_in};
use crate::webdriver::{Browser, Engine};

/// curl with a cookie jar of its own.
struct Visitor<'a> {
    server: &'a Server,
    jar: PathBuf,
}

impl<'a> Visitor<'a> {
    fn new(server: &'a Server, name: &str) -> Visitor<'a> {
        Visitor { server, jar: server.folder().join(name) }
    }

    fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let port = self.server.address.port();
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--include", "--cacert"])
            .arg(self.server.certificate())
            .args([Path::new("--cookie"), &self.jar, Path::new("--cookie-jar"), &self.jar])
            .args(arguments)
            .arg(format!("https://localhost:{port}{path}"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    }

    fn sign_in(&self, password: &str, next: &str) -> String {
        let form = [
            "--data-urlencode".to_owned(),
            "username=anna".to_owned(),
            "--data-urlencode".to_owned(),
            format!("password={password}"),
            "--data-urlencode".to_owned(),
            format!("next={next}"),
        ];
        self.curl("/login", &form.each_ref().map(|it| &**it))
    }

    fn status(&self) -> u16 {
        code(&self.curl("/api/v1/status", &[]))
    }
}

fn header<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap().lines().skip(1);
    let fields = head.filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

const BROWSER: [&str; 2] = ["--header", "Accept: text/html,application/xhtml+xml,*/*;q=0.8"];

#[test]
fn page_without_credentials_gets_a_form_and_the_api_a_challenge() {
    let server = Server::start(&with_anna().source(source()));
    let visitor = Visitor::new(&server, "jar");
    for (path, action) in
        [("/", "./login"), ("/source/well?range=7d", "../login"), ("/nowhere", "./login")]
    {
        let page = visitor.curl(path, &BROWSER);
        assert_eq!(code(&page), 401);
        assert_eq!(header(&page, "www-authenticate"), ["Bearer realm=\"Pumphouse\""]);
        assert_eq!(header(&page, "cache-control"), ["no-store"]);
        let next = format!("name=\"next\" value=\"{path}\"");
        let action = format!("action=\"{action}\"");
        assert!(page.contains(&action) && page.contains(&next), "{page}");
        assert!(!page.contains("well\"") || path.contains("well"), "no data: {page}");
        let script = visitor.curl(path, &[]);
        assert!(header(&script, "www-authenticate")[0].starts_with("Basic "), "{script}");
        assert_eq!(header(&script, "content-type"), ["application/problem+json"]);
    }
    let api = visitor.curl("/api/v1/status", &BROWSER);
    assert!(header(&api, "www-authenticate")[0].starts_with("Basic "), "{api}");
    // Pages also accept a password by HTTP Basic.
    let by_basic = [&BROWSER[..], &["--user", "anna:right"]].concat();
    let page = visitor.curl("/", &by_basic);
    assert_eq!(code(&page), 200);
    assert!(!page.contains("Sign out"), "a page without a session offers to sign out");
    let form = visitor.curl("/login?next=//evil.example", &BROWSER);
    assert!(code(&form) == 200 && form.contains("name=\"next\" value=\"/\""), "{form}");
}

#[test]
fn session_survives_a_restart_and_ends_at_sign_out() {
    let config = with_anna().source(source());
    let server = Server::start(&config);
    let port = server.address.port();
    let (one, other) = (Visitor::new(&server, "one"), Visitor::new(&server, "other"));
    let wrong = one.sign_in("mis\"typed", "/source/well");
    assert_eq!(code(&wrong), 401);
    assert!(wrong.contains("role=\"alert\"") && wrong.contains("value=\"anna\""), "{wrong}");
    assert!(!wrong.contains("typed") && header(&wrong, "set-cookie").is_empty(), "{wrong}");
    assert_eq!(one.status(), 401);
    for visitor in [&one, &other] {
        let answer = visitor.sign_in("right", "/source/well");
        assert_eq!((code(&answer), &*header(&answer, "location")), (303, &["./source/well"][..]));
        assert_eq!(header(&answer, "cache-control"), ["no-store"]);
        let session = header(&answer, "set-cookie")[0];
        assert!(session.starts_with(&format!("pumphouse_session_{port}=")), "{session}");
        assert!(session.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"));
        assert_eq!(visitor.status(), 200);
        let page = visitor.curl("/", &BROWSER);
        assert!(page.contains("action=\"./logout\""), "{page}");
        assert_eq!(header(&page, "vary"), ["accept-encoding", "authorization, cookie"]);
    }
    assert_eq!(
        code(&one.curl("/login?next=/source/well", &[])),
        303,
        "a signed-in browser got the form"
    );
    // Sign-out also ends a stolen copy of the session.
    std::fs::copy(&one.jar, server.folder().join("stolen")).unwrap();
    let stolen = Visitor::new(&server, "stolen");
    let answer = one.curl("/logout", &["--request", "POST"]);
    assert_eq!((code(&answer), &*header(&answer, "location")), (303, &["./login"][..]));
    assert!(header(&answer, "set-cookie")[0].contains("=; Path=/; Max-Age=0"), "{answer}");
    assert_eq!([one.status(), stolen.status(), other.status()], [401, 401, 200]);
    // Killed, as by a power cut.
    server.signal("KILL");
    let again = server.start_again(&config);
    let known = |name| Visitor::new(&again, name).status();
    assert_eq!(["stolen", "other"].map(known), [401, 200]);
    let mode = std::fs::metadata(again.folder().join("pumphouse.sessions.json")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    let log = again.log().join("\n");
    assert!(!log.contains("right") && !log.contains("pumphouse_session"), "{log}");
}

#[test]
fn session_ends_when_a_reload_changes_the_password() {
    let before = with_anna();
    let after = Config::https().push("auth.user", user("anna", "newer", &["read"]));
    let server = Server::start(&before);
    let visitor = Visitor::new(&server, "jar");
    assert_eq!(code(&visitor.sign_in("right", "/")), 303);
    assert!(server.reload(&before).contains("nothing changed"));
    assert_eq!(visitor.status(), 200);
    assert!(server.reload(&after).contains("[auth] changed"));
    assert_eq!(visitor.status(), 401);
    server.reload(&before);
    assert_eq!(visitor.status(), 401, "the old hash revived the session");
}

#[test]
fn session_without_a_history_ends_with_the_process() {
    let config = with_anna().set("history.enabled", false);
    let server = Server::start(&config);
    server.wait_for_log("sessions are kept in memory only");
    let visitor = Visitor::new(&server, "jar");
    assert_eq!(code(&visitor.sign_in("right", "/")), 303);
    assert_eq!(visitor.status(), 200);
    server.signal("KILL");
    let again = server.start_again(&config);
    assert_eq!(Visitor::new(&again, "jar").status(), 401);
}

#[test]
fn forms_of_other_sites_and_malformed_bodies_are_refused() {
    let anna = user("anna", "right", &["read", "poll"]);
    let server = Server::start(&Config::https().push("auth.user", anna).source(source()));
    let visitor = Visitor::new(&server, "jar");
    let form = ["--data", "username=anna&password=right"];
    for field in ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let answer = visitor.curl("/login", &[&form[..], &["--header", field]].concat());
        assert_eq!(code(&answer), 403, "{field}");
        assert!(header(&answer, "set-cookie").is_empty(), "{answer}");
    }
    for (arguments, expected) in [
        (&["--data", "username=anna"][..], 400),
        (&["--data", "username=anna&password=right&password=right"], 400),
        (&["--form", "username=anna", "--form", "password=right"], 415),
        (&["--json", "{}"], 415),
        (&["--request", "PUT"], 405),
    ] {
        assert_eq!(code(&visitor.curl("/login", arguments)), expected, "{arguments:?}");
    }
    let long = format!("username=anna&password={}", "x".repeat(9000));
    assert_eq!(code(&visitor.curl("/login", &["--data", &long])), 413);
    assert_eq!(code(&visitor.sign_in("right", "https://evil.example")), 303);
    let poll = |arguments: &[&str]| {
        let arguments = [&["--request", "POST"], arguments].concat();
        code(&visitor.curl("/api/v1/sources/none/poll", &arguments))
    };
    let here = format!("Origin: https://localhost:{}", server.address.port());
    assert_eq!(poll(&["--header", &here]), 404, "a request of this site was refused");
    assert_eq!(poll(&["--header", "Origin: https://evil.example"]), 403);
    assert_eq!(poll(&[]), 403, "a session without an origin");
    let elsewhere = ["--request", "POST", "--header", "Sec-Fetch-Site: cross-site"];
    assert_eq!(code(&visitor.curl("/logout", &elsewhere)), 403);
    assert_eq!(visitor.status(), 200, "a request of another site ended the session");
}

#[test]
fn wrong_forms_are_throttled_as_basic_is() {
    let server = Server::start(&with_throttled_anna());
    let visitor = Visitor::new(&server, "jar");
    let answers: Vec<String> =
        (0..8).map(|number| visitor.sign_in(&format!("guess {number}"), "/")).collect();
    assert_eq!(answers.iter().map(|it| code(it)).collect::<Vec<_>>()[..6], [401; 6]);
    let last = answers.last().unwrap();
    assert_eq!(code(last), 429);
    assert!(header(last, "retry-after")[0].parse::<u64>().unwrap() > 500, "{last}");
    assert!(last.contains("Try again in 10 minutes."), "{last}");
    assert_eq!(code(&visitor.sign_in("right", "/")), 429, "a throttled form was compared");
    assert_eq!(code(&visitor.curl("/", &["--user", "anna:right"])), 429);
}

/// Fills in the form and submits it.
fn fill_in(browser: &Browser, password: &str) {
    browser.run(&format!(
        "document.getElementById('username').value = 'anna';
         document.getElementById('password').value = {password:?};
         document.querySelector('.sign-in button').click()"
    ));
}

fn seen(browser: &Browser, script: &str) -> serde_json::Value {
    browser.run(&format!("return {script}"))
}

#[test]
fn browser_that_signed_in_sees_values_change_until_it_signs_out() {
    let upstream = Upstream::answering(r#"{"level": 41}"#);
    let tank = Source::json("tank", &upstream.url())
        .value("level", "/level", "%")
        .set("title", "Cistern")
        .set("interval", "1s");
    let server = Server::start(&with_anna().source(tank));
    let url = |path: &str| format!("https://localhost:{}{path}", server.address.port());
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    browser.visit(&url("/source/tank?range=7d"));
    assert_eq!(seen(&browser, "document.activeElement.id"), "username");
    assert!(!browser.text("main").contains("Cistern"));
    fill_in(&browser, "wrong");
    eventually("the form reports that it was wrong", || {
        seen(&browser, "document.querySelector('[role=alert].notice')?.textContent ?? ''")
            == "The name or the password is wrong."
    });
    assert_eq!(seen(&browser, "document.getElementById('username').value"), "anna");
    fill_in(&browser, "right");
    eventually("the requested page", || {
        seen(&browser, "location.pathname + location.search") == "/source/tank?range=7d"
            && seen(&browser, "document.querySelector('.card h2')?.textContent ?? ''") == "Cistern"
    });
    eventually("its value", || browser.text("main").contains("41"));
    browser.run("window.notReloaded = true");
    upstream.set(Some(r#"{"level": 73}"#));
    eventually("the value changes in place", || browser.text("main").contains("73"));
    assert_eq!(seen(&browser, "window.notReloaded"), true);
    assert_eq!(seen(&browser, "document.cookie"), "", "scripts can read the session");
    // After a sign-out in another tab the page shows it.
    let ended = browser.run_async(
        "const done = arguments[0];
         fetch('/logout', { method: 'POST', redirect: 'manual' }).then(it => done(it.type))",
    );
    assert_eq!(ended, "opaqueredirect");
    eventually("the page shows that it is signed out", || {
        seen(&browser, "!document.getElementById('signed-out').hidden") == true
    });
    assert!(browser.text("#signed-out").contains("not signed in"));
    browser.run("document.querySelector('#signed-out a').click()");
    eventually("the form", || seen(&browser, "location.pathname") == "/login");
    fill_in(&browser, "right");
    eventually("the page once more", || seen(&browser, "location.pathname") == "/source/tank");
    // The console has only the 401s, and the report of the cleared cache.
    let console = browser.console();
    let is_expected =
        |line: &str| line.contains("401") || line.contains("Cleared data types: \"cache\"");
    assert!(console.iter().map(String::as_str).all(is_expected), "{console:?}");
    browser.run("document.querySelector('.masthead button').click()");
    eventually("signed out", || seen(&browser, "location.pathname") == "/login");
    browser.run("history.back()");
    eventually("the page before", || seen(&browser, "location.pathname") == "/source/tank");
    assert!(!browser.text("body").contains("Cistern"), "Back shows nothing after sign-out");
    browser.visit(&url("/"));
    assert!(!browser.text("body").contains("Cistern"));
}

#[test]
fn form_without_javascript_signs_in_and_out() {
    let server = Server::start(&with_anna().source(source()));
    let browser = Browser::without_scripts(360, 740);
    browser.visit(&format!("https://localhost:{}/source/well", server.address.port()));
    browser.keys("#username", "anna");
    browser.keys("#password", "right");
    browser.click(".sign-in button");
    eventually("the page", || browser.text("main").contains("well"));
    browser.click(".masthead button");
    eventually("the form", || browser.text("main").contains("Sign in"));
}

#[test]
fn form_over_plain_http_in_a_local_network_signs_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let anna = user("anna", "right", &["read"]);
    Config::http().push("auth.user", anna).source(source()).write(folder.path());
    let server = serve_in(folder.path());
    let port = server.log().wait_for_address("listening on http://").port();
    // Without TLS a browser sends no `Sec-Fetch-Site` to the name of another machine, so the check
    // depends on `Origin`.
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    browser.visit(&format!("http://tank.test:{}/source/well", port));
    fill_in(&browser, "right");
    eventually("the page", || browser.text("main").contains("well"));
    browser.click(".masthead button");
    eventually("the form", || browser.text("main").contains("Sign in"));
}

#[test]
fn sign_in_form_has_no_axe_violation() {
    let server = Server::start(&with_anna().source(source()));
    let axe = axe();
    for (width, height) in [(1280, 900), (320, 740)] {
        let browser = Browser::open(Engine::Chromium, width, height);
        browser.visit(&format!("https://localhost:{}/", server.address.port()));
        for attempt in ["untouched", "wrong", "signed in"] {
            for colours in ["light", "dark"] {
                browser.emulate("", &[("prefers-color-scheme", colours)]);
                browser.run(&axe);
                let found = violations(&browser, "{}");
                assert_eq!(
                    found,
                    serde_json::json!([]),
                    "{attempt}, {width}, {colours}: {found:#}"
                );
            }
            let widths = "[document.documentElement.scrollWidth, window.innerWidth]";
            let widths = seen(&browser, widths);
            assert!(widths[0].as_u64() <= widths[1].as_u64(), "{attempt}: {widths}");
            match attempt {
                "untouched" => {
                    fill_in(&browser, "wrong");
                    eventually("an alert", || {
                        seen(&browser, "!!document.querySelector('.notice')") == true
                    });
                }
                "wrong" => {
                    fill_in(&browser, "right");
                    eventually("the page", || {
                        seen(&browser, "!!document.querySelector('.masthead button')") == true
                    });
                }
                _ => {}
            }
        }
    }
}
