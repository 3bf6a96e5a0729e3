//! Models of the scheduler: small cases of two to four threads, which loom runs again and again.
//!
//! Explored is every interleaving of the threads' atomic operations and locks that has no more
//! involuntary switches between threads than the bound that the model passes to [`check`], 1 to 3;
//! switches at which a thread blocks or yields are not bounded. In each, a load returns in turn every
//! value that the C11 memory model allows, except one that a thread stores only later in program
//! order: loom models no load buffering. So a run shows what store buffers and the reordering of
//! stores can do, and not what processors (ARM, POWER) can do that store ahead of an earlier load.
//!
//! Not covered: the kernel (epoll and eventfd are fakes, which lose no event), time (it stands still,
//! so no worker serves for longer than `HELP_AFTER`), more than two workers, the poll of the stall
//! check itself (the follower that it calls polls too), and checks that begin before the handler
//! blocks in the model of a handler that blocks.
//!
//! A wake-up that is lost leaves all threads blocked, which loom reports as a deadlock. Each model
//! was seen to fail with a defence removed that its comment names.

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
