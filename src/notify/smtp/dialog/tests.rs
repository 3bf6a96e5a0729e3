use super::*;

fn settings() -> Settings {
    Settings {
        hello: "barn.test".to_owned(),
        may_start_tls: true,
        must_encrypt: true,
        is_loopback: false,
        login: Some(("anna".to_owned(), "s3cret".to_owned())),
        from: "tank@barn.test".to_owned(),
        to: vec!["a@x.test".to_owned(), "b@x.test".to_owned()],
        mail: b"Subject: x\r\n\r\n.dot\r\n".to_vec(),
    }
}

/// Feeds replies to a dialog. Returns what it sent, a line each, and its end.
fn played(dialog: &mut Dialog, replies: &str) -> (Vec<String>, Option<DialogError>) {
    let mut sent = Vec::new();
    for reply in replies.lines().map(str::trim) {
        let mut lines = reply.split('|');
        let (code, first) = lines.next().unwrap().split_once(' ').unwrap();
        let lines = std::iter::once(first).chain(lines).map(str::to_owned).collect();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        match dialog.reply(&Reply { code: code.parse().unwrap(), lines }) {
            Ok(Action::Send(bytes)) => sent.push(text(bytes)),
            Ok(Action::Encrypt(bytes)) => sent.extend(["(TLS)".to_owned(), text(bytes)]),
            Ok(Action::Finish) => sent.push("(end)".to_owned()),
            Err(error) => return (sent, Some(error)),
        }
    }
    (sent, None)
}

#[test]
fn mail_is_sent_after_starttls_and_a_login() {
    let replies = "220 mail.test
        250 mail.test|SIZE 1|STARTTLS|AUTH LOGIN
        220 go ahead
        250 mail.test|AUTH LOGIN PLAIN
        235 welcome
        250 ok
        250 ok
        251 will forward
        354 go ahead
        250 queued";
    let expected = [
        "EHLO barn.test",
        "STARTTLS",
        "(TLS)",
        "EHLO barn.test",
        // printf '\0anna\0s3cret' | base64
        "AUTH PLAIN AGFubmEAczNjcmV0",
        "MAIL FROM:<tank@barn.test>",
        "RCPT TO:<a@x.test>",
        "RCPT TO:<b@x.test>",
        "DATA",
        "Subject: x\r\n\r\n..dot\r\n.",
        "(end)",
    ];
    let (sent, error) = played(&mut Dialog::new(settings(), false), replies);
    assert_eq!((sent, error), (expected.map(str::to_owned).into(), None));
}

#[test]
fn login_is_sent_in_two_parts_to_a_server_without_plain() {
    let replies = "220 x\n250 x|AUTH=LOGIN\n334 VXNlcm5hbWU6\n334 UGFzc3dvcmQ6\n235 ok";
    let (sent, error) = played(&mut Dialog::new(settings(), true), replies);
    let expected =
        ["EHLO barn.test", "AUTH LOGIN", "YW5uYQ==", "czNjcmV0", "MAIL FROM:<tank@barn.test>"];
    assert_eq!((sent, error), (expected.map(str::to_owned).into(), None));
}

#[test]
fn nothing_is_sent_without_tls_where_it_is_required() {
    let (sent, error) = played(&mut Dialog::new(settings(), false), "220 x\n250 x|AUTH PLAIN");
    assert_eq!(sent, ["EHLO barn.test"]);
    let error = error.unwrap();
    assert_eq!(error.fault, DeliveryFault::Refused);
    assert!(error.message.contains("does not offer STARTTLS"), "{error:?}");

    let plain = || Settings { may_start_tls: false, must_encrypt: false, ..settings() };
    let (sent, error) =
        played(&mut Dialog::new(plain(), false), "220 x\n250 x|AUTH PLAIN|STARTTLS");
    assert_eq!(sent, ["EHLO barn.test"]);
    assert!(error.unwrap().message.contains("the name and password are not sent"));

    let here = Settings { is_loopback: true, ..plain() };
    let (sent, _) = played(&mut Dialog::new(here, false), "220 x\n250 x|AUTH PLAIN|STARTTLS");
    assert_eq!(sent[1], "AUTH PLAIN AGFubmEAczNjcmV0");
}

