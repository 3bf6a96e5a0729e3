//! Mutation-based fuzzing for the unit tests, guided by behaviour.
//!
//! A coverage-guided fuzzer needs an instrumented build, which the stable toolchain does not support. Here a
//! target returns a short description of its result instead, and an input with a new description is added to
//! the pool of inputs to mutate. `make test` runs a fixed number of mutations with a fixed seed. `make fuzz`
//! sets `FUZZ_SECONDS`, and uses a random seed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // Panics fail the test that called.

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Number of mutations without `FUZZ_SECONDS`.
const SHORT_RUN: usize = 3_000;

/// Most bytes of an input.
const MAX_INPUT_BYTES: usize = 4096;

/// Most inputs in the pool.
const MAX_POOL: usize = 2_000;

/// Runs `describe` on each input of the corpus of `target`, and then on mutations. An input on which it panics
/// is saved in the corpus as `found-…`, so that later runs begin with it.
pub fn fuzz(target: &str, dictionary: &[&str], describe: impl Fn(&[u8]) -> String) {
    let folder = corpus_folder(target);
    let mut pool = corpus(&folder);
    assert!(!pool.is_empty(), "{} has no corpus", folder.display());
    let mut descriptions = HashSet::new();
    let mut attempt = |input: &[u8]| match catch_unwind(AssertUnwindSafe(|| describe(input))) {
        Ok(description) => descriptions.insert(description),
        Err(panic) => {
            let path = folder.join(format!("found-{:016x}", digest(input)));
            let saved = fs::write(&path, input);
            eprintln!("{target}: panic on {input:?}, saved to {} ({saved:?})", path.display());
            resume_unwind(panic)
        }
    };
    for input in &pool {
        attempt(input);
    }
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let mut rng = match seconds {
        Some(_) => Rng::new(),
        None => Rng::with_seed(7),
    };
    let started = Instant::now();
    let mut runs = 0;
    loop {
        let input = mutate(&mut rng, &pool, dictionary);
        if attempt(&input) && pool.len() < MAX_POOL {
            pool.push(input);
        }
        runs += 1;
        match seconds {
            Some(seconds) if started.elapsed() >= Duration::from_secs(seconds) => break,
            None if runs >= SHORT_RUN => break,
            _ => {}
        }
    }
    #[allow(clippy::print_stdout)] // Progress for the user of `make fuzz`.
    {
        println!("{target}: {runs} inputs, {} behaviours", descriptions.len());
    }
}

fn corpus_folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target)
}

/// Returns the inputs of a folder in the order of their names, so that a run is reproducible.
fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

fn digest(input: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut hasher = DefaultHasher::new();
    hasher.write(input);
    hasher.finish()
}

fn mutate(rng: &mut Rng, pool: &[Vec<u8>], dictionary: &[&str]) -> Vec<u8> {
    let mut input = pool[rng.usize(..pool.len())].clone();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=input.len());
        let end = at + rng.usize(..=(input.len() - at).min(32));
        match rng.u8(..7) {
            0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            1 if at < input.len() => input[at] = rng.u8(..),
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                let to = rng.usize(..=input.len());
                input.splice(to..to, piece);
            }
            4 => {
                let other = &pool[rng.usize(..pool.len())];
                let from = rng.usize(..=other.len());
                let tail = other[from..].to_vec();
                input.splice(at.., tail);
            }
            5 => input.insert(at, *b"\r\n \t:;0,{}[]\"\\\0\xff".get(rng.usize(..17)).unwrap_or(&0)),
            _ if !dictionary.is_empty() => {
                let word = dictionary[rng.usize(..dictionary.len())];
                input.splice(at..end, word.bytes());
            }
            _ => {}
        }
    }
    input.truncate(MAX_INPUT_BYTES);
    input
}
