//! Divides a list among threads.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder};

/// Maximum number of threads that share a list.
const MAX_THREADS: usize = 4;

/// Maps a list on this thread and, where the machine has several processors, on some others of that name. Each
/// takes the next item once it has mapped one. The results are in the order of the list.
///
/// Items should be many and small: the caller waits for the last one. If the system refuses the threads, this one
/// maps the whole list.
///
/// # Panics
/// If `map` panics.
pub fn map_shared<T: Send, R: Send>(
    name: &str,
    items: Vec<T>,
    map: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    map_on(name, processors.min(MAX_THREADS), items, map)
}

fn map_on<T: Send, R: Send>(
    name: &str,
    threads: usize,
    items: Vec<T>,
    map: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.min(items.len());
    let results = Mutex::new(items.iter().map(|_| None).collect::<Vec<Option<R>>>());
    let left = Mutex::new(items.into_iter().enumerate());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take_turns = || {
        while let Some((position, item)) = next() {
            let result = map(item);
            results.lock().unwrap_or_else(PoisonError::into_inner)[position] = Some(result);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            let _ = Builder::new().name(name.to_owned()).spawn_scoped(scope, take_turns);
        }
        take_turns();
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().flatten().collect()
}

/// Divides a list into parts of up to `length` items.
pub fn divide<T>(items: Vec<T>, length: usize) -> Vec<Vec<T>> {
    let mut items = items.into_iter();
    let mut parts = Vec::new();
    while items.len() > 0 {
        parts.push(items.by_ref().take(length.max(1)).collect());
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_list() {
        for threads in [0, 1, 3, 100] {
            let doubled = map_on("test", threads, (0..50).collect(), |number| 2 * number);
            assert!(doubled.into_iter().eq((0..50).map(|number| 2 * number)), "{threads}");
        }
        assert!(map_shared("test", Vec::<()>::new(), |()| ()).is_empty());
    }

    #[test]
    fn list_is_divided_without_loss() {
        assert_eq!(divide(vec![1, 2, 3, 4, 5], 2), [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(divide(vec![1, 2], 2), [vec![1, 2]]);
        assert!(divide(Vec::<()>::new(), 2).is_empty());
        assert_eq!(divide(vec![1, 2], 0), [vec![1], vec![2]]);
    }

    #[test]
    fn threads_share_the_list() {
        // The barrier opens only if two threads are at it at once.
        let barrier = Barrier::new(2);
        map_on("test", 2, vec![(), ()], |()| barrier.wait().is_leader());
    }
}
