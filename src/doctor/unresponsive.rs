//! Findings about a server that does not answer, from the facts of the kernel. The server may be any
//! program.

use super::checks;
use super::finding::Finding;
use super::kernel_view::{KernelView, Listener, Owner, Socket, ThreadGroup};
use crate::admin::client::{RequestError, Response};
use crate::config::ListenAddr;

/// Returns the finding about an admin listener that returned no scoreboard.
pub(super) fn admin(address: &ListenAddr, response: &Result<Response, RequestError>) -> Finding {
    let detail = match response {
        Ok(Response { status, .. }) => {
            format!("the program at {address} has no scoreboard ({status}): is it another one?")
        }
        Err(error) => format!("{address} does not answer: {error}"),
    };
    let advice = match response {
        Err(RequestError::Timeout | RequestError::Full) => {
            "the process listens but does not answer: see below where its threads wait"
        }
        _ => {
            "if the server runs, give its admin listener by --admin or --config; the lines below are \
             facts from the kernel"
        }
    };
    Finding::wrong("admin listener", detail, advice)
}

/// Returns the findings about the listeners, their accept queues, processes and threads.
pub(super) fn findings(view: &KernelView, admin: &ListenAddr) -> Vec<Finding> {
    // The finding about the admin listener has reported already that no process listens there.
    let is_reported =
        |listener: &Listener| listener.sockets.is_empty() && listener.wanted == admin.to_string();
    let listeners = view.listeners.iter().filter(|listener| !is_reported(listener));
    let mut findings: Vec<Finding> =
        listeners.flat_map(|listener| self::listener(view, listener)).collect();
    for owner in &view.processes {
        findings.push(process(owner));
        findings.extend(threads_of(owner));
        findings.extend(owner.facts.as_ref().map(checks::open_files));
    }
    if !view.connections.is_empty() {
        let states: Vec<String> =
            view.connections.iter().map(|(state, count)| format!("{state} {count}")).collect();
        findings.push(Finding::note("connections", states.join(", ")));
    }
    if view.listen_overflows > 0 {
        let detail = format!("{} listen overflows on this host so far", view.listen_overflows);
        findings.push(Finding::note("losses", detail));
    }
    findings
}

/// Returns the findings about the threads of the processes that listen.
pub(super) fn threads(view: &KernelView) -> Vec<Finding> {
    view.processes.iter().flat_map(threads_of).collect()
}

fn listener(view: &KernelView, listener: &Listener) -> Vec<Finding> {
    let wanted = &listener.wanted;
    if wanted.starts_with("fd:") {
        let detail = format!("{wanted} is bound by the service manager that starts the server");
        return vec![Finding::note("listener", detail).advise("give its address by --listen")];
    }
    if listener.sockets.is_empty() {
        return vec![Finding::wrong(
            "listener",
            format!("no process listens at {wanted}"),
            "start the server, or give the address where it listens by --listen or --config",
        )];
    }
    listener.sockets.iter().map(|socket| self::socket(view, socket)).collect()
}

fn socket(view: &KernelView, socket: &Socket) -> Finding {
    let owners: Vec<String> = view
        .processes
        .iter()
        .filter(|owner| socket.holders.contains(&owner.pid))
        .map(|owner| format!("{} (pid {})", owner.name, owner.pid))
        .collect();
    let owners = if owners.is_empty() {
        "a process of another user (run as root to see it)".to_owned()
    } else {
        owners.join(" and ")
    };
    let address = &socket.address;
    let Some(depth) = socket.depth else {
        return Finding::well("listener", format!("{owners} listens at {address}"));
    };
    let limit = socket.limit.map_or("?".to_owned(), |limit| limit.to_string());
    let detail = format!("{depth} / {limit} wait at {address} for {owners} to accept them");
    // The queue of a server that accepts is empty within a moment.
    let is_full = socket.limit.map_or(depth > 0, |limit| u64::from(depth) * 2 > u64::from(limit));
    if is_full {
        return Finding::wrong(
            "accept queue",
            detail,
            "it accepts no connection: see below where its threads wait",
        );
    }
    Finding::well("accept queue", detail)
}

fn process(owner: &Owner) -> Finding {
    let (name, pid) = (&owner.name, owner.pid);
    let mib = owner.facts.as_ref().map(|facts| facts.resident_bytes as f64 / f64::from(1 << 20));
    let memory = mib.map_or(String::new(), |mib| format!(", {mib:.1} MiB"));
    let detail = format!("{name}, pid {pid}: {}{memory}", state_name(owner.state));
    match owner.state {
        'T' | 't' => Finding::wrong("process", detail, format!("kill -CONT {pid}")),
        'D' => Finding::wrong(
            "process",
            detail,
            "check the disk or network file system that it waits for: no signal reaches the process \
             until that answers",
        ),
        'Z' | 'X' => {
            Finding::wrong("process", detail, "it has exited: its parent process must reap it")
        }
        _ => Finding::well("process", detail),
    }
}

