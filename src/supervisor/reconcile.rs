//! Failed probes at addresses that the running server does not serve.
//!
//! A restart must follow from nothing that the running server was not started with. So an address that does
//! not answer counts as a failure of the server only if nothing shows that the server is elsewhere:
//!
//! * The scoreboard of an admin listener that answers says where the server listens (see `serving`).
//! * An address at which the server has answered before the file was changed answers still.
//! * The address is not one of this machine any more, or nothing listens at it and never has, while the
//!   server answers at another one.
//! * The server sheds the probe at a cap: it answers 503 with Retry-After, or closes the connection, as it does
//!   with one for TLS, while its admin listener reports it as healthy and its scoreboard counts shed
//!   connections. A server that hangs closes nothing, or is not healthy by its admin listener.
//!
//! In each case an alarm is raised. In return, the addresses of the previous plan count until the server
//! answers by the new one: a server that hangs there is restarted.

use std::net::IpAddr;
use std::path::Path;

use super::alarm::AlarmKind;
use super::fault::{LATE_ADDRESS, Outcome, Verdict};
use super::known::KnownAddresses;
use super::probed::{Probed, Way, is_local};
use super::serving::{Contradiction, Scoreboard};
use crate::config::ListenAddr;
use crate::outbound::{Cause, Failure, FailureKind, Place, Response};

/// Outcome of one probe, with facts beside the verdict.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) probed: Probed,
    pub(super) outcome: Outcome,
    pub(super) sign: Sign,
}

/// Meaning of a failed probe for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// No process listens there, or there is no socket.
    Absent,
    /// The server sheds the request, and says so.
    Shed,
    /// The connection was closed before the end of the response: a server at its cap may do that.
    Closed,
    /// Nothing of these.
    Other,
}

impl Sign {
    /// Returns the sign in the result of a request.
    pub(super) fn of(result: &Result<Response, Failure>) -> Sign {
        match result {
            Ok(response) if response.status == 503 && response.has_retry_after => Sign::Shed,
            Err(failure) if matches!(failure.cause, Cause::Refused | Cause::NoSocket) => {
                Sign::Absent
            }
            Err(Failure { kind: FailureKind::Connect, cause: Cause::Server, .. }) => Sign::Closed,
            _ => Sign::Other,
        }
    }
}

impl Observed {
    fn is_healthy(&self) -> bool {
        self.outcome.verdict == Verdict::Healthy
    }

    fn answers(&self) -> bool {
        matches!(
            self.outcome.verdict,
            Verdict::Healthy | Verdict::Misconfigured { answered: true, .. }
        )
    }

    fn fails(&self) -> bool {
        self.outcome.verdict == Verdict::Unresponsive
    }

    fn excuse(&mut self, kind: AlarmKind, answered: bool, text: &str) {
        self.outcome.verdict = Verdict::Misconfigured { kind, answered };
        self.outcome.text = format!("{}: {text}", self.outcome.text);
    }

    fn excuse_shed(&mut self) {
        self.excuse(
            AlarmKind::Overloaded,
            true,
            "the server lives, and has too much to do: see its scoreboard, and raise the limits in \
             [server] if the machine can bear that",
        );
    }

    fn listener(&self) -> Option<(&ListenAddr, bool)> {
        match &self.probed.way {
            Way::Listener { listen, is_tls, .. } => Some((listen, *is_tls)),
            Way::Url(_) => None,
        }
    }
}

/// Returns the outcomes of a tick, with an alarm in place of a failure that is none of the server's.
///
/// `current` are the addresses of the plan, the admin listener first if `has_admin`; `former` are those of
/// `known`, in its order. `scoreboard` requests the scoreboard from an admin listener.
pub(super) fn reconcile(
    has_admin: bool,
    mut current: Vec<Observed>,
    mut former: Vec<Observed>,
    known: &mut KnownAddresses,
    scoreboard: impl FnOnce(&Probed) -> Option<Vec<u8>>,
) -> Vec<Outcome> {
    let is_new_plan_served =
        current.iter().any(|one| one.is_healthy() && !known.has_answered(&one.probed));
    let server = ServerReport::request(has_admin, &current, &former, known, scoreboard);
    let shed = former.iter_mut().filter(|one| one.fails() && server.sheds(one));
    shed.for_each(Observed::excuse_shed);
    let answers = Answers::of(&current, &former);
    for (index, one) in current.iter_mut().enumerate().filter(|(_, one)| one.fails()) {
        let is_admin = has_admin && index == 0;
        explain(one, is_admin, &server, &answers, known);
    }

    // The server has been restarted with the new plan, or serves all of it without that.
    let is_over = is_new_plan_served && !former.iter().any(Observed::is_healthy)
        || current.iter().all(|one| one.answers() && !is_elsewhere(one));
    let mut observed = former.iter();
    known.forget(|former| {
        let Some(one) = observed.next() else { return true };
        let is_replaced = former.is_admin && server.has_current_admin;
        is_over || is_replaced || server.contradiction(one).is_some()
    });
    current.iter().filter(|one| one.is_healthy()).for_each(|one| known.record(&one.probed));
    let is_kept = |one: &&Observed| {
        one.fails() && known.former().iter().any(|kept| kept.probed.key() == one.probed.key())
    };
    let kept: Vec<Outcome> = former.iter().filter(is_kept).map(|one| one.outcome.clone()).collect();
    current.into_iter().map(|one| one.outcome).chain(kept).collect()
}

