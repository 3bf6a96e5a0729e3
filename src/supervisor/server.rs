//! The server under supervision, as the monitor sees it.

use super::alarm::AlarmKind;
use super::fault::{Outcome, Verdict};
use super::plan_reader::PlanReader;
use super::probe::Prober;

/// Ticks for which a read of the files may last until it is reported as hanging: a minute.
const MAX_READ_TICKS: u32 = 12;

/// Server under supervision.
pub trait Server {
    /// Takes note of changes of the configuration and of certificates. `reads_all` has files read again
    /// that are rarely read. Returns what is wrong with them, for an alarm.
    fn refresh(&mut self, reads_all: bool) -> Option<String>;

    /// Probes the server. Returns an outcome for each of its addresses; `None` if this process or the machine
    /// has paused meanwhile, so that nothing is known.
    fn probe(&mut self) -> Option<Vec<Outcome>>;

    /// Returns the server's scoreboard on one line.
    ///
    /// # Errors
    /// The request failed.
    fn scoreboard(&self) -> Result<String, String>;
}

/// A server of this program, probed through its listeners.
#[derive(Debug)]
pub struct ProbedServer {
    prober: Prober,
    reader: PlanReader,
    /// True while the authorities of the system are to be read again.
    wants_all: bool,
    /// Fault that the latest read has found.
    latest_fault: Option<String>,
    /// Fault that two reads in a row have found: files are not replaced in one step.
    fault: Option<String>,
    /// Number of ticks since the reader has last answered.
    unanswered: u32,
}

impl ProbedServer {
    /// Returns a server that is probed by `prober`, whose plan `reader` keeps up to date. `fault` is what is
    /// wrong with the configuration at the start.
    pub fn new(prober: Prober, reader: PlanReader, fault: Option<String>) -> ProbedServer {
        let fault = fault.as_deref().map(probes_go_on);
        ProbedServer {
            prober,
            reader,
            wants_all: false,
            latest_fault: fault.clone(),
            fault,
            unanswered: 0,
        }
    }

    fn take_plans(&mut self) {
        while let Some(read) = self.reader.take() {
            self.unanswered = 0;
            let fault = match read {
                Ok(None) => None,
                Ok(Some(plan)) => {
                    let before = self.prober.plan().addresses();
                    self.prober.follow(plan);
                    let now = self.prober.plan().addresses();
                    if before != now {
                        log::info!("the configuration has changed: probing {now}");
                    }
                    None
                }
                Err(error) => Some(probes_go_on(&error)),
            };
            if fault.is_none() || fault == self.latest_fault {
                self.fault.clone_from(&fault);
            }
            self.latest_fault = fault;
        }
    }
}

fn probes_go_on(error: &str) -> String {
    // A configuration has a line for each fault.
    let error = error.lines().collect::<Vec<_>>().join("; ");
    format!("{error}; until that is mended, `watch` goes by what it knew before")
}

impl Server for ProbedServer {
    fn refresh(&mut self, reads_all: bool) -> Option<String> {
        self.take_plans();
        self.wants_all |= reads_all;
        if self.reader.request(self.wants_all) {
            self.wants_all = false;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        let hangs = (self.unanswered > MAX_READ_TICKS).then(|| {
            "a read of the configuration or of a certificate does not end, so changes of them are \
             not noticed: check their file system"
                .to_owned()
        });
        let notes = self.prober.plan().notes.iter().cloned();
        let faults: Vec<String> = notes.chain(self.fault.clone()).chain(hangs).collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    fn probe(&mut self) -> Option<Vec<Outcome>> {
        let outcomes = self.prober.probe()?;
        // The authorities of the system may have been renewed.
        self.wants_all |= outcomes.iter().any(|outcome| {
            matches!(
                outcome.verdict,
                Verdict::Misconfigured { kind: AlarmKind::CertificateUntrusted, .. }
            )
        });
        Some(outcomes)
    }

    fn scoreboard(&self) -> Result<String, String> {
        self.prober.scoreboard()
    }
}
