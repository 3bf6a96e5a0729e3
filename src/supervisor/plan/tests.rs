//! Plans by configurations, certificates and options.

use hostile::certificates::issued;
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::supervisor::fixtures::{Made, NOW, PAST, certificate, configuration, planner};

#[test]
fn plan_follows_the_files_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(&["one.example"], NOW);
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&first));
    let mut planner = planner(&config);
    let plan = planner.load(false).unwrap().unwrap();
    let admin = "http://127.0.0.1:6480/healthz";
    assert_eq!(plan.addresses(), format!("{admin}, https://one.example:1/healthz at 127.0.0.1:1"));
    assert!(planner.load(false).unwrap().is_none(), "nothing has changed");
    assert!(planner.load(true).unwrap().is_some(), "the authorities were read again");

    /// A change is followed once a few reads in a row have found it.
    fn follow(planner: &mut Planner) -> Plan {
        assert!(planner.load(false).unwrap().is_none());
        (1..MIN_FAULTY_READS).find_map(|_| planner.load(false).unwrap()).unwrap()
    }

    // A renewed certificate, another name, a key that goes.
    let second = certificate(&["two.example"], NOW);
    configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&second));
    let plan = follow(&mut planner);
    assert!(plan.addresses().contains("https://two.example:1/"), "{}", plan.addresses());
    let names = "listen = [\"127.0.0.1:1\", \"fd:3\"]\nnames = [\"tank.example\"]";
    configuration(folder.path(), names, Some(&second));
    let plan = follow(&mut planner);
    assert_eq!(plan.addresses(), format!("{admin}, https://tank.example:1/healthz at 127.0.0.1:1"));
    // A file of which the first half is written is no change.
    let written = std::fs::read(&config).unwrap();
    std::fs::write(&config, "").unwrap();
    assert!(planner.load(false).unwrap().is_none());
    std::fs::write(&config, written).unwrap();
    assert!(planner.load(false).unwrap().is_none() && planner.load(false).unwrap().is_none());
    std::fs::write(&config, "[server]\nlisten = 7\n").unwrap();
    let error = planner.load(false).unwrap_err().to_string();
    assert!(error.contains("pumphouse.toml:2:"), "{error}");
    std::fs::remove_file(&config).unwrap();
    assert!(planner.load(false).unwrap_err().to_string().contains("cannot read"));

    // A certificate that cannot be read leaves the authorities of the system, and is reported, unless it is
    // one that is being copied.
    configuration(folder.path(), names, Some(&second));
    let cert = folder.path().join("cert.pem");
    let read = |planner: &mut Planner, text: &str, times: u32| {
        std::fs::write(&cert, text).unwrap();
        (0..times).find_map(|_| planner.load(false).unwrap())
    };
    let half = &second.cert[..second.cert.len() / 2];
    for text in [half, &second.cert, half] {
        assert!(read(&mut planner, text, MIN_FAULTY_READS - 1).is_none(), "{text}");
    }
    let plan = read(&mut planner, half, 1).unwrap();
    assert!(plan.notes[0].contains("holds no certificate"), "{:?}", plan.notes);
    std::fs::write(&cert, &second.cert).unwrap();
    assert!(follow(&mut planner).notes.is_empty());
}

