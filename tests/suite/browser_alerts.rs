//! Alerts in a browser: they fire, are acknowledged and end without a reload, and without scripts too.

use hostile::config::Config;
use hostile::receiver::NtfyReceiver;
use hostile::upstream::Upstream;
use serde_json::json;

use crate::alerts::{FULL, LOW, config, ntfy, shown, tank, tank_low, wait_for_state};
use crate::browser::{axe, violations};
use crate::harness::eventually;
use crate::server::Server;
use crate::webdriver::{Browser, Engine};

/// Rules of axe that a change of colours can break.
const COLOURS: &str = "{runOnly: ['color-contrast']}";

fn served(upstream: &Upstream, receiver: &NtfyReceiver) -> Server {
    let config: Config = config(upstream, [ntfy("phone", receiver.address())]);
    let server = Server::start(&config);
    wait_for_state(&server, "inactive");
    server
}

fn url(server: &Server, path: &str) -> String {
    format!("https://localhost:{}/{path}", server.address.port())
}

/// Returns the title and the address of the icon of the page.
fn title_and_icon(browser: &Browser) -> [String; 2] {
    let seen = browser.run(
        "return [document.title, document.querySelector('link[rel=icon]').getAttribute('href')]",
    );
    [0, 1].map(|at| seen[at].as_str().unwrap().to_owned())
}

#[test]
fn alert_fires_is_acknowledged_and_ends_in_the_page_without_a_reload() {
    for engine in Engine::ALL {
        let receiver = NtfyReceiver::start(None);
        let upstream = Upstream::answering(FULL);
        let server = served(&upstream, &receiver);
        let browser = Browser::open(engine, 1024, 700);
        eventually("a reading", || {
            browser.visit(&url(&server, ""));
            browser.text("main").contains("90")
        });
        browser.run("window.notReloaded = true");
        let [calm_title, calm_icon] = title_and_icon(&browser);
        assert!(!calm_title.contains('⚠'), "{calm_title}");

        upstream.set(Some(LOW));
        eventually("the alert is on the page", || browser.text("main").contains("1 alert fires"));
        let text = browser.text(".alerts");
        for part in ["tank_low", "Cistern", "10%", "below 40%", "Acknowledge"] {
            assert!(text.replace(" %", "%").contains(part), "{engine:?}: {part} is not in {text}");
        }
        let [title, icon] = title_and_icon(&browser);
        assert!(title.starts_with("⚠ tank_low · Cistern 10"), "{engine:?}: {title}");
        assert_ne!(icon, calm_icon, "{engine:?}");

        browser.click(".alerts button");
        eventually("it is acknowledged", || {
            browser.text(".alerts").to_lowercase().contains("acknowledged")
        });
        assert_eq!(shown(&server)["state"], "acknowledged");
        assert!(!browser.text(".alerts").contains("Acknowledge:"), "{engine:?}: the button stays");
        let [title, icon] = title_and_icon(&browser);
        assert!(!title.contains('⚠') && icon == calm_icon, "{engine:?}: {title}, {icon}");

        upstream.set(Some(FULL));
        eventually("it has ended", || {
            browser.run("return document.querySelector('.alerts') === null") == true
        });
        eventually("the new reading", || browser.text("main").contains("90"));
        assert_eq!(title_and_icon(&browser)[1], calm_icon);
        assert_eq!(browser.run("return window.notReloaded"), true, "{engine:?}");
        if engine == Engine::Chromium {
            assert_eq!(
                browser.console(),
                [""; 0],
                "the console has messages, of the CSP for example"
            );
        }
        eventually("fire and end are sent", || receiver.messages().len() == 2);
    }
}

#[test]
fn first_alert_of_a_reload_appears_on_a_page_that_is_open_with_its_script_and_style() {
    let upstream = Upstream::answering(LOW);
    let without = Config::https().source(tank(&upstream));
    let server = Server::start(&without);
    let browser = Browser::open(Engine::Chromium, 1024, 700);
    browser.visit(&url(&server, ""));
    let has_files =
        "return document.querySelectorAll('[src*=alerts],[href*=\"assets/alerts\"]').length";
    assert_eq!(browser.run(has_files), 0);
    server.reload(&without.push("alert", tank_low()));
    eventually("the alert is on the page", || browser.text("main").contains("1 alert fires"));
    eventually("its files are loaded", || browser.run(has_files) == 2);
    browser.run("window.notReloaded = true");
    // Both buttons are pressed at once: each command is sent.
    browser.run(
        "for (const words of ['acknowledge', 'for=8h'])
           document.querySelector(`form.answers button[formaction*='${words}']`).click()",
    );
    eventually("both commands are carried out", || {
        let alert = shown(&server);
        alert["acknowledged_by"].is_string() && alert["silenced_until"].is_string()
    });
    assert_eq!(browser.run("return window.notReloaded"), true, "the page was loaded again");
}

