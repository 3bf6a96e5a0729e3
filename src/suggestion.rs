//! Suggestions for mistyped names: of keys, values, commands and options.

/// Least Jaro-Winkler similarity of a suggestion.
const MIN_SIMILARITY: f64 = 0.75;

/// Length in bytes from which a word is no mistyped name. A comparison takes time in proportion to it, and a file
/// without line breaks is one word.
pub(crate) const MAX_WORD: usize = 128;

/// Returns the name in `known` that is nearest to `written`, if it is near enough to suggest.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    nearest_by(written, known, MIN_SIMILARITY, |name| (*name).to_owned())
}

/// Returns the advice for a name that is unknown: the nearest known one, or all of them if none is near.
pub(crate) fn advice<'a>(written: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(written, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// Returns the similarity of two names: that of Jaro and Winkler, which counts a common beginning, or that
/// of one mistyped, missing or exchanged letter, which that rates low in short names.
fn similarity(written: &str, name: &str) -> f64 {
    /// Similarity of names that one letter distinguishes: below that of a longer common beginning.
    const ONE_LETTER: f64 = 0.9;
    if written.len() >= MAX_WORD {
        return 0.0;
    }
    let similarity = strsim::jaro_winkler(written, name);
    let is_near = written.len() > 2 && strsim::osa_distance(written, name) == 1;
    if is_near { similarity.max(ONE_LETTER) } else { similarity }
}

/// Returns the candidate whose `name` is nearest to `written`, if they have at least the similarity
/// `min`, from 0 to 1.
pub(crate) fn nearest_by<T>(
    written: &str,
    known: impl IntoIterator<Item = T>,
    min: f64,
    name: impl Fn(&T) -> String,
) -> Option<T> {
    known
        .into_iter()
        .map(|candidate| (similarity(written, &name(&candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= min)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}
