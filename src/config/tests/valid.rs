//! Valid configurations: defaults, every key, secrets, trends and units.

use std::path::Path;
use std::time::Duration;

use super::*;

#[test]
fn empty_file_has_all_defaults() {
    let config = read("").unwrap();
    assert_eq!(config.server.listen, ["0.0.0.0:6443".parse().unwrap()]);
    assert_eq!(config.server.admin_listen, "127.0.0.1:6480".parse().unwrap());
    assert_eq!(config.server.backlog, 1024);
    assert_eq!(config.server.engine.workers, 8);
    assert_eq!(config.server.engine.keep_alive, Duration::from_secs(75));
    assert_eq!(config.server.engine.max_header_bytes, 16 * 1024);
    assert!(config.tls.is_none() && config.sources.is_empty());
    assert_eq!(config.site.title, "Pumphouse");
    assert_eq!(config.log.slow_request, Duration::from_secs(1));
}

#[test]
fn every_key_is_read() {
    let config = read(
        "[site]\ntitle = \"Well\"\nurl = \"https://tank.example/pumphouse\"\n\
         [server]\nlisten = [\"[::1]:1\", \"unix:/run/x\", \"fd:0\"]\nadmin_listen = \"unix:/run/a\"\n\
         workers = 3\nbacklog = 5\nmax_connections = 6\n\
         max_connections_per_address = 7\ntrusted_proxies = [\"10.0.0.0/8\", \"unix\", \"::1\"]\nhandshake_timeout = \"1s\"\n\
         header_timeout = \"2s\"\nbody_timeout = \"3s\"\nwrite_timeout = \"1m 4s\"\n\
         heavy_requests = 10\nkeep_alive = \"1d 1h30m\"\nlinger_timeout = \"9s\"\nqueue_timeout = \"500ms\"\ndrain_timeout = \"7s\"\n\
         max_header_bytes = \"8 KiB\"\nmax_headers = 9\nmax_body_bytes = \"1MiB\"\n\
         max_buffered_bytes = \"5MiB\"\n\
         [tls]\ncert = \"c\"\nkey = \"k\"\n[log]\nslow_request = \"250ms\"\n",
    )
    .unwrap();
    assert_eq!(config.log.slow_request, Duration::from_millis(250));
    let server = &config.server;
    assert_eq!(
        server.listen,
        [
            ListenAddr::Tcp("[::1]:1".parse().unwrap()),
            ListenAddr::Unix("/run/x".into()),
            ListenAddr::Fd(0)
        ]
    );
    let engine = &server.engine;
    assert_eq!((engine.workers, server.backlog), (3, 5));
    assert_eq!((engine.max_connections, engine.max_headers), (6, 9));
    assert_eq!((engine.heavy_requests, engine.heavy_permits()), (10, 1));
    assert_eq!(engine.max_connections_per_address, Some(7));
    let proxies: Vec<String> =
        engine.trusted_proxies.networks.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
    assert!(engine.trusted_proxies.unix);
    assert_eq!((engine.max_header_bytes, engine.max_body_bytes), (8 << 10, 1 << 20));
    assert_eq!(engine.max_buffered_bytes, 5 << 20);
    let millis = [
        engine.handshake_timeout,
        engine.header_timeout,
        engine.body_timeout,
        engine.write_timeout,
        engine.keep_alive,
        engine.linger_timeout,
        engine.queue_timeout,
        engine.drain_timeout,
    ]
    .map(|duration| duration.as_millis());
    assert_eq!(millis, [1000, 2000, 3000, 64_000, 91_800_000, 9000, 500, 7000]);
    let default = CertificateFiles { cert: "c".into(), key: "k".into() };
    let check_every = Duration::from_secs(60);
    assert_eq!(
        config.tls,
        Some(TlsFiles {
            default,
            named: Vec::new(),
            check_every,
            redirect_listen: vec![],
            expected_names: vec![],
        })
    );
    assert_eq!(config.site.title, "Well");
    let url = config.site.url.unwrap();
    assert_eq!(url.to_string(), "https://tank.example/pumphouse/");
    assert_eq!(config.auth.rules.site_url, Some(url), "the rules of access know it");
}

