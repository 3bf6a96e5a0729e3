//! Invariant: every text is a configuration or gives errors with positions in it, and no error contains a
//! secret.

use std::path::Path;

use super::{parse, text_file};
use crate::fuzzing::fuzz;

const SECRET: &str = "correct-horse-battery";

#[test]
fn any_text_is_a_configuration_or_located_errors() {
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
        "\u{201c}",
        "True",
        "58in",
        "nan",
        "[source]\n",
        "show = [\"a\"]\n",
        "stale_after = \"1s\"\n",
        "path = \"~/x\"\n",
    ];
    fuzz("config", &dictionary, |input| {
        let path = Path::new("fuzz.toml");
        let text = text_file::decode(path, input.to_vec());
        let environment = |name: &str| (name == "TOKEN").then(|| SECRET.to_owned());
        let parsed = text.clone().and_then(|text| parse(path, &text, &environment));
        let text = text.unwrap_or_else(|_| String::from_utf8_lossy(input).into_owned());
        match parsed {
            Ok(config) => format!("ok {}", config.sources.len()),
            Err(errors) => {
                let errors = errors.to_string();
                assert!(!errors.contains(SECRET), "{errors}");
                let lines = text.matches('\n').count() + 1;
                let first = errors.lines().next().unwrap();
                let mut position = first.split(':').skip(1);
                let line: usize = position.next().unwrap().parse().unwrap();
                assert!((1..=lines).contains(&line), "{errors}");
                // Names and numbers from the input do not make a new behaviour.
                errors
                    .split('"')
                    .step_by(2)
                    .collect::<String>()
                    .replace(|c: char| c.is_numeric(), "")
            }
        }
    });
}
