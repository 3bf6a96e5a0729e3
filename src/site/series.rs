//! Series as JSON, CSV and NDJSON, rendered point by point as the client reads.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::task::Poll;

use jiff::Timestamp;
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::engine::StreamBody;
use crate::history::{Bucket, History, HistoryError, Points, RowBudget, Total};
use crate::timestamp::Rfc3339;
use crate::units::{OverTime, round_to};

/// Significant digits of a computed number. The errors of sums of many numbers are smaller.
const SIGNIFICANT_DIGITS: i32 = 12;

/// Most decimals of a computed number. Smaller numbers are errors of rounding.
const MAX_DECIMALS: i32 = 30;

/// Number of bytes that are rendered in one piece. With the last point they fit one read of the
/// engine, so no part of a piece is held while the client does not read.
const PIECE: usize = 15 * 1024;

/// Formats of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// One object, with the points in an array.
    Json,
    /// A header line, and a line for each point (RFC 4180).
    Csv,
    /// An object for each point, each on a line.
    Ndjson,
}

impl Format {
    /// Returns the media type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Ndjson => "application/x-ndjson",
        }
    }

    /// Returns the suffix of a file in that format.
    pub(super) fn suffix(self) -> &'static str {
        self.into()
    }
}

/// Header line of CSV, for one series.
const CSV_HEAD: &str = "at,value,min,max,last,count\r\n";

/// A series that is rendered piece by piece. It reads the history only as the client reads it.
#[derive(Debug)]
pub(super) struct SeriesBody {
    points: Points,
    format: Format,
    history: History,
    ready: VecDeque<u8>,
    begun: bool,
    first: bool,
    ended: bool,
}

impl SeriesBody {
    /// Returns the body of these points, of which none has been read.
    pub(super) fn new(points: Points, format: Format, history: &History) -> SeriesBody {
        SeriesBody {
            points,
            format,
            history: history.clone(),
            ready: VecDeque::new(),
            begun: false,
            first: true,
            ended: false,
        }
    }

    /// Does one piece of the work: renders up to [`PIECE`] bytes behind those that are ready, of no
    /// more rows than one budget. May render nothing, where many rows make few points.
    pub(super) fn gather(&mut self) -> Result<(), HistoryError> {
        let mut out = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            self.head(&mut out);
        }
        let mut rows = RowBudget::of_a_piece();
        while out.len() < PIECE && !self.ended {
            match self.points.poll_next(&mut rows) {
                Ok(Poll::Ready(Some(point))) => self.point(&point, &mut out),
                Ok(Poll::Ready(None)) => {
                    if self.format == Format::Json {
                        out.push_str("]}\n");
                    }
                    self.ended = true;
                }
                Ok(Poll::Pending) => break,
                Err(error) => return Err(self.history.report_read_error(error)),
            }
        }
        self.ready.extend(out.into_bytes());
        Ok(())
    }

    /// Takes the bytes that are ready; the flag is true if no more will come.
    pub(super) fn take(&mut self) -> (Vec<u8>, bool) {
        (std::mem::take(&mut self.ready).into(), self.ended)
    }

    fn head(&self, out: &mut String) {
        match self.format {
            Format::Ndjson => {}
            Format::Csv => out.push_str(CSV_HEAD),
            Format::Json => out.push_str(&json_head(&self.points)),
        }
    }

    fn point(&mut self, point: &Bucket, out: &mut String) {
        let point = Point { bucket: point, over_time: self.points.over_time() };
        match self.format {
            Format::Csv => point.csv(out),
            Format::Ndjson => {
                point.json(out);
                out.push('\n');
            }
            Format::Json => {
                if !std::mem::take(&mut self.first) {
                    out.push(',');
                }
                point.json(out);
            }
        }
    }
}

/// Returns `WouldBlock` after a piece of work that rendered nothing: the engine reads again in a later
/// turn.
impl Read for SeriesBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && !self.ended {
            // Sent bytes cannot be taken back: the connection ends without its last chunk, by which
            // the client notices that the body is incomplete.
            self.gather().map_err(io::Error::other)?;
        }
        if self.ready.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = self.ready.read(buffer)?;
        // A download whose client does not read holds no memory beyond the unread bytes.
        self.ready.shrink_to_fit();
        Ok(length)
    }
}

impl StreamBody for SeriesBody {
    fn held_bytes(&self) -> usize {
        self.ready.capacity() + self.points.held_bytes()
    }
}

/// Renders the members before the points, up to the opening bracket.
fn json_head(points: &Points) -> String {
    let window = points.window();
    let plan = points.plan();
    // Neither names nor units contain characters that JSON escapes.
    let unit = points.unit().map_or_else(|| "null".to_owned(), |unit| format!("\"{unit}\""));
    let step = points.step_seconds().map_or_else(|| "null".to_owned(), |step| step.to_string());
    format!(
        r#"{{"field":"{}.{}","unit":{unit},"over_time":"{}","from":"{}","to":"{}","resolution":"{}","step":{step},"points":["#,
        window.source,
        window.field,
        points.over_time(),
        time(window.from),
        time(window.to),
        plan.tier.as_str(),
    )
}

