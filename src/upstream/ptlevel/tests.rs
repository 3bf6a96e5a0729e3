//! Pages of tanks: spans, ages, scripts, and depths that cannot be true.

use std::time::Duration;

use super::*;

fn keys() -> config::PtLevel {
    config::PtLevel {
        url: "https://www.mypt.in/s/share".parse().unwrap(),
        height: 58.0,
        capacity: 1400.0,
    }
}

fn fetched() -> Timestamp {
    "2026-01-31T17:20:01Z".parse().unwrap()
}

fn page(depth: &str, age: &str, level: &str) -> String {
    format!(
        r#"<!DOCTYPE html><html><head><title>Tank</title>
        <script>if (1 < 2) {{ document.write("<span class='inchLevel'>1</span>") }}</script>
        </head><body><!-- <span class="inchLevel">2</span> -->
        <div class="inchLevel">3</div>
        <p>Depth: <span class="big inchLevel"> {depth} </span> inches</p>
        <p>Updated <span class='updated_on'>{age}</span></p>
        <script>$('#tank').ptlevel({{ waterlevel: 7, level: {level}, height: 58 }});</script>
        <span class="inchLevel">4</span></body></html>"#
    )
}

fn read(page: &str) -> Result<Reading, DecodeError> {
    decode(&keys(), page.as_bytes(), fetched())
}

fn noted(number: f64, unit: Unit, note: &str) -> Value {
    Value { note: Some(note.into()), ..Value::number(number, unit) }
}

#[test]
fn page_of_a_tank_is_decoded() {
    let reading = read(&page("49.09", "3 minutes, 20 seconds ago", "85")).unwrap();
    let second = Duration::from_secs(1);
    let observed = Observed::aged(fetched(), 200 * second, second);
    assert_eq!(reading.observed, observed);
    assert_eq!(
        reading.values,
        [
            ("level".into(), Value::number(84.6, Unit::Percent)),
            ("depth".into(), Value::number(49.09, Unit::Inch)),
            ("volume".into(), Value::number(1185.0, Unit::UsGallon)),
        ]
    );
}

#[test]
fn age_on_the_page_is_the_age_of_the_observation() {
    for (age, seconds) in [("4 days, 1 hour ago", 349_200), ("just now", 0)] {
        let reading = read(&page("49.09", age, "85")).unwrap();
        let at = fetched().checked_sub(Duration::from_secs(seconds)).unwrap();
        assert_eq!(reading.observed.at, at);
    }
}

#[test]
fn level_and_volume_are_computed_from_the_depth() {
    let missing = |unit, note: &str| Value::missing(Some(unit), note);
    let by_vendor = "from the vendor's percentage, as there is no depth";
    for (depth, vendor, level, volume) in [
        ("0", "0", Value::number(0.0, Unit::Percent), Value::number(0.0, Unit::UsGallon)),
        ("58", "100", Value::number(100.0, Unit::Percent), Value::number(1400.0, Unit::UsGallon)),
        (
            "60",
            "100",
            noted(103.4, Unit::Percent, "deeper than the configured height of 58 in"),
            Value::number(1448.0, Unit::UsGallon),
        ),
        (
            "29",
            "85",
            noted(50.0, Unit::Percent, "the vendor shows 85 %; check the configured height"),
            Value::number(700.0, Unit::UsGallon),
        ),
        ("29", "none", Value::number(50.0, Unit::Percent), Value::number(700.0, Unit::UsGallon)),
        (
            "--",
            "85",
            noted(85.0, Unit::Percent, by_vendor),
            noted(1190.0, Unit::UsGallon, by_vendor),
        ),
        (
            // An empty tank by a sensor that is a little off; `plausible` adds the note.
            "-0.2",
            "0",
            Value::number(-0.3, Unit::Percent),
            Value::number(-5.0, Unit::UsGallon),
        ),
        (
            "-9999",
            "null",
            missing(Unit::Percent, "the page shows neither depth nor percentage"),
            missing(Unit::UsGallon, "the page shows neither depth nor percentage"),
        ),
        (
            "65535",
            "85",
            noted(85.0, Unit::Percent, by_vendor),
            noted(1190.0, Unit::UsGallon, by_vendor),
        ),
        (
            "",
            "850",
            missing(Unit::Percent, "the page shows neither depth nor percentage"),
            missing(Unit::UsGallon, "the page shows neither depth nor percentage"),
        ),
    ] {
        let reading = read(&page(depth, "just now", vendor)).unwrap();
        assert_eq!(reading.values[0].1, level, "{depth}");
        assert_eq!(reading.values[2].1, volume, "{depth}");
    }
}

#[test]
fn page_without_depth_or_age_is_an_error() {
    let whole = page("49.09", "just now", "85");
    for (page, reason) in [
        (String::new(), "empty"),
        ("<html><body><h1>We'll be back soon</h1></body></html>".to_owned(), "inchLevel"),
        (r#"{"error":"no such share"}"#.to_owned(), "inchLevel"),
        (whole.replace("updated_on", "updated"), "updated_on"),
        (whole.replace("inchLevel", "cmLevel"), "inchLevel"),
        (whole[..whole.find("</span> inches").unwrap()].to_owned(), "inchLevel"),
        (whole.replace("just now", "a while ago"), "cannot be parsed"),
        (whole.replace("just now", ""), "cannot be parsed"),
        (whole.replace("just now", "400000 years ago"), "out of range"),
    ] {
        let error = read(&page).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn markup_within_a_span_and_entities_are_read() {
    let page = concat!(
        "<SPAN CLASS=inchLevel><b>49</b><span>.0</span>9</SPAN>",
        "<span class=updated_on>2&nbsp;hours, <i>5 minutes</i> ago</span>"
    );
    let read = Page::read(page.as_bytes());
    assert_eq!(read.depth.as_deref(), Some("49.09"));
    assert_eq!(age::parse(&read.age.unwrap()).unwrap().age, Duration::from_secs(7500));
}

#[test]
fn percentage_of_the_vendor_is_found_in_scripts() {
    for (script, level) in [
        ("$('#x').ptlevel({level: 85})", Some(85.0)),
        ("PTLevel.draw({'level':'42.5'})", Some(42.5)),
        ("ptlevel({ waterlevel: 5, inch_level: 6 })", None),
        ("ptlevel({level: -5})", None),
        ("chart({level: 85})", None),
        ("ptlevel: 9, level : 12", Some(12.0)),
    ] {
        assert_eq!(vendor_level(script), level, "{script}");
    }
}

#[test]
fn page_of_arbitrary_bytes_is_an_error() {
    for body in [&b"\xff\xfe<span class=inchLevel>\xff"[..], b"<", b"<script>", b"</span></span>"] {
        assert!(decode(&keys(), body, fetched()).is_err());
    }
}
