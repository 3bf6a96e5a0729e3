//! Detection of refills: rises of a tank's content by more than the noise of its sensor.

/// Seconds without a new maximum after which a rise has ended.
const RISE_TIMEOUT: i64 = 60 * 60;

/// Change that is more than noise, as a share of the smallest refill: such a fall ends a rise, and
/// the rise began when the content was last within it of the minimum.
const NOISE: f64 = 0.5;

/// A refill of the tank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Refill {
    /// Time of the beginning of the rise.
    pub(super) began: i64,
    /// Time of the maximum.
    pub(super) at: i64,
    /// Difference of the maximum and the minimum before it.
    pub(super) amount: f64,
}

/// Detector of refills, fed with observations in order of time.
#[derive(Debug, Clone)]
pub(super) struct Refills {
    /// Smallest rise that is a refill.
    min_rise: f64,
    state: State,
    last: Option<Refill>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// No observation yet.
    Start,
    /// Falling, or rising by less than a refill: the minimum since the last refill, and the last time
    /// at which the content was near it.
    Draining { low: f64, low_at: i64 },
    /// Rising by at least a refill: the minimum before it with its time, and the maximum with its.
    Rising { low: f64, low_at: i64, high: f64, high_at: i64 },
}

impl Refills {
    /// Returns a detector of rises by at least `min_rise`.
    pub(super) fn new(min_rise: f64) -> Refills {
        Refills { min_rise, state: State::Start, last: None }
    }

    /// Adds an observation.
    pub(super) fn push(&mut self, at: i64, number: f64) {
        let noise = self.min_rise * NOISE;
        self.state = match self.state {
            State::Start => State::Draining { low: number, low_at: at },
            State::Draining { low, low_at } if number >= low + self.min_rise => {
                State::Rising { low, low_at, high: number, high_at: at }
            }
            State::Draining { low, .. } if number <= low + noise => {
                State::Draining { low: low.min(number), low_at: at }
            }
            State::Rising { low, low_at, high, .. } if number > high => {
                State::Rising { low, low_at, high: number, high_at: at }
            }
            State::Rising { high, high_at, .. }
                if number <= high - noise || at - high_at >= RISE_TIMEOUT =>
            {
                State::Draining { low: number, low_at: at }
            }
            unchanged => unchanged,
        };
        if let State::Rising { low, low_at, high, high_at } = self.state {
            self.last = Some(Refill { began: low_at, at: high_at, amount: high - low });
        }
    }

    /// Returns the detector without the observations from `at` on; `None` if no earlier refill is left.
    pub(super) fn before(self, at: i64) -> Option<Refills> {
        let last = self.last.filter(|refill| refill.at < at)?;
        Some(Refills { state: State::Start, last: Some(last), ..self })
    }

    /// Moves the times from `first` on by `step` seconds, after the clock that gave them was set.
    pub(super) fn redate(&mut self, first: i64, step: i64) {
        let redate = |at: &mut i64| {
            if *at >= first {
                *at = at.saturating_add(step);
            }
        };
        match &mut self.state {
            State::Start => {}
            State::Draining { low_at, .. } => redate(low_at),
            State::Rising { low_at, high_at, .. } => [low_at, high_at].into_iter().for_each(redate),
        }
        if let Some(Refill { began, at, .. }) = &mut self.last {
            [began, at].into_iter().for_each(redate);
        }
    }

    /// Returns the latest refill, which may still be in progress.
    pub(super) fn last(&self) -> Option<Refill> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_refill(numbers: &[f64]) -> Option<Refill> {
        let mut refills = Refills::new(50.0);
        for (at, number) in (0..).zip(numbers) {
            refills.push(at * 300, *number);
        }
        refills.last()
    }

    #[test]
    fn rise_above_the_minimum_is_a_refill_and_noise_is_not() {
        for (numbers, expected) in [
            (&[1000.0, 990.0, 996.0, 985.0, 1010.0, 980.0][..], None),
            (&[500.0, 490.0, 600.0, 700.0, 694.0], Some((1, 3, 210.0))),
            // A fall within the noise does not end the rise.
            (&[500.0, 600.0, 590.0, 700.0], Some((0, 3, 200.0))),
            // Of two refills, the later one is reported.
            (&[500.0, 600.0, 560.0, 620.0], Some((2, 3, 60.0))),
            // A plateau before the rise, with its noise, is no part of it.
            (&[490.0, 500.0, 495.0, 510.0, 600.0, 700.0], Some((3, 5, 210.0))),
            // A slow rise begins where it leaves the noise.
            (&[500.0, 520.0, 540.0, 560.0, 580.0], Some((1, 4, 80.0))),
            (&[], None),
        ] {
            let expected = expected.map(|(began, at, amount)| Refill {
                began: began * 300,
                at: at * 300,
                amount,
            });
            assert_eq!(last_refill(numbers), expected, "{numbers:?}");
        }
    }

    #[test]
    fn rise_without_a_new_maximum_for_an_hour_has_ended() {
        let mut refills = Refills::new(50.0);
        for (at, number) in [(0, 500.0), (300, 600.0), (4000, 599.0), (8000, 640.0), (8300, 655.0)]
        {
            refills.push(at, number);
        }
        assert_eq!(refills.last(), Some(Refill { began: 4000, at: 8300, amount: 56.0 }));
    }
}
