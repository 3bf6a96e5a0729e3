//! The report: a page for people, and JSON for scripts.

use std::fmt::{self, Display};

use super::finding::{Finding, Mark};
use super::kernel_view::KernelView;
use crate::config::ListenAddr;
use crate::text::{clean, escape_json};

/// Result of an examination.
#[derive(Debug)]
pub struct Report {
    /// Address of the admin listener.
    pub admin: ListenAddr,
    /// True if the server returned its scoreboard.
    pub answered: bool,
    /// Lines, in the order of the page.
    pub findings: Vec<Finding>,
    /// Scoreboard as the server returned it.
    pub scoreboard: Option<serde_json::Value>,
    /// Facts from the kernel; `None` if the server answered and is healthy.
    pub(super) kernel: Option<KernelView>,
}

impl Report {
    /// Returns true if no finding is [`Mark::Wrong`].
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.mark != Mark::Wrong)
    }

    /// Returns the report as JSON, ended by a newline: `well`, `admin`, `answered`, `findings` (each with
    /// `mark`, which is `well`, `note` or `wrong`, `subject`, `detail` and `advice`), `scoreboard` and
    /// `kernel`.
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

/// Formats the report as a page for people.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { mark, subject, detail, advice } in &self.findings {
            writeln!(f, "{:<5}  {subject:<15} {}", mark.as_str(), clean(detail))?;
            if let Some(advice) = advice {
                writeln!(f, "{:22} -> {}", "", clean(advice))?;
            }
        }
        let wrong = self.findings.iter().filter(|finding| finding.mark == Mark::Wrong).count();
        match wrong {
            0 => writeln!(f, "\nAll is well."),
            1 => writeln!(f, "\n1 thing is wrong."),
            _ => writeln!(f, "\n{wrong} things are wrong."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_is_well_unless_a_finding_is_wrong() {
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
