//! Rules with `between`.

use super::*;

fn nightly(condition: FieldCondition) -> Bench {
    Bench::new(Alert { between: Some("00:00-04:30".parse().unwrap()), ..on_field(condition) })
}

#[test]
fn rule_has_no_state_outside_of_its_hours() {
    let mut bench = nightly(below(300.0, None));
    assert_eq!(bench.letters(&[(0, 290.0)]), "F");
    assert_eq!(bench.due(), Some(minute(270)));
    assert_eq!(bench.letters(&[(269, 290.0)]), ".");
    assert_eq!(letter(bench.tick(minute(270)).as_ref()), 'o');
    assert_eq!(bench.due(), None);
    assert_eq!(bench.letters(&[(271, 100.0), (1439, 100.0)]), "..");
    // Of yesterday evening, and seen after midnight.
    bench.now = minute(1441);
    assert_eq!(bench.value_seen_later(1439, 100.0), None);
    assert_eq!(bench.letters(&[(1442, 100.0)]), "F");
}

#[test]
fn state_of_an_earlier_night_ends_before_that_of_the_next() {
    for hold in [Duration::ZERO, HOUR] {
        let mut bench = nightly(below(300.0, None));
        let alert = Alert { hold, ..(**bench.rule.alert()).clone() };
        bench.rule = Rule::new(Arc::new(alert));
        bench.value(10, 290.0);
        let next_night = 1440 + 70;
        let first = bench.value(next_night, 290.0);
        let second = bench.value(next_night, 290.0);
        let letters = [letter(first.as_ref()), letter(second.as_ref())];
        let expected = if hold.is_zero() { ['o', 'F'] } else { ['c', 'P'] };
        assert_eq!(letters, expected, "{hold:?}");
    }
}

#[test]
fn draw_before_the_hours_does_not_count() {
    let falls = FieldCondition::Falls { by: gallons(40.0), within: 3 * HOUR, clear: None };
    let before = [(-60, 600.0), (-10, 510.0), (0, 500.0)];
    let mut bench = nightly(falls.clone());
    assert_eq!(bench.letters(&before), "...");
    assert_eq!(bench.letters(&[(60, 480.0), (120, 461.0), (121, 460.0)]), "..F");
    let mut always = Bench::of(falls);
    assert_eq!(always.letters(&before), ".F.");
}

#[test]
fn stale_source_fires_anew_each_night() {
    let between = Some("00:00-04:30".parse().unwrap());
    let mut bench = Bench::new(Alert { between, ..on_source(SourceCondition::Stale) });
    bench.now = minute(-120);
    let stale = super::sources::stale(minute(-120));
    assert_eq!(bench.observe(&Sight::Source(stale)), None);
    let mut letters = String::new();
    for _ in 0..5 {
        let due = bench.due().unwrap();
        let transition = bench.tick(due);
        letters.push_str(&format!(
            "{}{} ",
            due.duration_since(start()).as_mins(),
            letter(transition.as_ref())
        ));
    }
    assert_eq!(letters, "0F 270o 1440F 1710o 2880F ");
}

#[test]
fn lack_of_a_refill_counts_before_the_hours() {
    let no_rise = FieldCondition::NoRise { by: gallons(50.0), within: 24 * HOUR };
    let mut bench = nightly(no_rise);
    let values = [(-1500, 600.0), (-700, 590.0), (-61, 580.0), (10, 570.0), (20, 630.0)];
    assert_eq!(bench.letters(&values), "...Fr");
}
