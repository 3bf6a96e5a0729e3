//! Metrics under the names that they had in the previous release.
//!
//! Dashboards and alerts that use an old name keep working for one release, in which its HELP
//! text names the new one. Removing the names is deleting this file.

use jiff::Timestamp;
use prometheus::proto::{Gauge, MetricFamily};

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

/// Returns the families among `families` that were renamed, under their old names.
pub(super) fn old_names(
    families: &[MetricFamily],
    started_at: Timestamp,
    now: Timestamp,
) -> Vec<MetricFamily> {
    const DAY: f64 = 24.0 * 60.0 * 60.0;
    let old = RENAMED.iter().filter_map(|(old, new, value)| {
        let mut family = families.iter().find(|family| family.name() == *new)?.clone();
        family.set_name((*old).to_owned());
        let successor = match value {
            Value::Same | Value::StartedAt => format!("renamed to {new}"),
            Value::DaysLeft => format!("replaced by {new}, a Unix time"),
        };
        family.set_help(format!("deprecated: {successor}; removed in the next release"));
        let convert = |new: f64| match value {
            Value::Same => None,
            Value::DaysLeft => Some(((new - now.as_second() as f64) / DAY).floor()),
            Value::StartedAt => Some(started_at.as_second() as f64),
        };
        for metric in family.mut_metric() {
            if let Some(converted) = convert(metric.get_gauge().get_value()) {
                let mut gauge = Gauge::default();
                gauge.set_value(converted);
                metric.set_gauge(gauge);
            }
        }
        Some(family)
    });
    old.collect()
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;
    use prometheus::proto::MetricType;

    use super::*;
    use crate::admin::metrics::family::Family;

    #[test]
    fn renamed_metric_is_served_under_its_old_name_with_a_note_in_its_help() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let started_at = Timestamp::from_second(999_000).unwrap();
        let at = |days: f64| 1_000_000.0 + days * 86_400.0;
        let families = [
            Family::counter("polls_total", "Help.").sample(&[("source", "a")], 3.0).done(),
            Family::gauge("certificate_not_after_timestamp_seconds", "Help.")
                .sample(&[("name", "a")], at(13.5))
                .sample(&[("name", "b")], at(-0.5))
                .done(),
            Family::conventional(MetricType::GAUGE, "process_start_time_seconds", "Help.")
                .sample(&[], 999_000.25)
                .done(),
            Family::counter("other_total", "Help.").sample(&[], 3.0).done(),
        ];
        let text =
            TextEncoder::new().encode_to_string(&old_names(&families, started_at, now)).unwrap();
        let expected = "\
# HELP pumphouse_poll_total deprecated: renamed to pumphouse_polls_total; removed in the next release
# TYPE pumphouse_poll_total counter
pumphouse_poll_total{source=\"a\"} 3
# HELP pumphouse_start_time_seconds deprecated: renamed to process_start_time_seconds; removed in the \
next release
# TYPE pumphouse_start_time_seconds gauge
pumphouse_start_time_seconds 999000
# HELP pumphouse_certificate_expiry_days deprecated: replaced by \
pumphouse_certificate_not_after_timestamp_seconds, a Unix time; removed in the next release
# TYPE pumphouse_certificate_expiry_days gauge
pumphouse_certificate_expiry_days{name=\"a\"} 13
pumphouse_certificate_expiry_days{name=\"b\"} -1
";
        assert_eq!(text, expected);
    }
}
