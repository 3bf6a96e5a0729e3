//! Charts in real browsers: the point under the pointer, a finger and the arrow keys, and their labels.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::import;
use pumphouse_web::units::Unit;
use serde_json::json;

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

/// A server with a source whose one field has recorded numbers.
struct Yard {
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

/// Returns the numbers of each day of a year.
fn year() -> Vec<(i64, f64)> {
    let zone = TimeZone::get(ZONE).unwrap();
    let today = zone.to_datetime(Timestamp::now()).date();
    let samples = (1..=DAYS).flat_map(|ago| {
        let date = today.checked_sub(ago.days()).unwrap();
        [4, 12, 20].into_iter().zip(numbers(date)).map(move |(hour, number)| (date, hour, number))
    });
    let second = |(date, hour, number): (Date, i8, f64)| {
        (zone.to_timestamp(date.at(hour, 30, 0, 0)).unwrap().as_second(), number)
    };
    samples.map(second).collect()
}

/// Returns two more numbers for a day of that year, far below and above the others of the day, which lie on a
/// gentle slope: the band of the day is visible at any time of today.
fn wide_day() -> [(i64, f64); 2] {
    let zone = TimeZone::get(ZONE).unwrap();
    let today = zone.to_datetime(Timestamp::now()).date();
    let mut days = (100..).map(|ago: i64| today.checked_sub(ago.days()).unwrap());
    let date = days.find(|date| date.day_of_year() % 40 == 20).unwrap();
    let [_, base, _] = numbers(date);
    [(8, base - 20.0), (16, base + 20.0)].map(|(hour, number)| {
        (zone.to_timestamp(date.at(hour, 30, 0, 0)).unwrap().as_second(), number)
    })
}

impl Yard {
    /// Starts a server with a year of known temperatures that polls its source at this interval.
    fn of_a_year(interval: &str) -> Yard {
        Yard::recorded(interval, Unit::Celsius, year())
    }

