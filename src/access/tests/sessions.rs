//! Browser sessions at the gate.

use std::path::Path;

use super::*;

impl Scene {
    fn sign_in(&self, user: &str, password: &str, from: &str) -> Result<SignedIn, Denial> {
        self.gate.sign_in(&self.gate.active_rules(), &request("", from), user, password)
    }

    fn session(&self) -> String {
        self.sign_in("anna", "right", HOME).unwrap().session.expose().to_owned()
    }
}

/// A request with these cookies and further fields.
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
    let scene = Scene::new(restricted());
    let session = scene.session();
    let good = format!("{SESSION_COOKIE}6443={session}");
    let bad = format!("{SESSION_COOKIE}6443=forged");
    for (cookies, expected) in [
        (&[][..], "401"),
        (&[&*good], "in"),
        (&[&*bad], "401"),
        (&[&*bad, &*good], "in"),
        (&[&*format!("a=b; {bad};{good}")], "in"),
        (&[&*format!("{SESSION_COOKIE}80={session}")], "in"),
        (&[&*format!("session={session}")], "401"),
        (&[&*format!("{DEVICE_COOKIE}6443={session}")], "401"),
    ] {
        assert_eq!(
            label(scene.ask(&with_cookies(Method::GET, cookies, &[]))),
            expected,
            "{cookies:?}"
        );
    }
    let asked = with_cookies(Method::GET, &[&good], &[]);
    let pass = Pass { guarded: true, by_session: true, device: None };
    assert_eq!(scene.ask(&asked), Ok(pass));
    // A proxy may add a password of its own; a token goes first.
    let wrong = basic("anna", "wrong");
    for (authorization, expected) in
        [(&*wrong, "in"), ("Bearer pumphouse_none", "401"), ("Basic ?", "401")]
    {
        let fields = [("authorization", authorization)];
        let asked = with_cookies(Method::GET, &[&good], &fields);
        assert_eq!(label(scene.ask(&asked)), expected, "{authorization}");
    }
    scene.pass(Limits::default().session);
    assert_eq!(label(scene.ask(&asked)), "401", "it has expired");
}

#[test]
fn session_is_never_throttled() {
    let scene = Scene::new(restricted());
    let good = format!("{SESSION_COOKIE}6443={}", scene.session());
    let asked = with_cookies(Method::GET, &[&good], &[]);
    for number in 0..1000 {
        scene.enter("anna", &format!("guess {number}"), ELSEWHERE);
        scene.bear(&format!("guess-{number}"), ELSEWHERE);
    }
    scene.gate.while_busy(|| assert_eq!(label(scene.ask(&asked)), "in"));
}

#[test]
fn unsafe_request_with_a_session_requires_this_sites_origin() {
    let mut pollers = restricted();
    pollers.users[0].scopes = Scopes::new(vec![Scope::Poll, Scope::Read]);
    let scene = Scene::new(pollers);
    let good = format!("{SESSION_COOKIE}6443={}", scene.session());
    let here = ("host", "pump.example");
    for (fields, expected) in [
        (&[][..], "403"),
        (&[here], "403"),
        (&[here, ("origin", "https://pump.example")], "in"),
        (&[("sec-fetch-site", "same-origin")], "in"),
        (&[here, ("origin", "https://evil.example")], "403"),
        (&[here, ("origin", "null")], "403"),
        (&[("sec-fetch-site", "cross-site")], "403"),
        (&[("sec-fetch-site", "same-site")], "403"),
    ] {
        let asked = with_cookies(Method::POST, &[&good], fields);
        assert_eq!(label(scene.ask(&asked)), expected, "{fields:?}");
        let read = with_cookies(Method::GET, &[&good], fields);
        assert_eq!(label(scene.ask(&read)), "in", "{fields:?}");
    }
}

#[test]
fn sign_in_is_throttled_as_basic_is() {
    let scene = Scene::new(restricted());
    let label = |outcome: Result<SignedIn, Denial>| match outcome {
        Ok(_) => "in",
        Err(Denial::Unauthorized(_)) => "401",
        Err(Denial::Throttled(_)) => "429",
        Err(other) => panic!("{other:?}"),
    };
    let mut course = Vec::new();
    for number in 0..20 {
        let guess = format!("guess {number}");
        course.push(match number % 2 {
            0 => label(scene.sign_in("anna", &guess, HOME)),
            _ => scene.enter("anna", &guess, HOME),
        });
    }
    let free = Limits::default().failures_per_address;
    assert!(course[..=free].iter().all(|label| *label == "401"), "{course:?}");
    assert!(course[free + 1..].iter().all(|label| *label == "429"), "{course:?}");
    assert_eq!(label(scene.sign_in("anna", "right", HOME)), "429", "compared with nothing");
    assert_eq!(label(scene.sign_in("anna", "right", ELSEWHERE)), "in");
}