#[test]
fn file_that_goes_or_has_an_unknown_table_leaves_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(&["one.example"], NOW);
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&made));
    let mut planner = planner(&config);
    planner.load(false).unwrap().unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[server]", "[sever]")).unwrap();
    let error = planner.load(false).unwrap_err().to_string();
    assert!(error.contains("did you mean \"server\"?"), "{error}");
    let others = "[site]\ntitle = \"x\"\n[auth]\n[history]\n[log]\n[[source]]\nname = \"x\"\n";
    std::fs::write(&config, format!("{text}{others}")).unwrap();
    assert!(planner.load(false).is_ok(), "they are not read here");
    std::fs::remove_file(&config).unwrap();
    assert!(planner.load(false).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn certificate_that_visitors_refuse_is_found_although_it_is_the_configured_one() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = certificate(&["ca.example"], NOW);
    let mut params = CertificateParams::new(vec!["one.example".to_owned()]).unwrap();
    // Access description of the issuer's certificate, as public authorities have it (RFC 5280 4.2.2.1).
    let access = b"\x30\x1b\x30\x19\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x0dhttp://a.test";
    let oid = [1, 3, 6, 1, 5, 5, 7, 1, 1];
    let extension = rcgen::CustomExtension::from_oid_content(&oid, access.to_vec());
    params.custom_extensions.push(extension);
    params.distinguished_name.push(rcgen::DnType::CommonName, "one.example");
    let key = KeyPair::generate().unwrap();
    let signer = rcgen::Issuer::new(
        CertificateParams::new(vec!["ca.example".to_owned()]).unwrap(),
        issuer.key,
    );
    let signed = params.signed_by(&key, &signer).unwrap();
    let without_chain = Made { cert: signed.pem(), der: signed.der().clone(), key };
    let listen = "listen = [\"127.0.0.1:1\"]";
    let named = |name: &str| format!("{listen}\nnames = [\"{name}\"]");
    let proxied = format!("{}\ntrusted_proxies = [\"127.0.0.1\"]", named("tank.example"));
    let one = || certificate(&["one.example", "*.pump.example"], NOW);
    for (case, server, made, expected) in [
        ("well", named("one.example"), one(), None),
        ("by a wildcard", named("tank.pump.example"), one(), None),
        ("no names", listen.to_owned(), one(), None),
        ("behind a proxy", proxied, one(), None),
        ("another name", named("tank.example"), one(), Some(AlarmKind::CertificateName)),
        (
            "expired",
            named("one.example"),
            certificate(&["one.example"], PAST),
            Some(AlarmKind::CertificateExpired),
        ),
        ("no chain", named("one.example"), without_chain, Some(AlarmKind::CertificateInvalid)),
    ] {
        let config = configuration(folder.path(), &server, Some(&made));
        let plan = planner(&config).load(false).unwrap().unwrap();
        let found = plan.certificate_faults(Timestamp::now());
        let kinds = found.iter().map(|fault| match fault.verdict {
            Verdict::Misconfigured { kind, .. } => kind,
            _ => unreachable!(),
        });
        assert_eq!(kinds.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>(), "{case}");
        // A clock that was never set says nothing about the validity.
        let early = plan.certificate_faults(Timestamp::from_second(12).unwrap());
        assert_eq!(early.len(), found.len() - usize::from(case == "expired"), "{case}");
    }
}

#[test]
fn plan_without_an_address_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = "listen = [\"fd:0\"]\nadmin_listen = \"127.0.0.1:0\"";
    let plan = planner(&configuration(folder.path(), server, None)).load(false).unwrap().unwrap();
    assert!(plan.nothing_to_probe().unwrap().contains("--url or --admin"));
    assert_eq!(plan.notes.len(), 1, "`watch` raises an alarm");
    assert_eq!(plan.omitted.len(), 1);
}

#[test]
fn obstacle_to_a_start_is_told_from_what_this_process_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(&["one.example"], NOW);
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&made));
    let mut planner = planner(&config);
    planner.load(false).unwrap().unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let source = |secret: &str| {
        format!(
            "{text}[[source]]\nname = \"x\"\nkind = \"json\"\nurl = \"https://a.example/x\"\nvalues = {{ level = {{ pointer = \"/level\", unit = \"%\" }} }}\n{secret}\n"
        )
    };
    let key = folder.path().join("key.pem");
    std::fs::write(&key, made.key.serialize_pem()).unwrap();
    for (case, text, expected) in [
        ("as it is", text.clone(), None),
        ("a fault", format!("{text}[log]\nlevl = 1\n"), Some("unknown key \"levl\"")),
        ("syntax", format!("{text}[["), Some("pumphouse.toml:")),
        ("a variable", source("bearer = \"${PUMPHOUSE_NO_SUCH_VARIABLE}\""), None),
    ] {
        std::fs::write(&config, text).unwrap();
        let found = planner.obstacle(None);
        match expected {
            None => assert_eq!(found, None, "{case}"),
            Some(text) => assert!(found.as_ref().unwrap().contains(text), "{case}: {found:?}"),
        }
    }
    std::fs::write(&config, &text).unwrap();
    std::fs::write(&key, certificate(&["one.example"], NOW).key.serialize_pem()).unwrap();
    let without_tls = ServeOptions { no_tls: true, ..ServeOptions::default() };
    assert_eq!(planner.obstacle(Some(&without_tls)), None, "the certificate is not used");
    let obstacle = planner.obstacle(None).unwrap();
    assert!(obstacle.contains("is the key of another certificate"), "{obstacle}");
    std::fs::remove_file(&config).unwrap();
    assert!(planner.obstacle(None).unwrap().contains("cannot read the configuration"));
}

