//! Admission by credentials and scopes, before and after a reload of the rules.

use super::*;

#[test]
fn credentials_are_admitted_by_scope() {
    for (credentials, expected) in [
        (String::new(), "401"),
        (basic("anna", "right"), "ok"),
        (basic("anna", "wrong"), "401"),
        (basic("anna", ""), "401"),
        (basic("ANNA", "right"), "401"),
        (basic("carl", "right"), "401"),
        (basic("bert", "other"), "403"),
        (basic("anna", "other"), "401"),
        ("Bearer pumphouse_reader".to_owned(), "ok"),
        ("bearer pumphouse_boss".to_owned(), "ok"),
        ("Bearer pumphouse_none".to_owned(), "401"),
        ("Bearer reader".to_owned(), "401"),
        ("Basic nonsense!".to_owned(), "401"),
        ("Digest realm=x".to_owned(), "401"),
    ] {
        let fixture = Fixture::new(restricted());
        assert_eq!(label(fixture.admit(&request(&credentials, HOME))), expected, "{credentials}");
    }
}

#[test]
fn reload_forgets_changed_accounts_only() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    assert_eq!(fixture.try_password("bert", "other", HOME), "403");
    assert_eq!(fixture.try_password("carl", "third", HOME), "401");
    assert_eq!(fixture.verifications(), 3);

    let mut changed = restricted();
    changed.users[1] = user("bert", "newer", &[Scope::Read]);
    changed.users.push(user("carl", "third", &[Scope::Read]));
    changed.tokens.remove(0);
    fixture.gate.replace(rules(changed.clone()));
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    assert_eq!(fixture.verifications(), 3, "still remembered");
    assert_eq!(
        fixture.try_password("bert", "other", HOME),
        "401",
        "the old password is no longer valid"
    );
    assert_eq!(fixture.try_password("bert", "newer", HOME), "ok");
    assert_eq!(
        fixture.try_password("carl", "third", HOME),
        "ok",
        "a guess that was wrong is compared again"
    );
    assert_eq!(fixture.try_token("reader", HOME), "401");
    assert_eq!(fixture.try_token("boss", HOME), "ok");

    // New scopes apply at once, also to callers whose password is remembered.
    changed.users[0].scopes = Scopes::new(vec![Scope::Poll]);
    fixture.gate.replace(rules(changed));
    assert_eq!(fixture.try_password("anna", "right", HOME), "403");
    assert_eq!(fixture.verifications(), 6);

    fixture.gate.replace(Rules::default());
    assert_eq!(label(fixture.admit(&request("", HOME))), "ok");
    fixture.gate.replace(rules(restricted()));
    assert_eq!(label(fixture.admit(&request("", HOME))), "401");
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    assert_eq!(fixture.verifications(), 7, "rules without accounts drop all remembered passwords");
}

#[test]
fn challenges_name_the_configured_schemes() {
    let challenges = |restricted: Restricted, credentials: &str| {
        let denial = Fixture::new(restricted).admit(&request(credentials, HOME)).unwrap_err();
        let (Denial::Unauthorized(challenges) | Denial::Scope(_, challenges)) = denial else {
            panic!("{denial:?}");
        };
        let texts = challenges.iter().map(|challenge| challenge.to_str().unwrap().to_owned());
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
    let fixture = Fixture::new(restricted());
    fixture.try_password("anna", "right", HOME);
    let shown = format!("{:?} {:?}", fixture.gate, fixture.gate.active_rules().rules());
    for secret in ["argon2", "right", &TokenHash::of("pumphouse_reader").expose()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