/// `check`, the log and `doctor` warn of a name that no certificate covers: see `certificates::load`.
#[test]
fn host_of_the_public_address_has_to_be_in_a_certificate_unless_a_proxy_has_its_own() {
    const TLS: &str = "[tls]\ncert = \"c\"\nkey = \"k\"\n";
    for (server, expected) in [
        ("", &["tank.example"][..]),
        ("names = [\"pump.example\"]", &["tank.example", "pump.example"]),
        ("trusted_proxies = [\"127.0.0.1\"]", &[]),
        ("listen = [\"unix:/run/pumphouse.sock\"]", &[]),
    ] {
        let site = "[site]\nurl = \"https://tank.example/\"\n";
        let config = read(&format!("{site}[server]\n{server}\n{TLS}")).unwrap();
        let names: Vec<_> =
            config.tls.unwrap().expected_names.into_iter().map(|expected| expected.name).collect();
        assert_eq!(names, expected, "{server}");
    }
}

#[test]
fn public_address_that_does_not_fit_the_listeners_is_warned_of() {
    const TLS: &str = "[tls]\ncert = \"c\"\nkey = \"k\"\n";
    const PROXY: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    const SOCKET: &str = "[server]\nlisten = [\"unix:/run/pumphouse.sock\"]\n";
    for (url, rest, expected) in [
        ("https://tank.example/", TLS, None),
        ("https://tank.example/", PROXY, None),
        ("https://tank.example/", SOCKET, None),
        ("https://tank.example/", "", Some("neither [tls] nor \"trusted_proxies\"")),
        ("http://tank.example/", "", None),
        ("http://tank.example/", TLS, Some("the listeners speak TLS")),
        ("http://tank.example/", &[PROXY, TLS].concat(), None),
    ] {
        let config = read(&format!("[site]\nurl = \"{url}\"\n{rest}")).unwrap();
        let warnings: Vec<_> = config
            .warnings
            .iter()
            .filter(|warning| warning.contains("\"url\" in [site] is "))
            .collect();
        assert_eq!(warnings.len(), usize::from(expected.is_some()), "{url} {rest}: {warnings:?}");
        assert!(expected.is_none_or(|text| warnings[0].contains(text)), "{warnings:?}");
    }
}

#[test]
fn public_address_beside_which_every_host_is_served_is_warned_of() {
    for (server, is_warned) in [
        ("", true),
        ("listen = [\"192.0.2.7:6443\"]", true),
        ("listen = [\"127.0.0.1:6443\", \"[::]:6443\"]", true),
        ("listen = [\"fd:3\"]", true),
        ("listen = [\"127.0.0.1:6443\", \"[::1]:6443\", \"unix:/run/pumphouse.sock\"]", false),
        ("names = [\"192.0.2.7\"]", false),
    ] {
        for url in ["url = \"https://tank.example:8443/pumphouse/\"", ""] {
            let config = read(&format!("[site]\n{url}\n[server]\n{server}\n")).unwrap();
            let names = |warning: &&String| warning.contains("rite names = [\"tank.example\"]");
            let count = config.warnings.iter().filter(names).count();
            assert_eq!(count, usize::from(is_warned && !url.is_empty()), "{url} {server}");
        }
    }
}

#[test]
fn source_with_required_keys_only_has_defaults() {
    let config = read(TANK).unwrap();
    let source = &config.sources[0];
    assert_eq!((&*source.name, &*source.title), ("tank", "tank"));
    assert_eq!(source.interval, Duration::from_secs(300));
    assert_eq!(source.timeout, Duration::from_secs(10));
    assert_eq!(source.stale_after, Duration::from_secs(900));
    let Kind::PtLevel(kind) = &source.kind else { panic!("{:?}", source.kind) };
    assert_eq!((kind.height, kind.capacity), (58.0, 1400.0));
}

#[test]
fn json_source_keeps_its_order_and_hides_its_secrets() {
    let config = read(
        "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h/?key=${TOKEN}\"\n\
         bearer = \"${TOKEN}\"\nobserved_at = { pointer = \"/t\", format = \"unix_ms\" }\n\
         [source.headers]\nX-Key = \"${TOKEN}\"\n\
         [source.values.z]\npointer = \"/z\"\nunit = \"gal\"\nscale = 2\nmin = 0\n\
         [source.values.a]\npointer = \"/a\"\n",
    )
    .unwrap();
    let Kind::Json(kind) = &config.sources[0].kind else { panic!() };
    assert_eq!(kind.url.as_str(), "http://h/?key=s3cret");
    let names: Vec<&str> = kind.values.iter().map(|value| &*value.name).collect();
    assert_eq!(names, ["z", "a"]);
    let Calibration { scale, min, .. } = kind.values[0].calibration;
    assert_eq!((scale, min), (2.0, Some(0.0)));
    assert_eq!(kind.values[1].unit, None);
    assert!(!format!("{config:?}").contains("s3cret"), "secrets are never shown");
}

