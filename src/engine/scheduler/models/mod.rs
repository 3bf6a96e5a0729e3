//! Models of the scheduler: small cases, run under every interleaving of their threads and every
//! value that a weakly ordered load may return (up to a bound of preemptions), by loom.
//!
//! A wake-up that is lost leaves all threads blocked, which loom reports as a deadlock. Each model
//! was seen to fail with the defence removed that its comment names.

mod connection;
mod fake;
mod hand_over;

/// Runs a model with at most `preemptions` involuntary switches between threads, or
/// `LOOM_MAX_PREEMPTIONS` of them if that is set. Most errors of
/// concurrent code need no more than two (Musuvathi and Qadeer, *Iterative Context Bounding*, PLDI
/// 2007).
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}
