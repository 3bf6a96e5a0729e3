//! The file of the keys and sign-outs, and sign-outs that wait for it.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn sessions_and_sign_outs_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sessions.json");
    let (anna, bert) = (user("anna", "right"), user("bert", "right"));
    let users = [anna.clone(), bert.clone()];
    let (valid, ended, berts, device) = {
        let sessions = of_file(&path, &users);
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
    let sessions = of_file(&path, &[anna.clone(), user("bert", "newer")]);
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
    let sessions = of_file(&path, std::slice::from_ref(&anna));
    drop(sessions.write_to(&path, unlocked(), 1).unwrap());
    let token = issue(&sessions, &anna);
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&b""[..], b"{}", &whole[..whole.len() - 1], &whole[1..]] {
        std::fs::write(&path, damaged).unwrap();
        let sessions = of_file(&path, std::slice::from_ref(&anna));
        assert_eq!(sessions.find(&token, NOW, 30 * DAY), None);
        let aside = folder.path().join("x.sessions.json.damaged");
        assert_eq!(std::fs::read(&aside).unwrap(), damaged);
        std::fs::remove_file(aside).unwrap();
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let sessions = of_file(&path, std::slice::from_ref(&anna));
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
    let sessions = of_file(&path, std::slice::from_ref(&anna));
    assert_eq!(fail(&sessions), (false, false));
    assert_eq!(
        sign_out(&sessions, &anna),
        SignOut::Durable,
        "no file, so no session after a crash"
    );
    // The next attempt succeeds.
    drop(sessions.write_to(&path, unlocked(), 1).unwrap());
    let sessions = of_file(&path, std::slice::from_ref(&anna));
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
