//! Builder for the metric families of one scrape.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

/// Prefix of the names of our own metrics.
pub(super) const PREFIX: &str = "pumphouse_";

/// A metric family under construction.
pub(super) struct Family {
    family: MetricFamily,
    samples: Vec<Metric>,
}

impl Family {
    /// Begins a family of our own, whose name gets our prefix.
    fn new(kind: MetricType, name: &str, help: &str) -> Family {
        Family::named(kind, format!("{PREFIX}{name}"), help)
    }

    /// Begins a family whose name is the same in every program.
    pub(super) fn conventional(kind: MetricType, name: &str, help: &str) -> Family {
        Family::named(kind, name.to_owned(), help)
    }

    fn named(kind: MetricType, name: String, help: &str) -> Family {
        let mut family = MetricFamily::default();
        family.set_name(name);
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Family { family, samples: Vec::new() }
    }

    /// Begins a counter.
    pub(super) fn counter(name: &str, help: &str) -> Family {
        Family::new(MetricType::COUNTER, name, help)
    }

    /// Begins a gauge.
    pub(super) fn gauge(name: &str, help: &str) -> Family {
        Family::new(MetricType::GAUGE, name, help)
    }

    /// Begins a histogram.
    pub(super) fn histogram(name: &str, help: &str) -> Family {
        Family::new(MetricType::HISTOGRAM, name, help)
    }

    /// Adds a sample of a counter or gauge.
    pub(super) fn sample(mut self, labels: &[(&str, &str)], value: f64) -> Family {
        let mut metric = Metric::from_label(label_pairs(labels));
        if self.family.get_field_type() == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.samples.push(metric);
        self
    }

    /// Adds a histogram. `buckets` are upper bounds with the number of observations below them.
    pub(super) fn distribution(
        mut self,
        labels: &[(&str, &str)],
        buckets: impl Iterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) -> Family {
        let buckets = buckets.map(|(upper_bound, cumulative)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(upper_bound);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum);
        let mut metric = Metric::from_label(label_pairs(labels));
        metric.set_histogram(histogram);
        self.samples.push(metric);
        self
    }

    /// Returns the finished family.
    pub(super) fn done(mut self) -> MetricFamily {
        self.family.set_metric(self.samples);
        self.family
    }
}

fn label_pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn family_is_encoded_with_its_samples() {
        let families = [
            Family::counter("c_total", "Help.").sample(&[("a", "\"b\"\n")], 3.0).done(),
            Family::histogram("h", "Help.")
                .distribution(&[("a", "b")], [(0.5, 1), (1.0, 2)].into_iter(), 4, 9.5)
                .done(),
        ];
        let text = TextEncoder::new().encode_to_string(&families).unwrap();
        for line in [
            "# TYPE pumphouse_c_total counter",
            r#"pumphouse_c_total{a="\"b\"\n"} 3"#,
            r#"pumphouse_h_bucket{a="b",le="1"} 2"#,
            r#"pumphouse_h_bucket{a="b",le="+Inf"} 4"#,
            r#"pumphouse_h_sum{a="b"} 9.5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
