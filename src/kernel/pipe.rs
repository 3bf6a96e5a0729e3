//! Reads of named pipes, which `open(2)` would wait for without end while no process writes to them.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Interval of the checks whether a pipe has a writer.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Reads a pipe that was opened with `O_NONBLOCK`, until all writers have closed it or `limit` bytes are read.
///
/// A pipe whose writer is silent is waited for, however long: the writer may be another host, or a prompt.
///
/// # Errors
/// `TimedOut`: no process has opened the pipe for writing for `patience`. Or those of `poll(2)` and `read(2)`.
pub fn read(pipe: &File, limit: u64, patience: Duration) -> io::Result<Vec<u8>> {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    loop {
        let mut polled = [PollFd::new(pipe, PollFlags::IN)];
        match poll(&mut polled, Some(&PAUSE)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let was_closed = polled[0].revents().contains(PollFlags::HUP);
        let room = limit.saturating_sub(bytes.len() as u64);
        match pipe.take(room).read_to_end(&mut bytes) {
            // The end, unless no writer has come yet: that reads as an end, too.
            Ok(_) if was_closed || !bytes.is_empty() => return Ok(bytes),
            Ok(_) if begun.elapsed() >= patience => {
                let text = format!(
                    "is a named pipe that no process has opened for writing within {} s",
                    patience.as_secs()
                );
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            Ok(_) => {}
            // A writer is there. What was read so far is kept.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags, open};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn opened(path: &Path) -> File {
        open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
            .unwrap()
            .into()
    }

    fn named(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pipe");
        hostile::folder::make_pipe(&path);
        path
    }

    #[test]
    fn pipe_without_a_writer_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = opened(&named(folder.path()));
        let error = read(&pipe, 8, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("no process has opened for writing"), "{error}");
    }

    /// The writer comes late, writes in parts, and is silent between them.
    #[test]
    fn pipe_is_read_until_its_writer_closes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = named(folder.path());
        let pipe = opened(&path);
        let writer = std::thread::spawn(move || {
            let pause = || std::thread::sleep(Duration::from_millis(120));
            pause();
            let mut pipe = File::options().write(true).open(path).unwrap();
            for part in ["a", "b", ""] {
                pause();
                pipe.write_all(part.as_bytes()).unwrap();
            }
        });
        assert_eq!(read(&pipe, 8, LONG).unwrap(), b"ab");
        writer.join().unwrap();
    }

    #[test]
    fn silent_writer_is_waited_for_longer_than_none() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = opened(Path::new(&format!("/proc/self/fd/{}", raw(&reader))));
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            writer.write_all(b"late").unwrap();
        });
        assert_eq!(read(&reader, 8, Duration::ZERO).unwrap(), b"late");
        late.join().unwrap();
    }

    #[test]
    fn pipe_that_was_closed_empty_is_empty() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(writer);
        let reader = opened(Path::new(&format!("/proc/self/fd/{}", raw(&reader))));
        assert_eq!(read(&reader, 8, LONG).unwrap(), b"");
    }

    #[test]
    fn endless_pipe_is_read_up_to_the_limit() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let opened = opened(Path::new(&format!("/proc/self/fd/{}", raw(&reader))));
        let endless = std::thread::spawn(move || {
            (0..1000).take_while(|_| writer.write_all(&[b'a'; 4096]).is_ok()).count()
        });
        assert_eq!(read(&opened, 5000, LONG).unwrap().len(), 5000);
        drop((reader, opened));
        // The rest is what the pipe holds.
        assert!(endless.join().unwrap() < 100);
    }

    fn raw(file: &impl std::os::fd::AsRawFd) -> i32 {
        file.as_raw_fd()
    }
}
