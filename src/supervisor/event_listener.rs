//! supervisord's event listener protocol (<https://supervisord.org/events.html>).
//!
//! The listener writes `READY`, supervisord sends a header line and a payload, and the listener writes
//! `RESULT` and is ready again.
//!
//! Each event is acknowledged as soon as it has been read, and a tick is dropped if the monitor is
//! still busy with the previous one. So supervisord's event buffer never overflows, and the end of
//! standard input, which means the end of supervisord, is detected at once.
//!
//! The event `PROCESS_STATE_FATAL` means that supervisord has given up starting a program. That of the
//! watched program is passed on; all other events are acknowledged only.

use std::io::{self, BufRead, Read, Write};

use crossbeam_channel::Sender;

use crate::logging::OnChange;

/// Name of the event that makes the monitor probe.
const TICK: &str = "TICK_5";

/// Name of the event by which supervisord says that it has given up a program.
const FATAL: &str = "PROCESS_STATE_FATAL";

/// Longest header line, bytes; supervisord's are below 200.
const MAX_HEADER: u64 = 4096;

/// Longest payload, bytes; a tick's is 15.
const MAX_PAYLOAD: u64 = 1024 * 1024;

/// Longest payload that is parsed, bytes: it names a program and its group.
const MAX_PARSED: u64 = 4096;

const READY: &[u8] = b"READY\n";
const RESULT: &[u8] = b"RESULT 2\nOK";

/// Receivers of events. Each has room for one message, which stands for all that follow it.
#[derive(Debug)]
pub struct Events {
    /// Receives a message for each tick.
    pub ticks: Sender<()>,
    /// Receives a message when supervisord has given up the program.
    pub gave_up: Sender<()>,
    /// The watched program: `NAME`, or `GROUP:NAME`.
    pub program: String,
}

/// Runs the protocol until supervisord has closed its end of either pipe.
///
/// Input that is no event is skipped line by line. If supervisord meant it for an event, it waits for
/// a result and sends no more; the monitor's own timer then takes over.
pub fn listen(mut input: impl BufRead, mut output: impl Write, events: &Events) {
    let mut garbage = OnChange::new();
    while write(&mut output, READY).is_ok() {
        let (event, length) = loop {
            match read_header(&mut input) {
                Ok(Header::Event { event, length }) => break (event, length),
                Ok(Header::Garbage) => {
                    if garbage.set(()) {
                        log::warn!(
                            "skipped a line on standard input that is no event of supervisord"
                        );
                    }
                }
                Ok(Header::End) | Err(_) => return,
            }
        };
        garbage.clear();
        let mut payload = Vec::new();
        let parsed = length.min(MAX_PARSED);
        match input.by_ref().take(parsed).read_to_end(&mut payload) {
            Ok(_) if payload.len() as u64 == parsed => {}
            _ => return,
        }
        let rest = length - parsed;
        match io::copy(&mut input.by_ref().take(rest), &mut io::sink()) {
            Ok(read) if read == rest => {}
            _ => return,
        }
        if write(&mut output, RESULT).is_err() {
            return;
        }
        // If a channel is full, the monitor has not received the previous message yet.
        match event {
            Event::Tick => drop(events.ticks.try_send(())),
            Event::Fatal if is_program(&payload, &events.program) => {
                let _ = events.gave_up.try_send(());
            }
            Event::Fatal | Event::Other => {}
        }
    }
}

enum Header {
    Event { event: Event, length: u64 },
    Garbage,
    End,
}

enum Event {
    Tick,
    Fatal,
    Other,
}

/// Returns true if a payload such as `processname:cat groupname:cat from_state:BACKOFF` is about a program.
/// A program without a group is in the group of its own name.
fn is_program(payload: &[u8], program: &str) -> bool {
    let payload = String::from_utf8_lossy(payload);
    let (group, name) = program.split_once(':').unwrap_or((program, program));
    value(&payload, "groupname") == Some(group) && value(&payload, "processname") == Some(name)
}

