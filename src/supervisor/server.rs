//! The server under supervision, as the monitor sees it.

use std::time::Duration;

use jiff::Timestamp;

use super::alarm::AlarmKind;
use super::fault::{Outcome, Verdict};
use super::plan_reader::PlanReader;
use super::probe::Prober;

use super::serve_options::ServeOptions;
/// Ticks of a minute: a read of the files that lasts longer is reported as hanging, and the authorities of the
/// system are not read more often for a certificate that is not trusted.
const MAX_READ_TICKS: u32 = 12;

/// Server under supervision.
pub trait Server {
    /// Takes note of changes of the configuration and of certificates. `reads_all` has files read again
    /// that are rarely read. Returns what is wrong with them, for an alarm.
    fn refresh(&mut self, reads_all: bool) -> Option<String>;

    /// Probes the server. Returns an outcome for each of its addresses.
    ///
    /// # Errors
    /// This process or the machine has paused meanwhile, for that long, so that nothing is known.
    fn probe(&mut self) -> Result<Vec<Outcome>, Duration>;

    /// Returns the reason why the server would not start again with its configuration as it is now. `options`
    /// are those of its process, if known.
    fn obstacle(&self, options: Option<ServeOptions>) -> Option<String>;

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
    /// Number of probes in a row that have found a certificate that is not trusted.
    untrusted: u32,
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
            untrusted: 0,
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

    fn probe(&mut self) -> Result<Vec<Outcome>, Duration> {
        let mut outcomes = self.prober.probe()?;
        let has = |outcomes: &[Outcome], wanted: AlarmKind| {
            outcomes.iter().any(|outcome| {
                matches!(outcome.verdict, Verdict::Misconfigured { kind, .. } if kind == wanted)
            })
        };
        // The authorities of the system may have been renewed.
        if has(&outcomes, AlarmKind::CertificateUntrusted) {
            self.wants_all |= self.untrusted.is_multiple_of(MAX_READ_TICKS);
            self.untrusted = self.untrusted.wrapping_add(1);
        } else {
            self.untrusted = 0;
        }
        // Those that a probe has found are reported once.
        let faults = self.prober.plan().certificate_faults(Timestamp::now());
        let is_new = |fault: &Outcome| match fault.verdict {
            Verdict::Misconfigured { kind, .. } => !has(&outcomes, kind),
            _ => false,
        };
        let faults: Vec<Outcome> = faults.into_iter().filter(is_new).collect();
        outcomes.extend(faults);
        Ok(outcomes)
    }

    fn obstacle(&self, options: Option<ServeOptions>) -> Option<String> {
        self.reader.obstacle(options)
    }

    fn scoreboard(&self) -> Result<String, String> {
        self.prober.scoreboard()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::supervisor::plan::{Planner, ProbeSettings};

    fn server(config: &Path) -> ProbedServer {
        let config = Some(config.to_owned());
        let mut planner = Planner::new(ProbeSettings { config, ..ProbeSettings::default() });
        let plan = planner.load(false).unwrap().unwrap();
        let prober = Prober::new(plan, Duration::from_secs(20));
        ProbedServer::new(prober, PlanReader::start(planner).unwrap(), None)
    }

    /// Refreshes, as at ticks, until the fault is the expected one.
    fn refresh_until(server: &mut ProbedServer, expected: impl Fn(&Option<String>) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let fault = server.refresh(false);
            if expected(&fault) {
                return;
            }
            assert!(Instant::now() < deadline, "{fault:?}");
            // The reader has its turn.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn files_are_read_again_and_faults_and_hanging_reads_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("pumphouse.toml");
        let listen = |port: u16| format!("[server]\nlisten = [\"127.0.0.1:{port}\"]\n");
        std::fs::write(&config, listen(1)).unwrap();
        let mut server = server(&config);
        std::fs::write(&config, listen(2)).unwrap();
        refresh_until(&mut server, |_| true);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.prober.plan().addresses().contains("http://127.0.0.1:2/") {
            assert!(Instant::now() < deadline, "{}", server.prober.plan().addresses());
            refresh_until(&mut server, Option::is_none);
        }

        std::fs::write(&config, "[server]\nlisten = 7\nbad = 1\n").unwrap();
        let has = |fault: &Option<String>, text: &str| {
            fault.as_ref().is_some_and(|fault| fault.contains(text) && !fault.contains('\n'))
        };
        refresh_until(&mut server, |fault| has(fault, "pumphouse.toml:2:"));
        assert!(server.prober.plan().addresses().contains("http://127.0.0.1:2/"), "it stays");
        std::fs::write(&config, listen(2)).unwrap();
        refresh_until(&mut server, Option::is_none);

        // A read that hangs delays no probe, and is reported.
        std::fs::remove_file(&config).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&config).status().unwrap();
        assert!(made.success());
        refresh_until(&mut server, |fault| has(fault, "does not end"));
        std::fs::write(&config, listen(2)).unwrap();
        refresh_until(&mut server, |fault| !has(fault, "does not end"));
    }

    #[test]
    fn fault_that_one_read_finds_is_a_file_that_is_being_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("pumphouse.toml");
        std::fs::write(&config, "[server]\n").unwrap();
        let mut server = server(&config);
        std::fs::write(&config, "[server]\nbad = 1\n").unwrap();
        // One read, by a request of the test's own.
        assert!(server.reader.request(false));
        let deadline = Instant::now() + Duration::from_secs(60);
        while server.latest_fault.is_none() {
            assert!(Instant::now() < deadline, "it was read");
            server.take_plans();
        }
        assert_eq!(server.fault, None);
    }
}
