//! Probes of the listeners that a configuration names.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::supervisor::alarm::AlarmKind;
use crate::supervisor::fixtures::{
    AMPLE, FUTURE, Identity, Made, NOW, OK, PAST, certificate, configuration, misconfigured,
    planner, refused, serve, serve_plain, serve_tls, serve_tls_as,
};
use crate::supervisor::plan::{Planner, ProbeSettings};

#[test]
fn configured_listener_is_probed_by_a_name_of_its_own_certificate() {
    use AlarmKind::{CertificateExpired, CertificateNotYetValid, CertificateUntrusted};
    for (case, configured, presented, verdict, expected) in [
        ("any name", certificate(&["pumphouse.example"], NOW), None, Verdict::Healthy, ""),
        ("a wildcard", certificate(&["*.pump.example"], NOW), None, Verdict::Healthy, ""),
        ("no name", certificate(&[], NOW), None, Verdict::Healthy, ""),
        (
            "expired",
            certificate(&["pumphouse.example"], PAST),
            None,
            misconfigured(CertificateExpired),
            "renew it",
        ),
        (
            "not yet valid",
            certificate(&["pumphouse.example"], FUTURE),
            None,
            misconfigured(CertificateNotYetValid),
            "set the clock",
        ),
        (
            "another certificate",
            certificate(&["pumphouse.example"], NOW),
            Some(certificate(&["pumphouse.example"], NOW)),
            misconfigured(CertificateUntrusted),
            "presents another certificate than",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let address = serve_tls(presented.as_ref().unwrap_or(&configured), OK);
        let admin = serve_plain(OK);
        let server =
            format!("listen = [\"0.0.0.0:{}\"]\nadmin_listen = \"{admin}\"", address.port());
        let config = configuration(folder.path(), &server, Some(&configured));
        let plan = planner(&config).load(false).unwrap().unwrap();
        let outcomes = Prober::new(plan, AMPLE).probe_once();
        assert_eq!(outcomes.len(), 2, "{case}");
        assert_eq!(outcomes[0].verdict, Verdict::Healthy, "{case}: {}", outcomes[0].text);
        assert_eq!(outcomes[1].verdict, verdict, "{case}: {}", outcomes[1].text);
        assert!(outcomes[1].text.contains(expected), "{case}: {}", outcomes[1].text);
    }
}

#[test]
fn configured_listener_that_the_server_does_not_serve_is_no_reason_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (refused, _bound) = refused();
    let elsewhere = r#"{"listeners":[{"address":"0.0.0.0:8443","state":"listening"}]}"#;
    let here = format!(r#"{{"listeners":[{{"address":"{refused}","state":"listening"}}]}}"#);
    let waiting =
        format!(r#"{{"listeners":[{{"address":"{refused}","state":"waiting","error":"none"}}]}}"#);
    for (scoreboard, verdict) in [
        (elsewhere.to_owned(), misconfigured(AlarmKind::Listener)),
        (waiting, misconfigured(AlarmKind::Listener)),
        (here, Verdict::Unresponsive),
        ("{}".to_owned(), Verdict::Unresponsive),
        ("garbage".to_owned(), Verdict::Unresponsive),
    ] {
        let length = scoreboard.len();
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{scoreboard}");
        let admin = serve_plain(response.leak());
        let server = format!("listen = [\"{refused}\"]\nadmin_listen = \"{admin}\"");
        let config = configuration(folder.path(), &server, None);
        let plan = planner(&config).load(false).unwrap().unwrap();
        let outcomes = Prober::new(plan, AMPLE).probe_once();
        assert_eq!(outcomes[1].verdict, verdict, "{scoreboard}: {}", outcomes[1].text);
    }
}

/// The listener for TLS closes each connection, as a server does at its cap.
#[test]
fn closed_connection_is_load_shedding_only_while_the_server_counts_shed_connections() {
    let overloaded = misconfigured(AlarmKind::Overloaded);
    let folder = tempfile::tempdir().unwrap();
    let shed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&shed);
    let admin = serve(move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let shed = counter.load(Ordering::SeqCst);
        let scoreboard = format!(r#"{{"connections_shed":{{"connection_cap":{shed}}}}}"#);
        let length = scoreboard.len();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{scoreboard}");
    });
    let closing = serve(drop);
    let server = format!("listen = [\"{closing}\"]\nadmin_listen = \"{admin}\"");
    let made = certificate(&["one.example"], NOW);
    let config = configuration(folder.path(), &server, Some(&made));
    let plan = || planner(&config).load(false).unwrap().unwrap();
    let mut prober = Prober::new(plan(), AMPLE);
    for (total, verdict) in [
        (0, Verdict::Unresponsive),
        (7, overloaded),
        (7, Verdict::Unresponsive),
        (9, overloaded),
        // The server was restarted.
        (2, overloaded),
        (2, Verdict::Unresponsive),
        (0, Verdict::Unresponsive),
    ] {
        shed.store(total, Ordering::SeqCst);
        let outcomes = prober.probe_once();
        assert_eq!(outcomes[1].verdict, verdict, "{total}: {}", outcomes[1].text);
    }
    // `watch --url`, with a first probe during the flood.
    shed.store(7, Ordering::SeqCst);
    let url = format!("https://localhost:{}", closing.port()).parse().unwrap();
    let admin = format!("http://{admin}").parse().unwrap();
    let settings =
        ProbeSettings { urls: vec![url], admin: Some(admin), ..ProbeSettings::default() };
    let plan = Planner::new(settings).load(false).unwrap().unwrap();
    let outcomes = Prober::new(plan, AMPLE).probe_once();
    assert_eq!(outcomes[1].verdict, overloaded, "{}", outcomes[1].text);
}

/// A server with TLS, its admin listener, and a prober that has found both healthy.
struct Running {
    folder: tempfile::TempDir,
    made: Made,
    public: SocketAddr,
    admin: SocketAddr,
    planner: Planner,
    prober: Prober,
}

fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(&["one.example"], NOW);
    let public = serve_tls(&made, OK);
    let scoreboard = format!(
        r#"{{"listeners":[{{"address":"{public}","state":"listening"}}],"certificates":[{{}}]}}"#
    );
    let length = scoreboard.len();
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{scoreboard}");
    let admin = serve_plain(response.leak());
    let server = format!("listen = [\"{public}\"]\nadmin_listen = \"{admin}\"");
    let config = configuration(folder.path(), &server, Some(&made));
    let mut planner = planner(&config);
    let mut prober = Prober::new(planner.load(false).unwrap().unwrap(), AMPLE);
    let outcomes = prober.probe_once();
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Healthy), "{outcomes:?}");
    Running { folder, made, public, admin, planner, prober }
}

