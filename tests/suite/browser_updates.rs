//! Updates of a page in a browser: what the visitor holds stays, and a page that is no longer kept up to
//! date says so.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use serde_json::json;

use crate::access::with_anna;
use crate::harness::eventually;
use crate::process::Process;
use crate::server::{BINARY, Server};
use crate::webdriver::{Browser, Engine};

fn tank(upstream: &Upstream) -> Source {
    Source::json("tank", &upstream.url())
        .set("title", "Cistern")
        .set("interval", "1s")
        .value("level", "/level", "%")
        .value("volume", "/volume", "gal")
        .value("mode", "/mode", "")
}

fn answer(level: u32, mode: &str) -> String {
    format!(r#"{{"level":{level},"volume":1185,"mode":"{mode}"}}"#)
}

#[test]
fn update_keeps_focus_selection_scroll_position_and_open_tables() {
    for engine in Engine::ALL {
        let upstream = Upstream::answering(&answer(41, "filling the upper tank"));
        let server =
            Server::start(&Config::https().set("history.flush", "200ms").source(tank(&upstream)));
        let browser = Browser::open(engine, 1024, 500);
        let url = format!("https://localhost:{}/", server.address.port());
        eventually("a chart", || {
            browser.visit(&url);
            browser.run("return document.querySelectorAll('details').length") == 1
        });
        browser.run(
            "document.querySelector('details').open = true;
             document.querySelector('.card h2 a').focus({ focusVisible: true });
             const text = document.querySelector('.tiles .text').firstChild;
             getSelection().setBaseAndExtent(text, 12, text, 22);
             scrollTo(0, 60);
             window.card = document.querySelector('.card');",
        );
        let held = "return [document.activeElement.textContent, getSelection().toString(),
            document.querySelector('details').open, scrollY,
            document.querySelector('.card') === window.card]";
        let expected = json!(["Cistern", "upper tank", true, 60, true]);
        assert_eq!(browser.run(held), expected, "{engine:?}");
        // The selected words move in their text.
        upstream.set(Some(&answer(73, "no longer filling the upper tank")));
        eventually("the update", || browser.text("main").contains("73"));
        assert_eq!(browser.run(held), expected, "{engine:?}");
        upstream.set(Some(r#"{"level":12,"mode":"the upper tank is full"}"#));
        eventually("the next update", || browser.text("main").contains("Low level"));
        let focus = browser.run("return document.activeElement.textContent");
        assert_eq!(focus, "Cistern", "{engine:?}");
        // Failures, and the readings after them, change the parts of a card.
        upstream.set(Some("<p>"));
        eventually("the failure", || browser.text("main").contains("cannot be understood"));
        upstream.set(Some(&answer(50, "idle")));
        eventually("the recovery", || browser.text("main").contains("idle"));
        let kept =
            "return [document.activeElement.textContent, document.querySelector('details').open,
            document.querySelector('.card') === window.card]";
        assert_eq!(browser.run(kept), json!(["Cistern", true, true]), "{engine:?}");
    }
}

/// The page after updates, in the form that a load of it has.
const NORMALIZED: &str = "const main = document.querySelector('main').cloneNode(true);
    for (const part of main.querySelectorAll('time')) part.replaceWith('');
    for (const part of main.querySelectorAll('.card')) part.removeAttribute('data-stale-at');
    main.normalize();
    return main.outerHTML.replace(/, \\d+ tries in a row/, '')";

#[test]
fn updated_page_equals_a_loaded_one() {
    for engine in Engine::ALL {
        let upstream = Upstream::answering("{}");
        let config = Config::https().set("history.enabled", false).source(tank(&upstream));
        let server = Server::start(&config);
        let url = format!("https://localhost:{}/", server.address.port());
        let (browser, other) = (Browser::open(engine, 1024, 700), Browser::open(engine, 1024, 700));
        browser.visit(&url);
        for (sent, shown) in [
            (answer(41, "filling"), "filling"),
            (answer(5, "empty"), "Very low"),
            (r#"{"level":null,"mode":"asleep"}"#.to_owned(), "asleep"),
            (r#"{"level":50,"volume":700}"#.to_owned(), "700"),
            ("<p>".to_owned(), "cannot be understood"),
            (answer(99, "again"), "again"),
        ] {
            upstream.set(Some(&sent));
            eventually(shown, || browser.text("main").contains(shown));
            eventually("both are the same", || {
                browser.run_async("const done = arguments[0]; poll().then(() => done(null), done)");
                other.visit(&url);
                let pages = json!([browser.run(NORMALIZED), other.run(NORMALIZED)]);
                // Attributes may be in another order.
                let are_equal = format!(
                    "const [one, other] = {pages}.map(it => new DOMParser().parseFromString(it, 'text/html'));
                     return one.body.isEqualNode(other.body)"
                );
                browser.run(&are_equal) == true
            });
        }
    }
}

/// A server without TLS, and its port.
pub fn serve(folder: &std::path::Path, config: &Config) -> (Process, u16) {
    config.write(folder);
    let mut command = Command::new(BINARY);
    command
        .arg("serve")
        .current_dir(folder)
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let process = Process::start_logged(&mut command);
    let port = process.log().wait_for_address("listening on http://").port();
    (process, port)
}

/// Another program at the address of the server, which sends one response to each request.
struct Stranger {
    port: u16,
    response: Arc<Mutex<String>>,
    stopping: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Stranger {
    fn start(port: u16) -> Stranger {
        let mut listener = None;
        eventually("the port is free", || {
            listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
            listener.is_some()
        });
        let (listener, response) = (listener.unwrap(), Arc::new(Mutex::new(String::new())));
        let stopping = Arc::new(AtomicBool::new(false));
        let (sent, stopped) = (Arc::clone(&response), Arc::clone(&stopping));
        let thread = std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A browser opens connections ahead of requests; they are not waited for.
                let _ = stream.set_read_timeout(Some(std::time::Duration::from_millis(500)));
                if stream.read(&mut [0; 8192]).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(sent.lock().unwrap().as_bytes());
                }
            }
        });
        Stranger { port, response, stopping, thread: Some(thread) }
    }

    fn send(&self, head: &str, body: &str) {
        let length = body.len();
        *self.response.lock().unwrap() = format!(
            "HTTP/1.1 {head}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let _ = self.thread.take().unwrap().join();
    }
}

/// Returns the title, the summary, and the visible notices.
fn state(browser: &Browser) -> [String; 3] {
    let state = browser.run(
        "return [document.title, document.querySelector('#summary').textContent,
             [...document.querySelectorAll('.lost')].filter(it => !it.hidden)
                 .map(it => it.innerText).join(' ')]",
    );
    [0, 1, 2].map(|index| state[index].as_str().unwrap().to_owned())
}

