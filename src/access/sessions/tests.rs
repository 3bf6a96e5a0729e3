use std::os::unix::fs::PermissionsExt as _;

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

#[test]
fn sessions_and_sign_outs_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sessions.json");
    let (anna, bert) = (user("anna", "right"), user("bert", "right"));
    let users = [anna.clone(), bert.clone()];
    let (valid, ended, berts, device) = {
        let sessions = Sessions::of_file(&path, &DataLock::none()).unwrap();
        sessions.sync(&users);
        let writer = sessions.write_to(&path, unlocked(), 1).unwrap();
        let tokens = (issue(&sessions, &anna), issue(&sessions, &anna), issue(&sessions, &bert));
        assert!(sessions.end(&tokens.1, NOW));
        assert_eq!(sessions.wait_until_saved(), SignOut::Durable);
        // A sign-out is on disk before its response, in a new file.
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let stored = file::load(&path, true).unwrap();
        assert_eq!(stored.accounts["anna"].revoked.len(), 1);
        let device = sessions.devices().issue(&[1; 32], NOW).unwrap();
        drop(writer);
        (tokens.0, tokens.1, tokens.2, device)
    };
    let sessions = Sessions::of_file(&path, &DataLock::none()).unwrap();
    sessions.sync(&[anna.clone(), user("bert", "newer")]);
    assert!(sessions.find(&valid, NOW, 30 * DAY).is_some());
    assert_eq!(sessions.find(&ended, NOW, 30 * DAY), None);
    assert_eq!(sessions.find(&berts, NOW, 30 * DAY), None, "bert's hash has changed in between");
    assert!(sessions.devices().verify(&device, &[1; 32], NOW).is_some());
}

#[test]
fn session_without_its_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sessions.json");
    let anna = user("anna", "right");
    let sessions = Sessions::of_file(&path, &DataLock::none()).unwrap();
    sessions.sync(std::slice::from_ref(&anna));
    drop(sessions.write_to(&path, unlocked(), 1).unwrap());
    let token = issue(&sessions, &anna);
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&b""[..], b"{}", &whole[..whole.len() - 1], &whole[1..]] {
        std::fs::write(&path, damaged).unwrap();
        let sessions = Sessions::of_file(&path, &DataLock::none()).unwrap();
        sessions.sync(std::slice::from_ref(&anna));
        assert_eq!(sessions.find(&token, NOW, 30 * DAY), None);
        let aside = folder.path().join("x.sessions.json.damaged");
        assert_eq!(std::fs::read(&aside).unwrap(), damaged);
        std::fs::remove_file(aside).unwrap();
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let sessions = Sessions::of_file(&path, &DataLock::none()).unwrap();
    sessions.sync(std::slice::from_ref(&anna));
    assert!(sessions.find(&token, NOW, 30 * DAY).is_some());
    let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o644, "an existing mode stays");
    file::write(&path, &whole).unwrap();
    assert_eq!(mode(), 0o644);
}

/// Returns sessions whose writer is fake: the test itself marks versions as written.
fn with_fake_writer(users: &[User], max_waiting: usize) -> Sessions {
    let sessions = in_memory(users);
    let mut state = sessions.shared.state();
    (state.has_file, state.has_writer, state.max_waiting) = (true, true, max_waiting);
    drop(state);
    sessions
}

/// Waits until `count` sign-outs wait for the disk.
fn await_waiting(sessions: &Sessions, count: usize) {
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while sessions.shared.state().waiting != count {
        assert!(std::time::Instant::now() < end, "{count} sign-outs do not wait");
        std::thread::yield_now();
    }
}

fn sign_out(sessions: &Sessions, user: &User) -> SignOut {
    let token = issue(sessions, user);
    assert!(sessions.end(&token, NOW));
    assert_eq!(sessions.find(&token, NOW, 30 * DAY), None);
    sessions.wait_until_saved()
}

#[test]
fn every_sign_out_waits_for_one_write_that_includes_it() {
    let anna = user("anna", "right");
    let sessions = with_fake_writer(std::slice::from_ref(&anna), 4);
    std::thread::scope(|scope| {
        let run = || scope.spawn(|| sign_out(&sessions, &anna));
        let signed_out: Vec<_> = (0..4).map(|_| run()).collect();
        await_waiting(&sessions, 4);
        assert_eq!(sign_out(&sessions, &anna), SignOut::Unsaved, "more than max_waiting");
        let mut state = sessions.shared.state();
        state.written = state.version;
        sessions.shared.saved.notify_all();
        drop(state);
        for thread in signed_out {
            assert_eq!(thread.join().unwrap(), SignOut::Durable);
        }
    });
}

