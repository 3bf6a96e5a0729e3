//! Threads of a crew whose jobs are controlled by the test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::unbounded;

use super::*;

const AMPLE: Duration = Duration::from_secs(60);

/// A job that blocks until its sender is dropped.
type Job = Receiver<Infallible>;

struct Fixture {
    crew: Crew<Job, ()>,
    ended: Ended,
    done: Receiver<()>,
    stats: Arc<SchedulerStats>,
}

fn fixture(spawn: Spawn, idle_time: Duration) -> Fixture {
    let stats = Arc::new(SchedulerStats::default());
    let (deliver, done) = unbounded();
    let work = |job: Job| {
        let _ = job.recv();
    };
    let deliver = move |()| deliver.send(()).unwrap();
    let started = Crew::start_with(spawn, work, deliver, Arc::clone(&stats), idle_time);
    let (crew, ended) = started.unwrap();
    Fixture { crew, ended, done, stats }
}

/// Waits for a number of threads and of idle ones.
fn eventually(stats: &SchedulerStats, wanted: (usize, usize)) {
    let started = Instant::now();
    while stats.threads() != wanted {
        assert!(started.elapsed() < AMPLE, "{:?} is not {wanted:?}", stats.threads());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns a job, and what ends it when dropped.
fn job() -> (Sender<Infallible>, Job) {
    bounded(0)
}

/// Creates threads of the system up to a number.
fn at_most(limit: usize) -> Spawn {
    let (system, made) = (system_threads(), AtomicUsize::new(0));
    Box::new(move |name, body| {
        if made.fetch_add(1, Ordering::SeqCst) >= limit {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        system(name, body)
    })
}

#[test]
fn threads_are_added_for_jobs_and_end_when_idle() {
    let Fixture { crew, ended, done, stats } = fixture(system_threads(), Duration::from_millis(20));
    assert_eq!(stats.threads(), (CORE_POLLERS, CORE_POLLERS));
    let (ends, jobs): (Vec<_>, Vec<_>) = (0..100).map(|_| job()).unzip();
    for job in jobs {
        assert!(crew.assign(job).is_ok());
    }
    assert_eq!(stats.threads(), (100, 0));
    drop(ends);
    (0..100).for_each(|_| done.recv_timeout(AMPLE).unwrap());
    eventually(&stats, (CORE_POLLERS, CORE_POLLERS));
    drop(crew);
    assert_eq!(ended.recv_timeout(AMPLE), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn job_that_is_done_leaves_its_thread_for_the_next() {
    let Fixture { crew, ended, done, stats } = fixture(system_threads(), AMPLE);
    let (blocking, blocked): (Vec<_>, Vec<_>) = (0..CORE_POLLERS - 1).map(|_| job()).unzip();
    for job in blocked {
        assert!(crew.assign(job).is_ok());
    }
    for _ in 0..1000 {
        assert!(crew.assign(job().1).is_ok());
        done.recv_timeout(AMPLE).unwrap();
    }
    assert_eq!(stats.threads(), (CORE_POLLERS, 1), "no job needed another thread");
    drop((blocking, crew));
    assert_eq!(ended.recv_timeout(AMPLE), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn refused_thread_returns_the_job_and_the_others_work() {
    let Fixture { crew, done, stats, .. } = fixture(at_most(CORE_POLLERS), AMPLE);
    let (ends, jobs): (Vec<_>, Vec<_>) = (0..CORE_POLLERS).map(|_| job()).unzip();
    for job in jobs {
        assert!(crew.assign(job).is_ok());
    }
    let (end, refused) = job();
    let Err((refused, error)) = crew.assign(refused) else { panic!("no thread is left") };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(stats.threads(), (CORE_POLLERS, 0), "the refused thread is not counted");
    drop(ends);
    done.recv_timeout(AMPLE).unwrap();
    assert!(crew.assign(refused).is_ok());
    drop(end);
    (0..CORE_POLLERS).for_each(|_| done.recv_timeout(AMPLE).unwrap());
    let stats = Arc::new(SchedulerStats::default());
    let too_few = Crew::<Job, ()>::start(at_most(1), |_| {}, |()| {}, stats);
    assert_eq!(too_few.map(drop).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn thread_that_panics_frees_its_place() {
    let stats = Arc::new(SchedulerStats::default());
    let work = |job: Job| {
        assert!(job.recv().is_ok(), "a defect, for the test");
    };
    let (crew, ended) = Crew::start(system_threads(), work, |()| {}, Arc::clone(&stats)).unwrap();
    for _ in 0..20 {
        assert!(crew.assign(job().1).is_ok());
    }
    let started = Instant::now();
    while stats.threads() != (0, 0) && started.elapsed() < AMPLE {
        // Each job ends a thread, those that remained idle too.
        assert!(crew.assign(job().1).is_ok());
        thread::sleep(Duration::from_millis(10));
    }
    drop(crew);
    assert_eq!(ended.recv_timeout(AMPLE), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn names_fit_the_kernel() {
    assert!(thread_name(9_999_999).len() <= 15);
}
