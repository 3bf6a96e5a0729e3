//! Sorts that share one copy of their code.
//!
//! Each use of `sort_by_key`, and of `collect` for a map or a set with an order, compiles to 4 to 20 KB of code for its
//! type. The functions here call their comparisons through pointers, and allocate a list of positions: they are for
//! lists that are short or seldom sorted.

use std::cmp::Ordering;

/// Returns the positions of a list of that length in the order of its items. Equal items keep their order.
pub fn positions(length: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..length).collect();
    positions.sort_by(|&one, &other| compare(one, other));
    positions
}

/// Sorts a list. Equal items keep their order.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let order = positions(items.len(), &mut |one, other| compare(&items[one], &items[other]));
    arrange(order, &mut |one, other| items.swap(one, other));
}

/// Sorts a list by a key, which is computed once for each item. Items with equal keys keep their order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl FnMut(&T) -> K) {
    let keys: Vec<K> = items.iter().map(key).collect();
    let order = positions(keys.len(), &mut |one, other| keys[one].cmp(&keys[other]));
    arrange(order, &mut |one, other| items.swap(one, other));
}

/// Sorts a list. Equal items keep their order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Collects into a map or a set item by item. The later one of two values of a key stays.
pub fn gathered<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut gathered = C::default();
    gathered.extend(items);
    gathered
}

/// Moves the items at the positions in `order` to the places of these positions.
fn arrange(mut order: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        let mut place = start;
        loop {
            // A place that refers to itself is done.
            let from = std::mem::replace(&mut order[place], place);
            if from == start {
                break;
            }
            swap(place, from);
            place = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lists_are_sorted_as_the_standard_library_does(items: Vec<(u8, u16)>) {
            let (mut sorted, mut expected) = (items.clone(), items.clone());
            sort(&mut sorted);
            expected.sort();
            prop_assert_eq!(&sorted, &expected);
            let (mut sorted, mut expected) = (items.clone(), items.clone());
            sort_by_key(&mut sorted, |(key, _)| key % 4);
            expected.sort_by_key(|(key, _)| key % 4);
            prop_assert_eq!(sorted, expected);
            let expected: BTreeMap<u8, u16> = items.iter().copied().collect();
            prop_assert_eq!(gathered::<BTreeMap<u8, u16>, _>(items), expected);
        }
    }

    #[test]
    fn a_rotated_list_is_arranged_by_one_swap_for_each_item() {
        const LENGTH: usize = 1000;
        let mut items: Vec<usize> = (0..LENGTH).map(|at| (at + 1) % LENGTH).collect();
        let order = positions(LENGTH, &mut |one, other| items[one].cmp(&items[other]));
        let mut swaps = 0;
        arrange(order, &mut |one, other| {
            swaps += 1;
            items.swap(one, other);
        });
        assert!(items.is_sorted());
        assert_eq!(swaps, LENGTH - 1);
    }
}
