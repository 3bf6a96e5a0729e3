//! When a tank was filled: a rise from a low by more than the sensor's noise could make.

/// A rise that has found no new height for this long is over.
const OVER_AFTER: i64 = 60 * 60;

/// A fall by this share of the rise that makes a refill ends one.
const FALL: f64 = 0.5;

/// A refill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Refill {
    /// When the tank was fullest.
    pub(super) at: i64,
    /// How much came in.
    pub(super) amount: f64,
}

/// Looks for refills in observations as they come.
#[derive(Debug)]
pub(super) struct Refills {
    rise: f64,
    state: State,
    last: Option<Refill>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Start,
    /// The lowest since the last refill.
    Draining {
        low: f64,
    },
    /// It has risen by enough from that low.
    Rising {
        low: f64,
        high: f64,
        high_at: i64,
    },
}

impl Refills {
    /// Rises of at least that much are refills.
    pub(super) fn new(rise: f64) -> Refills {
        Refills { rise, state: State::Start, last: None }
    }

    pub(super) fn push(&mut self, at: i64, number: f64) {
        self.state = match self.state {
            State::Start => State::Draining { low: number },
            State::Draining { low } if number >= low + self.rise => {
                State::Rising { low, high: number, high_at: at }
            }
            State::Draining { low } => State::Draining { low: low.min(number) },
            State::Rising { low, high, .. } if number > high => {
                State::Rising { low, high: number, high_at: at }
            }
            State::Rising { high, high_at, .. }
                if number <= high - self.rise * FALL || at - high_at >= OVER_AFTER =>
            {
                State::Draining { low: number }
            }
            rising => rising,
        };
        if let State::Rising { low, high, high_at } = self.state {
            self.last = Some(Refill { at: high_at, amount: high - low });
        }
    }

    /// What is left when all from then on is not true; `None`: nothing.
    pub(super) fn before(self, at: i64) -> Option<Refills> {
        let last = self.last.filter(|refill| refill.at < at)?;
        Some(Refills { state: State::Start, last: Some(last), ..self })
    }

    /// The latest refill, which may go on.
    pub(super) fn last(&self) -> Option<Refill> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(numbers: &[f64]) -> Option<Refill> {
        let mut refills = Refills::new(50.0);
        for (at, number) in (0..).zip(numbers) {
            refills.push(at * 300, *number);
        }
        refills.last()
    }

    #[test]
    fn rises_are_refills_and_noise_is_not() {
        for (numbers, expected) in [
            (&[1000.0, 990.0, 996.0, 985.0, 1010.0, 980.0][..], None),
            (&[500.0, 490.0, 600.0, 700.0, 694.0], Some((3, 210.0))),
            // It goes on after a draw that is smaller than noise.
            (&[500.0, 600.0, 590.0, 700.0], Some((3, 200.0))),
            // Two, of which the later counts.
            (&[500.0, 600.0, 560.0, 620.0], Some((3, 60.0))),
            (&[], None),
        ] {
            let expected = expected.map(|(at, amount)| Refill { at: at * 300, amount });
            assert_eq!(seen(numbers), expected, "{numbers:?}");
        }
    }

    #[test]
    fn a_rise_ends_when_it_stands_still() {
        let mut refills = Refills::new(50.0);
        for (at, number) in [(0, 500.0), (300, 600.0), (4000, 599.0), (8000, 640.0), (8300, 655.0)]
        {
            refills.push(at, number);
        }
        assert_eq!(refills.last(), Some(Refill { at: 8300, amount: 56.0 }));
    }
}
