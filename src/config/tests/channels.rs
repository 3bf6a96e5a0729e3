//! `[[notify]]` and `[heartbeat]` in files: every key, secrets, and warnings.

mod faulty;

use std::time::Duration;

use super::*;

/// Returns a file with a channel of these keys, which begin in line 3.
fn file(keys: &str) -> String {
    format!("[[notify]]\nname = \"c\"\n{keys}\n")
}

fn channel(keys: &str) -> Arc<Channel> {
    match read(&file(keys)) {
        Ok(config) => config.channels[0].clone(),
        Err(errors) => panic!("{keys}: {errors}"),
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[test]
fn channel_of_each_kind_is_read() {
    for (keys, expected) in [
        (
            "kind = \"ntfy\"\ntopic = \"pump\"",
            ChannelKind::Ntfy(Ntfy {
                url: secret("https://ntfy.sh"),
                topic: secret("pump"),
                token: None,
            }),
        ),
        (
            "kind = \"ntfy\"\ntopic = \"pump\"\nurl = \"http://h:1/\"\ntoken = \"tk_1\"",
            ChannelKind::Ntfy(Ntfy {
                url: secret("http://h:1/"),
                topic: secret("pump"),
                token: Some(secret("tk_1")),
            }),
        ),
        (
            "kind = \"webhook\"\nurl = \"https://h/hook\"",
            ChannelKind::Webhook(Webhook {
                url: secret("https://h/hook"),
                headers: Vec::new(),
                template: None,
                content_type: None,
            }),
        ),
        (
            "kind = \"webhook\"\nurl = \"https://h/hook\"\ntemplate = \"{title}\"\n\
             [notify.headers]\nauthorization = \"Bearer s3cret\"",
            ChannelKind::Webhook(Webhook {
                url: secret("https://h/hook"),
                headers: vec![(http::header::AUTHORIZATION, secret("Bearer s3cret"))],
                template: Some("{title}".parse().unwrap()),
                content_type: Some(http::HeaderValue::from_static("text/plain; charset=utf-8")),
            }),
        ),
        (
            "kind = \"webhook\"\nurl = \"https://h/hook\"\ntemplate = \"{title}\"\n\
             headers = { Content-Type = \"text/markdown\" }",
            ChannelKind::Webhook(Webhook {
                url: secret("https://h/hook"),
                headers: vec![(http::header::CONTENT_TYPE, secret("text/markdown"))],
                template: Some("{title}".parse().unwrap()),
                content_type: Some(http::HeaderValue::from_static("text/markdown")),
            }),
        ),
        (
            "kind = \"smtp\"\nurl = \"smtp://mail.example\"\nfrom = \"Pump <p@b>\"\nto = \"a@b\"\n\
             username = \"me\"\npassword = \"s3cret\"",
            ChannelKind::Smtp(Smtp {
                host: "mail.example".to_owned(),
                port: 587,
                security: SmtpSecurity::StartTls,
                login: Some(Login { username: "me".to_owned(), password: secret("s3cret") }),
                from: "Pump <p@b>".to_owned(),
                to: vec!["a@b".to_owned()],
            }),
        ),
        (
            "kind = \"smtp\"\nurl = \"smtp://127.0.0.1\"\nfrom = \"p@b\"\nto = [\"a@b\", \"c@d\"]",
            ChannelKind::Smtp(Smtp {
                host: "127.0.0.1".to_owned(),
                port: 25,
                security: SmtpSecurity::Loopback,
                login: None,
                from: "p@b".to_owned(),
                to: vec!["a@b".to_owned(), "c@d".to_owned()],
            }),
        ),
        (
            "kind = \"pushover\"\ntoken = \"a1\"\nuser = \"u1\"",
            ChannelKind::Pushover(Pushover {
                url: secret("https://api.pushover.net"),
                token: secret("a1"),
                user: secret("u1"),
            }),
        ),
        (
            "kind = \"telegram\"\ntoken = \"1:A-b_c\"\nchat = -100123",
            ChannelKind::Telegram(Telegram {
                url: secret("https://api.telegram.org"),
                token: secret("1:A-b_c"),
                chat: secret("-100123"),
            }),
        ),
        (
            "kind = \"telegram\"\ntoken = \"1:A\"\nchat = \"@pump_house\"\nurl = \"http://[::1]:1\"",
            ChannelKind::Telegram(Telegram {
                url: secret("http://[::1]:1"),
                token: secret("1:A"),
                chat: secret("@pump_house"),
            }),
        ),
        (
            "kind = \"discord\"\nurl = \"https://d/api/webhooks/1/x\"",
            ChannelKind::Discord(secret("https://d/api/webhooks/1/x")),
        ),
        (
            "kind = \"slack\"\nurl = \"https://s/services/T/B/x\"",
            ChannelKind::Slack(secret("https://s/services/T/B/x")),
        ),
        (
            "kind = \"home-assistant\"\nurl = \"http://ha.lan:8123/api/webhook/x\"",
            ChannelKind::HomeAssistant(secret("http://ha.lan:8123/api/webhook/x")),
        ),
        (
            "kind = \"exec\"\ncommand = [\"/bin/notify\", \"--to\", \"anna\"]",
            ChannelKind::Exec(vec!["/bin/notify".into(), "--to".into(), "anna".into()]),
        ),
    ] {
        let channel = channel(keys);
        assert_eq!(channel.kind, expected, "{keys}");
        assert!(keys.contains(&format!("\"{}\"", channel.kind.as_str())), "{keys}");
    }
}

#[test]
fn keys_of_all_kinds_are_read() {
    let exec = "kind = \"exec\"\ncommand = [\"notify\"]\n";
    let times =
        |channel: &Channel| [channel.timeout, channel.group_wait].map(|time| time.as_secs());
    let default = channel(exec);
    assert_eq!((times(&default), default.max_per_hour), ([30, 30], 60));
    let set = channel(&format!("{exec}timeout = \"1m\"\ngroup_wait = \"0s\"\nmax_per_hour = 3600"));
    assert_eq!((times(&set), set.max_per_hour), ([60, 0], 3600));
    assert_eq!((&*set.name, &set.ca_certs), ("c", &None));
    let heartbeat = |keys: &str| read(&format!("[heartbeat]\n{keys}")).unwrap().heartbeat.unwrap();
    let default = heartbeat("url = \"https://h/ping\"\n");
    let seconds = Duration::from_secs;
    assert_eq!((default.every, default.timeout), (seconds(300), seconds(10)));
    let fast = heartbeat("url = \"https://h/ping\"\nevery = \"10s\"\ntimeout = \"3s\"\n");
    assert_eq!((fast.every, fast.timeout), (seconds(10), seconds(3)));
    assert!(read("").unwrap().heartbeat.is_none());
}

#[test]
fn secrets_come_from_files_and_are_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let topic = written("topic", "s3cretTopic\n");
    let url = written("url", "https://h/s3cretPath?key=s3cret%2Fvalue\n");
    let key = written("key", "s3cretKey");
    let chat = written("chat", "-5553535\n");
    for (keys, expected) in [
        (
            format!("kind = \"ntfy\"\ntopic_file = \"{topic}\"\ntoken_file = \"{key}\""),
            &["s3cretTopic", "s3cretKey"][..],
        ),
        (
            format!(
                "kind = \"webhook\"\nurl_file = \"{url}\"\nheaders = {{ X-Key = \"Basic s3cretWord\" }}"
            ),
            &[
                "https://h/s3cretPath?key=s3cret%2Fvalue",
                "s3cret/value",
                "Basic s3cretWord",
                "s3cretWord",
            ],
        ),
        (
            format!(
                "kind = \"smtp\"\nurl = \"smtps://h\"\nusername = \"me\"\npassword_file = \"{key}\"\n\
                 from = \"a@b\"\nto = \"c@d\""
            ),
            // As AUTH PLAIN and AUTH LOGIN send it.
            &["s3cretKey", "AG1lAHMzY3JldEtleQ==", "czNjcmV0S2V5"],
        ),
        (
            format!("kind = \"pushover\"\ntoken_file = \"{key}\"\nuser_file = \"{topic}\""),
            &["s3cretKey", "s3cretTopic"],
        ),
        (
            format!("kind = \"telegram\"\ntoken_file = \"{key}\"\nchat_file = \"{chat}\""),
            &["s3cretKey", "-5553535"],
        ),
        (format!("kind = \"discord\"\nurl_file = \"{url}\""), &["s3cretPath", "s3cret/value"]),
        (
            "kind = \"slack\"\nurl = \"https://h/s/${TOKEN}\"".to_owned(),
            &["https://h/s/s3cret", "s3cret"],
        ),
        (format!("kind = \"home-assistant\"\nurl_file = \"{url}\""), &["s3cretPath"]),
    ] {
        let config = read(&file(&keys)).unwrap();
        let secrets = config.channels[0].secrets();
        let secrets: Vec<&str> = secrets.iter().map(Secret::expose).collect();
        for secret in expected {
            assert!(secrets.contains(secret), "{secret} is not in {secrets:?}");
        }
        assert!(secrets.iter().all(|secret| !secret.is_empty()), "{secrets:?}");
        let shown = format!("{config:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("5553535"), "{shown}");
    }
    let config = read(&format!("[heartbeat]\nurl_file = \"{url}\"\n")).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    let secrets = config.heartbeat.unwrap().secrets();
    assert!(secrets.contains(&secret("s3cretPath")), "the key of a ping");
    // The default servers are no secrets.
    assert_eq!(channel("kind = \"ntfy\"\ntopic = \"pump\"").secrets(), [secret("pump")]);
}

#[test]
fn number_of_channels_is_limited() {
    let channels = |count: usize| -> String {
        let channel = |number| {
            format!("[[notify]]\nname = \"c{number}\"\nkind = \"exec\"\ncommand = [\"a\"]\n")
        };
        (0..count).map(channel).collect()
    };
    assert_eq!(read(&channels(100)).unwrap().channels.len(), 100);
    let errors = read(&channels(101)).unwrap_err();
    let expected = "p.toml:401:1: 101 channels are too many in [[notify]]; at most 100 are allowed";
    assert!(errors.starts_with(expected), "{errors}");
}

#[test]
fn secret_that_is_sent_in_clear_is_warned_of() {
    for (keys, expected) in [
        ("kind = \"slack\"\nurl = \"http://hooks.lan/x\"", true),
        ("kind = \"discord\"\nurl = \"http://192.0.2.1/x\"", true),
        ("kind = \"slack\"\nurl = \"http://127.0.0.1:1/x\"", false),
        ("kind = \"slack\"\nurl = \"http://localhost:1/x\"", false),
        ("kind = \"slack\"\nurl = \"https://h/x\"", false),
        ("kind = \"home-assistant\"\nurl = \"http://ha.lan/x\"", false),
    ] {
        let warnings = read(&file(keys)).unwrap().warnings;
        let found = warnings.iter().any(|warning| {
            warning == "[[notify]] \"c\": \"url\" is http://, so its secrets are sent in clear; write https://"
        });
        assert_eq!(found, expected, "{keys}: {warnings:?}");
    }
}

#[test]
fn example_has_every_key_as_it_is_read() {
    let example = include_str!("../../../examples/pumphouse.toml");
    let (_, rest) = example.split_once("# --- Alerts").unwrap();
    let (alerts, sources) = rest.split_once("# --- Sources").unwrap();
    let (_, sources) = sources.split_once("\n\n").unwrap();
    let mut text = String::new();
    for line in alerts.lines().filter_map(|line| line.strip_prefix("# ")) {
        let is_key = line.split_once(" = ").is_some_and(|(key, _)| is_name(key));
        let is_header =
            line.starts_with('[') && line.split(" #").next().unwrap().trim().ends_with(']');
        if is_header || is_key && !line.starts_with("ca_file") {
            text.push_str(&line.replace('…', "x1"));
            text.push('\n');
        }
    }
    let config = read(&format!("{text}\n{sources}")).unwrap();
    let kinds: Vec<&str> = config.channels.iter().map(|channel| channel.kind.as_str()).collect();
    assert_eq!(kinds, ["ntfy", "smtp", "webhook", "pushover", "telegram", "slack", "exec"]);
    assert_eq!((config.alerts.len(), config.heartbeat.is_some()), (6, true));
    let tank_low = &config.alerts[0];
    assert_eq!((tank_low.repeat.len(), tank_low.severity), (3, Severity::Warning));
}

#[test]
fn tables_of_alerts_do_not_disturb_the_listeners() {
    let text = "[[alert]]\nfault = 1\n[[notify]]\nfault = 1\n[heartbeat]\nfault = 1\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    std::fs::write(&path, text).unwrap();
    let (_, listeners) = load_listeners(Some(&path)).unwrap().unwrap();
    assert_eq!(listeners.server.listen, Server::default().listen);
}
