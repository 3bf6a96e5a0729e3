use std::collections::HashSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use super::*;
use crate::Listener;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Leaves a socket at `path`, as a killed process does.
fn abandon(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

fn refusal(path: &Path) -> String {
    Listener::unix(path, 8).unwrap_err().to_string()
}

#[test]
fn file_that_is_no_socket_is_kept_and_its_kind_reported() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("pumphouse.db"), "years of history").unwrap();
    fs::create_dir(at("folder")).unwrap();
    abandon(&at("dead.sock"));
    symlink(at("dead.sock"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    for (name, kind) in [
        ("pumphouse.db", "a regular file"),
        ("folder", "a directory"),
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
    ] {
        let before = FileId::at(&at(name));
        assert!(before.is_some());
        let message = refusal(&at(name));
        assert!(message.starts_with(kind), "{name}: {message}");
        assert!(message.contains("choose another path"), "{message}");
        assert_eq!(FileId::at(&at(name)), before, "{name} is untouched");
        let inspected = inspect_socket_path(&at(name));
        assert!(matches!(inspected, Err(SocketPathError::NotASocket(it)) if it == kind), "{name}");
    }
    assert_eq!(fs::read_to_string(at("pumphouse.db")).unwrap(), "years of history");
    assert!(at("dead.sock").exists(), "the target of a link is untouched");
}

#[test]
fn abandoned_socket_is_replaced_and_a_live_one_is_not() {
    let folder = folder();
    let path = folder.path().join("http.sock");
    assert_eq!(inspect_socket_path(&path).unwrap(), SocketPath::Free);
    abandon(&path);
    assert_eq!(inspect_socket_path(&path).unwrap(), SocketPath::Abandoned);
    let live = Listener::unix(&path, 8).unwrap();
    assert_eq!(inspect_socket_path(&path).unwrap(), SocketPath::Listening);
    let message = refusal(&path);
    assert!(message.starts_with("another process listens"), "{message}");
    UnixStream::connect(&path).expect("the live one still listens");
    drop(live);
    assert_eq!(inspect_socket_path(&path).unwrap(), SocketPath::Free, "it removed its file");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left beside it");
}

#[test]
fn socket_of_a_live_process_is_kept_though_connecting_to_it_fails() {
    let folder = folder();
    // A full backlog.
    let full = folder.path().join("full");
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(&full).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        match client.connect(&SockAddr::unix(&full).unwrap()) {
            Ok(()) => waiting.push(client),
            Err(_) => break,
        }
        assert!(waiting.len() < 100, "its backlog is full");
    }
    // A socket of another type.
    let datagrams = folder.path().join("datagrams");
    let _datagrams = UnixDatagram::bind(&datagrams).unwrap();
    for path in [&full, &datagrams] {
        assert_eq!(inspect_socket_path(path).unwrap(), SocketPath::Listening);
        assert!(refusal(path).starts_with("another process listens"));
        assert!(path.exists());
    }
}

#[test]
fn listener_that_ends_removes_its_own_file_only() {
    let folder = folder();
    let path = folder.path().join("http.sock");
    let kept = |listener: Listener, what: &str| {
        drop(listener);
        assert!(fs::symlink_metadata(&path).is_ok(), "{what}");
        fs::remove_file(&path).unwrap();
    };
    let listener = Listener::unix(&path, 8).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "written since").unwrap();
    kept(listener, "a file that has replaced it is kept");
    let listener = Listener::unix(&path, 8).unwrap();
    fs::remove_file(&path).unwrap();
    // Its inode number is likely that of the socket before it.
    thread::sleep(Duration::from_millis(20));
    let _other = UnixListener::bind(&path).unwrap();
    kept(listener, "the socket of another process is kept");
    let listener = Listener::unix(&path, 8).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(listener);
    assert!(!path.exists(), "its own is removed, though its mode was changed");
}

#[test]
fn mode_of_a_file_that_has_replaced_the_socket_stays() {
    let folder = folder();
    let (path, secret) = (folder.path().join("http.sock"), folder.path().join("secret"));
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let file = SocketFile::bind(&socket, &path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&secret, "").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&secret, &path).unwrap();
    let refused = file.set_mode(0o660).unwrap_err().to_string();
    assert!(refused.contains("was replaced just now"), "{refused}");
    assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn socket_that_has_replaced_the_abandoned_one_is_renamed_back() {
    let folder = folder();
    let path = folder.path().join("http.sock");
    abandon(&path);
    let seen = FileId::at(&path).unwrap();
    fs::remove_file(&path).unwrap();
    thread::sleep(Duration::from_millis(20));
    let _other = UnixListener::bind(&path).unwrap();
    assert!(matches!(remove(&path, seen), Err(SocketPathError::Replaced)));
    UnixStream::connect(&path).expect("the other process still listens");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn socket_between_bind_and_listen_is_kept() {
    let folder = folder();
    let path = folder.path().join("http.sock");
    let starting = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    starting.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    thread::scope(|scope| {
        let second = scope.spawn(|| Listener::unix(&path, 8));
        starting.listen(8).unwrap();
        assert!(second.join().unwrap().is_err());
    });
    UnixStream::connect(&path).expect("the first one listens");
}

#[test]
fn successor_that_binds_while_a_listener_ends_keeps_its_socket() {
    let folder = folder();
    let path = folder.path().join("http.sock");
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let file = SocketFile::bind(&socket, &path).unwrap();
    let mut successor = None;
    file.remove(|| {
        fs::remove_file(&path).unwrap();
        thread::sleep(Duration::from_millis(20));
        successor = Some(UnixListener::bind(&path).unwrap());
    });
    assert!(successor.is_some());
    UnixStream::connect(&path).expect("the successor still listens");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn file_left_by_a_process_killed_while_it_replaced_a_socket_does_not_prevent_a_listener() {
    let folder = folder();
    let path = folder.path().join("http.sock");
    // In a container the next process has the same id.
    let left = folder.path().join(format!(".http.sock.{}.old", std::process::id()));
    abandon(&left);
    abandon(&path);
    drop(Listener::unix(&path, 8).expect("the abandoned socket is replaced"));
    let names: HashSet<_> = std::iter::repeat_with(aside_name).take(100).collect();
    assert_eq!(names.len(), 100);
}
