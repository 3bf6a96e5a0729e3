use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender};

use super::super::format::Format;
use super::super::queue::{Bounds, Producer, bounded};
use super::*;

const LAYOUT: Layout = Layout { format: Format::Text, colours: false };
const BOUNDS: Bounds = Bounds { lines: 100, bytes: 1024 * 1024 };
const TIMEOUT: Duration = Duration::from_secs(30);

/// A sink that receives the outcome of each write from a channel: a number of bytes, or an error. Once
/// the channel is closed, every write succeeds in full.
#[derive(Clone)]
struct Scripted {
    /// Bytes of each write.
    written: Arc<Mutex<Vec<Vec<u8>>>>,
    outcomes: Receiver<Result<usize, io::ErrorKind>>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match self.outcomes.recv() {
            Ok(Ok(taken)) => taken.min(bytes.len()),
            Ok(Err(kind)) => return Err(kind.into()),
            Err(_) => bytes.len(),
        };
        self.written.lock().unwrap().push(bytes[..taken].to_vec());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Fixture {
    producer: Producer,
    sink: Scripted,
    outcomes: Sender<Result<usize, io::ErrorKind>>,
}

fn start(bounds: Bounds) -> Fixture {
    let (producer, consumer) = bounded(bounds);
    let (outcomes, receiver) = crossbeam_channel::unbounded();
    let sink = Scripted { written: Arc::default(), outcomes: receiver };
    let writer = Writer::new(consumer, Arc::default(), LAYOUT, sink.clone());
    thread::spawn(move || writer.run());
    Fixture { producer, sink, outcomes }
}

impl Fixture {
    fn send(&self, line: &str) {
        self.producer.send(Level::Info, format!("{line}\n"));
    }

    /// Makes every further write succeed, and returns all bytes that were written.
    fn finish(self) -> String {
        drop(self.outcomes);
        assert!(self.producer.flush(TIMEOUT));
        String::from_utf8(self.sink.written.lock().unwrap().concat()).unwrap()
    }

    fn wait_until_blocked(&self) {
        let begun = Instant::now();
        while self.producer.counters().blocked() == Duration::ZERO {
            assert!(begun.elapsed() < TIMEOUT);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn writer_behind_a_blocked_sink_writes_queued_lines_in_order_and_reports_the_dropped_ones_once() {
    let log = start(Bounds { lines: 5, ..BOUNDS });
    log.send("first");
    log.wait_until_blocked();
    (0..20).for_each(|number| log.send(&number.to_string()));
    assert_eq!(log.producer.counters().dropped(), 15);
    let written = log.finish();
    let (lines, note) = written.split_at(written.find("4\n").unwrap() + 2);
    assert_eq!(lines, "first\n0\n1\n2\n3\n4\n");
    assert!(note.contains("WARN  15 log lines dropped: "), "{note}");
    assert_eq!(note.lines().count(), 1, "{note}");
}

#[test]
fn writer_after_partial_and_interrupted_writes_has_lost_nothing() {
    let log = start(BOUNDS);
    for outcome in [
        Ok(2),
        Err(io::ErrorKind::Interrupted),
        Err(io::ErrorKind::WouldBlock),
        Ok(1),
        Err(io::ErrorKind::WouldBlock),
    ] {
        log.outcomes.send(outcome).unwrap();
    }
    log.send("a whole line");
    assert_eq!(log.finish(), "a whole line\n");
}

#[test]
fn writer_with_a_failing_sink_drops_the_line_and_reports_it_once_the_sink_works() {
    let log = start(BOUNDS);
    log.outcomes.send(Ok(3)).unwrap();
    log.outcomes.send(Err(io::ErrorKind::StorageFull)).unwrap();
    // The write of the report, which follows at once.
    log.outcomes.send(Err(io::ErrorKind::BrokenPipe)).unwrap();
    log.send("lost line");
    let begun = Instant::now();
    while log.producer.counters().queued() > 0 {
        assert!(begun.elapsed() < TIMEOUT);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(begun.elapsed() >= ERROR_PAUSE * 2, "it pauses after each failure");
    log.send("next");
    let written = log.finish();
    assert!(written.starts_with("los\nnext\n"), "{written}");
    assert!(written.contains("1 log lines dropped: standard error failed: "), "{written}");
}

#[test]
fn writer_batches_lines_up_to_the_atomic_size_of_a_pipe() {
    let log = start(BOUNDS);
    log.send("first");
    log.wait_until_blocked();
    let long = "x".repeat(1500);
    (0..5).for_each(|_| log.send(&long));
    let written = log.sink.written.clone();
    log.finish();
    let lengths: Vec<usize> = written.lock().unwrap().iter().map(Vec::len).collect();
    assert_eq!(lengths, [6, 2 * 1501, 2 * 1501, 1501]);
}

#[test]
fn writer_ends_with_its_last_producer() {
    let (producer, consumer) = bounded(BOUNDS);
    let writer = Writer::new(consumer, Arc::default(), LAYOUT, io::sink());
    let thread = thread::spawn(move || writer.run());
    producer.send(Level::Info, "line\n".to_owned());
    drop(producer);
    thread.join().unwrap();
}
