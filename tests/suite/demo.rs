//! `demo`, as a newcomer starts it: no config, no network.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::server::BINARY;

/// A running demo, killed when dropped.
pub struct Demo {
    child: Child,
    url: String,
}

impl Demo {
    pub fn start() -> Demo {
        let mut child = Command::new(BINARY)
            .args(["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines
            .find_map(|line| {
                let (_, address) = line.split_once("listening on https://")?;
                address.split_whitespace().next().map(str::to_owned)
            })
            .expect("the demo says where it listens");
        // The rest is read, so that the demo never waits for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Demo { child, url: format!("https://{}/", address.trim_end_matches('/')) }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
