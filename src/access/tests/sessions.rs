//! Browser sessions at the gate.

use std::path::Path;

use super::*;
use crate::data_lock::DataLock;

impl Fixture {
    fn sign_in(&self, user: &str, password: &str, from: &str) -> Result<SignedIn, Denial> {
        self.gate.sign_in(&self.gate.active_rules(), &request("", from), user, password)
    }

    fn session(&self) -> String {
        self.sign_in("anna", "right", HOME).unwrap().session.expose().to_owned()
    }
}

/// Returns a request with these cookies and further fields.
fn with_cookies(method: Method, cookies: &[&str], fields: &[(&'static str, &str)]) -> Request {
    let mut request = request("", ELSEWHERE);
    request.method = method;
    for cookie in cookies {
        request.headers.append(COOKIE, HeaderValue::from_str(cookie).unwrap());
    }
    for (name, value) in fields {
        request.headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

#[test]
fn browser_with_a_session_is_admitted() {
    let fixture = Fixture::new(restricted());
    let session = fixture.session();
    let good = format!("{SESSION_COOKIE}6443={session}");
    let bad = format!("{SESSION_COOKIE}6443=forged");
    for (cookies, expected) in [
        (&[][..], "401"),
        (&[&*good], "ok"),
        (&[&*bad], "401"),
        (&[&*bad, &*good], "ok"),
        (&[&*format!("a=b; {bad};{good}")], "ok"),
        (&[&*format!("{SESSION_COOKIE}80={session}")], "ok"),
        (&[&*format!("session={session}")], "401"),
        (&[&*format!("{DEVICE_COOKIE}6443={session}")], "401"),
    ] {
        assert_eq!(
            label(fixture.admit(&with_cookies(Method::GET, cookies, &[]))),
            expected,
            "{cookies:?}"
        );
    }
    let sent = with_cookies(Method::GET, &[&good], &[]);
    let pass =
        Pass { guarded: true, by_session: true, role: Role::Reader, account: None, device: None };
    assert_eq!(fixture.admit(&sent), Ok(pass));
    // A proxy may add a password of its own, so a session precedes it. A token precedes the session.
    let wrong = basic("anna", "wrong");
    for (authorization, expected) in
        [(&*wrong, "ok"), ("Bearer pumphouse_none", "401"), ("Basic ?", "401")]
    {
        let fields = [("authorization", authorization)];
        let sent = with_cookies(Method::GET, &[&good], &fields);
        assert_eq!(label(fixture.admit(&sent)), expected, "{authorization}");
    }
    fixture.advance(Limits::default().session);
    assert_eq!(label(fixture.admit(&sent)), "401", "it has expired");
}

#[test]
fn session_is_never_throttled() {
    let fixture = Fixture::new(restricted());
    let good = format!("{SESSION_COOKIE}6443={}", fixture.session());
    let sent = with_cookies(Method::GET, &[&good], &[]);
    for number in 0..1000 {
        fixture.try_password("anna", &format!("guess {number}"), ELSEWHERE);
        fixture.try_token(&format!("guess-{number}"), ELSEWHERE);
    }
    fixture.gate.while_busy(|| assert_eq!(label(fixture.admit(&sent)), "ok"));
}

#[test]
fn unsafe_request_with_a_session_requires_this_sites_origin() {
    let mut pollers = restricted();
    pollers.users[0].scopes = Scopes::new(vec![Scope::Poll, Scope::Read]);
    let fixture = Fixture::new(pollers);
    let good = format!("{SESSION_COOKIE}6443={}", fixture.session());
    let here = ("host", "pump.example");
    for (fields, expected) in [
        (&[][..], "403"),
        (&[here], "403"),
        (&[here, ("origin", "https://pump.example")], "ok"),
        (&[("sec-fetch-site", "same-origin")], "ok"),
        (&[here, ("origin", "https://evil.example")], "403"),
        (&[here, ("origin", "null")], "403"),
        (&[("sec-fetch-site", "cross-site")], "403"),
        (&[("sec-fetch-site", "same-site")], "403"),
    ] {
        let sent = with_cookies(Method::POST, &[&good], fields);
        assert_eq!(label(fixture.admit(&sent)), expected, "{fields:?}");
        let read = with_cookies(Method::GET, &[&good], fields);
        assert_eq!(label(fixture.admit(&read)), "ok", "{fields:?}");
    }
}

#[test]
fn sign_in_is_throttled_as_basic_is() {
    let fixture = Fixture::new(restricted());
    let label = |outcome: Result<SignedIn, Denial>| match outcome {
        Ok(_) => "ok",
        Err(Denial::Unauthorized(_)) => "401",
        Err(Denial::Throttled(_)) => "429",
        Err(other) => panic!("{other:?}"),
    };
    let mut responses = Vec::new();
    for number in 0..20 {
        let guess = format!("guess {number}");
        responses.push(match number % 2 {
            0 => label(fixture.sign_in("anna", &guess, HOME)),
            _ => fixture.try_password("anna", &guess, HOME),
        });
    }
    let free = Limits::default().failures_per_address;
    assert!(responses[..=free].iter().all(|label| *label == "401"), "{responses:?}");
    assert!(responses[free + 1..].iter().all(|label| *label == "429"), "{responses:?}");
    assert_eq!(
        label(fixture.sign_in("anna", "right", HOME)),
        "429",
        "refused without a comparison"
    );
    assert_eq!(label(fixture.sign_in("anna", "right", ELSEWHERE)), "ok");
}

#[test]
fn sign_out_ends_every_session_of_the_request() {
    let fixture = Fixture::new(restricted());
    let cookie = |port: u16| format!("{SESSION_COOKIE}{port}={}", fixture.session());
    let (one, two, other) = (cookie(1), cookie(2), cookie(3));
    let sent = with_cookies(Method::POST, &[&one, "a=b", &two], &[]);
    assert_eq!(
        fixture.gate.sign_out(&fixture.gate.active_rules(), &sent),
        (vec!["pumphouse_session_1", "pumphouse_session_2"], SignOut::Durable)
    );
    for (cookie, expected) in [(&one, "401"), (&two, "401"), (&other, "ok")] {
        let sent = with_cookies(Method::GET, &[cookie], &[]);
        assert_eq!(label(fixture.admit(&sent)), expected);
    }
}

#[test]
fn session_ends_with_the_account_and_follows_its_scopes() {
    let fixture = Fixture::new(restricted());
    let cookie = format!("{SESSION_COOKIE}1={}", fixture.session());
    let sent = with_cookies(Method::GET, &[&cookie], &[]);
    let mut changed = restricted();
    changed.users[0].scopes = Scopes::new(vec![Scope::Poll]);
    fixture.gate.replace(rules(changed));
    assert_eq!(label(fixture.admit(&sent)), "403");
    fixture.gate.replace(rules(restricted()));
    assert_eq!(label(fixture.admit(&sent)), "ok");
    let mut changed = restricted();
    changed.users[0].password_hash = PasswordHash::cheap("newer");
    fixture.gate.replace(rules(changed));
    assert_eq!(label(fixture.admit(&sent)), "401");
    fixture.gate.replace(rules(restricted()));
    assert_eq!(label(fixture.admit(&sent)), "401", "the old hash restores no session");
}

#[test]
fn session_ends_when_its_lifetime_is_shortened_or_the_clock_set_back() {
    let fixture = Fixture::new(restricted());
    let day = Duration::from_secs(86_400);
    fixture.advance(10 * day);
    let cookie = format!("{SESSION_COOKIE}1={}", fixture.session());
    let sent = with_cookies(Method::GET, &[&cookie], &[]);
    let mut shorter = restricted();
    shorter.limits.session = day;
    fixture.gate.replace(rules(shorter));
    assert_eq!(label(fixture.admit(&sent)), "401");
    fixture.gate.replace(rules(restricted()));
    assert_eq!(label(fixture.admit(&sent)), "ok");
    fixture.millis.store(0, Ordering::Relaxed);
    assert_eq!(label(fixture.admit(&sent)), "401");
}

/// Returns a gate that stores its sessions, with the writer if it needs one.
fn start(accounts: Restricted, path: &Path) -> (Gate, Option<SessionWriter>) {
    let gate = Gate::with_sessions_of(rules(accounts), path, &DataLock::none()).unwrap();
    let writer = gate.write_sessions_to(path, &std::sync::Arc::new(DataLock::none()), 8).unwrap();
    (gate, writer)
}

/// Waits until the file of sessions does not contain a text.
fn await_removal(path: &Path, text: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(path).unwrap().contains(text) {
        assert!(Instant::now() < end, "{text} is still stored");
        std::thread::yield_now();
    }
}

#[test]
fn session_of_an_account_that_was_absent_for_one_start_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sessions.json");
    let without = |names: &[&str]| {
        let mut fewer = restricted();
        fewer.users.retain(|user| !names.contains(&&*user.name));
        fewer
    };
    for absent in [&["anna"][..], &["anna", "bert"]] {
        let (gate, writer) = start(restricted(), &path);
        let signed_in =
            gate.sign_in(&gate.active_rules(), &request("", HOME), "anna", "right").unwrap();
        drop(writer);
        let cookie = format!("{SESSION_COOKIE}1={}", signed_in.session.expose());
        let sent = with_cookies(Method::GET, &[&cookie], &[]);
        let is_good = |gate: &Gate| gate.is_signed_in(&gate.active_rules(), &sent);
        let (gate, writer) = start(restricted(), &path);
        assert!(is_good(&gate), "it survives a restart");
        drop(writer);
        // The writer is never dropped, as in a process that is killed.
        let (_, writer) = start(without(absent), &path);
        std::mem::forget(writer);
        await_removal(&path, "anna");
        let (gate, _writer) = start(restricted(), &path);
        assert!(!is_good(&gate), "{absent:?}");
    }
    let none = folder.path().join("none.json");
    let (_, writer) = start(without(&["anna", "bert"]), &none);
    assert!(writer.is_none() && !none.exists(), "nothing to write");
}

#[test]
fn debug_output_contains_no_cookie() {
    let fixture = Fixture::new(restricted());
    let signed_in = fixture.sign_in("anna", "right", HOME).unwrap();
    let pass = fixture.admit(&request(&basic("anna", "right"), HOME)).unwrap();
    let shown = format!("{signed_in:?} {pass:?}");
    assert!(!shown.contains(signed_in.session.expose()), "{shown}");
    assert!(!shown.contains(pass.device.unwrap().expose()), "{shown}");
}

#[test]
fn sign_in_ends_the_session_that_it_replaces() {
    let fixture = Fixture::new(restricted());
    let (old, other) = (fixture.session(), fixture.session());
    let (old, other) =
        (format!("{SESSION_COOKIE}6443={old}"), format!("{SESSION_COOKIE}7443={other}"));
    let sent = with_cookies(Method::POST, &[&old, &other], &[("host", "pump.example:6443")]);
    let wrong = fixture.gate.sign_in(&fixture.gate.active_rules(), &sent, "anna", "wrong");
    assert!(wrong.is_err());
    let is_good = |cookie| label(fixture.admit(&with_cookies(Method::GET, &[cookie], &[])));
    assert_eq!([is_good(&old), is_good(&other)], ["ok", "ok"]);
    let new = fixture.gate.sign_in(&fixture.gate.active_rules(), &sent, "anna", "right").unwrap();
    assert_eq!([is_good(&old), is_good(&other)], ["401", "ok"]);
    assert_eq!(is_good(&format!("{SESSION_COOKIE}6443={}", new.session.expose())), "ok");
}