#[test]
fn secrets_are_read_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let source = |keys: &str| {
        format!(
            "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h/\"\n{keys}\n\
             [source.values.a]\npointer = \"\"\n"
        )
    };
    let config = read(&source(&format!("bearer_file = \"{}\"", path.display()))).unwrap();
    let Kind::Json(kind) = &config.sources[0].kind else { panic!() };
    let Some(Credentials::Bearer(secret)) = &kind.request.credentials else { panic!() };
    assert_eq!(secret.expose(), "s3cret");

    let missing = read(&source("bearer_file = \"/nowhere/token\"")).unwrap_err();
    assert!(missing.contains("cannot read /nowhere/token"), "{missing}");
}

#[test]
fn units_of_a_source_override_those_of_the_site() {
    let sources = r#"
        [[source]]
        name = "a"
        kind = "nws"
        station = "ksfo"
        [source.fields.wind_speed]
        unit = "m/s"
        [[source]]
        name = "b"
        kind = "nws"
        station = "KSFO"
        units = "metric"
        [[source]]
        name = "c"
        kind = "json"
        url = "http://h/"
        values = { v = { pointer = "/v", unit = "cm" } }
    "#;
    let systems = |text: &str| {
        let config = read(text).unwrap();
        config.sources.iter().map(|source| source.units.system).collect::<Vec<_>>()
    };
    use crate::units::{System, Unit};
    let (us, metric) = (Some(System::Us), Some(System::Metric));
    assert_eq!(systems(sources), [us, metric, None]);
    assert_eq!(systems(&format!("[site]\nunits = \"metric\"\n{sources}")), [metric; 3]);
    let config = read(sources).unwrap();
    let units = &config.sources[0].units;
    assert_eq!(units.unit_for("wind_speed", Unit::KilometrePerHour), Unit::MetrePerSecond);
    assert_eq!(units.unit_for("wind_gust", Unit::KilometrePerHour), Unit::MilePerHour);
}

#[test]
fn last_values_are_beside_the_database() {
    let config = read("[history]\npath = \"/var/lib/tank/pumphouse.db\"\n").unwrap();
    let expected = Path::new("/var/lib/tank/pumphouse.last.json");
    assert_eq!(config.history.unwrap().last_values(), expected);
}

#[test]
fn databases_in_one_folder_share_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let names =
        ["pump.db", "pump", "pump.north", "pump.south", "pump.north.db", "pump.sqlite", ".db"];
    let mut seen = std::collections::HashSet::new();
    for name in names {
        let path = folder.path().join(name);
        let text = format!("[history]\npath = {path:?}\n");
        let history = read(&text).unwrap().history.unwrap();
        for file in history.files() {
            assert!(seen.insert(file.clone()), "{} of {name} is another's", file.display());
        }
    }
    // What SQLite has beside a database is beside the file that a link ends at, and so is the lock.
    let [real, link] = ["pump.db", "link.db"].map(|name| folder.path().join(name));
    std::fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let of = |path: &Path| {
        read(&format!("[history]\npath = {path:?}\n")).unwrap().history.unwrap().files()
    };
    let real = std::fs::canonicalize(&real).unwrap();
    assert_eq!(of(&link)[1..4], of(&real)[1..4]);
}

#[test]
fn path_with_a_nul_is_refused() {
    let error = read("[history]\npath = \"pump\\u0000house.db\"\n").unwrap_err();
    assert!(error.contains("\"path\" contains a NUL character"), "{error}");
}

#[test]
fn retention_times_are_read() {
    const DAY: Duration = Duration::from_secs(86_400);
    let default = read("").unwrap().history.unwrap();
    assert_eq!(&*default.path, Path::new("pumphouse.db"));
    assert_eq!(default.flush, Duration::from_secs(60));
    assert_eq!((default.keep_raw, default.keep_15m), (Some(400 * DAY), Some(3650 * DAY)));
    assert_eq!(default.keep_daily, None);
    let config = read(
        "[site]\ntimezone = \"America/Los_Angeles\"\n[history]\nflush = \"5m\"\n\
         keep_raw = \"30d\"\nkeep_15m = \"forever\"\nkeep_daily = \"1000d\"\n",
    )
    .unwrap();
    assert_eq!(config.site.timezone.iana_name(), Some("America/Los_Angeles"));
    let history = config.history.unwrap();
    assert_eq!((history.keep_raw, history.keep_15m), (Some(30 * DAY), None));
    assert_eq!((history.keep_daily, history.flush), (Some(1000 * DAY), Duration::from_secs(300)));
    assert_eq!(read("[history]\nenabled = false\n").unwrap().history, None);
}

