//! Charts in real browsers: the point under the pointer, a finger and the arrow keys, and their labels.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::import;
use pumphouse_web::units::Unit;

use crate::harness::eventually;
use crate::server::Server;
use crate::webdriver::{Browser, Engine};

const ZONE: &str = "America/Los_Angeles";

/// Days that are recorded, today not included.
const DAYS: i64 = 380;

/// Arrow keys and others, as WebDriver names them.
const LEFT: &str = "\u{E012}";
const RIGHT: &str = "\u{E014}";
const HOME: &str = "\u{E011}";
const ESCAPE: &str = "\u{E00C}";

/// A server with a year of temperatures of known numbers.
struct Year {
    server: Server,
    zone: TimeZone,
    _upstream: Upstream,
    _folder: tempfile::TempDir,
}

/// Returns the three numbers that are recorded on a day.
fn numbers(date: Date) -> [f64; 3] {
    let base = f64::from(date.day_of_year() % 40);
    [base - 1.5, base, base + 3.0]
}

impl Year {
    /// Starts a server that polls its source at this interval.
    fn start(interval: &str) -> Year {
        let zone = TimeZone::get(ZONE).unwrap();
        let today = zone.to_datetime(Timestamp::now()).date();
        let samples = (1..=DAYS).flat_map(|ago| {
            let date = today.checked_sub(ago.days()).unwrap();
            [4, 12, 20]
                .into_iter()
                .zip(numbers(date))
                .map(move |(hour, number)| (date, hour, number))
        });
        let samples = samples.map(|(date, hour, number)| {
            (zone.to_timestamp(date.at(hour, 30, 0, 0)).unwrap().as_second(), number)
        });
        Year::recorded(interval, samples.collect())
    }

