//! One line of the report: a subject, its state, and advice.

use serde::Serialize;

/// Grade of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// The subject is in order.
    Well,
    /// Worth knowing, and no problem by itself.
    Note,
    /// A problem that needs action.
    Wrong,
}

impl Mark {
    /// Returns the word for it on the page.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Mark::Well => "ok",
            Mark::Note => "note",
            Mark::Wrong => "WRONG",
        }
    }
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Grade.
    pub mark: Mark,
    /// Part of the server that was examined.
    pub subject: &'static str,
    /// State of the subject.
    pub detail: String,
    /// Action that helps; always present for [`Mark::Wrong`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn well(subject: &'static str, detail: impl Into<String>) -> Finding {
        Finding { mark: Mark::Well, subject, detail: detail.into(), advice: None }
    }

    pub(super) fn note(subject: &'static str, detail: impl Into<String>) -> Finding {
        Finding { mark: Mark::Note, subject, detail: detail.into(), advice: None }
    }

    pub(super) fn wrong(
        subject: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        let (detail, advice) = (detail.into(), Some(advice.into()));
        Finding { mark: Mark::Wrong, subject, detail, advice }
    }

    pub(super) fn advise(self, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(advice.into()), ..self }
    }
}

/// Formats a duration, to two or three digits.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{:.0} ms", seconds * 1e3),
        ..10.0 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_has_the_unit_that_fits() {
        for (seconds, expected) in [
            (0.0, "0 ms"),
            (0.25, "250 ms"),
            (1.0, "1.0 s"),
            (42.4, "42 s"),
            (600.0, "10 min"),
            (10_000.0, "3 h"),
            (1_000_000.0, "12 days"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
