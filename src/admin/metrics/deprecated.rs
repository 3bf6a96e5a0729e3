//! Metrics under the names that they had in the previous release.
//!
//! Dashboards and alerts that use an old name keep working for one release, in which its HELP
//! text names the new one. Removing the names is deleting this file.

use jiff::Timestamp;

use super::family::Family;

/// Conversion of a value to that of the old metric.
enum Value {
    /// The values are the same.
    Same,
    /// The old value is the number of whole days from now to the new one, a Unix time.
    DaysLeft,
    /// The old value is the start of the server by its own clock, in whole seconds. The new one comes
    /// from the kernel.
    StartedAt,
}

/// Renamed metrics: the old name, the new name, and the old metric's value.
const RENAMED: [(&str, &str, Value); 4] = [
    ("pumphouse_poll_total", "pumphouse_polls_total", Value::Same),
    ("pumphouse_value", "pumphouse_source_value", Value::Same),
    ("pumphouse_start_time_seconds", "process_start_time_seconds", Value::StartedAt),
    (
        "pumphouse_certificate_expiry_days",
        "pumphouse_certificate_not_after_timestamp_seconds",
        Value::DaysLeft,
    ),
];

/// Returns a family under its old name, if it was renamed.
pub(super) fn under_old_name(
    family: &Family,
    started_at: Timestamp,
    now: Timestamp,
) -> Option<Family> {
    const DAY: f64 = 24.0 * 60.0 * 60.0;
    let (old, new, value) = RENAMED.iter().find(|(_, new, _)| *new == family.name())?;
    let successor = match value {
        Value::Same | Value::StartedAt => format!("renamed to {new}"),
        Value::DaysLeft => format!("replaced by {new}, a Unix time"),
    };
    let help = format!("deprecated: {successor}; removed in the next release");
    Some(family.renamed(old, &help, |current| match value {
        Value::Same => current,
        Value::DaysLeft => ((current - now.as_second() as f64) / DAY).floor(),
        Value::StartedAt => started_at.as_second() as f64,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::metrics::family::Kind;

    #[test]
    fn renamed_metric_is_served_under_its_old_name_with_a_note_in_its_help() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let started_at = Timestamp::from_second(999_000).unwrap();
        let at = |days: f64| 1_000_000.0 + days * 86_400.0;
        let families = [
            Family::counter("polls_total", "Help.").sample(&[("source", "a")], 3.0),
            Family::gauge("certificate_not_after_timestamp_seconds", "Help.")
                .sample(&[("name", "a")], at(13.5))
                .sample(&[("name", "b")], at(-0.5)),
            Family::conventional(Kind::Gauge, "process_start_time_seconds", "Help.")
                .sample(&[], 999_000.25),
            Family::counter("other_total", "Help.").sample(&[], 3.0),
        ];
        let mut text = String::new();
        for family in &families {
            if let Some(old) = under_old_name(family, started_at, now) {
                old.write(&mut text);
            }
        }
        let expected = "\
# HELP pumphouse_poll_total deprecated: renamed to pumphouse_polls_total; removed in the next release
# TYPE pumphouse_poll_total counter
pumphouse_poll_total{source=\"a\"} 3
# HELP pumphouse_certificate_expiry_days deprecated: replaced by \
pumphouse_certificate_not_after_timestamp_seconds, a Unix time; removed in the next release
# TYPE pumphouse_certificate_expiry_days gauge
pumphouse_certificate_expiry_days{name=\"a\"} 13
pumphouse_certificate_expiry_days{name=\"b\"} -1
# HELP pumphouse_start_time_seconds deprecated: renamed to process_start_time_seconds; removed in the \
next release
# TYPE pumphouse_start_time_seconds gauge
pumphouse_start_time_seconds 999000
";
        assert_eq!(text, expected);
    }
}
