//! A server that does not answer, judged by what the kernel knows of it. It need not be one of
//! ours.

use super::ask::{Answer, AskError};
use super::checkup::files_of;
use super::finding::Finding;
use super::kernel::{Holder, Kernel, Listener, Socket, Threads};
use crate::config::ListenAddr;

/// The admin listener, which has told no scoreboard.
pub(super) fn admin(address: &ListenAddr, answer: &Result<Answer, AskError>) -> Finding {
    let detail = match answer {
        Ok(Answer { status, .. }) => {
            format!("what answers at {address} has no scoreboard ({status}): another program?")
        }
        Err(error) => format!("{address} does not answer: {error}"),
    };
    let advice = match answer {
        Err(AskError::Timeout | AskError::Full) => {
            "it listens and is silent: the lines below say what holds it"
        }
        _ => {
            "if the server runs, name its own by --admin or --config; what follows is what the \
             kernel knows"
        }
    };
    Finding::wrong("admin listener", detail, advice)
}

/// Who listens, who waits, and what everybody waits for.
pub(super) fn findings(kernel: &Kernel, admin: &ListenAddr) -> Vec<Finding> {
    // That nobody listens there has been said already.
    let silent =
        |listener: &Listener| listener.sockets.is_empty() && listener.wanted == admin.to_string();
    let listeners = kernel.listeners.iter().filter(|listener| !silent(listener));
    let mut findings: Vec<Finding> =
        listeners.flat_map(|listener| self::listener(kernel, listener)).collect();
    for holder in &kernel.processes {
        findings.push(process(holder));
        findings.extend(threads_of(holder));
        findings.extend(holder.facts.as_ref().map(files_of));
    }
    if !kernel.connections.is_empty() {
        let states: Vec<String> =
            kernel.connections.iter().map(|(state, count)| format!("{state} {count}")).collect();
        findings.push(Finding::note("connections", states.join(", ")));
    }
    if kernel.listen_overflows > 0 {
        let detail = format!("{} listen overflows of this host so far", kernel.listen_overflows);
        findings.push(Finding::note("losses", detail));
    }
    findings
}

/// Where the threads of those that listen wait.
pub(super) fn threads(kernel: &Kernel) -> Vec<Finding> {
    kernel.processes.iter().flat_map(threads_of).collect()
}

fn listener(kernel: &Kernel, listener: &Listener) -> Vec<Finding> {
    let wanted = &listener.wanted;
    if wanted.starts_with("fd:") {
        let detail = format!("{wanted} is bound by whoever starts the server");
        return vec![Finding::note("listener", detail).advise("name its address by --listen")];
    }
    if listener.sockets.is_empty() {
        return vec![Finding::wrong(
            "listener",
            format!("nobody listens at {wanted}"),
            "start the server, or name where it listens by --listen or --config",
        )];
    }
    listener.sockets.iter().map(|socket| self::socket(kernel, socket)).collect()
}

fn socket(kernel: &Kernel, socket: &Socket) -> Finding {
    let holders: Vec<String> = kernel
        .processes
        .iter()
        .filter(|holder| socket.holders.contains(&holder.pid))
        .map(|holder| format!("{} (pid {})", holder.name, holder.pid))
        .collect();
    let by = if holders.is_empty() {
        "a process that only root may look at".to_owned()
    } else {
        holders.join(" and ")
    };
    let address = &socket.address;
    let Some(depth) = socket.depth else {
        return Finding::well("listener", format!("{by} listens at {address}"));
    };
    let limit = socket.limit.map_or("?".to_owned(), |limit| limit.to_string());
    let detail = format!("{depth} / {limit} wait at {address} for {by} to accept them");
    // A server that accepts leaves nobody waiting for longer than a moment.
    let full = socket.limit.map_or(depth > 0, |limit| u64::from(depth) * 2 > u64::from(limit));
    if full {
        return Finding::wrong(
            "accept queue",
            detail,
            "it accepts nobody: one of its threads below should, and waits for something else",
        );
    }
    Finding::well("accept queue", detail)
}

fn process(holder: &Holder) -> Finding {
    let (name, pid) = (&holder.name, holder.pid);
    let mib = holder.facts.as_ref().map(|facts| facts.resident_bytes as f64 / f64::from(1 << 20));
    let memory = mib.map_or(String::new(), |mib| format!(", {mib:.1} MiB"));
    let detail = format!("{name}, pid {pid}: {}{memory}", state_word(holder.state));
    match holder.state {
        'T' | 't' => Finding::wrong("process", detail, format!("kill -CONT {pid}")),
        'D' => Finding::wrong(
            "process",
            detail,
            "it waits for a disk or a network file system, and no signal reaches it until then",
        ),
        'Z' | 'X' => Finding::wrong("process", detail, "it is dead: its parent should wait for it"),
        _ => Finding::well("process", detail),
    }
}