#[test]
fn trends_default_to_those_of_a_tank() {
    let trends = |text: &str| read(text).unwrap().sources.remove(0).trends.clone();
    assert_eq!(trends(TANK), [TrendSettings::of_tank()]);
    assert_eq!(trends(&format!("{TANK}[source.trends]\n")), []);
    let weather = "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\n";
    assert_eq!(trends(weather), []);
    let configured = trends(&format!(
        "{weather}[source.trends.pressure]\nrate_over = \"3h\"\nchanges = [\"3h\", \"7d\"]\n"
    ));
    let hour = Duration::from_secs(3600);
    assert_eq!(configured[0].fields, ["pressure".into()]);
    assert_eq!((configured[0].rate_over, configured[0].tank), (3 * hour, None));
    assert_eq!(configured[0].changes, [3 * hour, 7 * 24 * hour]);
    let tank = trends(&format!("{TANK}[source.trends.volume]\nfull = 1400\nrefill = 10\n"));
    assert_eq!(tank[0].tank, Some(Tank { full: Some(1400.0), refill: 10.0 }));
    // One of several fields is the tank.
    for (tables, tanks) in [
        ("[source.trends.level]\n[source.trends.volume]\n", [false, true]),
        ("[source.trends.level]\ntank = true\n[source.trends.volume]\n", [true, false]),
        ("[source.trends.level]\nfull = 90\n[source.trends.volume]\n", [true, false]),
        ("[source.trends.level]\n[source.trends.volume]\ntank = false\n", [true, false]),
        ("[source.trends.level]\n[source.trends.rain]\ntank = true\n", [false, true]),
        ("[source.trends.rain]\n[source.trends.depth]\n", [false, false]),
    ] {
        let found = trends(&format!("{TANK}{tables}"));
        let found: Vec<bool> = found.iter().map(|trend| trend.tank.is_some()).collect();
        assert_eq!(found, tanks, "{tables}");
    }
    let twice = trends(&format!("{TANK}[source.trends.depth]\nchanges = [\"1h\", \"60m\"]\n"));
    assert_eq!(twice[0].changes, [hour]);
    let shown = read(&format!("{TANK}show = [\"volume\", \"level\"]\n")).unwrap();
    assert_eq!(shown.sources[0].show, ["volume".into(), "level".into()]);
}

#[test]
fn retired_key_is_accepted_with_a_warning() {
    let warnings = read("[server]\nqueue = 64\n").unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("\"queue\"")), "{warnings:?}");
    let warnings = read("[server]\n").unwrap().warnings;
    assert!(!warnings.iter().any(|warning| warning.contains("\"queue\"")), "{warnings:?}");
}

#[test]
fn sources_share_the_certificates_of_one_ca_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let made = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    std::fs::write(&path, made.cert.pem()).unwrap();
    let source = |name: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"nws\"\nstation = \"KSFO\"\nca_file = {path:?}\n"
        )
    };
    let config = read(&[source("a"), source("b")].concat()).unwrap();
    let certs = |at: usize| config.sources[at].ca_certs.as_ref().unwrap();
    assert!(std::sync::Arc::ptr_eq(certs(0), certs(1)), "the file was read twice");
}

#[test]
fn notes_on_the_sources_of_a_fleet_are_listed_in_part() {
    let renamed = |number: usize| {
        format!(
            "[[source]]\nname = \"s{number}\"\nkind = \"ambient\"\napi_key = \"a\"\n\
             application_key = \"c\"\nshow = [\"rain\"]\n"
        )
    };
    let config = read(&(0..150).map(renamed).collect::<String>()).unwrap();
    let notes = config.warnings.iter().filter(|note| note.contains("is now named"));
    assert_eq!(notes.count(), 100);
    assert_eq!(config.warnings.last().unwrap(), "50 more notes on sources are not listed");
}