/// Whatever is done to the file, the server that runs serves as before.
#[test]
fn changed_file_is_no_reason_to_restart_a_healthy_server() {
    let (nowhere, _bound) = refused();
    type Change<'a> = (&'a str, &'a dyn Fn(&Running));
    let changes: [Change<'_>; 6] = [
        ("nothing", &|_| {}),
        ("emptied", &|running| {
            let text = format!("[server]\nadmin_listen = \"{nowhere}\"\n");
            std::fs::write(running.folder.path().join("pumphouse.toml"), text).unwrap();
        }),
        ("[tls] removed", &|running| {
            let Running { public, admin, .. } = running;
            let server = format!("listen = [\"{public}\"]\nadmin_listen = \"{admin}\"");
            configuration(running.folder.path(), &server, None);
        }),
        ("[tls] removed, and the admin listener moved", &|running| {
            let server = format!("listen = [\"{}\"]\nadmin_listen = \"{nowhere}\"", running.public);
            configuration(running.folder.path(), &server, None);
        }),
        ("admin listener moved", &|running| {
            let server = format!("listen = [\"{}\"]\nadmin_listen = \"{nowhere}\"", running.public);
            configuration(running.folder.path(), &server, Some(&running.made));
        }),
        ("both moved", &|running| {
            let server = format!("listen = [\"{nowhere}\"]\nadmin_listen = \"{nowhere}\"");
            configuration(running.folder.path(), &server, Some(&running.made));
        }),
    ];
    for (case, change) in changes {
        let mut running = running();
        change(&running);
        assert!(running.planner.load(false).unwrap().is_none());
        if let Some(plan) = running.planner.load(false).unwrap() {
            running.prober.follow(plan);
        }
        for _ in 0..3 {
            let outcomes = running.prober.probe_once();
            for Outcome { verdict, text, .. } in &outcomes {
                let is_alarm = matches!(verdict, Verdict::Misconfigured { answered: true, .. });
                assert!(is_alarm || *verdict == Verdict::Healthy, "{case}: {text}");
            }
            let is_well = outcomes.iter().all(|outcome| outcome.verdict == Verdict::Healthy);
            assert_eq!(is_well, case == "nothing", "{case}: {outcomes:?}");
        }
    }
}

/// A server presents no certificate in a session that is resumed.
#[test]
fn each_probe_verifies_the_certificate_that_the_server_presents_now() {
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(&["localhost"], NOW);
    let identity = Identity::of(&made);
    let address = serve_tls_as(&identity, OK);
    let admin = serve_plain(OK);
    let server = format!("listen = [\"{address}\"]\nadmin_listen = \"{admin}\"");
    let config = configuration(folder.path(), &server, Some(&made));
    let by_file = planner(&config).load(false).unwrap().unwrap();
    let settings = ProbeSettings {
        urls: vec![format!("https://localhost:{}", address.port()).parse().unwrap()],
        ca: Some(folder.path().join("cert.pem")),
        urls_alone: true,
        ..ProbeSettings::default()
    };
    let by_url = Planner::new(settings).load(false).unwrap().unwrap();
    let mut probers = [by_file, by_url].map(|plan| Prober::new(plan, AMPLE));
    let other = certificate(&["localhost"], NOW);
    for (presented, kind) in [
        (&made, None),
        (&made, None),
        (&other, Some(AlarmKind::CertificateUntrusted)),
        (&made, None),
    ] {
        identity.replace(presented);
        for prober in &mut probers {
            let outcomes = prober.probe_once();
            let last = outcomes.last().unwrap();
            assert_eq!(last.kind(), kind, "{}", last.text);
        }
    }
}

#[test]
fn server_that_has_not_loaded_a_renewed_certificate_yet_is_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [0; 2].map(|_| certificate(&["one.example"], NOW));
    let address = serve_tls(&first, OK);
    let admin = serve_plain(OK);
    let server = format!("listen = [\"{address}\"]\nadmin_listen = \"{admin}\"");
    let config = configuration(folder.path(), &server, Some(&first));
    let mut planner = planner(&config);
    let mut prober = Prober::new(planner.load(false).unwrap().unwrap(), AMPLE);
    configuration(folder.path(), &server, Some(&second));
    assert!(planner.load(false).unwrap().is_none());
    prober.follow(planner.load(false).unwrap().unwrap());
    for outcome in prober.probe_once() {
        assert_eq!(outcome.verdict, Verdict::Healthy, "{}", outcome.text);
    }
}
