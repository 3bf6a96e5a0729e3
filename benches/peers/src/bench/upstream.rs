//! The upstreams behind ours while it is measured: one that answers, one that never does.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

const BODY: &str = r#"{"at":1769879760,"level":84.6,"depth":49.09,"volume":1185,"pressure":29.92,"state":"resting"}"#;

/// Answers each request at once, until the process ends.
pub fn answering() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
                BODY.len()
            );
        }
    });
    Ok(address)
}

/// Accepts and never says anything, until the process ends.
pub fn hung() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let mut kept = std::collections::VecDeque::new();
        for stream in listener.incoming().map_while(Result::ok) {
            kept.push_back(stream);
            // Older ones have been given up by their pollers long ago.
            kept.truncate(100);
        }
    });
    Ok(address)
}

/// `[[source]]` tables for three sources at that address.
pub fn sources(address: SocketAddr, interval: &str) -> String {
    ["tank", "well", "spring"]
        .map(|name| {
            format!(
                "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"http://{address}/\"\n\
                 interval = \"{interval}\"\ntimeout = \"900ms\"\nstale_after = \"300d\"\n\
                 observed_at = {{ pointer = \"/at\", format = \"unix\" }}\n\
                 [source.values.level]\npointer = \"/level\"\nunit = \"%\"\n\
                 [source.values.depth]\npointer = \"/depth\"\nunit = \"in\"\n\
                 [source.values.volume]\npointer = \"/volume\"\nunit = \"gal\"\n\
                 [source.values.pressure]\npointer = \"/pressure\"\nunit = \"inHg\"\n\
                 [source.values.state]\npointer = \"/state\"\n"
            )
        })
        .concat()
}
