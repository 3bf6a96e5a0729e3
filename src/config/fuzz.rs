//! Any text is a configuration or a list of errors with places in it, and tells no secret.

use std::path::Path;

use super::parse;
use crate::fuzzing::fuzz;

const SECRET: &str = "correct-horse-battery";

#[test]
fn any_text() {
    let dictionary = [
        "[server]\n",
        "[tls]\n",
        "[auth]\n",
        "[[auth.user]]\n",
        "[[auth.token]]\n",
        "password_hash = \"${TOKEN}\"\n",
        "sha256 = \"${TOKEN}\"\n",
        "public = [\"/\"]\n",
        "[[source]]\n",
        "[source.values.x]\n",
        "kind = \"json\"\n",
        "url = \"http://h/${TOKEN}\"\n",
        "bearer = \"${TOKEN}\"\n",
        "\"10s\"",
        "\"16KiB\"",
        "99999999999999999999",
        "1e999",
        "${",
        "= {",
        "\"\"\"",
    ];
    fuzz("config", &dictionary, |input| {
        let text = String::from_utf8_lossy(input);
        let environment = |name: &str| (name == "TOKEN").then(|| SECRET.to_owned());
        match parse(Path::new("fuzz.toml"), &text, &environment) {
            Ok(config) => format!("ok {}", config.sources.len()),
            Err(errors) => {
                let told = errors.to_string();
                assert!(!told.contains(SECRET), "{told}");
                let lines = text.matches('\n').count() + 1;
                let first = told.lines().next().unwrap();
                let mut place = first.split(':').skip(1);
                let line: usize = place.next().unwrap().parse().unwrap();
                assert!((1..=lines).contains(&line), "{told}");
                // What was written by the input makes no new behaviour.
                told.split('"').step_by(2).collect::<String>().replace(|c: char| c.is_numeric(), "")
            }
        }
    });
}