/// Waits until the title, the summary and the notices contain these words.
pub fn wait_for(browser: &Browser, words: [&str; 3]) {
    let mut seen = Default::default();
    eventually(&format!("{words:?}"), || {
        seen = state(browser);
        seen.iter().zip(words).all(|(text, words)| text.contains(words))
    });
}

#[test]
fn page_without_its_server_says_so_in_notice_summary_and_title() {
    let upstream = Upstream::answering(&answer(41, "filling"));
    let folder = tempfile::tempdir().unwrap();
    for engine in Engine::ALL {
        let config = Config::http().source(tank(&upstream).set("stale_after", "20s"));
        let (server, port) = serve(folder.path(), &config);
        let browser = Browser::open(engine, 1024, 700);
        let url = format!("http://127.0.0.1:{port}/?range=7d");
        eventually("a reading", || {
            browser.visit(&url);
            browser.text("main").contains("41")
        });
        wait_for(&browser, ["41% · Pumphouse", "The reading is fresh", ""]);
        assert_eq!(state(&browser)[2], "", "{engine:?}");
        drop(server);
        wait_for(
            &browser,
            [
                "No connection · 41%",
                "Not up to date, loaded",
                "Connection lost. The numbers below were loaded",
            ],
        );
        // Readings go on to age.
        wait_for(&browser, ["No connection, Stale · 41%", "; 1 of 1 stale", "Connection lost"]);
        assert!(browser.text(".badge").contains("Stale"), "{engine:?}");
        let stranger = Stranger::start(port);
        for (head, body, link) in [
            ("200 OK", "<title>Hotel</title><main>Accept our terms</main>", "/?range=7d"),
            ("200 OK", "", "/?range=7d"),
            ("302 Found\r\nLocation: http://127.0.0.1:1/login", "", "/?range=7d"),
            ("302 Found\r\nLocation: /elsewhere", "", "/?range=7d"),
        ] {
            stranger.send(head, body);
            wait_for(
                &browser,
                [
                    "Not updated, Stale · 41%",
                    "Not up to date",
                    "Another page answers at this address",
                ],
            );
            let open = browser.run(
                "const link = document.querySelector('#lost a');
                return [link.hidden, link.pathname + link.search]",
            );
            assert_eq!(open, json!([false, link]), "{engine:?}, {head}");
            assert!(browser.text("main").contains("41"), "{engine:?}: the page is replaced");
            stranger.send("503 Service Unavailable", "");
            wait_for(&browser, ["Not updated", "Not up to date", "an error (503)"]);
        }
        stranger.send("401 Unauthorized\r\nWWW-Authenticate: Bearer", "<main>Who are you?</main>");
        wait_for(&browser, ["Signed out, Stale · 41%", "Not up to date", "Sign in again"]);
        let link = "return document.querySelector('#signed-out a').getAttribute('href')";
        assert_eq!(browser.run(link), "/?range=7d", "{engine:?}: the page of the proxy");
        drop(stranger);
        // The server is back, at the same address.
        let listen = json!([format!("127.0.0.1:{port}")]);
        let (server, _) = serve(folder.path(), &config.set("server.listen", listen));
        wait_for(&browser, ["41% · Pumphouse", "The reading is fresh", ""]);
        let [title, _, notices] = state(&browser);
        assert!(title.starts_with("41%") && notices.is_empty(), "{engine:?}: {title}, {notices}");
        assert!(browser.text(".badge").contains("Fresh"), "{engine:?}");
        drop(server);
    }
}

