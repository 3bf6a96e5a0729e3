//! supervisord's event listener protocol (<https://supervisord.org/events.html>).
//!
//! The listener writes `READY`, supervisord sends a header line and a payload, and the listener writes
//! `RESULT` and is ready again.
//!
//! Each event is acknowledged as soon as it has been read, and a tick is dropped if the monitor is
//! still busy with the previous one. So supervisord's event buffer never overflows, and the end of
//! standard input, which means the end of supervisord, is detected at once.

use std::io::{self, BufRead, Read, Write};

use crossbeam_channel::Sender;

use crate::logging::OnChange;

/// Name of the event that makes the monitor probe.
const TICK: &str = "TICK_5";

/// Longest header line, bytes; supervisord's are below 200.
const MAX_HEADER: u64 = 4096;

/// Longest payload, bytes; a tick's is 15.
const MAX_PAYLOAD: u64 = 1024 * 1024;

const READY: &[u8] = b"READY\n";
const RESULT: &[u8] = b"RESULT 2\nOK";

/// Runs the protocol until supervisord has closed its end of either pipe. Sends a message to `ticks`,
/// which has room for one, for each tick.
///
/// Input that is no event is skipped line by line. If supervisord meant it for an event, it waits for
/// a result and sends no more; the monitor's own timer then takes over.
pub fn listen(mut input: impl BufRead, mut output: impl Write, ticks: &Sender<()>) {
    let mut garbage = OnChange::new();
    while write(&mut output, READY).is_ok() {
        let event = loop {
            match read_header(&mut input) {
                Ok(Header::Event { tick, length }) => break Some((tick, length)),
                Ok(Header::Garbage) => {
                    if garbage.set(()) {
                        log::warn!(
                            "skipped a line on standard input that is no event of supervisord"
                        );
                    }
                }
                Ok(Header::End) | Err(_) => break None,
            }
        };
        let Some((tick, length)) = event else { return };
        garbage.clear();
        match io::copy(&mut input.by_ref().take(length), &mut io::sink()) {
            Ok(read) if read == length => {}
            _ => return,
        }
        if write(&mut output, RESULT).is_err() {
            return;
        }
        if tick {
            // If it is full, the monitor is busy with the previous tick.
            let _ = ticks.try_send(());
        }
    }
}

enum Header {
    Event { tick: bool, length: u64 },
    Garbage,
    End,
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
    let value = |key: &str| {
        line.split_ascii_whitespace().find_map(|token| token.strip_prefix(key)?.strip_prefix(':'))
    };
    let length = value("len")?.parse().ok().filter(|length| *length <= MAX_PAYLOAD)?;
    Some(Header::Event { tick: value("eventname")? == TICK, length })
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
        let (sender, ticks) = bounded(100);
        let mut output = Vec::new();
        // A small buffer: lines and payloads come in pieces, as from a pipe.
        listen(BufReader::with_capacity(7, input), &mut output, &sender);
        (String::from_utf8(output).unwrap(), ticks.len())
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
        let (sender, ticks) = bounded(1);
        let input = event("TICK_5", "when:1201063880").repeat(5);
        let mut output = Vec::new();
        listen(input.as_bytes(), &mut output, &sender);
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
        let (sender, ticks) = bounded(1);
        listen(event("TICK_5", "").as_bytes(), Closed, &sender);
        assert!(ticks.is_empty());
    }
}