#[test]
fn repeated_sign_out_waits_for_the_disk() {
    let anna = user("anna", "right");
    let sessions = with_fake_writer(std::slice::from_ref(&anna), 0);
    let token = issue(&sessions, &anna);
    for _ in 0..2 {
        assert!(sessions.end(&token, NOW));
        assert_eq!(sessions.wait_until_saved(), SignOut::Unsaved);
    }
    let state = || sessions.shared.state();
    assert_eq!(state().version, 1 + 1, "the accounts and one sign-out");
    state().written = 2;
    assert!(sessions.end(&token, NOW));
    assert_eq!(sessions.wait_until_saved(), SignOut::Durable);
    assert!(!sessions.end("forged", NOW));
}

#[test]
fn sign_out_is_not_durable_when_the_file_cannot_be_written() {
    let anna = user("anna", "right");
    let sessions = in_memory(std::slice::from_ref(&anna));
    assert_eq!(
        sign_out(&sessions, &anna),
        SignOut::Durable,
        "no file, so no session after a crash"
    );
    let writer =
        sessions.write_to(Path::new("/proc/nowhere/x.sessions.json"), unlocked(), 4).unwrap();
    std::thread::scope(|scope| {
        let run = || scope.spawn(|| sign_out(&sessions, &anna));
        let signed_out: Vec<_> = (0..4).map(|_| run()).collect();
        for thread in signed_out {
            assert_eq!(thread.join().unwrap(), SignOut::Unsaved);
        }
    });
    drop(writer);
}

#[test]
fn sign_out_does_not_wait_for_a_writer_that_failed_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sessions.json");
    let anna = user("anna", "right");
    let fail = |sessions: &Sessions| {
        let shared = Arc::clone(&sessions.shared);
        let none = |_| Err(std::io::Error::other("no thread"));
        assert!(SessionWriter::start_by(shared, none).is_err());
        let state = sessions.shared.state();
        (state.has_file, state.has_writer)
    };
    let sessions = Sessions::of_file(&path, &DataLock::none()).unwrap();
    sessions.sync(std::slice::from_ref(&anna));
    assert_eq!(fail(&sessions), (false, false));
    assert_eq!(
        sign_out(&sessions, &anna),
        SignOut::Durable,
        "no file, so no session after a crash"
    );
    // The next attempt succeeds.
    drop(sessions.write_to(&path, unlocked(), 1).unwrap());
    let sessions = Sessions::of_file(&path, &DataLock::none()).unwrap();
    sessions.sync(std::slice::from_ref(&anna));
    assert_eq!(fail(&sessions), (true, false));
    assert_eq!(sign_out(&sessions, &anna), SignOut::Unsaved, "the file has its key");
}

#[test]
fn link_in_place_of_the_new_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sessions.json");
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "whole").unwrap();
    std::os::unix::fs::symlink(&victim, path.with_extension("json.new")).unwrap();
    file::write(&path, b"{}").unwrap();
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "whole");
}

/// A file of sessions that two processes have, each with its lock.
struct TwoProcesses {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    locks: [Arc<DataLock>; 2],
}

impl TwoProcesses {
    /// The first process has the lock.
    fn new() -> TwoProcesses {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        let locks = [(); 2].map(|()| Arc::new(DataLock::of_database(&database)));
        locks.iter().for_each(|lock| drop(lock.claim()));
        TwoProcesses { path: folder.path().join("x.sessions.json"), _folder: folder, locks }
    }

    fn sessions(&self, process: usize, user: &User) -> (Sessions, SessionWriter) {
        let lock = &self.locks[process];
        let sessions = Sessions::of_file(&self.path, lock).unwrap();
        sessions.sync(std::slice::from_ref(user));
        let writer = sessions.write_to(&self.path, Arc::clone(lock), 1).unwrap();
        (sessions, writer)
    }
}

