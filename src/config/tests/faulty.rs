//! Faulty configurations, each with its error.

use super::*;

/// Faulty files, each with the beginning of its first error.
const WRONG: &[(&str, &str)] = &[
    (
        "[server]\nlisen = []\n",
        "p.toml:2:1: unknown key \"lisen\" in [server]; did you mean \"listen\"?",
    ),
    ("[sever]\n", "p.toml:1:2: unknown key \"sever\" in the file; did you mean \"server\"?"),
    ("[server]\nworkers = 0\n", "p.toml:2:11: \"workers\" must be between 1 and 1024 in [server]"),
    (
        "[server]\nworkers = \"8\"\n",
        "p.toml:2:12: \"workers\" must be a whole number, not a string in [server]",
    ),
    (
        "[server]\nkeep_alive = 75\n",
        "p.toml:2:14: \"keep_alive\" must be a duration such as \"10s\" or \"5m\", not a whole number in [server]; write keep_alive = \"75s\" for seconds",
    ),
    (
        "[server]\nkeep_alive = \"75\"\n",
        "p.toml:2:15: \"keep_alive\" must be a duration such as \"10s\" or \"5m\" in [server]",
    ),
    (
        "[server]\nkeep_alive = \"-5s\"\n",
        "p.toml:2:15: \"keep_alive\" must be a duration such as \"10s\" or \"5m\" in [server]",
    ),
    (
        "[server]\nmax_body_bytes = \"lots\"\n",
        "p.toml:2:19: \"max_body_bytes\" must be a size such as \"16KiB\" in [server]",
    ),
    (
        "[server]\nmax_header_bytes = \"1B\"\n",
        "p.toml:2:21: \"max_header_bytes\" must be between 256 B and 1.0 MiB in [server]",
    ),
    (
        "[server]\nlisten = [\"6443\"]\n",
        "p.toml:2:12: \"listen\": \"6443\" is not an address to listen on in [server]; write \"0.0.0.0:6443\", \"[::]:6443\", \"unix:/path\" or \"fd:0\"",
    ),
    (
        "[server]\nadmin_listen = \"0.0.0.0:6480\"\n",
        "p.toml:2:17: \"admin_listen\": the admin listener has no access control, so it must be on loopback (127.0.0.1, [::1]) or a unix socket in [server]",
    ),
    (
        "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n",
        "p.toml:2:21: \"trusted_proxies\": \"10.0.0.0/33\" is neither an address nor a network, nor \"unix\" for all clients on unix sockets in [server]",
    ),
    ("[tls]\ncert = \"c\"\n", "p.toml:1:1: missing key \"key\" in [tls]"),
    (
        "[server]\nlisten = \"x\n",
        "p.toml:2:12: the text of \"listen\" has no closing quotation mark",
    ),
    ("[[source]]\nkind = \"json\"\n", "p.toml:1:1: missing key \"name\" in [[source]]"),
    (
        "[[source]]\nname = \"w\"\nkind = \"ptlevle\"\n",
        "p.toml:3:9: \"kind\": \"ptlevle\" is unknown in [[source]] \"w\"; did you mean \"ptlevel\"?",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"metar\"\n",
        "p.toml:3:9: \"kind\": \"metar\" is unknown in [[source]] \"w\"; known are ptlevel, ptdevices, open-meteo, nws, ambient, json",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"K/../SFO\"\n",
        "p.toml:4:12: \"station\" must be a station's name such as \"KSFO\" in [[source]] \"w\"",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"ambient\"\napi_key = \"a&b\"\napplication_key = \"c\"\n",
        "p.toml:4:1: \"api_key\" must be letters and digits in [[source]] \"w\"",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"ambient\"\napi_key = \"a\"\napplication_key = \"c\"\nmac = \"home\"\n",
        "p.toml:6:8: \"mac\" must be a MAC address such as \"00:0E:C6:20:0F:7B\" in [[source]] \"w\"",
    ),
    (
        "[[source]]\nname = \"t\"\nkind = \"ptdevices\"\ndevice = \"1\"\ntoken = \"x\"\n",
        "p.toml:1:1: missing key \"timezone\" in [[source]] \"t\"",
    ),
    (
        "[[source]]\nname = \"t\"\nkind = \"ptdevices\"\ndevice = \"1\"\ntoken = \"x\"\ntimezone = \"MST7\"\n",
        "p.toml:6:13: \"timezone\": \"MST7\" is not a time zone in [[source]] \"t\"; write the one of the device's clock, such as",
    ),
    (
        "[site]\nunits = \"imperial\"\n",
        "p.toml:2:10: \"units\": \"imperial\" is neither \"us\" nor \"metric\" in [site]",
    ),
    (
        "[site]\nurl = \"tank.example/pumphouse\"\n",
        "p.toml:2:8: \"url\": \"tank.example/pumphouse\" does not begin with http:// or https:// in [site]; write it as \"https://tank.example/pumphouse/\"",
    ),
    (
        "[site]\nurl = \"https://anna:pw@tank.example/\"\n",
        "p.toml:2:8: \"url\": must not contain a user name or password: it is shown to visitors in [site]",
    ),
    ("[site]\nurl = 6443\n", "p.toml:2:7: \"url\" must be a string, not a whole number in [site]"),
    (
        "[site]\nurl = \"https://tank.example/p?q#f\"\n",
        "p.toml:2:8: \"url\": \"https://tank.example/p?q#f\" must end with its path, without ? and # in [site]; write it as \"https://tank.example/p/\"",
    ),
    (
        "[site]\ncontact = \"a)b\"\n",
        "p.toml:2:12: \"contact\" must be an address or a URL in plain ASCII in [site]",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\nca_file = \"/nowhere.pem\"\n",
        "p.toml:5:12: \"ca_file\" in [[source]] \"w\": cannot read /nowhere.pem: ",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\nrate_limit = { group = \"a\" }\n",
        "p.toml:5:14: missing key \"every\" in \"rate_limit\"",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\n[source.fields.rain]\nunit = \"cups\"\n",
        "p.toml:6:9: \"unit\": \"cups\" is unknown in [source.fields.rain]; known are %, in, ft, ",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"open-meteo\"\nlatitude = 91\nlongitude = 0\n",
        "p.toml:4:12: \"latitude\" must be between -90 and 90 in [[source]] \"w\"",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"${NOWHERE}\"\n[source.values.a]\npointer = \"\"\n",
        "p.toml:4:8: the environment variable NOWHERE is not set",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"https://me:pw@h/\"\n[source.values.a]\npointer = \"\"\n",
        "p.toml:4:8: \"url\": must not contain a user name or password in [[source]] \"w\"; give credentials by their own keys",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"json\"\ninterval = \"5s\"\ntimeout = \"6s\"\nurl = \"http://h\"\n[source.values.a]\npointer = \"\"\n",
        "p.toml:5:12: \"timeout\" must not be longer than \"interval\" in [[source]] \"w\"",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h\"\n[source.values.a]\npointer = \"x\"\n",
        "p.toml:6:12: \"pointer\" must be a JSON pointer (RFC 6901) such as \"/a/b/0\" in [source.values.a]",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h\"\n[source.values.a]\npointer = \"\"\nunit = \"deg CC\"\n",
        "p.toml:7:9: \"unit\": \"deg CC\" is unknown in [source.values.a]; did you mean \"degC\", or unit_label = \"deg CC\"?",
    ),
    (
        "[site]\ntimezone = \"Nowhere/Town\"\n",
        "p.toml:2:13: \"timezone\": Nowhere/Town is not a time zone such as America/Los_Angeles in [site]",
    ),
    (
        "[site]\ntimezone = \"Amerika/Denver\"\n",
        "p.toml:2:13: \"timezone\": Amerika/Denver is not a time zone such as America/Denver in [site]",
    ),
    (
        "[history]\nkeep_raw = \"some\"\n",
        "p.toml:2:13: \"keep_raw\" must be a duration such as \"400d\", or \"forever\" in [history]",
    ),
    (
        "[history]\nenabled = \"no\"\n",
        "p.toml:2:12: \"enabled\" must be true or false, not a string in [history]",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\nshow = [\"Rain\"]\n",
        "p.toml:5:10: \"show\": \"Rain\" is not the name of a field in [[source]] \"w\"",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\n[source.trends.rain]\nchanges = [\"90d\"]\n",
        "p.toml:6:13: \"changes\" must be longer than 0 and at most 31d in [source.trends.rain]",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\n\
         [source.trends.volume]\nrefill = 3\n[source.trends.rain]\ntank = true\n",
        "p.toml:8:1: a source has one tank, which is \"volume\" already: leave \"tank = true\", \
         \"full\" and \"refill\" to one of them in [source.trends.rain]",
    ),
    (
        "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"\n[source.trends.rain]\nfull = 0\n",
        "p.toml:6:8: \"full\" must be greater than 0",
    ),
];

#[test]
fn faulty_key_is_reported_with_its_position() {
    for (text, expected) in WRONG {
        let error = read(text).expect_err(text);
        let first = error.lines().next().unwrap_or_default();
        assert!(first.starts_with(expected), "{text}\nhas the error\n{error}\nnot\n{expected}");
    }
}

#[test]
fn one_run_reports_every_error() {
    let text = "[server]\nlisen = 1\nworkers = 0\n[[source]]\nname = \"Tank\"\nkind = \"x\"\n";
    let error = read(text).unwrap_err();
    let places: Vec<&str> = error.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["p.toml:2:1", "p.toml:3:11", "p.toml:5:9", "p.toml:6:9"], "{error}");
}

#[test]
fn environment_variable_in_an_error_is_shown_by_its_name() {
    let error = read("[[source]]\nname = \"w?${TOKEN}\"\nkind = \"x${TOKEN}\"\n").unwrap_err();
    assert!(!error.contains("s3cret"), "{error}");
    assert!(error.contains("w?${TOKEN}"), "{error}");
}

#[test]
fn duplicate_name_is_rejected() {
    let error = read(&TANK.repeat(2)).unwrap_err();
    assert!(error.contains("the name \"tank\" is taken by another source"), "{error}");
}

#[test]
fn host_to_listen_on_is_reported_with_its_addresses() {
    use crate::config::reader::{Environment, Reader};
    use crate::config::section::Section;

    let lookup = |host: &str| match host {
        "one.lan" => vec!["192.0.2.7".parse().unwrap()],
        "two.lan" => vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        _ => Vec::new(),
    };
    for (host, advice) in [
        ("one.lan", "write its address, \"192.0.2.7:1\""),
        (
            "two.lan",
            "it has several addresses; write those to listen on: \"192.0.2.7:1\", \"[2001:db8::7]:1\"",
        ),
        ("none.lan", "write an address of this machine, such as \"192.168.1.5:1\""),
    ] {
        let text = format!("listen = [\"{host}:1\"]\n");
        let environment = Environment { variable: &environment, lookup: &lookup };
        let reader = Reader::new("p.toml".as_ref(), &text, environment);
        let mut section =
            Section::new(&reader, "[server]", toml_span::parse(&text).unwrap()).unwrap();
        assert!(crate::config::listen_addr::read_all(&mut section, "listen").is_empty());
        let problems = reader.into_findings().problems;
        assert_eq!(
            problems[0].message,
            format!(
                "\"listen\": \"{host}:1\" has the name of a host in place of an address in [server]; {advice}"
            )
        );
    }
}

#[test]
fn localhost_beside_its_other_address_is_not_warned_of() {
    let warned = |listen: &str| {
        let config = read(&format!("[server]\nlisten = [{listen}]\n")).unwrap();
        config.warnings.iter().any(|warning| warning.contains("localhost"))
    };
    assert!(warned("\"localhost:1\""));
    assert!(warned("\"localhost:1\", \"[::1]:2\""));
    assert!(!warned("\"localhost:1\", \"[::1]:1\""));
    assert!(!warned("\"127.0.0.1:1\""));
}

#[test]
fn ca_file_that_is_a_key_in_one_line_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    for (bytes, expected) in [
        ("-----BEGIN PRIVATE KEY-----MIGH-----END PRIVATE KEY-----", "an END line is missing"),
        ("-----BEGIN PRIVATE KEY MIGH\n", "a BEGIN line does not end with five dashes"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let source = "[[source]]\nname = \"w\"\nkind = \"nws\"\nstation = \"KSFO\"";
        let error = read(&format!("{source}\nca_file = \"{}\"\n", path.display())).unwrap_err();
        let expected =
            format!("\"ca_file\" in [[source]] \"w\": {} is not PEM: {expected}", path.display());
        assert!(error.ends_with(&expected), "{error}");
    }
}
