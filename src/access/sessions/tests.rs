mod saving;
mod two_processes;

use super::*;
use crate::access::key::KEYS_SET_UP;
use crate::access::rules::Scopes;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn unlocked() -> Arc<DataLock> {
    Arc::new(DataLock::none())
}

fn user(name: &str, password: &str) -> User {
    let password_hash = PasswordHash::cheap(password);
    User { name: name.to_owned(), password_hash, scopes: Scopes::default() }
}

fn issue(sessions: &Sessions, user: &User) -> String {
    sessions.issue(&user.name, &user.password_hash, NOW, 30 * DAY).unwrap().unwrap()
}

fn in_memory(users: &[User]) -> Sessions {
    let sessions = Sessions::in_memory().unwrap();
    sessions.sync(users);
    sessions
}

/// Returns the sessions that a file has for these accounts.
fn of_file(path: &Path, users: &[User]) -> Sessions {
    let sessions = Sessions::of_file(path, &DataLock::none()).unwrap();
    sessions.sync(users);
    sessions
}

/// Signs a new session out, and waits for the file.
fn sign_out(sessions: &Sessions, user: &User) -> SignOut {
    let token = issue(sessions, user);
    assert!(sessions.end(&token, NOW));
    assert_eq!(sessions.find(&token, NOW, 30 * DAY), None);
    sessions.wait_until_saved()
}

#[test]
fn session_is_valid_until_its_expiry() {
    let anna = user("anna", "right");
    let sessions = in_memory(std::slice::from_ref(&anna));
    let (one, other) = (issue(&sessions, &anna), issue(&sessions, &anna));
    assert_ne!(one, other);
    for (now, expected) in [(NOW, true), (NOW + 30 * DAY - 1, true), (NOW + 30 * DAY, false)] {
        assert_eq!(
            sessions.find(&one, now, 30 * DAY).is_some_and(|session| session.account == "anna"),
            expected
        );
    }
    let unknown = user("unknown", "right");
    let none = sessions.issue("unknown", &unknown.password_hash, NOW, DAY).unwrap();
    assert_eq!(none, None);
}

#[test]
fn session_of_the_longest_name_is_valid() {
    let long = user(&"ø".repeat(MAX_NAME_BYTES / 2), "right");
    let sessions = in_memory(std::slice::from_ref(&long));
    let token = issue(&sessions, &long);
    assert!(token.len() <= MAX_TOKEN_BYTES && sessions.find(&token, NOW, 30 * DAY).is_some());
}