/// Returns the value of a token `key:value`.
fn value<'text>(text: &'text str, key: &str) -> Option<&'text str> {
    text.split_ascii_whitespace().find_map(|token| token.strip_prefix(key)?.strip_prefix(':'))
}

fn read_header(input: &mut impl BufRead) -> io::Result<Header> {
    let mut line = Vec::new();
    if input.take(MAX_HEADER).read_until(b'\n', &mut line)? == 0 {
        return Ok(Header::End);
    }
    if line.pop_if(|last| *last == b'\n').is_none() {
        // The line is too long, or the input has ended.
        return Ok(if skip_line(input)? { Header::Garbage } else { Header::End });
    }
    Ok(std::str::from_utf8(&line).ok().and_then(parse).unwrap_or(Header::Garbage))
}

/// Reads to the end of the line and discards it. Returns false if the input ends first.
fn skip_line(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let (read, found) = match memchr::memchr(b'\n', buffer) {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        input.consume(read);
        if found {
            return Ok(true);
        }
    }
}

/// Parses a header, such as
/// `ver:3.0 server:supervisor serial:21 pool:watch poolserial:10 eventname:TICK_5 len:15`.
fn parse(line: &str) -> Option<Header> {
    let length = value(line, "len")?.parse().ok().filter(|length| *length <= MAX_PAYLOAD)?;
    let event = match value(line, "eventname")? {
        TICK => Event::Tick,
        FATAL => Event::Fatal,
        _ => Event::Other,
    };
    Some(Header::Event { event, length })
}

