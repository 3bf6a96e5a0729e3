//! A table of failed probes over states of the server.

use super::*;
use crate::outbound::{Endpoint, Target, ThreadedResolver, tls};
use crate::supervisor::plan::Plan;

const SHEDDING: &str = r#"{"connections_shed":{"connection_cap":1}}"#;
const LISTENING: &str =
    r#"{"listeners":[{"address":"127.0.0.1:6443","state":"listening"}],"certificates":[]}"#;

fn admin(port: u16) -> Probed {
    let target = Target::health(&Endpoint::Web(format!("http://127.0.0.1:{port}")));
    let way = Way::Url(ThreadedResolver::system());
    Probed { target, way, tls: tls::trusting(&[]) }
}

fn public(listen: &str) -> Probed {
    Probed::listener(&listen.parse().unwrap(), None, false, tls::trusting(&[])).unwrap()
}

fn observed(probed: &Probed, verdict: Verdict, sign: Sign) -> Observed {
    let (target, text) = (probed.to_string(), probed.to_string());
    let outcome = Outcome { target, verdict, text };
    Observed { probed: probed.clone(), outcome, sign }
}

fn plan(admin: &Probed, public: &[Probed]) -> Plan {
    Plan { admin: Some(admin.clone()), public: public.to_vec(), ..Plan::default() }
}

/// Returns the verdicts on an admin listener and a public one that were given from the start.
fn at_start(states: [(Verdict, Sign); 2], listen: &str, scoreboard: Option<&str>) -> Vec<Verdict> {
    let probed = [admin(6480), public(listen)];
    let current = probed.iter().zip(states);
    let current =
        current.map(|(probed, (verdict, sign))| observed(probed, verdict, sign)).collect();
    let page = |_: &Probed| scoreboard.map(|text| text.as_bytes().to_vec());
    let outcomes = reconcile(true, current, Vec::new(), &mut KnownAddresses::default(), page);
    outcomes.iter().map(|outcome| outcome.verdict).collect()
}

const WELL: (Verdict, Sign) = (Verdict::Healthy, Sign::Other);
const SILENT: (Verdict, Sign) = (Verdict::Unresponsive, Sign::Other);
const ABSENT: (Verdict, Sign) = (Verdict::Unresponsive, Sign::Absent);
const CLOSED: (Verdict, Sign) = (Verdict::Unresponsive, Sign::Closed);
const SHED: (Verdict, Sign) = (Verdict::Unresponsive, Sign::Shed);