fn threads_of(holder: &Holder) -> impl Iterator<Item = Finding> {
    holder.threads.iter().map(|Threads { state, waits_in, names }| {
        let count: u64 = names.values().sum();
        let place = waits_in.as_ref().map_or(String::new(), |place| format!(" in {place}"));
        let names: Vec<String> = names
            .iter()
            .map(|(name, count)| match count {
                1 => name.clone(),
                _ => format!("{count} {name}"),
            })
            .collect();
        let state = state_word(*state);
        Finding::note("threads", format!("{count} {state}{place}: {}", names.join(", ")))
    })
}

/// The state's letter of proc(5) in words.
const fn state_word(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "asleep",
        'D' => "waiting for a disk",
        'T' => "stopped",
        't' => "stopped by a debugger",
        'Z' => "a zombie",
        'X' => "dead",
        'I' => "idle",
        _ => "in a state of its own",
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

    /// The story's server: one thread, held by one client, and a queue that is full.
    fn held(state: char, depth: u32) -> Kernel {
        let listener =
            |sockets: Vec<Socket>| Listener { wanted: "0.0.0.0:6443".to_owned(), sockets };
        let socket = Socket::for_tests("0.0.0.0:6443", depth, Some(128), &[42]);
        Kernel {
            listeners: vec![listener(vec![socket])],
            processes: vec![Holder {
                name: "python3".to_owned(),
                state,
                facts: None,
                pid: 42,
                threads: vec![Threads {
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
    fn the_story() {
        let found = findings(&held('S', 129), &admin_address());
        let lines: Vec<(Mark, &str)> =
            found.iter().map(|finding| (finding.mark, finding.detail.as_str())).collect();
        assert_eq!(
            lines,
            [
                (Mark::Wrong, "129 / 128 wait at 0.0.0.0:6443 for python3 (pid 42) to accept them"),
                (Mark::Well, "python3, pid 42: asleep"),
                (Mark::Note, "5 asleep in wait_woken: python3, 4 worker"),
                (Mark::Note, "ESTAB 130"),
                (Mark::Note, "12 listen overflows of this host so far"),
            ]
        );
    }

    #[test]
    fn states_of_the_process() {
        for (state, mark, advice) in [
            ('S', Mark::Well, ""),
            ('R', Mark::Well, ""),
            ('T', Mark::Wrong, "kill -CONT 42"),
            ('D', Mark::Wrong, "disk"),
            ('Z', Mark::Wrong, "dead"),
        ] {
            let found = findings(&held(state, 0), &admin_address());
            assert_eq!(found[0].mark, Mark::Well, "an empty queue: {found:?}");
            assert_eq!(found[1].mark, mark, "{found:?}");
            assert!(found[1].advice.as_deref().unwrap_or_default().contains(advice), "{found:?}");
        }
    }

    #[test]
    fn nobody_there_and_passed_sockets() {
        let silent = Listener { wanted: admin_address().to_string(), sockets: Vec::new() };
        let kernel = Kernel { listeners: vec![silent], ..Kernel::default() };
        assert_eq!(findings(&kernel, &admin_address()), []);
        for (wanted, mark) in [("0.0.0.0:6443", Mark::Wrong), ("fd:0", Mark::Note)] {
            let listener = Listener { wanted: wanted.to_owned(), sockets: Vec::new() };
            let kernel = Kernel { listeners: vec![listener], ..Kernel::default() };
            let found = findings(&kernel, &admin_address());
            assert_eq!((found.len(), found[0].mark), (1, mark), "{found:?}");
            assert!(found[0].advice.as_deref().unwrap().contains("--listen"), "{found:?}");
        }
    }

    #[test]
    fn the_admin_listener() {
        let address = admin_address();
        let body = json!({}).to_string().into_bytes();
        for (answer, detail, advice) in [
            (Err(AskError::Timeout), "does not answer: no answer in time", "silent"),
            (Err(AskError::Full), "its accept queue is full", "silent"),
            (Ok(Answer { status: 404, body }), "has no scoreboard (404)", "--admin"),
        ] {
            let found = admin(&address, &answer);
            assert!(found.detail.contains(detail), "{found:?}");
            assert!(found.advice.unwrap().contains(advice), "{answer:?}");
        }
    }
}
