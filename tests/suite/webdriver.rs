//! A small WebDriver client (W3C WebDriver 2) for two engines: headless Chromium and WebKitGTK.

mod chromium;
mod webkit;

use std::process::Child;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostile::client::TEST_TIMEOUT;
use serde_json::{Value, json};

/// Engine of a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Engine of Chrome and Edge.
    Chromium,
    /// Engine of Safari, and so of every browser on an iPhone.
    WebKit,
}

impl Engine {
    /// Both engines.
    pub const ALL: [Engine; 2] = [Engine::Chromium, Engine::WebKit];
}

/// A running driver: its processes, each killed when dropped, the last one first.
struct Driver {
    processes: Vec<Child>,
    port: u16,
    /// Capabilities to request besides those of every browser.
    capabilities: Value,
    _profile: tempfile::TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A browser window, closed when dropped.
pub struct Browser {
    engine: Engine,
    session: String,
    agent: ureq::Agent,
    _driver: Driver,
}

impl Browser {
    /// Opens a window whose page has this size, and that accepts a self-signed certificate.
    pub fn open(engine: Engine, width: u32, height: u32) -> Browser {
        let driver = match engine {
            Engine::Chromium => chromium::start(true),
            Engine::WebKit => webkit::start(),
        };
        Browser::of_driver(engine, driver, width, height)
    }

    /// Opens a window of Chromium that runs no scripts of pages. WebKit's driver itself needs them.
    pub fn without_scripts(width: u32, height: u32) -> Browser {
        Browser::of_driver(Engine::Chromium, chromium::start(false), width, height)
    }

    fn of_driver(engine: Engine, driver: Driver, width: u32, height: u32) -> Browser {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(2 * TEST_TIMEOUT))
            .http_status_as_error(false)
            .build()
            .into();
        let session = format!("http://127.0.0.1:{}/session", driver.port);
        let mut browser = Browser { engine, session, agent, _driver: driver };
        let mut capabilities = browser._driver.capabilities.clone();
        capabilities["acceptInsecureCerts"] = true.into();
        // The scripts of axe take long on a busy machine.
        capabilities["timeouts"] = json!({"script": TEST_TIMEOUT.as_millis() as u64});
        let created = browser.post("", &json!({"capabilities": {"alwaysMatch": capabilities}}));
        let id = created["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser.resize(width, height);
        browser
    }

    /// Gives the page this size. The narrowest page of WebKit's window has 334 pixels.
    pub fn resize(&self, width: u32, height: u32) {
        match self.engine {
            Engine::Chromium => {
                let size = json!({"width": width, "height": height, "deviceScaleFactor": 1,
                                  "mobile": false});
                self.devtools("Emulation.setDeviceMetricsOverride", &size);
            }
            Engine::WebKit => {
                let size = json!({"width": width, "height": height});
                let given = self.post("/window/rect", &size);
                assert_eq!((&given["width"], &given["height"]), (&size["width"], &size["height"]));
            }
        }
    }

    /// Loads a page.
    pub fn visit(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Returns the visible text of the first element that matches the selector. Retries if the page is
    /// replaced between finding the element and reading it.
    pub fn text(&self, selector: &str) -> String {
        let begun = Instant::now();
        loop {
            match self.try_text(selector) {
                Ok(text) => return text,
                Err(error) => assert!(begun.elapsed() < TEST_TIMEOUT, "{selector}: {error}"),
            }
        }
    }

    fn try_text(&self, selector: &str) -> Result<String, Value> {
        let id = self.element(selector)?;
        Ok(self.get(&format!("/element/{id}/text"))?.as_str().unwrap().to_owned())
    }

    fn element(&self, selector: &str) -> Result<String, Value> {
        let query = json!({"using": "css selector", "value": selector});
        let found = self.try_post("/element", &query)?;
        let id = found.as_object().and_then(|element| element.values().next());
        let id = id.and_then(Value::as_str).unwrap_or_else(|| panic!("no {selector}: {found}"));
        Ok(id.to_owned())
    }

    /// Types into a field, also without JavaScript.
    pub fn keys(&self, selector: &str, text: &str) {
        let id = self.element(selector).unwrap();
        self.post(&format!("/element/{id}/value"), &json!({"text": text}));
    }

    /// Clicks an element, also without JavaScript.
    pub fn click(&self, selector: &str) {
        let id = self.element(selector).unwrap();
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Moves the pointer to a place of the page's visible part, as a mouse does.
    pub fn point(&self, x: f64, y: f64) {
        // Drivers take whole pixels.
        let (x, y) = (x.round() as i64, y.round() as i64);
        self.post(
            "/actions",
            &json!({"actions": [{"type": "pointer", "id": "mouse",
                "parameters": {"pointerType": "mouse"},
                "actions": [{"type": "pointerMove", "duration": 0, "origin": "viewport",
                             "x": x, "y": y}]}]}),
        );
    }

    /// Runs a script in the page and returns its result.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Runs a script that passes its result to its last argument, and returns the result.
    pub fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Returns the visible part of the page as a PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        decoded(&self.get("/screenshot").unwrap())
    }

    /// Emulates another medium (`print`), or preferences
    /// (`("prefers-color-scheme", "dark")`), until the next call. Chromium only.
    pub fn emulate(&self, medium: &str, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"media": medium, "features": features}),
        );
    }

    /// Runs a command of the Chrome DevTools Protocol. Chromium only.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Returns the console messages since the previous call. Chromium only.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().expect("a list of log entries").iter();
        entries.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn get(&self, path: &str) -> Result<Value, Value> {
        let mut response = self.agent.get(format!("{}{path}", self.session)).call().unwrap();
        value(&response.body_mut().with_config().limit(MAX_RESPONSE).read_to_string().unwrap())
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn try_post(&self, path: &str, body: &Value) -> Result<Value, Value> {
        let mut response = self
            .agent
            .post(format!("{}{path}", self.session))
            .content_type("application/json")
            .send(body.to_string())
            .unwrap();
        value(&response.body_mut().with_config().limit(MAX_RESPONSE).read_to_string().unwrap())
    }
}

/// Decodes a picture of a driver's response.
pub fn decoded(picture: &Value) -> Vec<u8> {
    STANDARD.decode(picture.as_str().unwrap()).unwrap()
}

/// Maximum size of a driver's response: that of a large screenshot.
const MAX_RESPONSE: u64 = 256 << 20;

/// Returns the value of a response of the driver, or its error.
fn value(response: &str) -> Result<Value, Value> {
    let answer: Value = serde_json::from_str(response).unwrap();
    let value = answer["value"].clone();
    if value["error"].is_null() { Ok(value) } else { Err(value) }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser, too; killing the driver would leave it running.
        let bound = Duration::from_secs(10);
        let quit = self.agent.delete(&self.session).config().timeout_global(Some(bound)).build();
        let _ = quit.call();
    }
}
