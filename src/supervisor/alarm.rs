//! Alarms: conditions that `watch` cannot mend, from their begin to their end.
//!
//! An alarm is identified by its kind and its subject, such as the address that was probed. It is logged
//! at level ERROR when it begins and once in [`ALARM_INTERVAL`] while it lasts, and its end is logged. The
//! command of `--alarm-exec` is run when it begins, once an hour while it lasts, and when it ends. One that
//! leaves weeks to act is logged and reported once a day.
//!
//! An alarm that comes and goes, as with a name service that fails now and then, is logged each time, but
//! its command is run for [`MAX_REPORTS`] begins an hour at most.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use strum::IntoStaticStr;

use crate::text::one_line;

/// Interval at which an alarm is logged again while it lasts.
pub const ALARM_INTERVAL: Duration = Duration::from_secs(60);

/// Interval at which an alarm that lasts is reported again to the command.
const HOUR: Duration = Duration::from_secs(3600);

/// Interval at which an alarm that leaves weeks to act is logged and reported again.
const DAY: Duration = HOUR.saturating_mul(24);

/// Most begins of one alarm in an hour that are reported to the command.
pub const MAX_REPORTS: usize = 4;

/// Longest text, characters. It holds texts of the server, which the environment of a command must fit.
const MAX_TEXT: usize = 4096;

/// Kind of an alarm. Its name is the value of `PUMPHOUSE_ALARM_KIND`, which scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AlarmKind {
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate expires soon, and should have been renewed.
    CertificateExpiresSoon,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// The certificate is for another name.
    CertificateName,
    /// No trusted authority has signed the certificate.
    CertificateUntrusted,
    /// The certificate cannot be used for another reason.
    CertificateInvalid,
    /// The TLS handshake is refused.
    Tls,
    /// The clock of this machine was never set.
    Clock,
    /// The host of a probed address cannot be looked up.
    NameLookup,
    /// This machine has no route to a probed address.
    Route,
    /// This user may not connect to a probed address.
    Permission,
    /// The server demands an account: 401 or 403.
    Forbidden,
    /// The server has no such page: 404 or 410.
    NotFound,
    /// The server does not answer for the host: 421.
    Misdirected,
    /// The server redirects the probe.
    Redirect,
    /// The server rejects the probe with another status, or the probe does not suit it.
    Rejected,
    /// The server does not listen where its configuration says.
    Listener,
    /// The server sheds the probes of visitors: it lives, and has too much to do.
    Overloaded,
    /// This process cannot probe: it lacks a thread, a descriptor, memory or time.
    NotProbed,
    /// A file of the configuration or of certificates cannot be used.
    Configuration,
    /// The server is meant to run, and has not been healthy for a whole minute for some time.
    NotHealthy,
    /// The server is not healthy, and would not start with the present configuration.
    WouldNotStart,
    /// The server is not healthy, and the restarts of this hour are used up.
    RestartsUsedUp,
    /// A restart was begun and did not succeed.
    RestartFailed,
    /// supervisord does not answer, or refuses this process.
    SupervisordUnreachable,
    /// supervisord has given up starting the program.
    GaveUp,
}

impl AlarmKind {
    /// Returns the stable name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the intervals at which it is logged again, and reported again, while it lasts.
    fn intervals(self) -> (Duration, Duration) {
        match self {
            AlarmKind::CertificateExpiresSoon => (DAY, DAY),
            _ => (ALARM_INTERVAL, HOUR),
        }
    }
}

/// Point in the life of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AlarmState {
    /// It has begun.
    Begins,
    /// It has lasted for another hour, or day.
    Lasts,
    /// It is over.
    Over,
}

/// Report for the command of `--alarm-exec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmReport {
    /// Kind.
    pub kind: AlarmKind,
    /// Point in its life.
    pub state: AlarmState,
    /// Text for people.
    pub text: String,
}

/// Function that passes reports on. It must not block.
pub type ReportAlarm = Box<dyn Fn(AlarmReport) + Send>;

