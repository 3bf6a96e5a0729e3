//! Whole runs with answers of a test.

mod written;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::access::Admission;
use crate::config::{Config, Kind, load, load_to_serve};
use crate::units::{System, Unit};

/// Answers in order, and everything that was said.
struct Script {
    lines: VecDeque<String>,
    is_interactive: bool,
    said: String,
    lines_read: usize,
    asked: usize,
}

impl Script {
    fn terminal(lines: &[&str]) -> Script {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Script { lines, is_interactive: true, said: String::new(), lines_read: 0, asked: 0 }
    }

    fn pipe(lines: &[&str]) -> Script {
        Script { is_interactive: false, ..Script::terminal(lines) }
    }
}

impl Dialog for Script {
    fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    fn lines_read(&self) -> usize {
        self.lines_read
    }

    fn say(&mut self, text: &str) {
        self.said += text;
    }

    fn line(&mut self, question: &str) -> io::Result<Option<String>> {
        assert!(self.is_interactive, "asked without a terminal: {question}");
        self.said += question;
        self.asked += 1;
        Ok(self.lines.pop_front())
    }

    fn hidden_line(&mut self, question: &str) -> io::Result<Option<String>> {
        self.said += question;
        self.lines_read += 1;
        self.asked += 1;
        Ok(self.lines.pop_front())
    }
}

/// Runs `init` without a network.
fn run(request: Request, dialog: &mut dyn Dialog) -> Result<Written, InitError> {
    super::run(request, dialog, &|_| None)
}

fn request(folder: &Path, options: Options) -> Request {
    Request { dir: Some(folder.to_owned()), state: None, options }
}

fn placed() -> Options {
    Options { place: "37.31,-122.2".parse().ok(), ..Options::default() }
}

/// Returns the configuration that was written, which must be one to serve with and without a warning.
fn written_config(folder: &Path) -> Config {
    let config = load_to_serve(&folder.join(CONFIGURATION), &[]).unwrap_or_else(|errors| {
        panic!("{errors}\n{}", fs::read_to_string(folder.join(CONFIGURATION)).unwrap())
    });
    assert_eq!(config.warnings, [""; 0]);
    config
}

#[test]
fn terminal_is_asked_for_everything_and_again_after_a_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut dialog = Script::terminal(&[
        "-122.2,37.31",
        "home",
        "47,37 8,54",
        "",
        "Europe/Zurch",
        "europe/zurich",
        "ptlevl",
        "ptlevel",
        "user",
        "a:b",
        "anna",
        "",
        "s3cret",
        "secret",
        "s3cret",
        "s3cret",
        "www.mypt.in/s/4711",
        "https://www.mypt.in/s/4711",
        "1.5 gal",
        "150",
        "5 m3",
        "systemd",
    ]);
    let written = run(request(folder.path(), Options::default()), &mut dialog).unwrap();
    assert_eq!(dialog.lines, [""; 0]);
    for said in ["did you mean 37.31,-122.2?", "Europe/Zurich?", "known are none", "differ"] {
        assert!(dialog.said.contains(said), "{said} not in {}", dialog.said);
    }
    let config = written_config(folder.path());
    assert_eq!(config.site.timezone.iana_name(), Some("Europe/Zurich"));
    let Kind::PtLevel(tank) = &config.sources[1].kind else { panic!() };
    assert_eq!((tank.url.as_str(), tank.height), ("https://www.mypt.in/s/4711", 59.06));
    assert_eq!(tank.capacity, 1320.86);
    let Admission::Restricted(restricted) = &config.auth.rules.admission else { panic!() };
    assert_eq!(restricted.users[0].name, "anna");
    assert!(folder.path().join(SYSTEMD).is_file());
    assert!(written.next_steps.contains("systemctl"), "{}", written.next_steps);
}

