//! Rules on stale and failing sources.

use super::*;
use crate::board::{Event, EventKind};

fn event(at: i64, kind: EventKind) -> Change {
    let source = (kind != EventKind::Started).then(|| "tank".into());
    Change::Happened(Event { at: minute(at), kind, source, detail: "timeout".into() })
}

const RULES: &str = "[[alert]]\nname = \"silent\"\nsource = \"*\"\nstale = true\nfor = \"10m\"\n\
                     [[alert]]\nname = \"broken\"\nsource = \"tank\"\nfailing = \"30m\"\n";

#[test]
fn recorded_events_are_replayed() {
    use EventKind::{ErrorBegan, ErrorEnded, Fresh, Stale, Started};
    for (name, events, silent, broken) in [
        (
            "short",
            vec![(5, Stale), (14, Fresh), (20, ErrorBegan), (49, ErrorEnded)],
            vec![],
            vec![],
        ),
        (
            "long",
            vec![(5, Stale), (20, ErrorBegan), (60, Fresh), (70, ErrorEnded)],
            vec![(15, Some(60))],
            vec![(50, Some(70))],
        ),
        (
            "before the replayed time",
            vec![(-90, Stale), (-90, ErrorBegan)],
            vec![(-80, None)],
            vec![(-60, None)],
        ),
        (
            "restart, after which polls succeed",
            vec![(0, ErrorBegan), (60, Started), (200, ErrorBegan)],
            vec![],
            vec![(30, Some(60)), (230, None)],
        ),
        (
            "restart, after which polls fail",
            vec![(0, ErrorBegan), (60, Started), (61, ErrorBegan), (90, ErrorEnded)],
            vec![],
            vec![(30, Some(90))],
        ),
    ] {
        let changes = events.iter().map(|&(at, kind)| event(at, kind));
        let recorded = Recorded::new("UTC", changes.chain([observed(0, 500.0)]));
        let replayed = recorded.replay(&config("UTC", RULES), 300);
        assert_eq!(minutes(&replayed.alerts[0]), silent, "{name}");
        assert_eq!(minutes(&replayed.alerts[1]), broken, "{name}");
    }
}
