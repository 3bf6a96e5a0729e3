//! The server under supervision, as the monitor sees it.

use std::time::Duration;

use super::alarm::AlarmKind;
use super::fault::Outcome;
use super::plan::{MIN_FAULTY_READS, Plan};
use super::plan_reader::PlanReader;
use super::probe::Prober;
use super::serve_options::ServeOptions;
use crate::order;
use crate::wall_clock;

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
    /// Fault that the latest reads have found, and the number of these reads.
    latest_fault: Option<(String, u32)>,
    /// Fault that [`MIN_FAULTY_READS`] in a row have found.
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
            latest_fault: None,
            fault,
            unanswered: 0,
        }
    }

    fn take_plans(&mut self) {
        while let Some(read) = self.reader.take() {
            self.unanswered = 0;
            match read {
                Ok(plan) => {
                    plan.into_iter().for_each(|plan| self.follow(plan));
                    (self.latest_fault, self.fault) = (None, None);
                }
                Err(error) => self.note_fault(probes_go_on(&error)),
            }
        }
    }

    fn follow(&mut self, plan: Plan) {
        let before = self.prober.plan().addresses();
        self.prober.follow(plan);
        let now = self.prober.plan().addresses();
        if before != now {
            log::info!("the configuration has changed: probing {now}");
        }
    }

    /// Records the fault of a read. An alarm follows from several reads in a row with the same fault, and ends
    /// with the first one without.
    fn note_fault(&mut self, fault: String) {
        let before = self.latest_fault.take().filter(|(latest, _)| *latest == fault);
        let reads = before.map_or(1, |(_, reads)| reads.saturating_add(1));
        if reads >= MIN_FAULTY_READS {
            self.fault = Some(fault.clone());
        }
        self.latest_fault = Some((fault, reads));
    }
}

fn probes_go_on(error: &str) -> String {
    // A configuration has a line for each fault.
    let error = error.lines().collect::<Vec<_>>().join("; ");
    format!("{error}; until that is mended, `watch` goes by what it knew before")
}

/// Removes the faults of files that a probe has found, which are reported once: the first of each kind, as a
/// probe is presented one certificate.
fn without_found(mut faults: Vec<Outcome>, outcomes: &[Outcome]) -> Vec<Outcome> {
    let mut found: Vec<AlarmKind> = outcomes.iter().filter_map(Outcome::kind).collect();
    order::sort(&mut found);
    found.dedup();
    faults.retain(|fault| match found.iter().position(|kind| fault.kind() == Some(*kind)) {
        Some(index) => {
            found.remove(index);
            false
        }
        None => true,
    });
    faults
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
        // The authorities of the system may have been renewed.
        if outcomes.iter().any(|outcome| outcome.kind() == Some(AlarmKind::CertificateUntrusted)) {
            self.wants_all |= self.untrusted.is_multiple_of(MAX_READ_TICKS);
            self.untrusted = self.untrusted.wrapping_add(1);
        } else {
            self.untrusted = 0;
        }
        let faults = self.prober.plan().certificate_faults(wall_clock::now());
        let new = without_found(faults, &outcomes);
        outcomes.extend(new);
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
    use crate::supervisor::fault::Verdict;
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
        hostile::folder::make_pipe(&config);
        refresh_until(&mut server, |fault| has(fault, "does not end"));
        std::fs::write(&config, listen(2)).unwrap();
        refresh_until(&mut server, |fault| !has(fault, "does not end"));
    }

    #[test]
    fn fault_of_each_certificate_counts_and_the_one_that_a_probe_has_found_counts_once() {
        use AlarmKind::{CertificateExpired, CertificateExpiresSoon};
        let outcome = |target: &str, kind: Option<AlarmKind>, answered| {
            let verdict =
                kind.map_or(Verdict::Healthy, |kind| Verdict::Misconfigured { kind, answered });
            Outcome { target: target.to_owned(), verdict, text: String::new() }
        };
        let file = |target, kind| outcome(target, Some(kind), false);
        let well = || outcome("https://a", None, true);
        let bad = || outcome("https://a", Some(CertificateExpired), true);
        let first = || file("first.pem", CertificateExpired);
        for (outcomes, faults, expected) in [
            (vec![well()], vec![first()], vec!["first.pem"]),
            (vec![bad(), bad()], vec![first()], vec![]),
            (vec![bad(), bad()], vec![first(), file("2.pem", CertificateExpired)], vec!["2.pem"]),
            (vec![bad()], vec![first(), file("2.pem", CertificateExpiresSoon)], vec!["2.pem"]),
        ] {
            let left = without_found(faults, &outcomes);
            let left: Vec<&str> = left.iter().map(|fault| fault.target.as_str()).collect();
            assert_eq!(left, expected);
        }
    }

    #[test]
    fn fault_of_a_file_that_is_being_replaced_raises_no_alarm() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("pumphouse.toml");
        std::fs::write(&config, "[server]\n").unwrap();
        let mut server = server(&config);
        let reads = |server: &mut ProbedServer, text: &str, reads: u32| {
            std::fs::write(&config, text).unwrap();
            for _ in 0..reads {
                // Answered before the next request, as the reads of ticks are.
                assert!(server.reader.request(false));
                let deadline = Instant::now() + Duration::from_secs(60);
                server.unanswered = 1;
                while server.unanswered > 0 {
                    assert!(Instant::now() < deadline, "it was not read");
                    server.take_plans();
                }
            }
            server.fault.is_some()
        };
        let (one, other) = ("[server]\nbad = 1\n", "[server]\nba");
        assert!(!reads(&mut server, one, MIN_FAULTY_READS - 1));
        assert!(!reads(&mut server, other, MIN_FAULTY_READS - 1), "another fault");
        assert!(!reads(&mut server, "[server]\n", 1));
        assert!(!reads(&mut server, one, MIN_FAULTY_READS - 1), "they are not in a row");
        assert!(reads(&mut server, one, 1));
        assert!(reads(&mut server, other, 1), "the alarm lasts");
        assert!(!reads(&mut server, "[server]\n", 1));
    }
}
