//! Tests of the JSON form: what is ignored, and what is an error.

use super::*;

const STATE: &str = r#"{"kind":"json","configuration":7,"changed_at":1770000060123,"later":[{}],
    "next_poll_at":1770000360456,
    "error":{"kind":"timeout","message":"late\u001b","since":1770000060,"failures":2,"later":1},
    "reading":{"source":"another","kind":"json","observed_at":1770000000,"inferred":false,"fetched_at":1770000001,
        "stale":true,"configuration":7,"later":null,
        "values":[{"name":"level","datum":{"number":50.5},"unit":"%","note":null,"later":2}]},
    "derived":[{"name":"rate","datum":{"number":-1.5},"unit":"%/h","note":null}]}"#;

#[test]
fn unknown_members_are_ignored_and_texts_are_cleaned() {
    let state = SharedState::from_json("tank", STATE).unwrap();
    let millis = |at| Timestamp::from_millisecond(at).unwrap();
    assert_eq!(state.changed_at, millis(1_770_000_060_123));
    assert_eq!(state.next_poll_at, Some(millis(1_770_000_360_456)));
    assert_eq!(&*state.error.unwrap().message, "late ");
    let reading = state.reading.unwrap();
    assert_eq!((&*reading.source, reading.stale), ("tank", true));
    assert_eq!(reading.received.values.len(), 1);
    assert_eq!(&*state.derived.unwrap()[0].0, "rate");
    let least = r#"{"kind":"json","configuration":7,"changed_at":0}"#;
    let state = SharedState::from_json("tank", least).unwrap();
    assert!(state.error.is_none() && state.reading.is_none() && state.derived.is_none());
}

#[test]
fn broken_state_is_an_error() {
    for (from, to, expected) in [
        ("{\"kind\"", "{\"kin", "not the JSON"),
        ("\"kind\":\"json\",\"configuration\":7,\"changed_at\"", "\"changed_at\"", "missing field"),
        ("\"timeout\"", "\"bored\"", "unknown kind of error: bored"),
        ("1770000060,\"failures\"", "999999999999999,\"failures\"", "the time of the error"),
        ("1770000060123", "9999999999999999", "the time of changed_at"),
        ("1770000360456", "9999999999999999", "the time of next_poll_at"),
        (
            "\"observed_at\":1770000000",
            "\"observed_at\":999999999999999",
            "the time of the reading",
        ),
        ("\"failures\":2", "\"failures\":-2", "not the JSON"),
    ] {
        let broken = STATE.replacen(from, to, 1);
        assert_ne!(broken, STATE, "{from}");
        let error = SharedState::from_json("tank", &broken).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