#[test]
fn sign_out_ends_every_session_of_the_request() {
    let scene = Scene::new(restricted());
    let cookie = |port: u16| format!("{SESSION_COOKIE}{port}={}", scene.session());
    let (one, two, other) = (cookie(1), cookie(2), cookie(3));
    let asked = with_cookies(Method::POST, &[&one, "a=b", &two], &[]);
    assert_eq!(
        scene.gate.sign_out(&asked),
        (vec!["pumphouse_session_1", "pumphouse_session_2"], SignOut::Durable)
    );
    for (cookie, expected) in [(&one, "401"), (&two, "401"), (&other, "in")] {
        let asked = with_cookies(Method::GET, &[cookie], &[]);
        assert_eq!(label(scene.ask(&asked)), expected);
    }
}

#[test]
fn session_ends_with_the_account_and_follows_its_scopes() {
    let scene = Scene::new(restricted());
    let cookie = format!("{SESSION_COOKIE}1={}", scene.session());
    let asked = with_cookies(Method::GET, &[&cookie], &[]);
    let mut changed = restricted();
    changed.users[0].scopes = Scopes::new(vec![Scope::Poll]);
    scene.gate.replace(rules(changed));
    assert_eq!(label(scene.ask(&asked)), "403");
    scene.gate.replace(rules(restricted()));
    assert_eq!(label(scene.ask(&asked)), "in");
    let mut changed = restricted();
    changed.users[0].password_hash = PasswordHash::cheap("newer");
    scene.gate.replace(rules(changed));
    assert_eq!(label(scene.ask(&asked)), "401");
    scene.gate.replace(rules(restricted()));
    assert_eq!(label(scene.ask(&asked)), "401", "the old hash revives no session");
}

#[test]
fn session_ends_when_its_lifetime_is_shortened_or_the_clock_set_back() {
    let scene = Scene::new(restricted());
    let day = Duration::from_secs(86_400);
    scene.pass(10 * day);
    let cookie = format!("{SESSION_COOKIE}1={}", scene.session());
    let asked = with_cookies(Method::GET, &[&cookie], &[]);
    let mut shorter = restricted();
    shorter.limits.session = day;
    scene.gate.replace(rules(shorter));
    assert_eq!(label(scene.ask(&asked)), "401");
    scene.gate.replace(rules(restricted()));
    assert_eq!(label(scene.ask(&asked)), "in");
    scene.millis.store(0, Ordering::Relaxed);
    assert_eq!(label(scene.ask(&asked)), "401");
}

/// A server's gate, with the writer of its sessions if it needs one.
fn start(accounts: Restricted, path: &Path) -> (Gate, Option<SessionWriter>) {
    let gate = Gate::with_sessions_of(rules(accounts), path).unwrap();
    let writer = gate.write_sessions_to(path, 8).unwrap();
    (gate, writer)
}

/// Waits until the file of sessions does not contain a text.
fn await_removal(path: &Path, text: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(path).unwrap().contains(text) {
        assert!(Instant::now() < end, "{text} should go");
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
        let asked = with_cookies(Method::GET, &[&cookie], &[]);
        let is_good = |gate: &Gate| gate.is_signed_in(&gate.active_rules(), &asked);
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
    let scene = Scene::new(restricted());
    let signed_in = scene.sign_in("anna", "right", HOME).unwrap();
    let pass = scene.ask(&request(&basic("anna", "right"), HOME)).unwrap();
    let shown = format!("{signed_in:?} {pass:?}");
    assert!(!shown.contains(signed_in.session.expose()), "{shown}");
    assert!(!shown.contains(pass.device.unwrap().expose()), "{shown}");
}

#[test]
fn sign_in_ends_the_session_that_it_replaces() {
    let scene = Scene::new(restricted());
    let (old, other) = (scene.session(), scene.session());
    let (old, other) =
        (format!("{SESSION_COOKIE}6443={old}"), format!("{SESSION_COOKIE}7443={other}"));
    let asked = with_cookies(Method::POST, &[&old, &other], &[("host", "pump.example:6443")]);
    let wrong = scene.gate.sign_in(&scene.gate.active_rules(), &asked, "anna", "wrong");
    assert!(wrong.is_err());
    let is_good = |cookie| label(scene.ask(&with_cookies(Method::GET, &[cookie], &[])));
    assert_eq!([is_good(&old), is_good(&other)], ["in", "in"]);
    let new = scene.gate.sign_in(&scene.gate.active_rules(), &asked, "anna", "right").unwrap();
    assert_eq!([is_good(&old), is_good(&other)], ["401", "in"]);
    assert_eq!(is_good(&format!("{SESSION_COOKIE}6443={}", new.session.expose())), "in");
}