    /// Starts a server over these numbers at Unix times.
    fn recorded(interval: &str, numbers: Vec<(i64, f64)>) -> Year {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let zone = TimeZone::get(ZONE).unwrap();
        let samples = numbers.into_iter().map(|(second, number)| {
            let at = Timestamp::from_second(second).unwrap();
            let (source, field) = ("yard".into(), "warmth".into());
            Sample::new(source, field, at, Finite::new(number).unwrap(), Some(Unit::Celsius))
        });
        import(&path, &zone, [Change::Observed(samples.collect())]).unwrap();
        let upstream = Upstream::answering(r#"{"warmth": 21.37}"#);
        let source = Source::json("yard", &upstream.url())
            .value("warmth", "/warmth", "degC")
            .set("title", "Yard")
            .set("interval", interval);
        let config = Config::https()
            .open()
            .set("site.timezone", ZONE)
            .set("history.path", path.to_str().unwrap())
            .source(source);
        let server = Server::start(&config);
        Year { server, zone, _upstream: upstream, _folder: folder }
    }

    /// Opens the page of the source, with its chart in sight.
    fn open(&self, engine: Engine, width: u32, range: &str) -> Browser {
        let browser = Browser::open(engine, width, 900);
        let page = format!("https://{}/source/yard?range={range}", self.server.address);
        eventually("the page has a chart of its latest reading", || {
            browser.visit(&page);
            browser.run("return document.querySelector('.plot[data-points]') !== null") == true
        });
        browser.run("document.querySelector('.plot').scrollIntoView({ block: 'center' })");
        browser
    }

    fn today(&self) -> Date {
        self.zone.to_datetime(Timestamp::now()).date()
    }
}

/// Script that returns the place of the share `arguments` of the visible chart's window.
fn place(browser: &Browser, at: i64) -> (f64, f64) {
    let place = browser.run(&format!(
        "const plot = document.querySelector('.plot');
         const chart = [...plot.querySelectorAll('svg')].find(it => it.getBoundingClientRect().width);
         const box = chart.getBoundingClientRect();
         const scale = box.width / chart.viewBox.baseVal.width;
         const [from, to] = plot.dataset.window.split(' ');
         const {{ left, right }} = chart.dataset;
         return [box.left + scale * (+left + ({at} - from) / (to - from) * (right - left)),
                 box.top + box.height / 2]"
    ));
    (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
}

/// Returns the texts of the read-out; empty while it is hidden.
fn readout(browser: &Browser) -> [String; 2] {
    let texts = browser.run(
        "const readout = document.querySelector('.readout');
         return readout.hidden ? ['', ''] : [...readout.children].map(part => part.textContent)",
    );
    [0, 1].map(|index| texts[index].as_str().unwrap().to_owned())
}

/// Returns the texts of a day in a chart of a year.
fn texts_of(date: Date) -> [String; 2] {
    let [least, middle, most] = numbers(date);
    let minus = |number: f64| number.to_string().replace('-', "−");
    let mean = (least + middle + most) / 3.0;
    [
        format!("{} °C", minus(mean)),
        format!("mean of {}, {} to {}", date.strftime("%a %-d %b"), minus(least), minus(most)),
    ]
}

#[test]
fn readout_names_each_day_of_the_year_with_its_exact_numbers() {
    let year = Year::start("1s");
    for (engine, every) in [(Engine::Chromium, 7), (Engine::WebKit, 41)] {
        let browser = year.open(engine, 1280, "1y");
        // The first days of the window may be cut off, and the latest has only begun.
        for ago in (1..360).step_by(every) {
            let date = year.today().checked_sub(i64::from(ago).days()).unwrap();
            let noon = year.zone.to_timestamp(date.at(12, 0, 0, 0)).unwrap();
            let (x, y) = place(&browser, noon.as_second());
            browser.point(x, y);
            assert_eq!(readout(&browser), texts_of(date), "{engine:?}, {ago} days ago");
        }
        let (x, y) = place(&browser, Timestamp::now().as_second());
        browser.point(x, y);
        let [value, time] = readout(&browser);
        assert_eq!(value, "21.37 °C");
        assert!(time.contains(':') && !time.contains("mean"), "{time}");
        browser.point(2.0, 2.0);
        assert_eq!(readout(&browser), ["", ""], "the pointer has left the chart");
    }
}

#[test]
fn readout_names_single_observations_from_the_start_of_the_window_on() {
    let number = |at: i64| (at % 7) as f64 + 1013.5;
    let now = Timestamp::now().as_second();
    for (range, hours) in [("6h", 6), ("24h", 24)] {
        // One of each second, so that the window begins at one whenever the chart is drawn.
        let first = now - hours * 3600;
        let times = (first..first + 300).chain((first + 900..now - 60).step_by(1800));
        let year = Year::recorded("10m", times.map(|at| (at, number(at))).collect());
        for engine in Engine::ALL {
            let browser = year.open(engine, 1280, range);
            let window = || {
                let from = "return +document.querySelector('.plot').dataset.window.split(' ')[0]";
                browser.run(from).as_f64().unwrap() as i64
            };
            // The chart may be drawn again meanwhile.
            let (at, texts) = loop {
                let before = window();
                browser.keys(".plot", HOME);
                let texts = readout(&browser);
                if window() == before {
                    break (before, texts);
                }
            };
            let local = year.zone.to_datetime(Timestamp::from_second(at).unwrap());
            let value = format!("1,{:05.1} °C", number(at) - 1000.0);
            let expected = [value, local.strftime("%a %-d %b, %H:%M").to_string()];
            assert_eq!(texts, expected, "{engine:?} {range}");
        }
    }
}

#[test]
fn arrow_keys_select_points_and_updates_of_the_page_keep_them() {
    // An update between the focus and the key would be the subject of another test.
    let year = Year::start("10m");
    for engine in Engine::ALL {
        let browser = year.open(engine, 1280, "1y");
        let press = |key: &str| {
            browser.keys(".plot", key);
            readout(&browser)
        };
        let yesterday = year.today().yesterday().unwrap();
        let before = yesterday.yesterday().unwrap();
        assert_eq!(press(LEFT), texts_of(yesterday), "{engine:?}");
        assert_eq!(press(LEFT), texts_of(before));
        assert_eq!(press(RIGHT), texts_of(yesterday));
        assert!(press(HOME)[1].starts_with("mean of "));
        assert_eq!(press(ESCAPE), ["", ""]);
        assert_eq!(press(LEFT), texts_of(yesterday));
        // A poll is a new observation, so the chart changes.
        let points = "return document.querySelector('.plot').dataset.points";
        let before = browser.run(points);
        let poll = "POST /api/v1/sources/yard/poll HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\
                    Connection: close\r\n\r\n";
        eventually("a poll is granted", || year.server.ask(poll).starts_with("HTTP/1.1 202"));
        eventually("the chart has another point", || browser.run(points) != before);
        assert_eq!(readout(&browser), texts_of(yesterday), "{engine:?}: after an update");
    }
}

#[test]
fn pointer_and_finger_take_no_focus() {
    let year = Year::start("1s");
    let browser = year.open(Engine::Chromium, 1280, "1y");
    let focus = "return document.activeElement.textContent";
    browser.run("document.querySelector('.ranges a').focus({ preventScroll: true })");
    let first = browser.run(focus);
    browser.click(".plot");
    assert_ne!(readout(&browser), ["", ""]);
    assert_eq!(browser.run(focus), first);
    browser.point(2.0, 2.0);
    let yesterday = year.today().yesterday().unwrap();
    let noon = year.zone.to_timestamp(yesterday.at(12, 0, 0, 0)).unwrap();
    let (x, y) = place(&browser, noon.as_second());
    browser.devtools("Emulation.setTouchEmulationEnabled", &serde_json::json!({"enabled": true}));
    for (kind, points) in [
        ("touchStart", serde_json::json!([{"x": x.round(), "y": y}])),
        ("touchEnd", serde_json::json!([])),
    ] {
        let event = serde_json::json!({"type": kind, "touchPoints": points});
        browser.devtools("Input.dispatchTouchEvent", &event);
    }
    assert_eq!(readout(&browser), texts_of(yesterday), "the point stays when the finger is lifted");
    assert_eq!(browser.run(focus), first);
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn labels_stay_in_the_chart_and_do_not_overlap_in_any_size() {
    let year = Year::start("1s");
    for (engine, widths) in [
        (Engine::Chromium, &[320, 340, 480, 620, 800, 1280, 1900][..]),
        (Engine::WebKit, &[340, 1280]),
    ] {
        let browser = year.open(engine, 1280, "1y");
        for range in ["6h", "24h", "3d", "7d", "30d", "1y"] {
            let page = format!("https://{}/source/yard?range={range}", year.server.address);
            browser.visit(&page);
            for &width in widths {
                browser.resize(width, 900);
                let faults = browser.run(
                    "const chart = [...document.querySelectorAll('svg.chart')]
                         .find(it => it.getBoundingClientRect().width);
                     const frame = chart.getBoundingClientRect();
                     const faults = [];
                     for (const kind of ['.time', '.value']) {
                         const boxes = [...chart.querySelectorAll(kind)]
                             .map(it => [it.textContent, it.getBoundingClientRect()]);
                         boxes.forEach(([text, box], index) => {
                             if (box.left < frame.left - .5 || box.right > frame.right + .5 ||
                                 box.top < frame.top - .5 || box.bottom > frame.bottom + .5)
                                 faults.push(`${text} leaves the chart`);
                             for (const [other, next] of boxes.slice(index + 1))
                                 if (box.left < next.right && next.left < box.right &&
                                     box.top < next.bottom && next.top < box.bottom)
                                     faults.push(`${text} overlaps ${other}`);
                         });
                     }
                     if (!chart.querySelector('.time') || !chart.querySelector('.value'))
                         faults.push('labels are missing');
                     return faults",
                );
                assert_eq!(faults, serde_json::json!([]), "{engine:?} {width} {range}");
            }
        }
    }
}
