//! Metric families in the Prometheus text format 0.0.4.
//!
//! A family is text from its first sample on. A fleet of thousands of sources has hundreds of thousands of
//! samples; as objects they would take more memory than all the rest of the server.

use std::fmt::{self, Write as _};

/// Prefix of the names of our own metrics.
pub(super) const PREFIX: &str = "pumphouse_";

/// Type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A metric family with its samples.
pub(super) struct Family {
    name: String,
    kind: Kind,
    help: String,
    /// A line for each sample.
    samples: String,
}

impl Family {
    /// Begins a family of our own, whose name gets our prefix.
    fn new(kind: Kind, name: &str, help: &str) -> Family {
        Family::conventional(kind, &format!("{PREFIX}{name}"), help)
    }

    /// Begins a family whose name is the same in every program.
    pub(super) fn conventional(kind: Kind, name: &str, help: &str) -> Family {
        Family { name: name.to_owned(), kind, help: help.to_owned(), samples: String::new() }
    }

    /// Begins a counter.
    pub(super) fn counter(name: &str, help: &str) -> Family {
        Family::new(Kind::Counter, name, help)
    }

    /// Begins a gauge.
    pub(super) fn gauge(name: &str, help: &str) -> Family {
        Family::new(Kind::Gauge, name, help)
    }

    /// Begins a histogram.
    pub(super) fn histogram(name: &str, help: &str) -> Family {
        Family::new(Kind::Histogram, name, help)
    }

    /// Returns the name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a sample of a counter or gauge.
    pub(super) fn sample(mut self, labels: &[(&str, &str)], value: f64) -> Family {
        self.line("", labels, None, value);
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
        for (upper_bound, cumulative) in buckets {
            self.line("_bucket", labels, Some(&upper_bound), cumulative);
        }
        self.line("_bucket", labels, Some(&"+Inf"), count);
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, count);
        self
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        upper_bound: Option<&dyn fmt::Display>,
        value: impl fmt::Display,
    ) {
        let text = &mut self.samples;
        text.push_str(&self.name);
        text.push_str(suffix);
        let mut separator = '{';
        for (label, value) in labels {
            text.push(separator);
            separator = ',';
            text.push_str(label);
            text.push_str("=\"");
            push_escaped(text, value);
            text.push('"');
        }
        // Writing to a string does not fail.
        if let Some(bound) = upper_bound {
            let _ = write!(text, "{separator}le=\"{bound}\"");
            separator = ',';
        }
        text.push_str(if separator == ',' { "} " } else { " " });
        let _ = writeln!(text, "{value}");
    }

    /// Returns the family of a counter or gauge under another name, with each value converted.
    pub(super) fn renamed(&self, name: &str, help: &str, convert: impl Fn(f64) -> f64) -> Family {
        let mut samples = String::with_capacity(self.samples.len());
        for line in self.samples.lines() {
            let line = line.strip_prefix(self.name.as_str()).unwrap_or(line);
            let (labels, value) = line.rsplit_once(' ').unwrap_or((line, ""));
            let value = convert(value.parse().unwrap_or(f64::NAN));
            let _ = writeln!(samples, "{name}{labels} {value}");
        }
        Family { name: name.to_owned(), kind: self.kind, help: help.to_owned(), samples }
    }

    /// Appends the family to a page. One without samples, such as values before the first poll, is left out.
    pub(super) fn write(&self, page: &mut String) {
        let Family { name, kind, help, samples } = self;
        if samples.is_empty() {
            return;
        }
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let kind = kind.as_str();
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}");
    }
}

/// Appends the value of a label.
fn push_escaped(text: &mut String, value: &str) {
    if !value.contains(['\\', '"', '\n']) {
        return text.push_str(value);
    }
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(families: &[Family]) -> String {
        let mut page = String::new();
        families.iter().for_each(|family| family.write(&mut page));
        page
    }

    #[test]
    fn family_is_written_with_its_samples() {
        let families = [
            Family::counter("c_total", "Help\\ in\nlines.")
                .sample(&[("a", "\"b\"\n\\"), ("c", "d")], 3.0)
                .sample(&[], 0.25),
            Family::gauge("none", "Help."),
            Family::histogram("h", "Help.").distribution(
                &[("a", "b")],
                [(0.5, 1), (1.0, 2)].into_iter(),
                4,
                9.5,
            ),
            Family::histogram("plain", "Help.").distribution(&[], std::iter::empty(), 0, 0.0),
        ];
        let expected = r#"# HELP pumphouse_c_total Help\\ in\nlines.
# TYPE pumphouse_c_total counter
pumphouse_c_total{a="\"b\"\n\\",c="d"} 3
pumphouse_c_total 0.25
# HELP pumphouse_h Help.
# TYPE pumphouse_h histogram
pumphouse_h_bucket{a="b",le="0.5"} 1
pumphouse_h_bucket{a="b",le="1"} 2
pumphouse_h_bucket{a="b",le="+Inf"} 4
pumphouse_h_sum{a="b"} 9.5
pumphouse_h_count{a="b"} 4
# HELP pumphouse_plain Help.
# TYPE pumphouse_plain histogram
pumphouse_plain_bucket{le="+Inf"} 0
pumphouse_plain_sum 0
pumphouse_plain_count 0
"#;
        assert_eq!(page(&families), expected);
    }

    #[test]
    fn renamed_family_keeps_its_labels() {
        let family = Family::gauge("new", "Help.")
            .sample(&[("unit", "a b 2"), ("x", "pumphouse_new 7")], 1.5)
            .sample(&[], 2.0);
        let expected = "\
# HELP pumphouse_old Old.
# TYPE pumphouse_old gauge
pumphouse_old{unit=\"a b 2\",x=\"pumphouse_new 7\"} 3
pumphouse_old 4
";
        assert_eq!(page(&[family.renamed("pumphouse_old", "Old.", |value| value * 2.0)]), expected);
    }
}
