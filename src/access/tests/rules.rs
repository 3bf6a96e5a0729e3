//! Admission by credentials and scopes, before and after a reload of the rules.

use super::*;

#[test]
fn credentials_are_admitted_by_scope() {
    for (credentials, expected) in [
        (String::new(), "401"),
        (basic("anna", "right"), "in"),
        (basic("anna", "wrong"), "401"),
        (basic("anna", ""), "401"),
        (basic("ANNA", "right"), "401"),
        (basic("carl", "right"), "401"),
        (basic("bert", "other"), "403"),
        (basic("anna", "other"), "401"),
        ("Bearer pumphouse_reader".to_owned(), "in"),
        ("bearer pumphouse_boss".to_owned(), "in"),
        ("Bearer pumphouse_none".to_owned(), "401"),
        ("Bearer reader".to_owned(), "401"),
        ("Basic nonsense!".to_owned(), "401"),
        ("Digest realm=x".to_owned(), "401"),
    ] {
        let scene = Scene::new(restricted());
        assert_eq!(label(scene.ask(&request(&credentials, HOME))), expected, "{credentials}");
    }
}

#[test]
fn reload_forgets_changed_accounts_only() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.enter("bert", "other", HOME), "403");
    assert_eq!(scene.enter("carl", "third", HOME), "401");
    assert_eq!(scene.verifications(), 3);

    let mut changed = restricted();
    changed.users[1] = user("bert", "newer", &[Scope::Read]);
    changed.users.push(user("carl", "third", &[Scope::Read]));
    changed.tokens.remove(0);
    scene.gate.replace(rules(changed.clone()));
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 3, "still remembered");
    assert_eq!(scene.enter("bert", "other", HOME), "401", "an old password is forgotten");
    assert_eq!(scene.enter("bert", "newer", HOME), "in");
    assert_eq!(scene.enter("carl", "third", HOME), "in", "what was wrong may have become right");
    assert_eq!(scene.bear("reader", HOME), "401");
    assert_eq!(scene.bear("boss", HOME), "in");

    // New scopes hold at once, for remembered callers too.
    changed.users[0].scopes = Scopes::new(vec![Scope::Poll]);
    scene.gate.replace(rules(changed));
    assert_eq!(scene.enter("anna", "right", HOME), "403");
    assert_eq!(scene.verifications(), 6);

    scene.gate.replace(Rules::default());
    assert_eq!(label(scene.ask(&request("", HOME))), "in");
    scene.gate.replace(rules(restricted()));
    assert_eq!(label(scene.ask(&request("", HOME))), "401");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 7, "an open time forgets every caller");
}

#[test]
fn challenges_name_the_configured_schemes() {
    let challenges = |restricted: Restricted, credentials: &str| {
        let denial = Scene::new(restricted).ask(&request(credentials, HOME)).unwrap_err();
        let (Denial::Unauthorized(challenges) | Denial::Scope(_, challenges)) = denial else {
            panic!("{denial:?}");
        };
        let texts = challenges.iter().map(|it| it.to_str().unwrap().to_owned());
        texts.collect::<Vec<_>>().join(" | ")
    };
    let basic_only = Restricted { tokens: Vec::new(), ..restricted() };
    let bearer_only = Restricted { users: Vec::new(), ..restricted() };
    let poller = Restricted { tokens: vec![token("poller", &[Scope::Poll])], ..restricted() };
    for (restricted, credentials, expected) in [
        (
            restricted(),
            "",
            "Basic realm=\"Pumphouse\", charset=\"UTF-8\" | Bearer realm=\"Pumphouse\"",
        ),
        (basic_only, "", "Basic realm=\"Pumphouse\", charset=\"UTF-8\""),
        (bearer_only.clone(), "", "Bearer realm=\"Pumphouse\""),
        (bearer_only.clone(), &basic("anna", "right"), "Bearer realm=\"Pumphouse\""),
        (
            bearer_only,
            "Bearer pumphouse_none",
            "Bearer realm=\"Pumphouse\", error=\"invalid_token\"",
        ),
        (
            poller,
            "Bearer pumphouse_poller",
            "Bearer realm=\"Pumphouse\", error=\"insufficient_scope\", scope=\"read\"",
        ),
        (restricted(), &basic("bert", "other"), ""),
    ] {
        assert_eq!(challenges(restricted, credentials), expected, "{credentials}");
    }
}

#[test]
fn debug_output_contains_no_secret() {
    let scene = Scene::new(restricted());
    scene.enter("anna", "right", HOME);
    let shown = format!("{:?} {:?}", scene.gate, scene.gate.active_rules().rules());
    for secret in ["argon2", "right", &TokenHash::of("pumphouse_reader").expose()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
