//! `pumphouse-web cert`: the certificate as openssl verifies it, and its renewal.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use hostile::config::Config;
use hostile::folder::entries;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::server::{BINARY, Server, run, trust};

fn openssl(arguments: &[&str], folder: &Path) -> Output {
    Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl is needed: apt-get install openssl")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns a field of `cert.pem` as openssl prints it.
fn field(option: &str, folder: &Path) -> String {
    text(&openssl(&["x509", "-in", "cert.pem", "-noout", option], folder).stdout)
}

#[test]
fn self_signed_certificate_passes_strict_verification() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made =
        run(&["cert", "--dir", ".", "--name", "tank.example", "--name", "192.0.2.7"], folder);
    assert!(made.status.success(), "{}", text(&made.stderr));

    let printed = field("-text", folder);
    for expected in [
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "X509v3 Subject Key Identifier:",
        "X509v3 Authority Key Identifier:",
        "DNS:tank.example, IP Address:192.0.2.7",
    ] {
        assert!(printed.contains(expected), "{expected:?} is not in\n{printed}");
    }
    for identity in [["-verify_hostname", "tank.example"], ["-verify_ip", "192.0.2.7"]] {
        let strict = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "cert.pem"];
        let arguments = [&strict[..], &identity, &["cert.pem"]].concat();
        let verified = openssl(&arguments, folder);
        assert!(verified.status.success(), "{}", text(&verified.stderr));
    }
    // The certificate cannot issue others, nor authenticate a client.
    for purpose in ["sslclient", "any"] {
        let arguments = ["verify", "-purpose", purpose, "-CAfile", "cert.pem", "cert.pem"];
        let expected = purpose == "any";
        assert_eq!(openssl(&arguments, folder).status.success(), expected, "{purpose}");
    }
}

#[test]
fn renewed_certificate_keeps_key_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = run(&["cert", "--dir", ".", "--name", "tank.example", "--name", "::1"], folder);
    assert!(made.status.success());
    let key = std::fs::read(folder.join("key.pem")).unwrap();
    let names = field("-ext=subjectAltName", folder);
    let (serial, public) = (field("-serial", folder), field("-pubkey", folder));

    let renewed = run(&["cert", "--dir", ".", "--renew"], folder);
    assert!(renewed.status.success(), "{}", text(&renewed.stderr));
    assert!(text(&renewed.stdout).contains("cert.pem\nself-signed for tank.example, ::1, valid"));
    assert_eq!(std::fs::read(folder.join("key.pem")).unwrap(), key);
    assert_eq!(field("-pubkey", folder), public);
    assert_eq!(field("-ext=subjectAltName", folder), names);
    // Browsers reject two certificates of one issuer with the same serial number.
    assert_ne!(field("-serial", folder), serial);
    assert_eq!(entries(folder), ["cert.pem", "key.pem"]);

    let other = run(&["cert", "--dir", ".", "--renew", "--name", "well.example"], folder);
    assert!(text(&other.stdout).contains("self-signed for well.example, valid"));
    assert_eq!(field("-pubkey", folder), public);
}

#[test]
fn renewed_certificate_is_served_without_a_restart() {
    let server = Server::start(&Config::https());
    let renewed = run(&["cert", "--dir", ".", "--renew"], server.folder());
    assert!(renewed.status.success(), "{}", text(&renewed.stderr));
    let line = server.signal_and_wait("HUP", &["reloaded: ", "HUP: nothing changes"]);
    assert!(line.contains("certificates renewed"), "{line}");
    let client = trust(&server.folder().join("cert.pem"));
    let mut stream = hostile::client::connect_tls(server.address, &client).unwrap();
    std::io::Write::write_all(&mut stream, crate::harness::get("/ping").as_bytes()).unwrap();
    let answer = hostile::client::read_response(&mut stream).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", text(&answer));
}

#[test]
fn renewal_that_would_lose_names_or_keys_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let refused = |arguments: &[&str], reason: &str| {
        let output = run(&[&["cert", "--dir", "."], arguments].concat(), folder);
        let code = if reason.contains("give one") { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stdout));
        let printed = text(&output.stderr);
        assert!(printed.contains(reason), "{printed}");
    };
    refused(&["--renew"], "cannot read ./key.pem");
    refused(&["--renew", "--force"], "give one of them");

    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new([]).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "An authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
    let leaf = CertificateParams::new(["tank.example".to_owned()]).unwrap();
    let issued = leaf.signed_by(&key, &issuer).unwrap().pem();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), &issued).unwrap();
    refused(&["--renew"], "was issued by an authority");
    assert_eq!(std::fs::read_to_string(folder.join("cert.pem")).unwrap(), issued);
}

