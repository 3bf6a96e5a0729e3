//! Slots: the place of each source in its interval, so that the polls of many sources are spread evenly.
//!
//! A slot is a deterministic function of the names of all sources that have the same interval. The wall clock
//! anchors it (`schedule::Grid`), so a restart polls each source at the same seconds as before.
//!
//! Places by a hash of the name alone would clump as random numbers do. This is consistent hashing with bounded
//! loads (Mirrokni, Thorup and Zadimoghaddam, 2018) instead: the interval has [`BINS`] bins with a capacity, the
//! sources enter in the order of a hash, and each takes the first bin with room from the one that its hash
//! prefers. A source that is added or removed moves few others.
//!
//! From [`EVEN_FROM`] sources on, any tenth of the interval has at most twice its fair share of the polls: it
//! overlaps at most five bins, and five bins hold at most 5/25 of the sources.

use std::time::Duration;

use crate::order;

/// Number of bins, so that a tenth of the interval is as long as four.
const BINS: usize = 40;

/// Divisor of the number of sources that gives the capacity of a bin. Five bins hold at most a fifth of all.
const CAPACITY_DIVISOR: usize = 25;

/// Number of sources from which on the bound on a tenth of the interval holds.
#[cfg(test)]
pub(super) const EVEN_FROM: usize = 100;

/// Assigns slots to the sources of one interval. Returns the slot of each name, in the order of the names.
///
/// `slot` is that of a source which keeps it, because the process runs and the source has not changed. Those that
/// stay are not moved, even if the removal of others leaves them in a clump: a restart spreads them again.
pub(super) fn assign(interval: Duration, sources: &[(&str, Option<Duration>)]) -> Vec<Duration> {
    let capacity = (sources.len() / CAPACITY_DIVISOR).max(sources.len().div_ceil(BINS));
    let mut bins = [0; BINS];
    for slot in sources.iter().filter_map(|(_, slot)| *slot) {
        bins[bin_of(interval, slot)] += 1;
    }
    let new = sources.iter().enumerate().filter(|(_, (_, slot))| slot.is_none());
    let mut new: Vec<(usize, u64)> =
        new.map(|(position, (name, _))| (position, hash(name.as_bytes()))).collect();
    // Names are unique, so equal hashes are a matter of chance, and their order by position harmless.
    order::sort_by_key(&mut new, |(position, hash)| (mix(*hash), *position));
    let mut slots: Vec<Duration> =
        sources.iter().map(|(_, slot)| slot.unwrap_or_default()).collect();
    for (position, hash) in new {
        let preferred = scale(hash >> 32, BINS as u64) as usize;
        let has_room = |bin: &usize| bins[*bin] < capacity;
        let bin = (preferred..BINS).chain(0..preferred).find(has_room).unwrap_or(preferred);
        bins[bin] += 1;
        slots[position] = place(interval, bin, hash & u64::from(u32::MAX));
    }
    slots
}

/// Returns the bin of a slot.
fn bin_of(interval: Duration, slot: Duration) -> usize {
    let bin = slot.as_nanos() * BINS as u128 / interval.as_nanos().max(1);
    usize::try_from(bin).map_or(BINS - 1, |bin| bin.min(BINS - 1))
}

/// Returns the place in a bin by 32 bits of a hash.
fn place(interval: Duration, bin: usize, hash: u64) -> Duration {
    let parts = (bin as u128) << 32 | u128::from(hash);
    let nanos = interval.as_nanos() * parts / ((BINS as u128) << 32);
    // Rounded up, so that it lies in the bin.
    Duration::from_nanos(u64::try_from(nanos + 1).unwrap_or(u64::MAX)).min(interval)
}

/// Returns the 64-bit FNV-1a hash of a name (draft-eastlake-fnv), whose bits are then mixed: those of short names
/// are not uniform. Unlike the hashers of std, it is the same in every version of the compiler.
fn hash(name: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    mix(name.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME)))
}