#[test]
fn changed_token_is_refused() {
    let anna = user("anna", "right");
    let sessions = in_memory(&[anna.clone(), user("bert", "right")]);
    let token = issue(&sessions, &anna);
    for place in 0..token.len() {
        let other = if token.as_bytes()[place] == b'A' { "B" } else { "A" };
        let mut changed = token.clone();
        changed.replace_range(place..=place, other);
        assert_eq!(sessions.find(&changed, NOW, 30 * DAY), None, "{place}");
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
    let mut berts = bytes.clone();
    let name = berts.len() - MAC - 4;
    berts[name..name + 4].copy_from_slice(b"bert");
    for bytes in [&berts[..], &bytes[..bytes.len() - 1], &bytes[1..], &bytes[..MAC], &[]] {
        assert_eq!(sessions.find(&BASE64_URL_SAFE_NO_PAD.encode(bytes), NOW, 30 * DAY), None);
    }
    for text in ["", "é", &"A".repeat(100_000)] {
        assert_eq!(sessions.find(text, NOW, 30 * DAY), None);
    }
    let others = in_memory(std::slice::from_ref(&anna));
    assert_eq!(others.find(&token, NOW, 30 * DAY), None, "each server has its own keys");
}

#[test]
fn forged_token_costs_the_same_for_any_name() {
    let anna = user("anna", "right");
    let sessions = in_memory(std::slice::from_ref(&anna));
    let genuine = BASE64_URL_SAFE_NO_PAD.decode(issue(&sessions, &anna)).unwrap();
    let cost = |name: &[u8; 4]| {
        let mut forged = genuine.clone();
        let end = forged.len();
        forged[end - MAC - 4..end - MAC].copy_from_slice(name);
        forged[end - 1] ^= 1;
        let before = KEYS_SET_UP.get();
        let found = sessions.find(&BASE64_URL_SAFE_NO_PAD.encode(forged), NOW, 30 * DAY);
        assert_eq!(found, None);
        KEYS_SET_UP.get() - before
    };
    assert_eq!(cost(b"anna"), 1);
    assert_eq!(cost(b"none"), 1);
}

#[test]
fn session_that_expires_too_late_is_refused() {
    let anna = user("anna", "right");
    let sessions = in_memory(std::slice::from_ref(&anna));
    let token = issue(&sessions, &anna);
    for (now, lifetime, expected) in [
        (NOW, 30 * DAY, true),
        // The clock was ahead when it was issued.
        (NOW - DAY, 30 * DAY, true),
        (NOW - DAY - 1, 30 * DAY, false),
        (0, 30 * DAY, false),
        // The lifetime was shortened.
        (NOW, 29 * DAY, true),
        (NOW, 29 * DAY - 1, false),
        (NOW + 29 * DAY, 0, true),
        (NOW, u64::MAX, true),
    ] {
        assert_eq!(sessions.find(&token, now, lifetime).is_some(), expected, "{now}, {lifetime}");
    }
    // Its browser can still sign out, so that a later correction of the clock does not restore the session.
    assert!(sessions.end(&token, NOW - DAY - 1));
    assert_eq!(sessions.find(&token, NOW, 30 * DAY), None);
}

#[test]
fn sign_out_ends_one_session() {
    let anna = user("anna", "right");
    let sessions = in_memory(std::slice::from_ref(&anna));
    let (one, other) = (issue(&sessions, &anna), issue(&sessions, &anna));
    assert!(sessions.end(&one, NOW));
    assert_eq!(sessions.find(&one, NOW, 30 * DAY), None);
    assert!(sessions.find(&other, NOW, 30 * DAY).is_some());
}

#[test]
fn full_list_of_sign_outs_ends_every_session() {
    let (anna, bert) = (user("anna", "right"), user("bert", "right"));
    let sessions = in_memory(&[anna.clone(), bert.clone()]);
    let (first, berts) = (issue(&sessions, &anna), issue(&sessions, &bert));
    assert!(sessions.end(&first, NOW));
    for _ in 0..MAX_REVOKED {
        let token = issue(&sessions, &anna);
        assert!(sessions.end(&token, NOW));
        assert_eq!(sessions.find(&token, NOW, 30 * DAY), None);
    }
    let count = |name: &str| sessions.shared.state().keys.accounts[name].revoked.len();
    assert!(count("anna") <= MAX_REVOKED);
    assert_eq!(sessions.find(&first, NOW, 30 * DAY), None);
    assert!(sessions.find(&berts, NOW, 30 * DAY).is_some(), "other accounts keep theirs");
    assert!(sessions.find(&issue(&sessions, &anna), NOW, 30 * DAY).is_some());
}

#[test]
fn session_ends_with_the_password_hash_and_the_account() {
    let (anna, bert) = (user("anna", "right"), user("bert", "right"));
    let sessions = in_memory(&[anna.clone(), bert.clone()]);
    let (annas, berts) = (issue(&sessions, &anna), issue(&sessions, &bert));
    let valid = || [&annas, &berts].map(|token| sessions.find(token, NOW, 30 * DAY).is_some());
    sessions.sync(&[bert.clone(), anna.clone()]);
    assert_eq!(valid(), [true, true]);
    sessions.sync(&[user("anna", "newer"), bert.clone()]);
    assert_eq!(valid(), [false, true]);
    // A caller whose old password was verified just before the reload gets no session.
    assert_eq!(sessions.issue("anna", &anna.password_hash, NOW, DAY).unwrap(), None);
    sessions.sync(std::slice::from_ref(&anna));
    assert_eq!(valid(), [false, false], "the old hash restores no session");
    sessions.sync(&[anna, bert]);
    assert_eq!(valid(), [false, false], "an account that is added again has no sessions");
}
