//! Fuzzing for the tests: mutates a corpus and keeps whatever makes the target behave in a new
//! way.
//!
//! A coverage-guided fuzzer needs an instrumented build, which a stable toolchain does not
//! give. So the guide is behaviour instead: a target describes in a short text what it made of
//! an input, and an input with a description not seen before joins the pool. The run in
//! `make test` is short and always the same; `make fuzz` sets `FUZZ_SECONDS`, and begins
//! elsewhere each time.

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Mutations in the short run.
const SHORT_RUN: usize = 3_000;

/// Inputs do not grow beyond this.
const LONGEST: usize = 4096;

/// How many inputs the pool keeps.
const LARGEST_POOL: usize = 2_000;

/// Feeds the target with its corpus, and then with mutations of it. An input on which it panics
/// is saved beside the corpus, as `found-…`, so that it is tried first from then on.
pub(crate) fn fuzz(target: &str, dictionary: &[&str], describe: impl Fn(&[u8]) -> String) {
    let folder = corpus_folder(target);
    let mut pool = corpus(&folder);
    assert!(!pool.is_empty(), "{} holds no corpus", folder.display());
    let mut seen = HashSet::new();
    let mut attempt = |input: &[u8]| match catch_unwind(AssertUnwindSafe(|| describe(input))) {
        Ok(description) => seen.insert(description),
        Err(panic) => {
            let path = folder.join(format!("found-{:016x}", digest(input)));
            let saved = fs::write(&path, input);
            eprintln!("{target}: found {input:?}, saved to {} ({saved:?})", path.display());
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
    let begun = Instant::now();
    let mut runs = 0;
    loop {
        let input = mutate(&mut rng, &pool, dictionary);
        if attempt(&input) && pool.len() < LARGEST_POOL {
            pool.push(input);
        }
        runs += 1;
        match seconds {
            Some(seconds) if begun.elapsed() >= Duration::from_secs(seconds) => break,
            None if runs >= SHORT_RUN => break,
            _ => {}
        }
    }
    #[allow(clippy::print_stdout)] // What `make fuzz` is watched for.
    {
        println!("{target}: {runs} inputs, {} behaviours", seen.len());
    }
}

fn corpus_folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target)
}

/// In the order of their names, so that a run can be repeated.
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
    input.truncate(LONGEST);
    input
}