/// Alarms that last, by kind and subject.
pub struct Alarms {
    lasting: BTreeMap<(AlarmKind, String), Alarm>,
    /// Times at which the begin of an alarm was reported, in the last hour.
    reported: BTreeMap<(AlarmKind, String), VecDeque<Instant>>,
    report: ReportAlarm,
}

struct Alarm {
    text: String,
    begun: Instant,
    logged: Instant,
    /// Time of the latest report; `None` if its begin was not reported.
    reported: Option<Instant>,
}

impl Alarms {
    /// Returns a state without alarms. `report` passes reports to the command.
    pub fn new(report: ReportAlarm) -> Alarms {
        Alarms { lasting: BTreeMap::new(), reported: BTreeMap::new(), report }
    }

    /// Records that a condition is met since `now`, or still.
    pub fn raise(&mut self, kind: AlarmKind, subject: &str, text: &str, now: Instant) {
        let key = (kind, subject.to_owned());
        let text = one_line(text.as_bytes(), MAX_TEXT);
        if let Some(alarm) = self.lasting.get_mut(&key) {
            alarm.text = text;
            return;
        }
        log::error!("ALARM: {text}");
        let reported = self.may_report(&key, now).then_some(now);
        if reported.is_some() {
            let state = AlarmState::Begins;
            (self.report)(AlarmReport { kind, state, text: text.clone() });
        }
        self.lasting.insert(key, Alarm { text, begun: now, logged: now, reported });
    }

    /// Logs and reports again the alarms that last and for which that is due.
    pub fn repeat(&mut self, now: Instant) {
        let mut lasting = std::mem::take(&mut self.lasting);
        for (key, alarm) in &mut lasting {
            let (log_interval, report_interval) = key.0.intervals();
            if now.saturating_duration_since(alarm.logged) >= log_interval {
                alarm.logged = now;
                log::error!("ALARM: {}", alarm.text);
            }
            let is_due = |at: Instant| now.saturating_duration_since(at) >= report_interval;
            if alarm.reported.is_none_or(is_due) && self.may_report(key, now) {
                let is_first = alarm.reported.replace(now).is_none();
                let state = if is_first { AlarmState::Begins } else { AlarmState::Lasts };
                (self.report)(AlarmReport { kind: key.0, state, text: alarm.text.clone() });
            }
        }
        self.lasting = lasting;
    }

    /// Records that a condition is no longer met.
    pub fn end(&mut self, kind: AlarmKind, subject: &str, now: Instant) {
        let key = (kind, subject.to_owned());
        let Some(alarm) = self.lasting.remove(&key) else { return };
        let lasted = now.saturating_duration_since(alarm.begun).as_secs();
        log::info!("the alarm is over, after {lasted} s: {}", alarm.text);
        if alarm.reported.is_some() {
            let text = format!("over, after {lasted} s: {}", alarm.text);
            (self.report)(AlarmReport { kind, state: AlarmState::Over, text });
        }
    }

    /// Ends the alarms of which `is_over` returns true for kind and subject.
    pub fn end_all(&mut self, now: Instant, is_over: impl Fn(AlarmKind, &str) -> bool) {
        let over: Vec<(AlarmKind, String)> = self
            .lasting
            .keys()
            .filter(|(kind, subject)| is_over(*kind, subject))
            .cloned()
            .collect();
        over.iter().for_each(|(kind, subject)| self.end(*kind, subject, now));
    }

    /// Returns true if an alarm of the kind lasts.
    pub fn has(&self, kind: AlarmKind) -> bool {
        self.lasting.keys().any(|(lasting, _)| *lasting == kind)
    }