#[test]
fn second_process_overwrites_no_sign_out_of_the_first() {
    let anna = user("anna", "right");
    let mut two = TwoProcesses::new();
    let (first, first_writer) = two.sessions(0, &anna);
    let tokens = [(); 3].map(|()| issue(&first, &anna));
    assert_eq!(sign_out(&first, &anna), SignOut::Durable, "the file exists");
    let (second, second_writer) = two.sessions(1, &anna);
    assert!(tokens.iter().all(|token| second.find(token, NOW, 30 * DAY).is_some()));
    assert!(first.end(&tokens[0], NOW));
    assert_eq!(first.wait_until_saved(), SignOut::Durable);
    assert!(second.end(&tokens[1], NOW));
    assert_eq!(second.wait_until_saved(), SignOut::Unsaved, "it may not write the file");
    // What the first stores remains, until it ends.
    let stored = || two.find_all(&tokens, &anna);
    assert_eq!(stored(), [false, true, true]);
    drop(first_writer);
    two.locks[0] = Arc::new(DataLock::none());
    assert_eq!(two.locks[1].claim(), crate::data_lock::Claim::Ours);
    let end = std::time::Instant::now() + Duration::from_secs(20);
    let is_written = || {
        let state = second.shared.state();
        state.written == state.version && !state.failure.is_set()
    };
    while !is_written() {
        assert!(std::time::Instant::now() < end, "the second does not store its sign-out");
        std::thread::yield_now();
    }
    assert_eq!(two.find_all(&tokens, &anna), [false, false, true]);
    let found = tokens.each_ref().map(|token| second.find(token, NOW, 30 * DAY).is_some());
    assert_eq!(found, [false, false, true]);
    assert_eq!(sign_out(&second, &anna), SignOut::Durable);
    drop(second_writer);
    assert_eq!(two.find_all(&tokens, &anna), [false, false, true]);
}

impl TwoProcesses {
    /// Returns which sessions a process that starts now would accept.
    fn find_all<const N: usize>(&self, tokens: &[String; N], user: &User) -> [bool; N] {
        let sessions = Sessions::of_file(&self.path, &DataLock::none()).unwrap();
        sessions.sync(std::slice::from_ref(user));
        tokens.each_ref().map(|token| sessions.find(token, NOW, 30 * DAY).is_some())
    }
}

#[test]
fn key_that_another_process_has_replaced_is_adopted() {
    let anna = user("anna", "right");
    let two = TwoProcesses::new();
    let (first, _first_writer) = two.sessions(0, &anna);
    let token = issue(&first, &anna);
    assert_eq!(sign_out(&first, &anna), SignOut::Durable);
    let second = Sessions::of_file(&two.path, &two.locks[1]).unwrap();
    second.sync(std::slice::from_ref(&anna));
    // So many sign-outs that the key is replaced.
    for _ in 0..=MAX_REVOKED {
        assert!(first.end(&issue(&first, &anna), NOW));
    }
    assert_eq!(first.wait_until_saved(), SignOut::Durable);
    assert!(second.find(&token, NOW, 30 * DAY).is_some());
    let stored = file::load(&two.path, false).unwrap();
    assert!(second.shared.state().keys.adopt(stored));
    assert_eq!(second.find(&token, NOW, 30 * DAY), None);
    let stored = file::load(&two.path, false).unwrap();
    assert!(!second.shared.state().keys.adopt(stored), "nothing is new");
}

#[test]
fn process_that_has_lost_the_lock_while_idle_overwrites_nothing() {
    let anna = user("anna", "right");
    let two = TwoProcesses::new();
    let (first, first_writer) = two.sessions(0, &anna);
    let token = issue(&first, &anna);
    assert_eq!(sign_out(&first, &anna), SignOut::Durable);
    // The lock's file is removed, and the second process locks the new one.
    std::fs::remove_file(two.path.with_file_name("x.db.lock")).unwrap();
    assert_eq!(two.locks[1].claim(), crate::data_lock::Claim::Ours);
    assert!(matches!(two.locks[0].claim(), crate::data_lock::Claim::Held(_)));
    std::fs::write(&two.path, "of the second").unwrap();
    assert!(first.end(&token, NOW));
    assert_eq!(first.wait_until_saved(), SignOut::Unsaved);
    drop(first_writer);
    assert_eq!(std::fs::read_to_string(&two.path).unwrap(), "of the second");
}