/// Mixes all bits of a number: the finalizer of SplitMix64.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Scales a number of 32 bits to the range from 0 to `range`, exclusive.
const fn scale(bits: u64, range: u64) -> u64 {
    (bits * range) >> 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    /// Returns the most of the sorted times of one interval that any tenth of it contains, around its end too.
    fn fullest_tenth(interval: Duration, times: &[Duration]) -> usize {
        let mut twice: Vec<Duration> = times.to_vec();
        twice.extend(times.iter().map(|time| *time + interval));
        twice.sort_unstable();
        let mut end = 0;
        let windows = (0..times.len()).map(|begin| {
            while end < twice.len() && twice[end] < twice[begin] + interval / 10 {
                end += 1;
            }
            end - begin
        });
        windows.max().unwrap_or_default()
    }

    fn slots(names: &[String]) -> Vec<Duration> {
        assign(INTERVAL, &names.iter().map(|name| (name.as_str(), None)).collect::<Vec<_>>())
    }

    fn assert_even(names: &[String]) {
        let slots = slots(names);
        assert!(slots.iter().all(|slot| *slot < INTERVAL));
        let fullest = fullest_tenth(INTERVAL, &slots);
        assert!(fullest * 10 <= 2 * names.len(), "{fullest} of {}, {}", names.len(), names[0]);
    }

    #[test]
    fn any_tenth_of_the_interval_has_at_most_twice_its_share() {
        type Naming = fn(usize) -> String;
        let namings: [Naming; 4] = [
            |number| format!("s{number}"),
            |number| format!("tank_{number:05}"),
            |number| format!("north_ridge_pump_house_{}_level", number * 7919),
            // Names of the same bytes in other orders.
            |number| format!("{:016b}", number).replace('0', "a").replace('1', "b"),
        ];
        for count in [100, 101, 119, 124, 125, 137, 250, 999, 1000, 3000, 10_000] {
            for naming in namings {
                assert_even(&(0..count).map(naming).collect::<Vec<_>>());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_tenth_has_at_most_twice_its_share_with_any_names(
            count in EVEN_FROM..10_000_usize, prefix in "[a-z]{0,12}", seed: u64
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut word = |number| {
                let letters = random.usize(1..9);
                let word: String = (0..letters).map(|_| random.lowercase()).collect();
                format!("{prefix}{word}_{number}")
            };
            assert_even(&(0..count).map(&mut word).collect::<Vec<_>>());
        }
    }

    #[test]
    fn slots_do_not_depend_on_the_order_of_the_names_and_do_not_change_between_versions() {
        let mut names: Vec<String> = (0..500).map(|number| format!("s{number}")).collect();
        let before: Vec<_> = names.iter().cloned().zip(slots(&names)).collect();
        names.reverse();
        let mut after: Vec<_> = names.iter().cloned().zip(slots(&names)).collect();
        after.reverse();
        assert_eq!(before, after);
        // A change of these numbers shifts the polls of every installation at its next update.
        let millis = |name: &str| slots(&[name.to_owned()])[0].as_millis();
        assert_eq!([millis("tank"), millis("weather"), millis("s1")], [39_815, 6302, 17_616]);
    }

    #[test]
    fn few_sources_are_in_bins_of_their_own() {
        let names: Vec<String> = (0..BINS).map(|number| format!("s{number}")).collect();
        let mut bins: Vec<usize> =
            slots(&names).iter().map(|slot| bin_of(INTERVAL, *slot)).collect();
        bins.sort_unstable();
        assert_eq!(bins, (0..BINS).collect::<Vec<_>>());
    }

    #[test]
    fn source_that_stays_keeps_its_slot_and_new_ones_fill_the_gaps() {
        let names: Vec<String> = (0..1000).map(|number| format!("s{number}")).collect();
        let before = slots(&names[..700]);
        let kept = names.iter().enumerate();
        let kept: Vec<(&str, Option<Duration>)> =
            kept.map(|(number, name)| (name.as_str(), before.get(number).copied())).collect();
        let after = assign(INTERVAL, &kept);
        assert_eq!(after[..700], before);
        assert!(fullest_tenth(INTERVAL, &after) <= 200);
    }

    #[test]
    fn source_that_is_added_moves_few_others_at_a_restart() {
        let names: Vec<String> = (0..1001).map(|number| format!("s{number}")).collect();
        let (before, after) = (slots(&names[..1000]), slots(&names));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(moved < 50, "{moved}");
    }
}
