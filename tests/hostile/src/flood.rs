//! A client that pipelines requests as fast as the server answers them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use memchr::memmem;

use crate::transport::{Connection, Transport};

/// Requests that one client sends repeatedly on one connection, which it opens again whenever the
/// server closes it.
pub struct Flood {
    /// Server to send to.
    pub transport: Transport,
    /// Address to connect from.
    pub source: Ipv4Addr,
    /// Requests in the pipeline at a time.
    pub requests: Vec<String>,
}

/// Number of responses of each status code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses(BTreeMap<u16, u64>);

/// Bound on the connect, the handshake and each write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bound on each read, after which the flood checks whether it must stop.
const STEP: Duration = Duration::from_millis(200);

/// Number of reads without a byte after which the connection is closed.
const MAX_EMPTY_READS: u32 = 50;

const STATUS_LINE: &[u8] = b"HTTP/1.1 ";
const CODE: usize = 3;

impl Flood {
    /// Sends until `stop` is set, and returns the responses.
    pub fn run(&self, stop: &AtomicBool) -> Statuses {
        let mut statuses = Statuses::default();
        while !stop.load(Ordering::Relaxed) {
            if self.pipeline_until_closed(stop, &mut statuses).is_err() {
                // Pauses rather than retrying in a busy loop.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        statuses
    }

    /// Sends the requests once, on one connection, and returns the responses.
    ///
    /// # Errors
    /// The server closes the connection, or does not respond.
    pub fn run_once(&self) -> io::Result<Statuses> {
        let mut statuses = Statuses::default();
        let mut pipeline = self.open()?;
        pipeline.exchange(self, &AtomicBool::new(false), &mut statuses)?;
        Ok(statuses)
    }

    /// Pipelines on one connection until the server ends it or `stop` is set.
    fn pipeline_until_closed(&self, stop: &AtomicBool, statuses: &mut Statuses) -> io::Result<()> {
        let mut pipeline = self.open()?;
        while !stop.load(Ordering::Relaxed) {
            pipeline.exchange(self, stop, statuses)?;
        }
        Ok(())
    }

    fn open(&self) -> io::Result<Pipeline> {
        Ok(Pipeline {
            connection: self.transport.connect_from(self.source, TIMEOUT)?,
            batch: self.requests.concat().into_bytes(),
            buffer: vec![0; 64 << 10],
            kept: 0,
        })
    }
}

/// One connection of a flood.
struct Pipeline {
    connection: Connection,
    batch: Vec<u8>,
    buffer: Vec<u8>,
    /// Number of bytes at the start of the buffer that may be an incomplete status line.
    kept: usize,
}

impl Pipeline {
    /// Sends all requests and counts their responses; ends early once `stop` is set.
    fn exchange(
        &mut self,
        flood: &Flood,
        stop: &AtomicBool,
        statuses: &mut Statuses,
    ) -> io::Result<()> {
        let Pipeline { connection, batch, buffer, kept } = self;
        connection.write_all(batch)?;
        connection.flush()?;
        connection.set_read_timeout(STEP)?;
        let (mut missing, mut silent) = (flood.requests.len(), 0);
        while missing > 0 && !stop.load(Ordering::Relaxed) {
            let length = match connection.read(&mut buffer[*kept..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if is_timeout(&error) && silent < MAX_EMPTY_READS => {
                    silent += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            silent = 0;
            let end = *kept + length;
            let (count, rest) = statuses.count(&buffer[..end]);
            missing = missing.saturating_sub(count);
            buffer.copy_within(end - rest..end, 0);
            *kept = rest;
        }
        Ok(())
    }
}

impl Statuses {
    /// Number of responses with this status.
    pub fn of(&self, code: u16) -> u64 {
        self.0.get(&code).copied().unwrap_or(0)
    }

    /// Number of all responses.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Adds the responses of another client.
    pub fn add(&mut self, other: &Statuses) {
        for (code, count) in &other.0 {
            *self.0.entry(*code).or_default() += count;
        }
    }

    /// Counts the status lines in these bytes. Returns their number, and the number of bytes at the
    /// end that may be an incomplete status line.
    fn count(&mut self, bytes: &[u8]) -> (usize, usize) {
        let whole = STATUS_LINE.len() + CODE;
        let (mut count, mut end) = (0, 0);
        for at in memmem::find_iter(bytes, STATUS_LINE) {
            let Some(code) = bytes.get(at + STATUS_LINE.len()..at + whole) else { break };
            let code = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok());
            if let Some(code) = code {
                *self.0.entry(code).or_default() += 1;
                count += 1;
            }
            end = at + whole;
        }
        (count, (bytes.len() - end).min(whole - 1))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no response");
        }
        let each: Vec<String> =
            self.0.iter().map(|(code, count)| format!("{count} of {code}")).collect();
        f.write_str(&each.join(", "))
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
