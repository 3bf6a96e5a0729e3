//! Upstreams of pumphouse-web during the benchmark: one that answers, and one that hangs.

use std::collections::{HashSet, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

/// Number of connections that are kept without a response; the pollers have closed older ones.
const KEPT: usize = 100;

/// Returns the response of each source, observed now, so that it is fresh.
pub fn body() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!(
        r#"{{"at":{now},"level":84.6,"depth":49.09,"volume":1185,"pressure":29.92,"state":"resting"}}"#
    )
}

/// Starts an upstream that answers each request at once with `body`, until the process ends.
pub fn answering(body: String) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if request_line(&stream).is_ok() {
                answer(stream, &body);
            }
        }
    });
    Ok(address)
}

/// Starts an upstream that answers each source once with `body`, so that there are values, and then
/// accepts connections and sends nothing, until the process ends.
pub fn hung(body: String) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let mut answered = HashSet::new();
        let mut kept = VecDeque::new();
        for stream in listener.incoming().map_while(Result::ok) {
            if request_line(&stream).is_ok_and(|line| answered.insert(line)) {
                answer(stream, &body);
                continue;
            }
            kept.push_back(stream);
            if kept.len() > KEPT {
                kept.pop_front();
            }
        }
    });
    Ok(address)
}

fn request_line(stream: &TcpStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

fn answer(mut stream: TcpStream, body: &str) {
    let length = body.len();
    // The poller may have closed the connection.
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

/// Returns `[[source]]` tables for three sources at this address.
pub fn sources(address: SocketAddr, interval: &str) -> String {
    ["tank", "well", "spring"]
        .map(|name| {
            format!(
                "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"http://{address}/{name}\"\n\
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

/// Returns a `[[source]]` table with this number of values, for a large status.
pub fn large_source(address: SocketAddr, values: usize) -> String {
    let mut text = format!(
        "[[source]]\nname = \"tank\"\nkind = \"json\"\nurl = \"http://{address}/tank\"\n\
         interval = \"1h\"\nstale_after = \"300d\"\n\
         observed_at = {{ pointer = \"/at\", format = \"unix\" }}\n[source.values]\n"
    );
    for number in 0..values {
        text += &format!("value_{number} = {{ pointer = \"/level\", unit = \"%\" }}\n");
    }
    text
}
