//! Messages about the alarms of all sources, counted by their receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use crate::receiver::{HttpAnswer, HttpReceiver, Received};

/// Receiver of a message for each change of an incident.
pub struct AlarmReceiver(HttpReceiver);

/// Counts of the messages about one change of all alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Sources without a message.
    pub missing: BTreeSet<String>,
    /// Number of messages after the first one of an incident.
    pub doubled: usize,
    /// Number of incidents after the first one of a source, as two replicas saw it in a partition.
    pub other_incidents: usize,
}

impl AlarmReceiver {
    /// Starts a server.
    pub fn start() -> AlarmReceiver {
        AlarmReceiver(HttpReceiver::start(|request| request.json().map(|_| String::new()), None))
    }

    /// Returns the channel that sends to it.
    pub fn channel(&self) -> Value {
        json!({
            "name": "receiver",
            "kind": "webhook",
            "url": format!("http://{}/", self.0.address()),
            "template": r#"{{"source": "{source}", "incident": "{incident}", "state": "{state}"}}"#,
            "group_wait": "1s",
            "timeout": "5s",
            "max_per_hour": 3600,
        })
    }

    /// Responds to later messages in this way.
    pub fn answer(&self, answer: HttpAnswer) {
        self.0.answer(answer);
    }

    /// Counts the messages so far that alarms of these sources fire, or have ended. Those about a replica itself, such
    /// as one that cannot reach the database, have no source.
    pub fn count(&self, sources: &[String], have_ended: bool) -> Alarms {
        let state = if have_ended { "resolved" } else { "firing" };
        let messages: Vec<Value> =
            self.0.taken().iter().filter_map(|it| parse(it, state)).collect();
        let mut found: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for message in messages.iter().filter(|message| message["source"] != "") {
            let text = |name: &str| message[name].as_str().unwrap_or_default();
            *found.entry(text("source")).or_default().entry(text("incident")).or_default() += 1;
        }
        let missing = sources.iter().filter(|source| !found.contains_key(source.as_str()));
        let incidents = || found.values().flat_map(BTreeMap::values);
        Alarms {
            missing: missing.cloned().collect(),
            doubled: incidents().sum::<usize>() - incidents().count(),
            other_incidents: incidents().count() - found.len(),
        }
    }
}

/// Returns a message of this state.
fn parse(request: &Received, state: &str) -> Option<Value> {
    request.json().ok().filter(|message| message["state"] == state)
}

impl fmt::Display for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} alarms without a message, {} messages doubled, {} incidents doubled",
            self.missing.len(),
            self.doubled,
            self.other_incidents
        )
    }
}