    /// Counts a report. Returns false if the hour's reports of this alarm are used up.
    fn may_report(&mut self, key: &(AlarmKind, String), now: Instant) -> bool {
        self.reported.retain(|_, times| {
            times.retain(|at| now.saturating_duration_since(*at) < HOUR);
            !times.is_empty()
        });
        let times = self.reported.entry(key.clone()).or_default();
        let is_free = times.len() < MAX_REPORTS;
        if is_free {
            times.push_back(now);
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Alarms with a clock, and their reports.
    struct Scenario {
        alarms: Alarms,
        reports: Arc<Mutex<Vec<AlarmReport>>>,
        now: Instant,
    }

    impl Scenario {
        fn new() -> Scenario {
            let reports = Arc::new(Mutex::new(Vec::new()));
            let sink = Arc::clone(&reports);
            let alarms = Alarms::new(Box::new(move |report| sink.lock().unwrap().push(report)));
            Scenario { alarms, reports, now: Instant::now() }
        }

        fn after(&mut self, seconds: u64) -> &mut Scenario {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn raise(&mut self, subject: &str) -> &mut Scenario {
            self.alarms.raise(
                AlarmKind::NameLookup,
                subject,
                &format!("{subject} is bad"),
                self.now,
            );
            self
        }

        fn repeat(&mut self) -> &mut Scenario {
            self.alarms.repeat(self.now);
            self
        }

        fn end(&mut self, subject: &str) -> &mut Scenario {
            self.alarms.end(AlarmKind::NameLookup, subject, self.now);
            self
        }

        /// Returns the states and texts reported since the last call.
        fn reports(&mut self) -> Vec<(AlarmState, String)> {
            let mut reports = self.reports.lock().unwrap();
            reports.drain(..).map(|report| (report.state, report.text)).collect()
        }
    }

    fn state(state: AlarmState, text: &str) -> (AlarmState, String) {
        (state, text.to_owned())
    }

    #[test]
    fn alarm_is_reported_when_it_begins_once_an_hour_and_when_it_ends() {
        use AlarmState::{Begins, Lasts, Over};
        let mut scenario = Scenario::new();
        scenario.raise("a");
        assert_eq!(scenario.reports(), [state(Begins, "a is bad")]);
        // Every five seconds for almost an hour.
        (0..719).for_each(|_| {
            scenario.after(5).raise("a").repeat();
        });
        assert_eq!(scenario.reports(), []);
        scenario.after(5).raise("a").repeat().raise("b");
        assert_eq!(scenario.reports(), [state(Lasts, "a is bad"), state(Begins, "b is bad")]);
        scenario.after(7).end("a").end("a");
        assert_eq!(scenario.reports(), [state(Over, "over, after 3607 s: a is bad")]);
        assert!(scenario.alarms.has(AlarmKind::NameLookup), "b lasts");
        let now = scenario.now;
        scenario.alarms.end_all(now, |_, subject| subject == "b");
        assert_eq!(scenario.reports(), [state(Over, "over, after 7 s: b is bad")]);
    }

    #[test]
    fn alarm_that_comes_and_goes_is_reported_a_few_times_an_hour() {
        let mut scenario = Scenario::new();
        for _ in 0..100 {
            scenario.after(5).raise("a").after(5).end("a");
        }
        assert_eq!(scenario.reports().len(), 2 * MAX_REPORTS, "each begin with its end");
        // It lasts now: its begin is reported as soon as the hour allows that.
        scenario.raise("a").after(1800).repeat();
        assert_eq!(scenario.reports(), []);
        scenario.after(1800).repeat();
        assert_eq!(scenario.reports(), [state(AlarmState::Begins, "a is bad")]);
        scenario.after(HOUR.as_secs()).end("a");
        assert!(scenario.alarms.reported.len() <= 1, "old times are dropped");
    }

    #[test]
    fn certificate_that_expires_soon_is_reported_once_a_day() {
        let mut scenario = Scenario::new();
        let soon = AlarmKind::CertificateExpiresSoon;
        scenario.alarms.raise(soon, "a", "a is old", scenario.now);
        // Each quarter of an hour for two days.
        for _ in 0..4 * 48 {
            scenario.after(900).repeat();
        }
        let lasts = state(AlarmState::Lasts, "a is old");
        assert_eq!(
            scenario.reports(),
            [state(AlarmState::Begins, "a is old"), lasts.clone(), lasts]
        );
    }

    #[test]
    fn text_of_an_alarm_has_a_bound() {
        let mut scenario = Scenario::new();
        scenario.raise(&"ö".repeat(2 * MAX_TEXT));
        let text = scenario.reports().remove(0).1;
        assert_eq!(text.chars().count(), MAX_TEXT + 1);
        assert!(text.ends_with('…'), "{text}");
    }
}
