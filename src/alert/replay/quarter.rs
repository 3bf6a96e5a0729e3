//! Quarters of an hour in place of their observations.
//!
//! A quarter has the lowest, the highest and the latest value, and not the order of the first two. Both extremes are
//! shown to the rules, so that a short dip below a threshold is not lost, in the order that invents no change:
//!
//! * For a rule on falls the lowest comes first, so that the fall between the extremes does not count; for one on rises
//!   the highest does. A change that began before the quarter, or continues after it, counts in full.
//! * For other rules the extremes follow the direction of the values, as they would in most quarters. Otherwise a tank
//!   that fills past a threshold would seem to cross it three times.

use crate::board::Finite;
use crate::config::FieldCondition;
use crate::history::Bucket;

/// Order of the extremes of a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    LowFirst,
    HighFirst,
    ByDirection,
}

impl Order {
    /// Returns the order for a rule. The values of a counter only rise, but for its resets.
    pub(super) fn of(condition: &FieldCondition, is_counter: bool) -> Order {
        match condition {
            _ if is_counter => Order::ByDirection,
            FieldCondition::Falls { .. } => Order::LowFirst,
            FieldCondition::Rises { .. } | FieldCondition::NoRise { .. } => Order::HighFirst,
            FieldCondition::Below { .. }
            | FieldCondition::Above { .. }
            | FieldCondition::Outside { .. }
            | FieldCondition::Equals(_)
            | FieldCondition::NotEquals(_)
            | FieldCondition::Flat { .. }
            | FieldCondition::EmptyWithin { .. } => Order::ByDirection,
        }
    }
}

/// Returns the observations that a row represents: times in seconds since 1970, and numbers. A single observation
/// represents itself. `previous` is the value before.
pub(super) fn observations(
    row: &Bucket,
    order: Order,
    previous: Option<f64>,
) -> impl Iterator<Item = (i64, Finite)> + use<> {
    let &Bucket { at, min, max, last, last_at, count, .. } = row;
    let at = at.min(last_at);
    let is_low_first = match order {
        Order::LowFirst => true,
        Order::HighFirst => false,
        Order::ByDirection => match previous {
            Some(previous) => previous <= last,
            None => last - min >= max - last,
        },
    };
    let (first, second) = if is_low_first { (min, max) } else { (max, min) };
    let extremes = [(at, first), (at + (last_at - at) / 2, second)];
    let extremes = extremes.into_iter().filter(move |_| count > 1 && min < max);
    let all = extremes.chain([(last_at, last)]);
    all.filter_map(|(at, number)| Some((at, Finite::new(number)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Total;

    fn quarter(min: f64, max: f64, last: f64) -> Bucket {
        let (at, last_at, sum) = (900, 1_700, min + max + last);
        Bucket { at, min, max, sum, last, last_at, count: 3, total: Total::None, is_partial: false }
    }

    #[test]
    fn extremes_come_in_the_order_that_invents_no_change() {
        for (order, previous, row, expected) in [
            (Order::LowFirst, Some(9.0), quarter(3.0, 9.0, 6.0), [3.0, 9.0, 6.0]),
            (Order::HighFirst, Some(3.0), quarter(3.0, 9.0, 6.0), [9.0, 3.0, 6.0]),
            (Order::ByDirection, Some(2.0), quarter(3.0, 9.0, 6.0), [3.0, 9.0, 6.0]),
            (Order::ByDirection, Some(9.0), quarter(3.0, 9.0, 6.0), [9.0, 3.0, 6.0]),
            (Order::ByDirection, None, quarter(3.0, 9.0, 4.0), [9.0, 3.0, 4.0]),
            (Order::ByDirection, None, quarter(3.0, 9.0, 8.0), [3.0, 9.0, 8.0]),
        ] {
            let found: Vec<(i64, f64)> =
                observations(&row, order, previous).map(|(at, n)| (at, n.get())).collect();
            let times = [900, 1_300, 1_700];
            let expected: Vec<(i64, f64)> = times.into_iter().zip(expected).collect();
            assert_eq!(found, expected, "{order:?} {previous:?}");
        }
    }

    #[test]
    fn single_and_equal_observations_are_one() {
        for row in [Bucket::single(1_700, 6.0), quarter(6.0, 6.0, 6.0)] {
            let found: Vec<(i64, f64)> =
                observations(&row, Order::LowFirst, None).map(|(at, n)| (at, n.get())).collect();
            assert_eq!(found, [(1_700, 6.0)]);
        }
    }
}
