use super::*;
use crate::alert::EndReason;
use crate::config::SmtpSecurity;
use crate::notify::fixture::{context, delivery, ended, fired, incident, notice};

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
    assert_eq!(
        (mail.from.as_str(), &*mail.to),
        ("tank@barn.test", &["a@x.test".to_owned(), "b@x.test".to_owned()][..])
    );
    let mail = String::from_utf8(mail.bytes).unwrap();
    for (name, expected) in [
        ("From", Some("\"Ridge water\" <tank@barn.test>")),
        ("To", Some("a@x.test, Bea <b@x.test>")),
        ("Subject", Some("280 gal, 3 min ago: Cistern volume below 300 gal")),
        ("Date", Some("Tue, 03 Feb 2026 06:00:00 +0000")),
        ("Message-ID", Some("<incident-0000000000001234.phone@tank.example>")),
        ("In-Reply-To", None),
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
fn later_mails_of_an_incident_refer_to_its_first() {
    let first = "<incident-0000000000001234.phone@tank.example>";
    for kind in [NoticeKind::Reminder, NoticeKind::Ended] {
        let later = notice(kind, ended(EndReason::Resolved));
        let mail = text(&delivery([later]), &context());
        assert_eq!(field(&mail, "Message-ID").as_deref(), Some("<phone-17@tank.example>"));
        assert_eq!(field(&mail, "In-Reply-To").as_deref(), Some(first));
        assert_eq!(field(&mail, "References").as_deref(), Some(first));
    }
    let both = delivery([fired(), notice(NoticeKind::Ended, ended(EndReason::Resolved))]);
    let mail = text(&both, &context());
    assert_eq!(field(&mail, "Message-ID").as_deref(), Some(first));
    assert_eq!(field(&mail, "In-Reply-To"), None);
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
