use std::time::Duration;

use rustix::io::Errno;

use super::*;
use crate::config::self_signed::{VALID_DAYS, self_signed};

#[test]
fn self_signed_pair_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["pumphouse.example".to_owned(), "127.0.0.1".to_owned()];
    let generated = self_signed(&names).unwrap();
    let default = CertificateFiles {
        cert: directory.path().join("cert.pem").into(),
        key: directory.path().join("key.pem").into(),
    };
    let files = TlsFiles {
        default: default.clone(),
        named: Vec::new(),
        check_every: Duration::from_secs(60),
        redirect_listen: Vec::new(),
        expected_names: Vec::new(),
    };
    std::fs::write(&default.cert, generated.cert_pem).unwrap();
    std::fs::write(&default.key, generated.key_pem).unwrap();
    let mode = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&default.key, permissions).unwrap();
    };
    mode(0o644);
    let problems = &Certificates::load(&files).unwrap().infos[0].problems;
    assert!(problems[0].problem.contains("other users can read the private key"), "{problems:?}");
    mode(0o640);
    let loaded = Certificates::load(&files).unwrap();
    assert_eq!(loaded.infos[0].problems, []);
    assert!(!format!("{loaded:?}").contains("PRIVATE"));
    let info = &loaded.infos[0];
    assert_eq!(info.names, names);
    let now = jiff::Timestamp::now();
    assert!(info.validity.start.at < now);
    // The certificate is backdated by one day, for clients whose clocks are behind.
    let remaining = i64::from(VALID_DAYS) - 1;
    assert!((remaining - 1..=remaining).contains(&info.days_left(now)), "{}", info.days_left(now));
}

#[test]
fn only_a_lack_of_descriptors_or_memory_passes() {
    let file = ConfiguredPath::from("cert.pem");
    let unreadable = |errno: Errno| {
        let error = FileError { path: file.to_path_buf(), error: errno.into() };
        CertificateError::of_read(&file, error)
    };
    for (errno, is_passing) in
        [(Errno::MFILE, true), (Errno::NFILE, true), (Errno::NOENT, false), (Errno::ACCESS, false)]
    {
        assert_eq!(CertificateErrors(vec![unreadable(errno)]).is_passing(), is_passing, "{errno}");
    }
    let damaged = CertificateError::of_content(&file, "damaged".to_owned());
    assert!(!CertificateErrors(vec![unreadable(Errno::MFILE), damaged]).is_passing());
}

#[test]
fn file_beside_a_configuration_in_another_folder_is_found_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("beside.pem"), "").unwrap();
    let text = "[tls]\ncert = \"beside.pem\"\nkey = \"nowhere.pem\"\n";
    let path = folder.path().join("pumphouse.toml");
    let tls = crate::config::parse(&path, text, &|_| None).unwrap().tls.unwrap();
    let errors = Certificates::load(&tls).unwrap_err().to_string();
    let lines: Vec<&str> = errors.lines().collect();
    let advice = format!("it is in {}: go there first, as relative", folder.path().display());
    assert!(lines[0].contains(&advice) && !lines[0].contains("self-signed"), "{errors}");
    assert!(lines[1].contains("`pumphouse-web cert` makes a self-signed pair"), "{errors}");
}