#[test]
fn each_refusal_has_its_consequence() {
    use DeliveryFault::{Refused, Transient, Undeliverable};
    let login = "220 x\n250 x|AUTH PLAIN\n";
    let mail = "220 x\n250 x|AUTH PLAIN\n235 ok\n";
    let data = "220 x\n250 x|AUTH PLAIN\n235 ok\n250 ok\n250 ok\n250 ok\n";
    let sent = "220 x\n250 x|AUTH PLAIN\n235 ok\n250 ok\n250 ok\n250 ok\n354 go\n";
    for (before, reply, fault, text) in [
        ("", "421 busy", Transient, "the connection with 421 busy"),
        ("", "554 no", Refused, "the connection with 554 no"),
        ("220 x\n", "502 what", Refused, "EHLO with 502 what"),
        (login, "535 5.7.8 wrong", Refused, "the name and password with 535 5.7.8 wrong"),
        (login, "454 4.7.0 later", Transient, "the name and password with 454 4.7.0 later"),
        (login, "250 what", Transient, "the name and password with 250 what"),
        (mail, "550 5.7.1 no", Refused, "the sender with 550 5.7.1 no"),
        (mail, "451 4.3.0 later", Transient, "the sender with 451 4.3.0 later"),
        (data, "554 no", Refused, "DATA with 554 no"),
        (data, "552 5.3.4 large", Refused, "DATA with 552 5.3.4 large"),
        (data, "451 4.3.0 later", Transient, "DATA with 451 4.3.0 later"),
        (sent, "552 5.3.4 large", Undeliverable, "the mail with 552 5.3.4 large"),
        (sent, "554 5.6.0 malformed", Undeliverable, "the mail with 554 5.6.0 malformed"),
        (sent, "550 5.6.7 not ASCII", Undeliverable, "the mail with 550 5.6.7 not ASCII"),
        (sent, "552 large", Undeliverable, "the mail with 552 large"),
        (sent, "554 no", Undeliverable, "the mail with 554 no"),
        (sent, "550 no", Refused, "the mail with 550 no"),
        // Of Gmail.
        (sent, "550 5.4.5 quota exceeded", Refused, "the mail with 550 5.4.5 quota exceeded"),
        (sent, "552 5.2.2 mailbox full", Refused, "the mail with 552 5.2.2 mailbox full"),
        (sent, "552 5.3.1 disk full", Refused, "the mail with 552 5.3.1 disk full"),
        (sent, "554 5.7.1 blocked", Refused, "the mail with 554 5.7.1 blocked"),
        (sent, "452 4.3.1 full", Transient, "the mail with 452 4.3.1 full"),
        (sent, "421 bye", Transient, "the mail with 421 bye"),
    ] {
        let (_, error) = played(&mut Dialog::new(settings(), true), &format!("{before}{reply}"));
        let error = error.unwrap();
        assert_eq!(error.fault, fault, "{reply}");
        assert_eq!(error.message, format!("the mail server answered {text}"));
    }
    let none = "220 x\n250 x|AUTH CRAM-MD5";
    let error = played(&mut Dialog::new(settings(), true), none).1.unwrap();
    assert_eq!(error.fault, Refused);
}

#[test]
fn mail_is_sent_to_the_recipients_that_the_server_takes() {
    let before = "220 x\n250 x|AUTH PLAIN\n235 ok\n250 ok\n";
    for (replies, sent, refused) in [
        ("550 5.1.1 unknown\n250 ok", "DATA", &["a@x.test"][..]),
        ("250 ok\n451 4.7.1 later", "DATA", &["b@x.test"]),
        ("250 ok\n250 ok", "DATA", &[]),
        ("550 no\n451 later", "(end)", &["a@x.test", "b@x.test"]),
    ] {
        let mut dialog = Dialog::new(settings(), true);
        let (commands, error) = played(&mut dialog, &format!("{before}{replies}"));
        assert_eq!((commands.last().map(String::as_str), error), (Some(sent), None));
        let found: Vec<String> = dialog.into_refused().into_iter().map(|(of, _)| of).collect();
        assert_eq!(found, refused);
    }
}

#[test]
fn content_cannot_end_the_mail() {
    for (mail, expected) in [
        ("", "\r\n.\r\n"),
        ("a", "a\r\n.\r\n"),
        ("a\r\n", "a\r\n.\r\n"),
        ("a\n.\nQUIT\n", "a\r\n..\r\nQUIT\r\n.\r\n"),
        (".\r\n..\r\n", "..\r\n...\r\n.\r\n"),
        ("a\r.\r\nb", "a .\r\nb\r\n.\r\n"),
    ] {
        assert_eq!(String::from_utf8(stuffed(mail.as_bytes())).unwrap(), expected, "{mail:?}");
    }
}
