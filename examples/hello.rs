//! The engine in another program: a server that greets, with the deadlines and caps of the
//! dashboard server.
//!
//! ```text
//! cargo run --release --example hello -- 127.0.0.1:8080
//! curl http://127.0.0.1:8080/
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use pumphouse_web::engine::{
    Activity, Body, Engine, Listener, Refusal, Reply, Request, RequestHead, Response, Service,
    Settings,
};

struct Hello;

impl Service for Hello {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        Response::new(Body::from(format!("hello from {}\n", request.target.path()))).into()
    }

    fn refuse(&self, refusal: Refusal, _: Option<RequestHead<'_>>) -> Response {
        let mut response = Response::new(Body::from(refusal.detail()));
        *response.status_mut() = refusal.status();
        response
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let address: SocketAddr = address.parse()?;
    let listener = Listener::tcp(address, 1024)?;
    eprintln!("hello on http://{}/, until interrupted", listener.local_addr());
    let _engine = Engine::start(vec![listener], Settings::default(), None, Arc::new(Hello))?;
    loop {
        std::thread::park();
    }
}
