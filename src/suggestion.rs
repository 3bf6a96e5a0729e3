//! Suggestions for mistyped names: of keys, values, commands and options.

/// Least Jaro-Winkler similarity of a suggestion.
const MIN_SIMILARITY: f64 = 0.75;

/// Returns the name in `known` that is nearest to `written`, if it is near enough to suggest.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    nearest_by(written, known, MIN_SIMILARITY, |name| (*name).to_owned())
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
        .map(|candidate| (strsim::jaro_winkler(written, &name(&candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= min)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}