/// A point with the aggregation by which its value is computed.
struct Point<'b> {
    bucket: &'b Bucket,
    over_time: OverTime,
}

impl Point<'_> {
    /// Returns value, least, most and latest. Directions have no least and no most: they turn in a circle.
    fn numbers(&self) -> [Option<f64>; 4] {
        let Point { bucket, over_time } = *self;
        let value = match bucket.total {
            // As it was measured.
            Total::Observation => bucket.value(over_time),
            _ => bucket.value(over_time).map(significant),
        };
        let is_band = over_time != OverTime::Circular;
        let finite = |number: f64| number.is_finite().then_some(number);
        let [min, max] = [bucket.min, bucket.max].map(|number| finite(number).filter(|_| is_band));
        [value, min, max, finite(bucket.last)]
    }

    /// Appends the point as JSON.
    fn json(&self, out: &mut String) {
        let at = time(self.bucket.at);
        let _ = write!(out, r#"{{"at":"{at}""#);
        for (name, number) in ["value", "min", "max", "last"].into_iter().zip(self.numbers()) {
            let _ = match number {
                Some(number) => write!(out, r#","{name}":{number}"#),
                None => write!(out, r#","{name}":null"#),
            };
        }
        let _ = write!(out, r#","count":{}"#, self.bucket.count);
        if let Some(note) = self.bucket.note(self.over_time) {
            // Notes contain no characters that JSON escapes.
            let _ = write!(out, r#","note":"{note}""#);
        }
        if self.bucket.is_partial {
            out.push_str(r#","partial":true"#);
        }
        out.push('}');
    }

    /// Appends the point as a line of CSV.
    fn csv(&self, out: &mut String) {
        out.push_str(&time(self.bucket.at));
        for number in self.numbers() {
            out.push(',');
            if let Some(number) = number {
                let _ = write!(out, "{number}");
            }
        }
        let _ = write!(out, ",{}\r\n", self.bucket.count);
    }
}

/// Rounds a computed number to its [`SIGNIFICANT_DIGITS`].
fn significant(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return 0.0;
    }
    // The logarithm of a finite number is far within the range of an i32.
    let digits = SIGNIFICANT_DIGITS - 1 - number.abs().log10().floor() as i32;
    round_to(number, digits.clamp(0, MAX_DECIMALS))
}

fn time(at: i64) -> String {
    Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| Rfc3339(at).to_string())
}

/// Renders several series with their names, for `export`.
#[derive(Debug)]
pub struct Exporter {
    format: Format,
}

impl Exporter {
    /// Returns an exporter, and the header line of its output.
    pub fn new(format: Format) -> (Exporter, &'static str) {
        let head = match format {
            Format::Csv => "source,field,unit,at,value,min,max,last,count\r\n",
            Format::Json | Format::Ndjson => "",
        };
        (Exporter { format }, head)
    }

    /// Appends a point of a series.
    pub fn point(&self, points: &Points, point: &Bucket, out: &mut String) {
        let window = points.window();
        let (source, field) = (&window.source, &window.field);
        let unit = points.unit().map(|unit| unit.as_str());
        let point = Point { bucket: point, over_time: points.over_time() };
        if self.format == Format::Csv {
            let _ = write!(out, "{source},{field},{},", csv_text(unit.unwrap_or_default()));
            return point.csv(out);
        }
        // Neither names nor units contain characters that JSON escapes.
        let _ = write!(out, r#"{{"source":"{source}","field":"{field}","unit":"#);
        let _ = match unit {
            Some(unit) => write!(out, r#""{unit}","#),
            None => write!(out, "null,"),
        };
        let begin = out.len();
        point.json(out);
        out.remove(begin);
        out.push('\n');
    }
}

/// Quotes a text of CSV if it contains a comma (RFC 4180). Labels contain no quotes.
fn csv_text(text: &str) -> Cow<'_, str> {
    if text.contains(',') { format!("\"{text}\"").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_number_keeps_its_significant_digits() {
        for (number, expected) in [
            (0.1 + 0.2, "0.3"),
            (0.000_001_234_5, "0.0000012345"),
            (1.0 / 3.0, "0.333333333333"),
            (-200.0 / 3.0, "-66.6666666667"),
            (1_234_567_890.4, "1234567890.4"),
            (1e15, "1000000000000000"),
            (0.0, "0"),
            (-1e-40, "0"),
        ] {
            assert_eq!(significant(number).to_string(), expected);
        }
    }

    #[test]
    fn single_observation_is_not_rounded() {
        let mut json = String::new();
        let bucket = Bucket::single(0, 123_456_789_012.345_67);
        Point { bucket: &bucket, over_time: OverTime::Mean }.json(&mut json);
        assert!(json.contains(r#""value":123456789012.34567,"#), "{json}");
    }
}
