//! The latest observations of one field.

use std::collections::VecDeque;
use std::time::Duration;

/// Observations at most, whatever the interval; of more, every other one is forgotten.
const MOST: usize = 2_048;

/// Observations that a rate needs.
const FEW: usize = 3;

/// A rate needs observations over that share of its time.
const SHARE: f64 = 0.5;

/// An observation stands for moments up to this long before or after it, in shares of the time
/// over which a change is told, and at least [`NEAR_LEAST`].
const NEAR: f64 = 0.1;
const NEAR_LEAST: f64 = 20.0 * 60.0;

/// An observation that is older than the latest by that much is no late one: the latest was ahead of
/// its time.
const FAR_BACK: i64 = 20 * 60;

/// Observations, the earliest first, as far back as they are needed.
#[derive(Debug)]
pub(super) struct Samples {
    reach: i64,
    samples: VecDeque<(i64, f64)>,
}

impl Samples {
    pub(super) fn new(reach: Duration) -> Samples {
        // A little more, so that there is one before the far end.
        let reach = reach.as_secs_f64() * (1.0 + NEAR) + NEAR_LEAST;
        Samples { reach: reach as i64, samples: VecDeque::new() }
    }

    /// Forgets what claims to be of later than that, if it is so by far: one clock that went wrong
    /// for once must not keep out all that follows. True if it did.
    pub(super) fn forget_after(&mut self, at: i64) -> bool {
        let is_ahead = self.samples.back().is_some_and(|&(last, _)| last - at > FAR_BACK);
        if is_ahead {
            self.samples.retain(|&(known, _)| known < at);
        }
        is_ahead
    }

    /// Takes in an observation; false if it is not later than the latest.
    pub(super) fn push(&mut self, at: i64, number: f64) -> bool {
        if self.samples.back().is_some_and(|&(last, _)| at <= last) {
            return false;
        }
        while self.samples.front().is_some_and(|&(first, _)| at - first > self.reach) {
            self.samples.pop_front();
        }
        if self.samples.len() == MOST {
            let mut number = 0;
            self.samples.retain(|_| {
                number += 1;
                number % 2 == 0
            });
        }
        self.samples.push_back((at, number));
        true
    }

    /// The slope of the line through the observations of that many seconds with the least
    /// squares of error, per hour. One that is off by a few units hardly moves it.
    pub(super) fn rate(&self, over: f64) -> Option<f64> {
        let &(last, _) = self.samples.back()?;
        let within = || {
            let age = move |&&(at, _): &&(i64, f64)| (last - at) as f64 <= over;
            self.samples.iter().rev().take_while(age)
        };
        let count = within().count();
        let first = within().last().map_or(last, |&(at, _)| at);
        if count < FEW || ((last - first) as f64) < over * SHARE {
            return None;
        }
        let hours = |at: i64| (at - last) as f64 / 3600.0;
        let n = count as f64;
        let mean_at = within().map(|&(at, _)| hours(at)).sum::<f64>() / n;
        let mean = within().map(|&(_, number)| number).sum::<f64>() / n;
        let (mut up, mut down) = (0.0, 0.0);
        for &(at, number) in within() {
            let distance = hours(at) - mean_at;
            up += distance * (number - mean);
            down += distance * distance;
        }
        (down > 0.0).then(|| up / down)
    }

    /// The latest number less the one of that long ago.
    pub(super) fn change(&self, over: Duration) -> Option<f64> {
        let &(last, now) = self.samples.back()?;
        let over = over.as_secs_f64();
        let then = last as f64 - over;
        let near = (over * NEAR).max(NEAR_LEAST).min(over / 2.0);
        let before = self.samples.iter().rev().find(|(at, _)| *at as f64 <= then);
        let after = self.samples.iter().find(|(at, _)| *at as f64 > then);
        let near = |it: &&(i64, f64)| (it.0 as f64 - then).abs() <= near;
        let past = match (before.filter(near), after.filter(near)) {
            (Some(&(a, x)), Some(&(b, y))) => x + (y - x) * (then - a as f64) / (b - a) as f64,
            (Some(&(_, x)), None) | (None, Some(&(_, x))) => x,
            (None, None) => return None,
        };
        Some(now - past)
    }
}