fn threads_of(owner: &Owner) -> impl Iterator<Item = Finding> {
    owner.threads.iter().map(|ThreadGroup { state, waits_in, names }| {
        let count: u64 = names.values().sum();
        let place = waits_in.as_ref().map_or(String::new(), |place| format!(" in {place}"));
        let names: Vec<String> = names
            .iter()
            .map(|(name, count)| match count {
                1 => name.clone(),
                _ => format!("{count} {name}"),
            })
            .collect();
        let state = state_name(*state);
        Finding::note("threads", format!("{count} {state}{place}: {}", names.join(", ")))
    })
}

/// Returns the name of a state letter of proc(5).
const fn state_name(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "asleep",
        'D' => "waiting for a disk",
        'T' => "stopped",
        't' => "stopped by a debugger",
        'Z' => "zombie",
        'X' => "dead",
        'I' => "idle",
        _ => "in an unknown state",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::finding::Mark;

    fn admin_address() -> ListenAddr {
        "127.0.0.1:6480".parse().unwrap()
    }

    /// Returns the facts about a process in `state` with `depth` connections in its accept queue.
    fn view(state: char, depth: u32) -> KernelView {
        let listener =
            |sockets: Vec<Socket>| Listener { wanted: "0.0.0.0:6443".to_owned(), sockets };
        let socket = Socket::for_tests("0.0.0.0:6443", depth, Some(128), &[42]);
        KernelView {
            listeners: vec![listener(vec![socket])],
            processes: vec![Owner {
                name: "python3".to_owned(),
                state,
                facts: None,
                pid: 42,
                threads: vec![ThreadGroup {
                    state,
                    waits_in: Some("wait_woken".to_owned()),
                    names: [("python3".to_owned(), 1), ("worker".to_owned(), 4)].into(),
                }],
            }],
            connections: [("ESTAB", 130)].into(),
            listen_overflows: 12,
        }
    }

    #[test]
    fn process_with_a_full_accept_queue_is_reported_with_its_threads() {
        let found = findings(&view('S', 129), &admin_address());
        let lines: Vec<(Mark, &str)> =
            found.iter().map(|finding| (finding.mark, finding.detail.as_str())).collect();
        assert_eq!(
            lines,
            [
                (Mark::Wrong, "129 / 128 wait at 0.0.0.0:6443 for python3 (pid 42) to accept them"),
                (Mark::Well, "python3, pid 42: asleep"),
                (Mark::Note, "5 asleep in wait_woken: python3, 4 worker"),
                (Mark::Note, "ESTAB 130"),
                (Mark::Note, "12 listen overflows on this host so far"),
            ]
        );
    }

    #[test]
    fn process_in_an_abnormal_state_is_wrong() {
        for (state, mark, advice) in [
            ('S', Mark::Well, ""),
            ('R', Mark::Well, ""),
            ('T', Mark::Wrong, "kill -CONT 42"),
            ('D', Mark::Wrong, "disk"),
            ('Z', Mark::Wrong, "reap"),
        ] {
            let found = findings(&view(state, 0), &admin_address());
            assert_eq!(found[0].mark, Mark::Well, "an empty queue: {found:?}");
            assert_eq!(found[1].mark, mark, "{found:?}");
            assert!(found[1].advice.as_deref().unwrap_or_default().contains(advice), "{found:?}");
        }
    }

    #[test]
    fn listener_without_a_process_is_wrong_and_a_passed_socket_a_note() {
        let admin = Listener { wanted: admin_address().to_string(), sockets: Vec::new() };
        let view = KernelView { listeners: vec![admin], ..KernelView::default() };
        assert_eq!(findings(&view, &admin_address()), []);
        for (wanted, mark) in [("0.0.0.0:6443", Mark::Wrong), ("fd:0", Mark::Note)] {
            let listener = Listener { wanted: wanted.to_owned(), sockets: Vec::new() };
            let view = KernelView { listeners: vec![listener], ..KernelView::default() };
            let found = findings(&view, &admin_address());
            assert_eq!((found.len(), found[0].mark), (1, mark), "{found:?}");
            assert!(found[0].advice.as_deref().unwrap().contains("--listen"), "{found:?}");
        }
    }

    #[test]
    fn admin_listener_without_a_scoreboard_is_wrong_with_advice() {
        let address = admin_address();
        let body = json!({}).to_string().into_bytes();
        for (response, detail, advice) in [
            (Err(RequestError::Timeout), "does not answer: timed out", "does not answer"),
            (Err(RequestError::Full), "its accept queue is full", "does not answer"),
            (Ok(Response { status: 404, body }), "has no scoreboard (404)", "--admin"),
        ] {
            let found = admin(&address, &response);
            assert!(found.detail.contains(detail), "{found:?}");
            assert!(found.advice.unwrap().contains(advice), "{response:?}");
        }
    }
}
