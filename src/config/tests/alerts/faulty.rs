//! Errors of faulty rules.

use super::*;

/// Keys of a rule, each with the beginning of its only error: line and column, then the message.
const WRONG: &[(&str, &str)] = &[
    (
        "field = \"tank.volume\"",
        "23:1: no condition in [[alert]] \"a\"; write one of \"below\", \"above\", \"outside\", \"equals\", \
         \"not_equals\", \"falls\", \"rises\", \"no_rise\", \"flat\", \"empty_within\", \"stale\" or \"failing\"",
    ),
    (
        "field = \"tank.volume\"\nbetween = \"00:00-04:30\"\nrepeat = [\"1h\"]\nenabled = false",
        "23:1: no condition in [[alert]] \"a\"; write one of",
    ),
    (
        "field = \"tank.volume\"\nbelwo = 3",
        "26:1: unknown key \"belwo\" in [[alert]] \"a\"; did you mean \"below\"?",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nabove = 5",
        "27:1: \"below\" and \"above\" exclude each other: a rule has one condition in [[alert]] \"a\"; write an \
         [[alert]] for each",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nabove = 5\nequals = 2",
        "28:1: \"below\", \"above\" and \"equals\" exclude each other",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nwithin = \"1h\"",
        "27:1: \"within\" belongs to \"falls\", \"rises\" and \"no_rise\", and \"below\" has none in [[alert]] \
         \"a\"; delete it",
    ),
    (
        "field = \"tank.volume\"\nequals = 3\nclear = 4",
        "27:1: \"clear\" belongs to \"below\", \"above\", \"outside\", \"falls\" and \"rises\", and \"equals\" has \
         none",
    ),
    ("field = \"tank.volume\"\nfalls = 3", "23:1: missing key \"within\" in [[alert]] \"a\""),
    (
        "field = \"tank.volume\"\nbelow = \"300 gal\"\nclear = \"250 gal\"",
        "27:10: \"clear\" must be at least \"below\", 300 gal in [[alert]] \"a\"; it is 250 gal",
    ),
    (
        "field = \"tank.volume\"\nabove = \"300 gal\"\nclear = \"2000 L\"",
        "27:10: \"clear\" must be at most \"above\", 300 gal",
    ),
    (
        "field = \"tank.volume\"\nfalls = 30\nwithin = \"1h\"\nclear = 40",
        "28:9: \"clear\" must be at most \"falls\", 30",
    ),
    (
        "field = \"tank.volume\"\noutside = [1, 9]\nclear = 5",
        "27:9: \"clear\" must be an array of two limits such as [\"4 degC\", \"30 degC\"], not a whole number",
    ),
    (
        "field = \"tank.volume\"\noutside = [1, 9]\nclear = [0, 5]",
        "27:9: \"clear\" must be within \"outside\", 1 and 9",
    ),
    (
        "field = \"tank.volume\"\noutside = [9, 1]",
        "26:11: the first limit of \"outside\" must be less than the second",
    ),
    (
        "field = \"tank.volume\"\noutside = [\"10 gal\", \"20 L\"]",
        "26:11: the first limit of \"outside\" must be less than the second",
    ),
    (
        "field = \"tank.volume\"\noutside = [1]",
        "26:11: \"outside\" must be an array of two limits such as [\"4 degC\", \"30 degC\"]",
    ),
    (
        "field = \"tank.volume\"\nbelow = \"300 galons\"",
        "26:10: \"below\": the unit \"galons\" is unknown in [[alert]] \"a\"; did you mean \"gal",
    ),
    (
        "field = \"tank.volume\"\nbelow = \"nan gal\"",
        "26:10: \"below\" must be a number with its unit such as \"300 gal\", or a number",
    ),
    ("field = \"tank.volume\"\nbelow = inf", "26:9: \"below\" must be a number with its unit"),
    ("field = \"tank.volume\"\nbelow = true", "26:9: \"below\" must be a number with its unit"),
    (
        "field = \"tank.volume\"\nbelow = \"4 degC\"",
        "26:10: \"below\" is in degC, which does not measure what tank.volume does in [[alert]] \"a\"; that is in gal",
    ),
    (
        "field = \"tank.volume_rate\"\nbelow = \"4 gal\"",
        "26:10: \"below\" is in gal, which does not measure what tank.volume_rate does",
    ),
    (
        "field = \"pump.state\"\nbelow = \"4 gal\"",
        "26:10: \"below\" is in gal, and pump.state has no unit in [[alert]] \"a\"; write below = 4",
    ),
    (
        "field = \"pump.name\"\nbelow = 4",
        "26:9: \"below\" compares numbers, and pump.name is a text in [[alert]] \"a\"; compare it by \"equals\"",
    ),
    (
        "field = \"pump.mode\"\nequals = 4",
        "26:10: \"equals\" is 4, and pump.mode is a text in [[alert]] \"a\"; write equals = \"…\"",
    ),
    (
        "field = \"tank.volume\"\nequals = \"300 gal\"",
        "26:11: \"equals\" is \"300 gal\", and tank.volume is a number in [[alert]] \"a\"; write equals = 1",
    ),
    (
        "field = \"pump.open\"\nequals = \"on\"",
        "26:11: \"equals\" is \"on\", and pump.open is true or false in [[alert]] \"a\"; write equals = true",
    ),
    (
        "field = \"tank.volume\"\nfalls = 0\nwithin = \"1h\"",
        "26:9: \"falls\" must be greater than 0 in [[alert]] \"a\"; it is 0",
    ),
    (
        "field = \"tank.volume\"\nno_rise = \"-4 gal\"\nwithin = \"1h\"",
        "26:12: \"no_rise\" must be greater than 0 in [[alert]] \"a\"; it is -4 gal",
    ),
    (
        "field = \"tnak.volume\"\nbelow = 3",
        "25:10: \"field\": \"tnak\" is no source in [[alert]] \"a\"; did you mean \"tank\"?",
    ),
    (
        "field = \"volume\"\nsource = \"tnak\"\nbelow = 3",
        "26:11: \"source\": \"tnak\" is no source in [[alert]] \"a\"; did you mean \"tank\"?",
    ),
    (
        "group = \"nroth\"\nstale = true",
        "25:10: \"group\": no source is in \"nroth\" in [[alert]] \"a\"; did you mean \"north\"?",
    ),
    (
        "field = \"volume\"\nsource = \"tank\"\ngroup = \"north\"\nbelow = 3",
        "27:10: \"source\" and \"group\" exclude each other",
    ),
    (
        "field = \"tank.volume\"\nsource = \"tank\"\nbelow = 3",
        "26:11: \"source\" and the source in \"field\" exclude each other in [[alert]] \"a\"; write field = \"volume\"",
    ),
    (
        "field = \"volume\"\nbelow = 3",
        "25:10: \"field\": \"volume\" names no source in [[alert]] \"a\"; write \"tank.volume\", or \"*.volume\" for \
         all sources",
    ),
    (
        "below = 3",
        "23:1: \"below\" is a condition on a field, and \"field\" is missing in [[alert]] \"a\"; write field = \
         \"tank.volume\"",
    ),
    (
        "source = \"tank\"\nbelow = 3",
        "25:11: \"below\" is a condition on a field, and \"field\" is missing in [[alert]] \"a\"; write field = \
         \"volume\"",
    ),
    (
        "field = \"tank.volume\"\nstale = true",
        "25:10: \"stale\" is a condition on a source, which \"field\" does not belong to in [[alert]] \"a\"; write \
         source = \"tank\"",
    ),
    (
        "failing = \"30m\"",
        "23:1: \"failing\" is a condition on a source, and \"source\" or \"group\" is missing",
    ),
    (
        "source = \"tank\"\nstale = false",
        "26:9: \"stale\" must be true in [[alert]] \"a\"; for a rule that is off, write enabled = false",
    ),
    (
        "field = \"tank.volumee\"\nbelow = 3",
        "25:10: \"field\": \"volumee\" is no field of the source \"tank\" of the kind \"ptlevel\" in [[alert]] \"a\"; \
         did you mean \"volume\"?",
    ),
    (
        "field = \"*.bogus\"\nbelow = 3",
        "25:10: \"field\": \"bogus\" is a field of none of the selected sources",
    ),
    (
        "field = \"tank.Volume\"\nbelow = 3",
        "25:10: \"field\": \"tank.Volume\" must be SOURCE.FIELD",
    ),
    (
        "field = \"pump.pressure\"\nempty_within = \"12h\"",
        "26:1: \"empty_within\" needs a trend of a tank, which \"pump\" does not have in [[alert]] \"a\"; write \
         [source.trends.pressure] with tank = true",
    ),
    (
        "field = \"tank.depth\"\nempty_within = \"12h\"",
        "26:1: \"empty_within\" is for the content of a tank, and that of \"tank\" is \"volume\" in [[alert]] \"a\"; \
         write field = \"tank.volume\"",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nseverity = \"fatal\"",
        "27:13: \"severity\": \"fatal\" is none of info, warning, critical",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nnotify = [\"phoen\"]",
        "27:12: \"notify\": \"phoen\" is no channel in [[alert]] \"a\"; did you mean \"phone\"?",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nnotify = \"phone\"",
        "27:11: \"notify\" must be an array of strings, not a string in [[alert]] \"a\"; write notify = [\"phone\"]",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nrepeat = [\"1h\", \"1s\"]",
        "27:18: \"repeat\" must have times of at least 1m in [[alert]] \"a\"; it has 1s",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nrepeat = [\"15\"]",
        "27:12: \"repeat\" must be a duration such as \"10s\" or \"5m\"",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nquiet = \"22-7\"",
        "27:10: \"quiet\": must be two times such as \"22:00-07:00\"",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nmessage = \"{titel}\"",
        "27:12: \"message\": \"{titel}\" is unknown in [[alert]] \"a\"; did you mean \"title\"?",
    ),
    (
        "field = \"tank.volume\"\nbelow = 3\nmessage = \"a\\nb\"",
        "27:12: \"message\" must be one line of text",
    ),
];

#[test]
fn fault_of_a_rule_is_reported_once_with_its_position() {
    for (keys, expected) in WRONG {
        let errors = read(&file(keys)).expect_err(keys);
        let expected = format!("p.toml:{expected}");
        assert!(errors.starts_with(&expected), "{keys}\nhas the error\n{errors}\nnot\n{expected}");
        assert_eq!(errors.lines().count(), 1, "{keys}: {errors}");
    }
}