#[test]
fn button_says_what_became_of_its_command() {
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let server = served_low(&upstream, &receiver);
    let browser = Browser::open(Engine::Chromium, 1024, 700);
    browser.visit(&url(&server, "alert/tank_low"));
    for (response, words, link) in [
        ("new Response('{}', { status: 401 })", "You are signed out", 1),
        ("new Response('', { status: 504 })", "It may have carried the command out", 0),
        ("Promise.reject(new TypeError())", "It may have carried the command out", 0),
        (
            "new Response('{}', { status: 503, headers: { 'Content-Type': 'application/problem+json' } })",
            "Nothing was changed: the server refuses it (503). Press the button again.",
            0,
        ),
        ("new Response('{}', { status: 409 })", "", 0),
    ] {
        browser.run(&format!(
            "const real = window.real ??= window.fetch;
             window.fetch = (target, options) => options.method === 'POST' ? {response} : real(target, options);
             document.querySelector(\"form.answers button[formaction*='acknowledge']\").click()"
        ));
        let seen = || browser.run("return document.getElementById('refused').textContent");
        eventually(response, || seen().as_str().unwrap().contains(words));
        let links = browser.run("return document.querySelectorAll('#refused a[href*=\"login?next=%2Falert%2F\"]').length");
        assert_eq!(links, link, "{response}");
    }
    let spoken = || browser.run("return document.getElementById('spoken').textContent");
    eventually("the alert does not fire", || spoken().as_str().unwrap().contains("not needed"));
}

#[test]
fn buttons_of_an_alert_work_without_scripts() {
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let server = served_low(&upstream, &receiver);
    let browser = Browser::without_scripts(1024, 700);
    for path in ["", "alerts", "alert/tank_low"] {
        browser.visit(&url(&server, path));
        assert!(browser.text("main").contains("tank_low"), "{path}");
    }
    let button = |words: &str| format!("form.answers button[formaction*='{words}']");
    browser.click(&button("acknowledge"));
    eventually("the page of the alert", || browser.text("main").contains("cknowledged"));
    assert_eq!(shown(&server)["state"], "acknowledged");
    browser.click(&button("for=8h"));
    eventually("the silence", || browser.text("main").contains("Silenced until"));
    assert!(shown(&server)["silenced_until"].is_string());
    browser.click(&button("unsilence"));
    eventually("the end of the silence", || !browser.text("main").contains("Silenced until"));
    assert!(shown(&server)["silenced_until"].is_null());
}

fn served_low(upstream: &Upstream, receiver: &NtfyReceiver) -> Server {
    let server = Server::start(&config(upstream, [ntfy("phone", receiver.address())]));
    wait_for_state(&server, "firing");
    server
}

#[test]
fn pages_of_alerts_have_no_axe_violation() {
    let axe = axe();
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let server = served_low(&upstream, &receiver);
    let check = |browser: &Browser, state: &str| {
        for path in ["", "alerts", "alert/tank_low", "source/tank"] {
            browser.visit(&url(&server, path));
            browser.run("document.querySelectorAll('details').forEach(it => it.open = true)");
            browser.run(&axe);
            for (colours, rules) in [("light", "{}"), ("dark", COLOURS)] {
                browser.emulate("", &[("prefers-color-scheme", colours)]);
                let found = violations(browser, rules);
                assert_eq!(found, json!([]), "/{path}, {state}, {colours}: {found:#}");
            }
        }
    };
    let browser = Browser::open(Engine::Chromium, 1280, 900);
    check(&browser, "firing");
    browser.resize(360, 740);
    check(&browser, "firing on a phone");
    let answer = "fetch('/api/v1/alerts/tank_low/acknowledge', {method: 'POST'})";
    browser.run_async(&format!("const done = arguments[0]; {answer}.then(() => done(null), done)"));
    wait_for_state(&server, "acknowledged");
    check(&browser, "acknowledged");
    upstream.set(Some(FULL));
    wait_for_state(&server, "inactive");
    check(&browser, "ended");
}