#[test]
fn name_that_no_client_accepts_is_a_usage_error_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let long = "a".repeat(300);
    for (name, reason) in [
        ("", "--name: a name is empty"),
        ("https://tank.example", "did you mean \"tank.example\"?"),
        ("tank.example:6443", "did you mean \"tank.example\"?"),
        ("[::1]", "did you mean \"::1\"?"),
        ("10.0.0.0/8", "is a range of addresses"),
        ("10.0.0.999", "ends in a number"),
        ("*.*", "is a wildcard that clients ignore"),
        ("ünï.example", "in its xn-- form"),
        (&long, "has 300 characters"),
        ("tank\u{1b}[2J.example", "\"tank\\u{1b}[2J.example\" is not a host name"),
    ] {
        // A valid name before it changes nothing, and neither does --force.
        for more in [&[][..], &["--force"]] {
            let words = [&["cert", "--name", "tank.example", "--name", name], more].concat();
            let refused = run(&words, folder.path());
            let printed = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{name}: {printed}");
            assert!(printed.contains(reason), "{name}: {printed}");
            assert_eq!(entries(folder.path()), [""; 0], "{name}");
        }
    }

    let made = run(&["cert", "--dir", ".", "--name", "*.tank.example."], folder.path());
    assert!(text(&made.stdout).contains("self-signed for *.tank.example, valid"));
    let before = std::fs::read(folder.path().join("cert.pem")).unwrap();
    for more in ["--renew", "--force"] {
        let words = ["cert", "--dir", ".", more, "--name", "https://tank.example"];
        let refused = run(&words, folder.path());
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        assert_eq!(std::fs::read(folder.path().join("cert.pem")).unwrap(), before);
    }
}

#[test]
fn renewal_takes_over_the_names_that_clients_accept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let make = |names: &str| {
        let names = format!("subjectAltName={names}");
        let arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let files = ["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=tank"];
        let made = openssl(&[&arguments[..], &files, &["-addext", &names]].concat(), folder);
        assert!(made.status.success(), "{}", text(&made.stderr));
    };
    make("DNS:https://tank.example,DNS:tank.example,DNS:192.0.2.7,DNS:*.lan,IP:192.0.2.8");
    let renewed = run(&["cert", "--dir", ".", "--renew"], folder);
    let printed = text(&renewed.stdout);
    assert!(printed.contains("self-signed for tank.example, *.lan, 192.0.2.8, valid"), "{printed}");

    make("DNS:192.0.2.7");
    let before = std::fs::read(folder.join("cert.pem")).unwrap();
    let refused = run(&["cert", "--dir", ".", "--renew"], folder);
    assert_eq!(refused.status.code(), Some(1));
    let printed = text(&refused.stderr);
    assert!(printed.contains("./cert.pem has no host name: specify one by --name"), "{printed}");
    assert_eq!(std::fs::read(folder.join("cert.pem")).unwrap(), before);
}

/// Returns the contents of a certificate and its key.
fn pair(folder: &Path) -> [Vec<u8>; 2] {
    ["cert.pem", "key.pem"].map(|name| std::fs::read(folder.join(name)).unwrap())
}

#[test]
fn file_that_cannot_be_written_leaves_the_earlier_pair_and_no_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(run(&["cert", "--dir", "."], path).status.success());
    let before = pair(path);
    // The limit on the size of files fails a write as a full disk does. The key fits one block of 512 bytes, and
    // the certificate does not.
    for (option, blocks) in [("--renew", 0), ("--renew", 1), ("--force", 0), ("--force", 1)] {
        let shell = format!("ulimit -f {blocks} && exec {BINARY} cert --dir . {option}");
        let output = Command::new("sh").args(["-c", &shell]).current_dir(path).output().unwrap();
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{option}: {printed}");
        assert!(printed.contains("cannot write ./"), "{option}: {printed}");
        assert!(pair(path) == before, "{option} changed a file");
        assert_eq!(entries(path), ["cert.pem", "key.pem"], "{option}");
    }
}

/// The kernel refuses to replace a file that is a mount, as containers have them.
#[test]
fn certificate_that_cannot_be_replaced_leaves_the_earlier_key_and_no_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(run(&["cert", "--dir", "."], path).status.success());
    let before = pair(path);
    let shell = "mount --bind cert.pem cert.pem && exec \"$0\" cert --dir . --force";
    let mut unshare = Command::new("unshare");
    unshare.args(["-rm", "sh", "-c", shell, BINARY]).current_dir(path);
    let output = unshare.output().unwrap();
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("cannot replace ./cert.pem: "), "{printed}");
    assert!(pair(path) == before, "a file has changed");
    assert_eq!(entries(path), ["cert.pem", "key.pem"]);
}

#[test]
fn deploy_hook_of_the_readme_copies_a_renewal_of_its_certificate_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/certs/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let hook = readme.split("<<'HOOK'\n").nth(1).unwrap().split("HOOK\n").next().unwrap();
    let hook = hook
        .replace("/etc/letsencrypt", &path("letsencrypt"))
        .replace("/srv/pumphouse/certs", &path("certs"))
        .replace("-o pumphouse -g pumphouse ", "");
    std::fs::create_dir(path("certs")).unwrap();
    for (lineage, expected) in [("pumphouse.example", true), ("other.example", false)] {
        let live = path(&format!("letsencrypt/live/{lineage}"));
        std::fs::create_dir_all(&live).unwrap();
        std::fs::write(format!("{live}/fullchain.pem"), lineage).unwrap();
        std::fs::write(format!("{live}/privkey.pem"), lineage).unwrap();
        let hook = Command::new("sh").args(["-c", &hook]).env("RENEWED_LINEAGE", &live).output();
        assert!(hook.unwrap().status.success());
        for (file, mode) in [("cert.pem", 0o644), ("key.pem", 0o600)] {
            let copy = path(&format!("certs/{file}"));
            assert_eq!(std::fs::read_to_string(&copy).unwrap() == lineage, expected, "{file}");
            assert_eq!(std::fs::metadata(copy).unwrap().permissions().mode() & 0o777, mode);
        }
    }
    assert_eq!(entries(&folder.path().join("certs")), ["cert.pem", "key.pem"]);
}