/// An incomplete tank is a comment. Completed as its lines say, it is a source.
#[test]
fn incomplete_tank_of_each_kind_starts_and_its_lines_can_be_completed() {
    for (kind, completions) in [
        (
            TankKind::PtLevel,
            &[("height = …", "height = 58"), ("capacity = …", "capacity = 1400")][..],
        ),
        (TankKind::PtDevices, &[("device = …", "device = \"200\"")]),
        (
            TankKind::Json,
            &[("url = …", "url = \"http://h/tank\""), ("pointer = …", "pointer = \"/level\"")],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let zone = Some("America/Denver".to_owned());
        let options = Options { tank: Some(kind), open: true, timezone: zone, ..placed() };
        let written = run(request(folder.path(), options), &mut Script::pipe(&[])).unwrap();
        assert!(written.next_steps.contains("not complete yet"), "{}", written.next_steps);
        assert_eq!(written_config(folder.path()).sources.len(), 1, "{kind:?}");

        let path = folder.path().join(CONFIGURATION);
        let mut text = fs::read_to_string(&path).unwrap();
        for (dots, completed) in completions {
            assert!(text.contains(dots), "{dots} is not in {text}");
            text = text.replace(dots, completed);
        }
        let is_code = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
        for line in text.clone().lines().filter(is_code) {
            text = text.replace(line, &line[1..]);
        }
        fs::write(&path, text).unwrap();
        for (file, secret) in [("tank-link", "https://h/s/1\n"), ("tank-token", "t0ken\n")] {
            fs::write(folder.path().join(file), secret).unwrap();
        }
        let config = load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(&*config.sources[1].name, "tank");
    }
}

#[test]
fn server_listens_beyond_this_machine_only_if_asked_to() {
    for (options, expected, url) in [
        (placed(), "127.0.0.1:6443", "https://localhost:6443/"),
        (Options { open: true, ..placed() }, "0.0.0.0:6443", ":6443/"),
        (
            Options {
                open: true,
                listen: vec!["127.0.0.1:7443".parse().unwrap()],
                names: vec!["tank.example".parse().unwrap()],
                ..placed()
            },
            "127.0.0.1:7443",
            "https://tank.example:7443/",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let written = run(request(folder.path(), options), &mut Script::pipe(&[])).unwrap();
        let listen = &written_config(folder.path()).server.listen;
        // The keys that are comments are valid, too.
        let path = folder.path().join(CONFIGURATION);
        let text = fs::read_to_string(&path).unwrap();
        let keys = ["# names = ", "# [auth]", "# open = true"];
        let uncommented = keys.iter().fold(text, |text, key| text.replace(key, &key[2..]));
        fs::write(&path, uncommented).unwrap();
        // With a warning on a machine with an address of documentation.
        let config = load_to_serve(&path, &[]).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!config.auth.rules.names.is_empty());
        assert_eq!(listen.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        assert!(written.next_steps.contains(url), "{}", written.next_steps);
    }
}

#[test]
fn address_in_use_is_reported_with_its_option() {
    let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [public, admin] = listeners.each_ref().map(|it| it.local_addr().unwrap().to_string());
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        listen: vec![public.parse().unwrap()],
        admin_listen: admin.parse().ok(),
        ..placed()
    };
    let written = run(request(folder.path(), options), &mut Script::pipe(&[])).unwrap();
    for (address, option) in [(public, "--listen"), (admin, "--admin-listen")] {
        let is_reported = |remark: &String| {
            remark.starts_with(&format!("{address} is in use")) && remark.ends_with(option)
        };
        assert!(written.remarks.iter().any(is_reported), "{address}: {:?}", written.remarks);
    }
}

/// On a terminal, too: a script may have one.
#[test]
fn place_among_the_options_leaves_only_questions_without_a_default() {
    for (options, questions) in [
        (Options { open: true, ..placed() }, &[][..]),
        (placed(), &[]),
        (Options { supervisord: true, systemd: true, ..placed() }, &[]),
        (Options { user: Some("anna".to_owned()), ..placed() }, &["Password of anna: ", "Repeat"]),
        (
            Options { tank: Some(TankKind::PtLevel), ..placed() },
            &["Link of the PTLevel", "Height of the full tank", "Volume of the full tank"],
        ),
        (
            Options { tank: Some(TankKind::Json), ..placed() },
            &["URL of the JSON document", "JSON pointer to the value"],
        ),
        // Without a default: an open address needs an account.
        (Options { listen: vec!["0.0.0.0:1".parse().unwrap()], ..placed() }, &["Who may read"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut answers = vec!["secret"; if options.user.is_some() { 2 } else { 0 }];
        answers.extend(vec![""; if options.tank.is_some() { questions.len() } else { 0 }]);
        answers.extend(vec!["everyone"; if options.listen.is_empty() { 0 } else { 1 }]);
        let mut dialog = Script::terminal(&answers);
        run(request(folder.path(), options), &mut dialog).unwrap();
        assert_eq!(dialog.asked, questions.len(), "{}", dialog.said);
        for question in questions {
            assert!(dialog.said.contains(question), "{question} is not in {}", dialog.said);
        }
        assert_eq!(dialog.lines, [""; 0]);
    }
}

/// Texts with everything that TOML or a terminal could misread, as far as the options accept them.
fn text() -> impl Strategy<Value = String> {
    "[ -~é漢\u{1f4a7}\"\\\\#=\\[\\]'$]{1,40}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the answers, the written configuration is valid and returns them.
    #[test]
    fn configuration_returns_its_answers(
        latitude in -90.0..=90.0f64,
        longitude in -180.0..=180.0f64,
        is_metric: bool,
        heading in text(),
        pointer in text(),
        level in 0.01..1e6f64,
    ) {
        let heading = title(&heading);
        let pointer = super::pointer(&format!("/{pointer}"));
        prop_assume!(heading.is_ok() && pointer.is_ok());
        let (heading, pointer) = (heading.unwrap(), pointer.unwrap());
        let place: Place = format!("{latitude:.7},{longitude:.7}").parse().unwrap();
        let units = if is_metric { System::Metric } else { System::Us };
        let options = |tank| Options {
            place: Some(place),
            units: Some(units),
            title: Some(heading.clone()),
            open: true,
            tank: Some(tank),
            ..Options::default()
        };
        let made = |options, secrets: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            run(request(folder.path(), options), &mut Script::pipe(secrets)).unwrap();
            written_config(folder.path())
        };
        let json = Options {
            tank_url: super::url("http://127.0.0.1/tank?a=b").ok(),
            pointer: Some(pointer),
            unit: Some(Unit::Litre),
            ..options(TankKind::Json)
        };
        let config = made(json, &[]);
        prop_assert_eq!(&config.site.title, &heading);
        let Kind::OpenMeteo(weather) = &config.sources[0].kind else { panic!() };
        prop_assert_eq!((weather.latitude, weather.longitude), (place.latitude, place.longitude));
        prop_assert_eq!(config.sources[0].units.system, Some(units));
        prop_assert_eq!(config.sources.len(), 2);

        let measure: Measure = level.to_string().parse().unwrap();
        let (length, volume) = (tank::usual_length(units), tank::usual_volume(units));
        let inches = measure.number_in(Unit::Inch, length);
        let gallons = measure.number_in(Unit::UsGallon, volume);
        prop_assume!(inches.is_ok() && gallons.is_ok());
        let ptlevel = Options {
            height: Some(measure),
            capacity: Some(measure),
            ..options(TankKind::PtLevel)
        };
        let config = made(ptlevel, &["https://www.mypt.in/s/4711"]);
        let Kind::PtLevel(tank) = &config.sources[1].kind else { panic!() };
        prop_assert_eq!((Ok(tank.height), Ok(tank.capacity)), (inches, gallons));
    }
}