#[test]
fn failure_at_an_address_that_the_server_does_not_serve_is_an_alarm() {
    let (healthy, fails) = (Verdict::Healthy, Verdict::Unresponsive);
    let listener = |answered| Verdict::Misconfigured { kind: AlarmKind::Listener, answered };
    let overloaded = Verdict::Misconfigured { kind: AlarmKind::Overloaded, answered: true };
    let here = Some(LISTENING);
    for (case, states, listen, scoreboard, expected) in [
        ("well", [WELL, WELL], "127.0.0.1:6443", here, [healthy, healthy]),
        ("hung", [SILENT, SILENT], "127.0.0.1:6443", None, [fails, fails]),
        ("down", [ABSENT, ABSENT], "127.0.0.1:6443", None, [fails, fails]),
        ("silent to visitors", [WELL, SILENT], "127.0.0.1:6443", here, [healthy, fails]),
        ("refused, no statement", [WELL, ABSENT], "127.0.0.1:6443", None, [healthy, fails]),
        ("elsewhere", [WELL, ABSENT], "127.0.0.1:7443", here, [healthy, listener(true)]),
        ("elsewhere, silent", [WELL, SILENT], "127.0.0.1:7443", here, [healthy, listener(true)]),
        // `serve --admin-listen`: nothing listens here.
        ("other admin", [ABSENT, WELL], "127.0.0.1:6443", None, [listener(true), healthy]),
        ("admin hangs", [SILENT, WELL], "127.0.0.1:6443", None, [fails, healthy]),
        ("sheds", [WELL, SHED], "127.0.0.1:6443", here, [healthy, overloaded]),
        ("sheds, and the admin hangs", [SILENT, SHED], "127.0.0.1:6443", None, [fails, fails]),
        ("sheds TLS", [WELL, CLOSED], "127.0.0.1:6443", Some(SHEDDING), [healthy, overloaded]),
        ("closes, and sheds nothing", [WELL, CLOSED], "127.0.0.1:6443", here, [healthy, fails]),
        ("closes, no statement", [WELL, CLOSED], "127.0.0.1:6443", None, [healthy, fails]),
        (
            "is silent, and sheds",
            [WELL, SILENT],
            "127.0.0.1:6443",
            Some(SHEDDING),
            [healthy, fails],
        ),
        (
            "closes, and the admin hangs",
            [SILENT, CLOSED],
            "127.0.0.1:6443",
            Some(SHEDDING),
            [fails, fails],
        ),
        ("admin sheds", [SHED, WELL], "127.0.0.1:6443", None, [fails, healthy]),
        // An address for documentation (RFC 5737), which no machine has.
        ("lost address", [WELL, SILENT], "192.0.2.7:6443", None, [healthy, listener(false)]),
        ("relative path", [WELL, ABSENT], "unix:no/p.sock", None, [healthy, listener(false)]),
        // Any file that is there, in the place of a socket that a killed server has left.
        ("left path", [WELL, ABSENT], "unix:./Cargo.toml", None, [healthy, fails]),
        ("absolute path", [WELL, ABSENT], "unix:/no/p.sock", None, [healthy, fails]),
    ] {
        assert_eq!(at_start(states, listen, scoreboard), expected, "{case}");
    }
}

#[test]
fn former_address_counts_until_the_server_answers_by_the_new_plan() {
    let [old, new] = [(6480, "127.0.0.1:6443"), (7480, "127.0.0.1:7443")]
        .map(|(port, listen)| [admin(port), public(listen)]);
    let fails = Verdict::Unresponsive;
    let elsewhere = Verdict::Misconfigured { kind: AlarmKind::Listener, answered: true };
    // The new addresses, the old ones, the verdicts, and the number of old ones that are probed further.
    for (case, states, former, expected, kept) in [
        ("serves as before", [ABSENT, ABSENT], [WELL, WELL], vec![elsewhere; 2], 2),
        ("has hung since", [ABSENT, ABSENT], [SILENT, SILENT], vec![fails; 4], 2),
        (
            "is silent to visitors",
            [ABSENT, ABSENT],
            [WELL, SILENT],
            vec![elsewhere, elsewhere, fails],
            2,
        ),
        ("was restarted", [WELL, WELL], [ABSENT, ABSENT], vec![Verdict::Healthy; 2], 0),
        ("sheds as before", [ABSENT, ABSENT], [WELL, SHED], vec![elsewhere; 2], 2),
        (
            "was restarted, and one listener is silent",
            [WELL, SILENT],
            [ABSENT, ABSENT],
            vec![Verdict::Healthy, fails],
            0,
        ),
    ] {
        let mut known = KnownAddresses::default();
        old.iter().for_each(|probed| known.record(probed));
        known.follow(&plan(&old[0], &old[1..]), &plan(&new[0], &new[1..]));
        let observe = |probed: &[Probed], states: [(Verdict, Sign); 2]| -> Vec<Observed> {
            let all = probed.iter().zip(states);
            all.map(|(probed, (verdict, sign))| observed(probed, verdict, sign)).collect()
        };
        let page = |_: &Probed| Some(LISTENING.as_bytes().to_vec());
        let page = |probed: &Probed| page(probed).filter(|_| former[0] == WELL);
        let outcomes =
            reconcile(true, observe(&new, states), observe(&old, former), &mut known, page);
        let verdicts: Vec<Verdict> = outcomes.iter().map(|outcome| outcome.verdict).collect();
        assert_eq!(verdicts, expected, "{case}");
        assert_eq!(known.former().len(), kept, "{case}");
    }
}