/// Addresses that other machines reach demand `[auth]`, and `--listen` replaces those of the file.
#[test]
fn access_is_an_obstacle_only_at_the_addresses_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let options = |listen: &[&str]| {
        let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
        Some(ServeOptions { listen, no_tls: false })
    };
    let (loopback, reachable) = ("127.0.0.1:1", "0.0.0.0:1");
    for (file, options, is_obstacle) in [
        (reachable, options(&[]), true),
        (reachable, options(&[loopback]), false),
        (loopback, options(&[]), false),
        (loopback, options(&[reachable]), true),
        // The command line is not known.
        (reachable, None, false),
    ] {
        let config = configuration(folder.path(), &format!("listen = [\"{file}\"]"), None);
        let mut planner = planner(&config);
        planner.load(false).unwrap().unwrap();
        let found = planner.obstacle(options.as_ref());
        let names_auth = found.as_ref().is_some_and(|found| found.contains("[auth]"));
        assert_eq!((found.is_some(), names_auth), (is_obstacle, is_obstacle), "{file} {options:?}");
    }
}

#[test]
fn every_certificate_that_expires_soon_is_found_by_its_own_validity() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(&["one.example"], NOW);
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&first));
    let second = folder.path().join("second.pem");
    std::fs::write(&second, certificate(&["two.example"], (3000, 3001)).cert).unwrap();
    let mut text = std::fs::read_to_string(&config).unwrap();
    let file = second.display();
    text.push_str(&format!("[[tls.certificate]]\ncert = \"{file}\"\nkey = \"{file}\"\n"));
    std::fs::write(&config, text).unwrap();
    let plan = planner(&config).load(false).unwrap().unwrap();
    let end = plan.own[1].validity.end.at;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    use AlarmKind::{CertificateExpired, CertificateExpiresSoon};
    for (left, expected) in [
        (days(15), None),
        (days(13), Some(CertificateExpiresSoon)),
        (days(0), Some(CertificateExpired)),
    ] {
        let found = plan.certificate_faults(end - left);
        let found: Vec<_> =
            found.iter().map(|fault| (fault.target.clone(), fault.kind())).collect();
        let expected = expected.map(|kind| (second.display().to_string(), Some(kind)));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{left:?}");
    }
    // One that is valid for a day is renewed each day.
    let mut daily = plan.own[1].clone();
    daily.validity.own_duration = SignedDuration::from_hours(24);
    assert!(!daily.expires_soon(end - SignedDuration::from_hours(5)));
    assert!(daily.expires_soon(end - SignedDuration::from_hours(3)));
}

#[test]
fn options_win_over_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", None);
    let url = "http://a.example";
    let admin = "unix:/run/admin.sock";
    for (has_admin, has_url, alone, expected) in [
        (false, false, false, "http://127.0.0.1:6480/healthz, http://127.0.0.1:1/healthz"),
        (true, false, false, "unix:/run/admin.sock, http://127.0.0.1:1/healthz"),
        (false, true, false, "http://127.0.0.1:6480/healthz, http://a.example/healthz"),
        (true, true, false, "unix:/run/admin.sock, http://a.example/healthz"),
        (false, true, true, "http://a.example/healthz"),
        (true, true, true, "unix:/run/admin.sock, http://a.example/healthz"),
        (false, false, true, "http://127.0.0.1:6480/healthz, http://127.0.0.1:1/healthz"),
    ] {
        let settings = ProbeSettings {
            config: Some(config.clone()),
            admin: has_admin.then(|| admin.parse().unwrap()),
            urls: has_url.then(|| url.parse().unwrap()).into_iter().collect(),
            ca: None,
            urls_alone: alone,
        };
        let plan = Planner::new(settings).load(false).unwrap().unwrap();
        assert_eq!(plan.addresses(), expected);
    }
}

#[test]
fn issuers_in_the_file_are_part_of_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(&["one.example"], NOW);
    let config = configuration(folder.path(), "listen = [\"127.0.0.1:1\"]", Some(&made));
    let cert = folder.path().join("cert.pem");
    let now = Timestamp::now();
    use AlarmKind::{CertificateExpired, CertificateInvalid};
    for (years, is_signed, expected) in [
        (NOW, true, None),
        (PAST, true, Some((CertificateExpired, "its issuer \"CN=middle\" expired on 2001-01-01"))),
        (NOW, false, Some((CertificateInvalid, "certificate 2, \"CN=middle\", has the name of"))),
    ] {
        let [one, other] = [(); 2].map(|()| issued("one.example", NOW, years));
        let middle = if is_signed { &one.middle } else { &other.middle };
        std::fs::write(&cert, format!("{}{middle}", one.leaf)).unwrap();
        let plan = planner(&config).load(false).unwrap().unwrap();
        let found = plan.certificate_faults(now);
        let kinds: Vec<_> = found.iter().filter_map(Outcome::kind).collect();
        assert_eq!(kinds, expected.map(|(kind, _)| kind).into_iter().collect::<Vec<_>>());
        let texts: Vec<_> = found.iter().map(|fault| fault.text.as_str()).collect();
        let text = expected.map_or("", |(_, text)| text);
        assert!(texts.join("\n").contains(text) && !texts.join("\n").contains("renew it"));
    }
}