fn write(output: &mut impl Write, message: &[u8]) -> io::Result<()> {
    output.write_all(message)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use crossbeam_channel::bounded;

    use super::*;

    fn event(name: &str, payload: &str) -> String {
        let length = payload.len();
        format!(
            "ver:3.0 server:supervisor serial:1 pool:w poolserial:1 eventname:{name} \
             len:{length}\n{payload}"
        )
    }

    /// Returns the output and the number of ticks sent for that input.
    fn run(input: &[u8]) -> (String, usize) {
        let (output, ticks, _) = run_for("cat", input);
        (output, ticks)
    }

    /// Returns the output, the number of ticks, and the number of times that the program was given up.
    fn run_for(program: &str, input: &[u8]) -> (String, usize, usize) {
        let (ticks, ticked) = bounded(100);
        let (gave_up, given_up) = bounded(100);
        let events = Events { ticks, gave_up, program: program.to_owned() };
        let mut output = Vec::new();
        // A small buffer: lines and payloads come in pieces, as from a pipe.
        listen(BufReader::with_capacity(7, input), &mut output, &events);
        (String::from_utf8(output).unwrap(), ticked.len(), given_up.len())
    }

    #[test]
    fn program_that_was_given_up_is_told_from_others() {
        let fatal = |name: &str, group: &str| {
            let payload = format!("processname:{name} groupname:{group} from_state:BACKOFF");
            event("PROCESS_STATE_FATAL", &payload)
        };
        let exited = event("PROCESS_STATE_EXITED", "processname:cat groupname:cat");
        let long = event(
            "PROCESS_STATE_FATAL",
            &format!("processname:cat groupname:cat x:{}", "x".repeat(2 * MAX_PARSED as usize)),
        );
        for (program, input, expected) in [
            ("cat", fatal("cat", "cat"), 1),
            ("cat:cat", fatal("cat", "cat"), 1),
            ("web:cat-0", fatal("cat-0", "web"), 1),
            ("web:cat-0", fatal("cat-1", "web"), 0),
            ("cat", fatal("cat", "other"), 0),
            ("cat", fatal("dog", "dog"), 0),
            ("cat", fatal("cat2", "cat2"), 0),
            ("cat", exited, 0),
            ("cat", event("PROCESS_STATE_FATAL", ""), 0),
            ("cat", long, 1),
        ] {
            let (output, _, given_up) = run_for(program, input.as_bytes());
            assert_eq!(output, "READY\nRESULT 2\nOKREADY\n", "{program} {input}");
            assert_eq!(given_up, expected, "{program} {input}");
        }
    }

    /// Returns receivers of events with room for one tick.
    fn one_tick() -> (Events, crossbeam_channel::Receiver<()>) {
        let (ticks, ticked) = bounded(1);
        let (gave_up, _) = bounded(1);
        (Events { ticks, gave_up, program: "cat".to_owned() }, ticked)
    }

    #[test]
    fn events_are_acknowledged_and_ticks_are_sent() {
        let ok = "RESULT 2\nOKREADY\n";
        let tick = event("TICK_5", "when:1201063880");
        let other = event("PROCESS_STATE_EXITED", "processname:cat from_state:STOPPING");
        // A payload may hold a header.
        let nested = event("REMOTE_COMMUNICATION", &format!("type:x\n{tick}"));
        for (input, acknowledged, ticked) in [
            (String::new(), 0, 0),
            (tick.clone(), 1, 1),
            (other.clone(), 1, 0),
            (nested.clone(), 1, 0),
            (event("TICK_60", "when:1201063860"), 1, 0),
            (format!("{tick}{other}{nested}{tick}"), 4, 2),
            (event("TICK_5", ""), 1, 1),
            // Cut off, as by the end of supervisord.
            (tick[..tick.len() - 1].to_owned(), 0, 0),
            (tick[..20].to_owned(), 0, 0),
        ] {
            let (output, sent) = run(input.as_bytes());
            assert_eq!(output, format!("READY\n{}", ok.repeat(acknowledged)), "{input}");
            assert_eq!(sent, ticked, "{input}");
        }
    }

    #[test]
    fn input_that_is_no_event_is_skipped() {
        let tick = event("TICK_5", "when:1201063880");
        let long = "x".repeat(100_000);
        // The part beyond the longest header is a header by itself.
        let beyond_header = format!("{}{tick}", "x".repeat(MAX_HEADER as usize));
        for garbage in [
            b"\n".as_slice(),
            b"hello\n",
            b"\xff\xfe\x00\n",
            b"ver:3.0 eventname:TICK_5\n",
            b"eventname:TICK_5 len:\n",
            b"eventname:TICK_5 len:-1\n",
            b"eventname:TICK_5 len:99999999999999999999\n",
            b"eventname:TICK_5 len:9999999999\n",
            b"len:0\n",
            format!("{long}\n").as_bytes(),
            format!("len:5 eventname:TICK_5 {long}\n").as_bytes(),
            beyond_header.split_inclusive('\n').next().unwrap().as_bytes(),
        ] {
            let input = [garbage, tick.as_bytes()].concat();
            let (output, ticked) = run(&input);
            let shown = String::from_utf8_lossy(&garbage[..garbage.len().min(60)]).into_owned();
            assert_eq!(output, "READY\nRESULT 2\nOKREADY\n", "{shown}");
            assert_eq!(ticked, 1, "{shown}");
        }
        assert_eq!(run(long.as_bytes()), ("READY\n".to_owned(), 0));
    }

    #[test]
    fn tick_is_dropped_while_the_previous_one_is_not_received() {
        let (events, ticks) = one_tick();
        let input = event("TICK_5", "when:1201063880").repeat(5);
        let mut output = Vec::new();
        listen(input.as_bytes(), &mut output, &events);
        assert_eq!(ticks.len(), 1);
        assert_eq!(output, format!("READY\n{}", "RESULT 2\nOKREADY\n".repeat(5)).as_bytes());
    }

    #[test]
    fn closed_output_ends_the_protocol() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (events, ticks) = one_tick();
        listen(event("TICK_5", "").as_bytes(), Closed, &events);
        assert!(ticks.is_empty());
    }
}
