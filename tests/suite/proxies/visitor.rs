//! curl as a browser: with a jar of cookies, and references resolved against the URL of the request.

use std::path::PathBuf;
use std::process::Command;

use fluent_uri::{Uri, UriRef};
use serde_json::Value as Json;

use super::Fixture;

/// A visitor of a host, through the proxy of the fixture.
pub(super) struct Visitor {
    jar: PathBuf,
    certificate: PathBuf,
    resolve: String,
    origin: String,
}

/// The answer to a request for `url`.
pub(super) struct Answer {
    url: String,
    pub(super) code: u16,
    head: String,
    pub(super) body: String,
}

impl Visitor {
    pub(super) fn new(fixture: &Fixture, host: &str) -> Visitor {
        Visitor {
            jar: fixture.path().join(format!("{host}.jar")),
            certificate: fixture.path().join("cert.pem"),
            resolve: format!("{host}:{}:127.0.0.1", fixture.port),
            origin: fixture.url(host, ""),
        }
    }

    /// Loads a page or a file.
    pub(super) fn get(&self, url: &str) -> Answer {
        let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
        self.curl(url, &["--header", accept])
    }

    /// Sends a form as a page of the site does.
    pub(super) fn post(&self, url: &str, fields: &[(String, String)]) -> Answer {
        let origin = format!("Origin: {}", self.origin);
        self.post_with(url, fields, &["--header", &origin])
    }

    pub(super) fn post_with(
        &self,
        url: &str,
        fields: &[(String, String)],
        with: &[&str],
    ) -> Answer {
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let form = form.iter().flat_map(|field| ["--data-urlencode", field.as_str()]);
        let arguments: Vec<&str> = ["--request", "POST"].into_iter().chain(form).collect();
        self.curl(url, &[&arguments, with].concat())
    }

    /// Returns true if the jar has a cookie whose name begins so.
    pub(super) fn has_cookie(&self, name: &str) -> bool {
        std::fs::read_to_string(&self.jar).is_ok_and(|jar| jar.contains(name))
    }

    fn curl(&self, url: &str, arguments: &[&str]) -> Answer {
        let output = Command::new("curl")
            .args(["--silent", "--include", "--http1.1", "--max-time", "30", "--cacert"])
            .arg(&self.certificate)
            .args(["--resolve", &self.resolve, "--cookie"])
            .arg(&self.jar)
            .arg("--cookie-jar")
            .arg(&self.jar)
            .args(arguments)
            .arg(url)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        Answer { url: url.to_owned(), code, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the target of `Location`.
    pub(super) fn location(&self) -> Option<String> {
        self.header("location").map(|reference| self.resolved(reference))
    }

    /// Returns the target of a reference.
    pub(super) fn resolved(&self, reference: &str) -> String {
        let base = Uri::parse(self.url.as_str()).unwrap();
        UriRef::parse(reference).unwrap().resolve_against(&base).unwrap().into_string()
    }

    pub(super) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn values(&self, before: &str) -> impl Iterator<Item = String> {
        let values = self.body.split(before).skip(1);
        values.map(|rest| rest.split('"').next().unwrap_or_default().replace("&amp;", "&"))
    }

    /// Returns the targets of the page's links, forms and files.
    pub(super) fn links(&self) -> Vec<String> {
        let attributes = [" href=\"", " src=\"", " action=\""];
        let references = attributes.into_iter().flat_map(|attribute| self.values(attribute));
        let is_elsewhere =
            |reference: &String| !reference.is_empty() && !reference.starts_with('#');
        references.filter(is_elsewhere).map(|reference| self.resolved(&reference)).collect()
    }

    /// Returns the fields of the sign-in form, filled in.
    pub(super) fn fields(&self, username: &str, password: &str) -> Vec<(String, String)> {
        let next = self.values("name=\"next\" value=\"").next().unwrap();
        let fields = [("username", username), ("password", password), ("next", &next)];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }
}