/// Report of the server by its admin listener.
struct ServerReport {
    /// True if the admin listener of the plan is healthy.
    has_current_admin: bool,
    /// True if that or a former one is.
    has_admin: bool,
    /// `None` if no failure needs it.
    scoreboard: Option<Scoreboard>,
    /// True if the server has shed connections since the previous tick.
    has_shed: bool,
}

impl ServerReport {
    /// Requests the scoreboard from an admin listener that is healthy, if a failure needs it.
    fn request(
        has_admin: bool,
        current: &[Observed],
        former: &[Observed],
        known: &mut KnownAddresses,
        scoreboard: impl FnOnce(&Probed) -> Option<Vec<u8>>,
    ) -> ServerReport {
        let current_admin = current.first().filter(|one| has_admin && one.is_healthy());
        let former_admins = former.iter().zip(known.former()).filter(|(_, known)| known.is_admin);
        let mut former_admins = former_admins.map(|(one, _)| one);
        let admin = current_admin.or_else(|| former_admins.find(|one| one.is_healthy()));
        let is_closed = |one: &Observed| one.fails() && one.sign == Sign::Closed;
        let needs_scoreboard = |one: &Observed| {
            is_closed(one) || one.fails() && one.sign != Sign::Shed && one.listener().is_some()
        };
        let all = || current.iter().chain(former);
        let page = admin.filter(|_| all().any(needs_scoreboard)).map(|one| &one.probed);
        let scoreboard = page.and_then(scoreboard).and_then(|page| Scoreboard::parse(&page));
        let (has_current_admin, has_admin) = (current_admin.is_some(), admin.is_some());
        let has_shed = all().any(is_closed)
            && scoreboard.as_ref().is_some_and(|scoreboard| known.has_shed(scoreboard.shed()));
        ServerReport { has_current_admin, has_admin, scoreboard, has_shed }
    }

    /// Returns how the scoreboard contradicts the configuration at a listener.
    fn contradiction(&self, one: &Observed) -> Option<Contradiction> {
        let (listen, is_tls) = one.listener()?;
        self.scoreboard.as_ref()?.contradiction(listen, is_tls)
    }

    /// Returns true if the server sheds the probe, and lives.
    fn sheds(&self, one: &Observed) -> bool {
        match one.sign {
            Sign::Shed => self.has_admin,
            Sign::Closed => self.has_shed,
            Sign::Absent | Sign::Other => false,
        }
    }
}

/// Addresses at which the server answers, of the plan and of the one before.
struct Answers {
    current: Option<String>,
    former: Option<String>,
}

impl Answers {
    fn of(current: &[Observed], former: &[Observed]) -> Answers {
        let first = |observed: &[Observed]| {
            observed.iter().find(|one| one.answers()).map(|one| one.probed.to_string())
        };
        Answers { current: first(current), former: first(former) }
    }
}

/// Puts an alarm in place of a failure, if it is none of the server's.
fn explain(
    one: &mut Observed,
    is_admin: bool,
    server: &ServerReport,
    answers: &Answers,
    known: &KnownAddresses,
) {
    if let Some(found) = server.contradiction(one) {
        one.outcome.verdict = found.verdict;
        one.outcome.text = format!("{}: {}", one.outcome.text, found.text);
    } else if server.sheds(one) && !is_admin {
        one.excuse_shed();
    } else if let Some(ip) = lost_address(&one.probed) {
        let text = format!("this machine has no address {ip} now: {LATE_ADDRESS} its network");
        one.excuse(AlarmKind::Listener, false, &text);
    } else if known.has_answered(&one.probed) {
        // The server serves there.
    } else if let Some(elsewhere) = &answers.former {
        let text = format!(
            "the server answers at {elsewhere}, as before the file was changed: restart it if it is to \
             serve by the file of now, else mend the file"
        );
        one.excuse(AlarmKind::Listener, true, &text);
    } else if let Some(path) = missing_relative(one) {
        let text = format!("there is no such path in {path}: give an absolute one");
        one.excuse(AlarmKind::Listener, false, &text);
    } else if let Some(elsewhere) = &answers.current
        && one.sign == Sign::Absent
        && !server.has_current_admin
    {
        let text = format!(
            "the server answers at {elsewhere}, and has never done so here: give the address of its \
             admin listener by --admin, or that of a public one by --url"
        );
        one.excuse(AlarmKind::Listener, true, &text);
    }
}

/// Returns true if the server does not serve at an address.
fn is_elsewhere(one: &Observed) -> bool {
    matches!(one.outcome.verdict, Verdict::Misconfigured { kind: AlarmKind::Listener, .. })
}

/// Returns the IP address of a listener that this machine no longer has.
fn lost_address(probed: &Probed) -> Option<IpAddr> {
    let Way::Listener { place: Place::Tcp(address), .. } = &probed.way else { return None };
    Some(address.ip()).filter(|ip| !is_local(*ip))
}

/// Returns the folder in which a relative path of a socket was sought in vain. A socket that refuses connections
/// was left behind by a server that was killed, so the folder is the right one.
fn missing_relative(one: &Observed) -> Option<String> {
    let is_missing = |path: &Path| path.is_relative() && !path.exists();
    if one.sign != Sign::Absent || !one.probed.socket().is_some_and(is_missing) {
        return None;
    }
    let folder = std::env::current_dir();
    Some(folder.map_or_else(|_| "its folder".to_owned(), |folder| folder.display().to_string()))
}

#[cfg(test)]
mod tests;
