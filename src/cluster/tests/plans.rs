//! Configurations of twelve sources, three of which share a rate limit.

use crate::cluster::Plan;

pub(super) const SOURCES: usize = 12;

/// Returns the configuration with a change: the name of a source that has another interval, `-NAME` without the source,
/// `*NAME` with the source in the group of the rate limit; empty: none.
pub(super) fn plan(change: &str) -> Plan {
    let source = |number: usize| {
        let name = format!("s{number}");
        let is_limited = number < 3 || change.strip_prefix('*') == Some(&name);
        let limit = if is_limited { "rate_limit = { group = \"g\", every = \"1s\" }" } else { "" };
        let interval = if name == change { "7s" } else { "5s" };
        if change.strip_prefix('-') == Some(&name) {
            return String::new();
        }
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"http://h/{number}\"\n\
             interval = \"{interval}\"\ntimeout = \"2s\"\n{limit}\n[source.values.v]\n\
             pointer = \"/v\"\n"
        )
    };
    let text: String = (0..SOURCES).map(source).collect();
    Plan::of(&crate::config::parse("p".as_ref(), &text, &|_| None).unwrap().sources)
}
