//! This engine in the same place, and a poller beside it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pumphouse_web::engine::{
    Activity, Body, Engine, Listener, Refusal, Reply, Request, RequestHead, Response, Service,
    Settings,
};

use crate::stage::{BACKLOG, Stage, request_upstream};

/// A server that runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    _engine: Engine,
}

/// A page whose number of readings a poller counts up.
struct Page(Arc<AtomicU64>);

impl Service for Page {
    fn call(&self, _: &Request, _: &Activity) -> Reply {
        let readings = self.0.load(Ordering::Relaxed);
        Response::new(Body::from(format!("{readings} readings so far\n"))).into()
    }

    fn refuse(&self, refusal: Refusal, _: Option<RequestHead<'_>>) -> Response {
        let mut response = Response::new(Body::from(refusal.detail()));
        *response.status_mut() = refusal.status();
        response
    }
}

impl Server {
    pub fn start(stage: &Stage, upstream: SocketAddr) -> io::Result<Server> {
        let readings = Arc::new(AtomicU64::new(0));
        let polled = Arc::clone(&readings);
        std::thread::Builder::new().name("poller".to_owned()).spawn(move || {
            if request_upstream(upstream).is_ok() {
                polled.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), BACKLOG)?;
        let address = listener.local_addr().parse().map_err(io::Error::other)?;
        let tls = Some(Arc::clone(&stage.server));
        let engine =
            Engine::start(vec![listener], Settings::default(), tls, Arc::new(Page(readings)))?;
        Ok(Server { address, _engine: engine })
    }
}
