use super::*;
use crate::alert::{EndReason, NoticeKind};
use crate::config::{Severity, SmtpSecurity};
use crate::notify::fixture::{context, delivery, ended, fired, incident, notice, of_source};

fn smtp() -> Smtp {
    Smtp {
        host: "mail.test".to_owned(),
        port: 587,
        security: SmtpSecurity::StartTls,
        login: None,
        from: "tank@barn.test".to_owned(),
        to: vec!["a@x.test".to_owned(), "Bea <b@x.test>".to_owned()],
    }
}

fn text(delivery: &Delivery, context: &ChannelContext) -> String {
    String::from_utf8(mail(delivery, &smtp(), context, "barn").unwrap().bytes).unwrap()
}

/// Returns a header field, unfolded.
fn field(mail: &str, name: &str) -> Option<String> {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    let mut lines = head.split("\r\n");
    lines.find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

#[test]
fn mail_has_its_fields_and_both_parts() {
    let mail = mail(&delivery([fired()]), &smtp(), &context(), "barn").unwrap();
    assert_eq!(mail.from, "tank@barn.test");
    assert_eq!(bare_address(&smtp().to[1]), "b@x.test");
    let mail = String::from_utf8(mail.bytes).unwrap();
    for (name, expected) in [
        ("From", Some("\"Ridge water\" <tank@barn.test>")),
        ("To", Some("a@x.test, Bea <b@x.test>")),
        ("Subject", Some("280 gal, 3 min ago: Cistern volume below 300 gal")),
        ("Date", Some("Tue, 03 Feb 2026 06:00:00 +0000")),
        ("Message-ID", Some("<phone-17@tank.example>")),
        ("In-Reply-To", Some("<incident-0000000000001234.phone@tank.example>")),
        ("References", Some("<incident-0000000000001234.phone@tank.example>")),
        ("Auto-Submitted", Some("auto-generated")),
        ("MIME-Version", Some("1.0")),
    ] {
        assert_eq!(field(&mail, name).as_deref(), expected, "{name} in {mail}");
    }
    let parts: Vec<&str> = mail.split("Content-Type: ").collect();
    assert!(parts[1].starts_with("multipart/alternative;"), "{mail}");
    assert!(parts[2].starts_with("text/plain; charset=utf-8\r\n"), "{mail}");
    assert!(parts[2].contains("280 gal, 3 min ago: Cistern volume below 300 gal"), "{mail}");
    assert!(parts[2].contains("https://tank.example/pumphouse/source/cistern"), "{mail}");
    assert!(parts[3].starts_with("text/html; charset=utf-8\r\n"), "{mail}");
    assert!(
        mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains('\n'))
    );
}

#[test]
fn all_mails_of_an_incident_are_in_its_thread_and_each_has_its_own_id() {
    let thread = "<incident-0000000000001234.phone@tank.example>";
    let later = |kind| notice(kind, ended(EndReason::Resolved));
    for (key, notices) in [
        ("a", vec![fired()]),
        ("b", vec![later(NoticeKind::Reminder)]),
        ("c", vec![later(NoticeKind::Ended)]),
        ("d", vec![fired(), later(NoticeKind::Ended)]),
    ] {
        let mut delivery = delivery(notices);
        delivery.key = key.into();
        let mail = text(&delivery, &context());
        let id = format!("<{key}@tank.example>");
        assert_eq!(field(&mail, "Message-ID").as_deref(), Some(&*id));
        assert_eq!(field(&mail, "In-Reply-To").as_deref(), Some(thread));
        assert_eq!(field(&mail, "References").as_deref(), Some(thread));
    }
    let mut with_dropped = delivery([fired()]);
    with_dropped.dropped = 3;
    let mail = text(&with_dropped, &context());
    assert_eq!(field(&mail, "Message-ID").as_deref(), Some("<phone-17.3@tank.example>"));
}

#[test]
fn mail_about_many_incidents_is_in_a_bounded_number_of_threads() {
    let barn = || of_source("barn", Severity::Warning);
    let mail = text(&delivery([fired(), notice(NoticeKind::Fired, barn())]), &context());
    let first = "<incident-0000000000001234.phone@tank.example>";
    let second = format!("<incident-{}.phone@tank.example>", barn().id);
    assert_eq!(field(&mail, "In-Reply-To").as_deref(), Some(first));
    assert_eq!(field(&mail, "References"), Some(format!("{first} {second}")));
    let sources = (0..1000).map(|number| of_source(&number.to_string(), Severity::Warning));
    let many = delivery(sources.map(|incident| notice(NoticeKind::Fired, incident)));
    let references = field(&text(&many, &context()), "References").unwrap();
    assert_eq!(references.split(' ').count(), MAX_REFERENCES);
}

#[test]
fn names_add_no_header_field_and_no_markup() {
    let hostile = "x\r\nBcc: evil@x.test\r\n\r\n<script>&\"\u{202e}";
    let mut named = incident();
    named.title = hostile.into();
    let mut context = context();
    context.site_title = hostile.into();
    let mut one = delivery([notice(NoticeKind::Fired, named)]);
    one.key = "a\r\nBcc: evil@x.test".into();
    let mail = text(&one, &context);
    assert_eq!(field(&mail, "Bcc"), None, "{mail}");
    assert!(!mail.contains("\r\nBcc"), "{mail}");
    let html = html(&Message::of(&one, &context), &context);
    assert!(!html.contains("<script>") && html.contains("&lt;script&gt;&amp;"), "{html}");
    let bad = Smtp { from: "a@x.test>\r\nBcc: evil".to_owned(), ..smtp() };
    let error = super::mail(&one, &bad, &context, "barn").err().unwrap();
    assert!(error.contains("\"from\" is not an address"), "{error}");
    assert!(!error.contains('\n'));
}

#[test]
fn id_has_plain_characters() {
    for (text, expected) in
        [("a.b-c_1", "a.b-c_1"), ("a/b c@d", "a-b-c-d"), ("..a..b.", "a.b"), ("", "pumphouse")]
    {
        assert_eq!(id_text(text), expected);
    }
}
