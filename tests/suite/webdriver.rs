//! A small WebDriver client (W3C WebDriver 2) for headless Chromium by chromedriver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostile::client::TEST_TIMEOUT;
use serde_json::{Value, json};

/// A browser window, closed when dropped.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

/// Number of attempts to start chromedriver, which exits if its free port of IPv4 is taken in IPv6.
const DRIVER_STARTS: usize = 5;

/// Starts chromedriver; returns `None` if it exits before it listens.
fn start_driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is needed: apt-get install chromium-driver");
    let stdout = BufReader::new(driver.stdout.take().unwrap());
    let port = stdout.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("was started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        let _ = driver.wait();
    }
    Some((driver, port?))
}

impl Browser {
    /// Opens a window of this size, with JavaScript on or off, that accepts a self-signed certificate.
    pub fn open(width: u32, height: u32, javascript: bool) -> Browser {
        let (driver, port) = std::iter::repeat_with(start_driver)
            .take(DRIVER_STARTS)
            .find_map(|started| started)
            .expect("chromedriver prints its port");
        let profile = tempfile::tempdir().unwrap();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(2 * TEST_TIMEOUT))
            .http_status_as_error(false)
            .build()
            .into();
        let mut browser = Browser {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent,
            _profile: profile,
        };
        let data_dir = browser._profile.path().display().to_string();
        let scripts = if javascript { 1 } else { 2 };
        let created = browser.post(
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "acceptInsecureCerts": true,
                // The scripts of axe take long on a busy machine.
                "timeouts": {"script": TEST_TIMEOUT.as_millis() as u64},
                "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {
                    "args": [
                        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                        "--no-first-run", "--disable-background-networking",
                        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                        // A name that browsers do not treat as local.
                        "--host-resolver-rules=MAP tank.test 127.0.0.1".to_owned(),
                        format!("--window-size={width},{height}"),
                        format!("--user-data-dir={data_dir}"),
                    ],
                    "prefs": {"profile.managed_default_content_settings.javascript": scripts},
                },
            }}}),
        );
        let id = created["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

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

    /// Runs a script in the page and returns its result.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Runs a script that passes its result to its last argument, and returns the result.
    pub fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Emulates another medium (`print`), or preferences
    /// (`("prefers-color-scheme", "dark")`), until the next call.
    pub fn emulate(&self, medium: &str, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let parameters = json!({"media": medium, "features": features});
        let command = json!({"cmd": "Emulation.setEmulatedMedia", "params": parameters});
        self.post("/goog/cdp/execute", &command);
    }

    /// Returns the console messages since the previous call.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().expect("a list of log entries").iter();
        entries.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn get(&self, path: &str) -> Result<Value, Value> {
        let mut response = self.agent.get(format!("{}{path}", self.session)).call().unwrap();
        value(&response.body_mut().read_to_string().unwrap())
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
        value(&response.body_mut().read_to_string().unwrap())
    }
}

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
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
