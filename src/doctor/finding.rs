//! What was found, as a page for people and as JSON for scripts.

use std::fmt::{self, Display};

use serde::Serialize;

use super::kernel::Kernel;
use crate::config::ListenAddr;
use crate::text::{clean, escape_json};

/// Whether something is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// As it should be.
    Well,
    /// Good to know, and nothing by itself.
    Note,
    /// Somebody should do something.
    Wrong,
}

impl Mark {
    const fn as_str(self) -> &'static str {
        match self {
            Mark::Well => "ok",
            Mark::Note => "note",
            Mark::Wrong => "WRONG",
        }
    }
}

/// A line of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is.
    pub mark: Mark,
    /// What was looked at.
    pub subject: &'static str,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
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

/// The whole page.
#[derive(Debug)]
pub struct Report {
    /// Where the server was asked.
    pub admin: ListenAddr,
    /// It told its scoreboard.
    pub answered: bool,
    /// Line by line.
    pub findings: Vec<Finding>,
    /// The scoreboard, as it was sent.
    pub scoreboard: Option<serde_json::Value>,
    /// What the kernel knows, where that was of interest.
    pub(super) kernel: Option<Kernel>,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.mark != Mark::Wrong)
    }

    /// `well`, `admin`, `answered`, `findings` of `mark` `well|note|wrong`, `subject`, `detail`
    /// and `advice`, `scoreboard`, `kernel`; ended by a newline.
    pub fn json(&self) -> String {
        let json = serde_json::json!({
            "well": self.is_well(),
            "admin": self.admin.to_string(),
            "answered": self.answered,
            "findings": self.findings,
            "scoreboard": self.scoreboard,
            "kernel": self.kernel,
        });
        format!("{}\n", escape_json(&format!("{json:#}")))
    }
}

/// The page.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { mark, subject, detail, advice } in &self.findings {
            writeln!(f, "{:<5}  {subject:<15} {}", mark.as_str(), clean(detail))?;
            if let Some(advice) = advice {
                writeln!(f, "{:22} -> {}", "", clean(advice))?;
            }
        }
        let wrong = self.findings.iter().filter(|it| it.mark == Mark::Wrong).count();
        match wrong {
            0 => writeln!(f, "\nAll is well."),
            1 => writeln!(f, "\n1 thing is wrong."),
            _ => writeln!(f, "\n{wrong} things are wrong."),
        }
    }
}

/// A length of time for people.
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
    fn spans() {
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

    #[test]
    fn the_page_and_its_verdict() {
        let mut report = Report {
            admin: "127.0.0.1:6480".parse().unwrap(),
            answered: true,
            findings: vec![Finding::well("health", "fine"), Finding::note("history", "none")],
            scoreboard: None,
            kernel: None,
        };
        assert!(report.is_well());
        assert!(report.to_string().ends_with("All is well.\n"), "{report}");
        report.findings.push(Finding::wrong("queue", "129 / 128 \u{1b}[31m", "look"));
        assert!(!report.is_well());
        let page = report.to_string();
        assert!(page.contains("WRONG  queue           129 / 128  [31m\n"), "{page}");
        assert!(page.contains("-> look\n") && page.ends_with("1 thing is wrong.\n"), "{page}");
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["findings"][2]["mark"], "wrong");
        assert_eq!((&json["well"], &json["answered"]), (&false.into(), &true.into()));
    }
}
