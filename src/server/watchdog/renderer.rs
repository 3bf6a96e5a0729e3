//! Renders the scoreboard for the watchdog's log lines, on a thread of its own.
//!
//! Rendering reads files of `/proc`, and these can hang: in containers some are served by a FUSE
//! file system. The watchdog waits for [`RENDER_TIMEOUT`] and then logs its line without the
//! scoreboard. The thread is created at the start, because the system may refuse it to a server that is stuck.
//! While one rendering hangs, no second one is started.

use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use crate::threads;

/// Maximum wait for a rendering, which takes about a millisecond.
const RENDER_TIMEOUT: Duration = Duration::from_millis(500);

/// Renders the scoreboard; may block.
pub type Render = Box<dyn Fn() -> String + Send>;

/// Handle to the thread `pw-scoreboard`. Dropping it ends the thread, unless a rendering hangs:
/// then the thread ends with the process.
#[derive(Debug)]
pub(super) struct Renderer {
    requests: Sender<Sender<String>>,
    /// Rendering that did not end in time and may still be running.
    late: Option<Receiver<String>>,
}

impl Renderer {
    /// Starts the thread.
    pub(super) fn start(render: Render) -> io::Result<Renderer> {
        let (requests, requested) = bounded::<Sender<String>>(1);
        // Detached, as a rendering may hang: dropping `requests` ends the thread, or the process does.
        threads::spawn_detached(threads::SCOREBOARD, move || {
            for rendered in requested {
                // The watchdog may not be waiting any more.
                let _ = rendered.send(render());
            }
        })?;
        Ok(Renderer { requests, late: None })
    }

    /// Returns the scoreboard for a log line, or the reason why it is missing.
    pub(super) fn line(&mut self) -> String {
        match self.render(RENDER_TIMEOUT) {
            Some(scoreboard) => scoreboard.trim().to_owned(),
            None => format!("not rendered within {} ms", RENDER_TIMEOUT.as_millis()),
        }
    }

    /// Returns `None` if the rendering does not end in time, or if an earlier one is still running.
    fn render(&mut self, timeout: Duration) -> Option<String> {
        if let Some(late) = &self.late
            && late.try_recv() == Err(TryRecvError::Empty)
        {
            return None;
        }
        self.late = None;
        let (rendered, rendering) = bounded(1);
        self.requests.try_send(rendered).ok()?;
        let scoreboard = rendering.recv_timeout(timeout).ok();
        self.late = scoreboard.is_none().then_some(rendering);
        scoreboard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: Duration = Duration::from_secs(20);

    #[test]
    fn rendering_that_hangs_costs_its_timeout_once_and_is_not_started_again() {
        let (begin, begun) = bounded(8);
        let (release, hang) = bounded::<()>(0);
        let render = move || {
            begin.send(()).unwrap();
            // Hangs until the test ends that.
            let _ = hang.recv();
            "{}\n".to_owned()
        };
        let mut renderer = Renderer::start(Box::new(render)).unwrap();
        assert_eq!(renderer.render(Duration::from_millis(10)), None);
        // With that timeout a second rendering would hold the test for longer than it may take.
        for _ in 0..100 {
            assert_eq!(renderer.render(Duration::from_secs(3600)), None);
        }
        assert!(renderer.line().starts_with("not rendered within"));
        begun.recv_timeout(AMPLE).unwrap();
        assert!(begun.is_empty(), "one rendering was started");
        drop(release);
        let deadline = std::time::Instant::now() + AMPLE;
        while renderer.render(AMPLE).is_none() {
            assert!(std::time::Instant::now() < deadline, "it renders again");
            std::thread::yield_now();
        }
        assert_eq!(renderer.line(), "{}");
    }

    #[test]
    fn rendering_that_panics_is_missing() {
        let mut renderer = Renderer::start(Box::new(|| panic!("a defect"))).unwrap();
        assert_eq!(renderer.render(AMPLE), None);
        assert_eq!(renderer.render(AMPLE), None);
    }
}
