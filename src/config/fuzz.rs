//! Invariant: every text is a configuration or gives errors with positions in it, and no error contains a
//! secret.

use std::path::Path;

use super::{parse, text_file};
use fuzzing::fuzz;

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
        "[[alert]]\n",
        "name = \"a\"\n",
        "field = \"a.x\"\n",
        "source = \"*\"\n",
        "below = \"3 gal\"\n",
        "outside = [1, \"2 degC\"]\n",
        "clear = 4\n",
        "falls = 5\n",
        "within = \"1h\"\n",
        "empty_within = \"1h\"\n",
        "equals = \"x\"\n",
        "stale = true\n",
        "failing = \"1h\"\n",
        "notify = [\"a\"]\n",
        "repeat = [\"1h\"]\n",
        "quiet = \"22:00-07:00\"\n",
        "message = \"{title}\"\n",
        "[[notify]]\n",
        "kind = \"ntfy\"\n",
        "topic = \"${TOKEN}\"\n",
        "kind = \"telegram\"\n",
        "chat = 1\n",
        "kind = \"smtp\"\n",
        "url = \"smtps://${TOKEN}\"\n",
        "from = \"a@b\"\n",
        "to = [\"${TOKEN}@b\"]\n",
        "kind = \"exec\"\n",
        "command = [\"${TOKEN}\"]\n",
        "kind = \"webhook\"\n",
        "template = \"{${TOKEN}}\"\n",
        "[heartbeat]\n",
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

/// A configuration with a secret in each place that has one, under keys that are no others of the file: the
/// value of a valid key is repeated.
const WITH_SECRETS: &str = r#"[site]
title = "Well"
[[auth.token]]
name = "grafana"
sha256 = "Q7zW-k3Xv9-Jp2Yt8"
[[source]]
name = "pump"
kind = "json"
url = "http://h/"
bearer = "Q7zW-k3Xv9-Jp2Yt8"
body = "7Q7zW-k3Xv9-Jp2Yt8"
query = { appid = "7Q7zW-k3Xv9-Jp2Yt8" }
[source.headers]
x-api = "7Q7zW-k3Xv9-Jp2Yt8"
[source.values.on]
pointer = "/on"
[[source]]
name = "cloud"
kind = "ptdevices"
token = 'Q7zW-k3Xv9-Jp2Yt8'
device = "1"
[source.query]
key = "7Q7zW-k3Xv9-Jp2Yt8"
[[notify]]
name = "phone"
kind = "ntfy"
topic = "Q7zW-k3Xv9-Jp2Yt8"
[[notify]]
name = "bot"
kind = "telegram"
token = "Q7zW-k3Xv9-Jp2Yt8"
chat = "7Q7zW-k3Xv9-Jp2Yt8"
[[notify]]
name = "hook"
kind = "webhook"
url = "https://h/7Q7zW-k3Xv9-Jp2Yt8"
template = '{{"key":"7Q7zW-k3Xv9-Jp2Yt8"}}'
headers = { X-Key = "7Q7zW-k3Xv9-Jp2Yt8" }
[[notify]]
name = "mail"
kind = "smtp"
url = "smtps://h"
from = "a@b"
to = "c@d"
username = "me"
password = "Q7zW-k3Xv9-Jp2Yt8"
[[notify]]
name = "script"
kind = "exec"
command = ["/bin/notify", "7Q7zW-k3Xv9-Jp2Yt8"]
[[alert]]
name = "low"
field = "pump.on"
equals = false
notify = ["phone"]
[heartbeat]
url = "https://h/7Q7zW-k3Xv9-Jp2Yt8"
"#;

/// Parts of the secret: a message must contain none of them.
const SECRET_PARTS: [&str; 3] = ["Q7zW", "k3Xv9", "Jp2Yt8"];

fn assert_no_part_of_secret(text: &str) {
    let Err(errors) = parse(Path::new("p.toml"), text, &|_| None) else { return };
    let errors = errors.to_string();
    for part in SECRET_PARTS {
        assert!(!errors.contains(part), "{errors}\n{text}");
    }
}

#[test]
fn secret_in_a_mutilated_file_is_never_repeated() {
    // A character is missing, or another one was typed.
    for (at, c) in WITH_SECRETS.char_indices() {
        let (before, after) = WITH_SECRETS.split_at(at);
        assert_no_part_of_secret(&format!("{before}{}", &after[c.len_utf8()..]));
        for typed in ["\n", "\"", "'", " ", "\"\n", "\\", "#"] {
            assert_no_part_of_secret(&format!("{before}{typed}{after}"));
        }
    }
    // A line has lost its quotation marks or its key, is wrapped at each "-", or lacks its end.
    let lines: Vec<&str> = WITH_SECRETS.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let value = line.split_once(" = ").map_or(*line, |(_, value)| value);
        let bare = line.replace(['"', '\''], "");
        let no_key = value.replace(['"', '\''], "");
        for written in [
            bare.clone(),
            bare.replace('-', "\n"),
            line.replace('-', "\n"),
            line.replace('-', "-\n  "),
            line.replace('-', "=\n"),
            line.replace(" = ", " "),
            line.replace(" = ", ": "),
            line.replace(" = ", "\n"),
            line.replace(" = ", " =\n"),
            format!("{bare}\n{no_key}"),
            format!("[{no_key}"),
            value.to_owned(),
            no_key.replace('-', "="),
            no_key,
        ] {
            let mut lines = lines.clone();
            lines[index] = &written;
            assert_no_part_of_secret(&lines.join("\n"));
        }
    }
}