    /// Starts a server over these numbers at Unix times.
    fn recorded(interval: &str, unit: Unit, numbers: Vec<(i64, f64)>) -> Yard {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let zone = TimeZone::get(ZONE).unwrap();
        let samples = numbers.into_iter().map(|(second, number)| {
            let at = Timestamp::from_second(second).unwrap();
            let (source, field) = ("yard".into(), "warmth".into());
            Sample::new(source, field, at, Finite::new(number).unwrap(), Some(unit))
        });
        import(&path, &zone, [Change::Observed(samples.collect())]).unwrap();
        let latest = if unit == Unit::Celsius { 21.37 } else { 1013.4 };
        let upstream = Upstream::answering(&format!(r#"{{"warmth": {latest}}}"#));
        let source = Source::json("yard", &upstream.url())
            .value("warmth", "/warmth", unit.as_str())
            .set("title", "Yard")
            .set("interval", interval);
        let config = Config::https()
            .open()
            .set("site.timezone", ZONE)
            .set("history.path", path.to_str().unwrap())
            .source(source);
        let server = Server::start(&config);
        Yard { server, zone, _upstream: upstream, _folder: folder }
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

/// Scrolls to the first chart, and returns the place in the window of the browser for a time in seconds, at half
/// the height of the drawing.
pub fn place(browser: &Browser, at: i64) -> (f64, f64) {
    let place = browser.run(&format!(
        "const plot = document.querySelector('.plot');
         plot.scrollIntoView({{ block: 'center' }});
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
        format!("{}°C", minus(mean)),
        format!("mean of {}, {} to {}", date.strftime("%a %-d %b"), minus(least), minus(most)),
    ]
}

#[test]
fn readout_names_each_day_of_the_year_with_its_exact_numbers() {
    let year = Yard::of_a_year("1s");
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
        assert_eq!(value, "21.37°C");
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
        let year = Yard::recorded("10m", Unit::Celsius, times.map(|at| (at, number(at))).collect());
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
            let value = format!("1,{:05.1}°C", number(at) - 1000.0);
            let expected = [value, local.strftime("%a %-d %b, %H:%M").to_string()];
            assert_eq!(texts, expected, "{engine:?} {range}");
            // In the middle, by the pointer.
            let at = first + 900 + 1800 * hours;
            let (x, y) = place(&browser, at);
            browser.point(x, y);
            let local = year.zone.to_datetime(Timestamp::from_second(at).unwrap());
            let value = format!("1,{:05.1}°C", number(at) - 1000.0);
            let expected = [value, local.strftime("%a %-d %b, %H:%M").to_string()];
            assert_eq!(readout(&browser), expected, "{engine:?} {range}");
        }
    }
}

#[test]
fn arrow_keys_select_points_and_updates_of_the_page_keep_them() {
    // An update between the focus and the key would be the subject of another test.
    let year = Yard::of_a_year("10m");
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
    let year = Yard::of_a_year("1s");
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
    browser.devtools("Emulation.setTouchEmulationEnabled", &json!({"enabled": true}));
    for (kind, points) in
        [("touchStart", json!([{"x": x.round(), "y": y}])), ("touchEnd", json!([]))]
    {
        let event = json!({"type": kind, "touchPoints": points});
        browser.devtools("Input.dispatchTouchEvent", &event);
    }
    assert_eq!(readout(&browser), texts_of(yesterday), "the point stays when the finger is lifted");
    assert_eq!(browser.run(focus), first);
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn labels_stay_in_the_chart_and_do_not_overlap_in_any_size() {
    let now = Timestamp::now().as_second();
    let hours = (1..24).map(|hours| (now - hours * 3600, f64::from(hours as i32)));
    let numbers = year().into_iter().chain(hours).chain(wide_day());
    let year = Yard::recorded("1s", Unit::Celsius, numbers.collect());
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
                     const legend = [...document.querySelectorAll('.legend > span')];
                     const card = document.querySelector('figure').getBoundingClientRect();
                     const boxes = legend.map(it => [it.textContent, it.getBoundingClientRect()]);
                     boxes.forEach(([text, box], index) => {
                         if (box.left < card.left || box.right > card.right)
                             faults.push(`${text} leaves the card`);
                         if (box.bottom > frame.top + .5) faults.push(`${text} covers the chart`);
                         for (const [other, next] of boxes.slice(index + 1))
                             if (box.left < next.right && next.left < box.right &&
                                 box.top < next.bottom && next.top < box.bottom)
                                 faults.push(`${text} overlaps ${other}`);
                     });
                     if (location.search === '?range=1y' && legend.length !== 2)
                         faults.push('the band is not explained');
                     return faults",
                );
                assert_eq!(faults, json!([]), "{engine:?} {width} {range}");
            }
        }
    }
}

/// Script that returns the faults of the labels of values, and these labels.
const VALUE_LABELS: &str = "
    const faults = [];
    const box = (it) => {
        const range = document.createRange();
        range.selectNodeContents(it);
        return range.getBoundingClientRect();
    };
    const chart = [...document.querySelectorAll('svg.chart')].find(it => it.getBoundingClientRect().width);
    const around = chart.closest('figure, .card');
    const heading = box(around.querySelector('h3, .charted'));
    const labels = [...chart.querySelectorAll('.value')];
    for (const label of labels) {
        const { left, right, top, bottom } = label.getBoundingClientRect();
        if (Math.abs(left - heading.left) > 1) faults.push(`${label.textContent} is at ${left}, not ${heading.left}`);
        for (let it = label.parentElement; it !== document.body; it = it.parentElement) {
            const clips = it === around || getComputedStyle(it).overflowX !== 'visible';
            const edge = it.getBoundingClientRect();
            if (clips && (left < edge.left || right > edge.right || top < edge.top || bottom > edge.bottom))
                faults.push(`${label.textContent} is cut`);
        }
        const line = chart.querySelector('.line').getBoundingClientRect();
        if (right > line.left) faults.push(`${label.textContent} covers the line`);
    }
    return [faults, labels.map(it => it.textContent)]";

#[test]
fn labels_of_values_are_whole_and_begin_where_the_heading_does() {
    let now = Timestamp::now().as_second();
    let numbers =
        (1..1440).map(|minutes| (now - minutes * 60, 1013.1 + (minutes % 13) as f64 / 10.0));
    let yard = Yard::recorded("10m", Unit::Hectopascal, numbers.collect());
    for engine in Engine::ALL {
        let browser = yard.open(engine, 1280, "24h");
        for path in ["", "source/yard"] {
            browser.visit(&format!("https://{}/{path}", yard.server.address));
            for width in [340, 480, 768, 1024, 1440] {
                browser.resize(width, 900);
                let found = browser.run(VALUE_LABELS);
                assert_eq!(found[0], json!([]), "{engine:?}, /{path} at {width}");
                let labels = found[1].as_array().unwrap();
                assert!(labels.contains(&json!("1,013.5")), "{engine:?}, /{path}: {labels:?}");
            }
        }
    }
}

#[test]
fn first_observations_are_a_line_of_text_and_the_picture_is_one() {
    let yard = Yard::recorded("10m", Unit::Celsius, Vec::new());
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 340, 900);
        for (path, tile) in [("", ".card"), ("source/yard", ".tiles")] {
            eventually("the first observation", || {
                browser.visit(&format!("https://{}/{path}", yard.server.address));
                browser.text("main").contains("Recording since")
            });
            let text = browser.text(".no-plot");
            let words = text.strip_prefix("Recording since ").unwrap();
            let (since, words) = words.split_at(5);
            let polled = |text: &str| {
                let time = yard.zone.to_datetime(Timestamp::now()).date().at(0, 0, 0, 0);
                let parsed: Vec<i64> = text.split(':').map(|it| it.parse().unwrap()).collect();
                time.checked_add(parsed[0].hours().minutes(parsed[1])).unwrap()
            };
            let ago = yard.zone.to_datetime(Timestamp::now()).since(polled(since)).unwrap();
            assert!(ago.total(jiff::Unit::Minute).unwrap() < 20.0, "{text}");
            assert_eq!(words, ". The chart appears after the first hour.", "{engine:?}");
            let drawn = "return document.querySelectorAll('svg.chart, .plot').length";
            assert_eq!(browser.run(drawn), 0, "{engine:?}: no frame around a dot");
            assert!(browser.text(tile).contains("21.4"), "{engine:?}: the value is shown");
        }
        let picture = browser.run_async(
            "const done = arguments[0], image = new Image();
             image.onload = () => done([image.naturalWidth, image.naturalHeight]);
             image.onerror = () => done('broken');
             image.src = '/chart/yard.warmth.svg'",
        );
        assert_eq!(picture, json!([720, 240]), "{engine:?}");
    }
}