/// Script that sets the clock of the page ahead, and so its estimate of the server's.
pub const AN_HOUR_LATER: &str = "const real = Date.now; Date.now = () => real() + 3600000";

#[test]
fn value_turns_stale_by_its_own_time_without_the_server() {
    // Two values turn stale in half an hour, the other one and the reading in ten.
    let now = jiff::Timestamp::now().as_second();
    let upstream = Upstream::answering(&format!(
        r#"{{"level":41,"depth":12,"volume":700,"then":{},"now":{now}}}"#,
        now - 9 * 3600 - 1800
    ));
    let value = |unit: &str, pointer: &str, time: &str| {
        let own_time = json!({"pointer": time, "format": "unix"});
        json!({"pointer": pointer, "unit": unit, "observed_at": own_time})
    };
    let source = Source::json("tank", &upstream.url())
        .set("title", "Cistern")
        .set("stale_after", "10h")
        .set("values.level", value("%", "/level", "/then"))
        .set("values.depth", value("in", "/depth", "/then"))
        .set("values.volume", value("gal", "/volume", "/now"));
    let folder = tempfile::tempdir().unwrap();
    for engine in Engine::ALL {
        let (server, port) = serve(folder.path(), &Config::http().source(source.clone()));
        let browser = Browser::open(engine, 1024, 700);
        eventually("a reading", || {
            browser.visit(&format!("http://127.0.0.1:{port}/"));
            browser.text("main").contains("41")
        });
        browser.run_async("const done = arguments[0]; poll().then(() => done(null), done)");
        let old = "return [...document.querySelectorAll('.old')].map(it => it.tagName + ' ' + it.className)
            .map(name => name.replace('[object SVGAnimatedString]', 'drawing'))";
        assert_eq!(browser.run(old), json!([]), "{engine:?}");
        drop(server);
        browser.run(AN_HOUR_LATER);
        wait_for(&browser, ["No connection, Stale · 41%", "Not up to date", "Connection lost"]);
        let expected =
            json!(["P level old", "SMALL note old", "DD old", "SMALL note old", "svg drawing"]);
        assert_eq!(browser.run(old), expected, "{engine:?}");
        let text = browser.text("main");
        assert_eq!(text.matches("Stale, observed 10 hours").count(), 2, "{engine:?}: {text}");
        assert!(browser.text(".badge").contains("Fresh"), "{engine:?}: the reading is fresh");
    }
}

#[test]
fn page_whose_session_ended_links_to_the_form_and_back() {
    let upstream = Upstream::answering(&answer(41, "filling"));
    let server = Server::start(&with_anna().source(tank(&upstream).set("stale_after", "10m")));
    let page = "/source/tank?range=7d";
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 1024, 700);
        let sign_in = || {
            browser.keys("#username", "anna");
            browser.keys("#password", "right");
            browser.click(".sign-in button");
            eventually("the page", || browser.text("main").contains("41"));
            let path = browser.run("return location.pathname + location.search");
            assert_eq!(path, page, "{engine:?}");
        };
        browser.visit(&format!("https://localhost:{}{page}", server.address.port()));
        sign_in();
        // The session ends in another tab.
        // WebKit does not settle the promise of a redirect that clears the cache.
        browser.run("fetch('/logout', { method: 'POST', redirect: 'manual' })");
        eventually("the notice", || {
            browser.run("return document.getElementById('signed-out').hidden") == false
        });
        let state = browser.run(
            "const link = document.querySelector('#signed-out a');
             return [link.textContent, link.pathname + link.search, document.title,
                 document.getElementById('lost').hidden]",
        );
        let link = "/login?next=%2Fsource%2Ftank%3Frange%3D7d";
        let expected = json!(["Sign in again", link, "Signed out · Cistern · Pumphouse", true]);
        assert_eq!(state, expected, "{engine:?}");
        assert!(browser.text("main").contains("41"), "{engine:?}: the last values stay");
        browser.click("#signed-out a");
        eventually("the form", || browser.text("main").contains("Password"));
        sign_in();
    }
}
