//! The attack of each scenario.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::guesses::Guesses;
use super::{Findings, Scale, Scenario};
use crate::churn::Churn;
use crate::dense_history::DenseHistory;
use crate::flood::{Flood, Statuses};
use crate::mode::Mode;
use crate::swarm::{Plan, Swarm};
use crate::target::Target;
use crate::transport::Transport;

/// Number of connections of a pipelining scenario, each from its own address.
const PIPELINES: u8 = 8;

/// Number of clients that misuse the admin listener.
const ADMIN_CLIENTS: usize = 64;

/// Number of clients that open connections to the admin listener in a loop, each from its own
/// address.
const ADMIN_CHURNERS: u8 = 2;

/// Number of source addresses of the pipelining clients that fill the public listener.
const PIPELINING_ADDRESSES: u8 = 4;

impl Scenario {
    /// Attacks the server for `scale.time`.
    pub(super) fn attack(
        self,
        target: &Target,
        scale: &Scale,
        guesses: Option<&Guesses>,
    ) -> io::Result<Findings> {
        let time = scale.time;
        let pipeline = |requests: &dyn Fn(u8) -> Vec<String>| {
            let floods = (1..=PIPELINES).map(|number| flood(target, number, requests(number)));
            let responses = Some(flood_for(time, &floods.collect::<Vec<_>>()));
            Ok(Findings { responses, ..Findings::default() })
        };
        match self {
            Scenario::ExpensiveQueries => {
                pipeline(&|number| expensive_queries(scale.history, number))
            }
            Scenario::SourcePages => pipeline(&source_pages),
            Scenario::ManyParameters => pipeline(&|_| many_parameters()),
            Scenario::StalledBodies => {
                let modes = &[Mode::StalledBody, Mode::StalledPost, Mode::StalledForm];
                swarm(target, modes, "/", scale.connections)?.run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::StalledReaders => {
                let half = scale.connections / 2;
                let streamed = swarm(target, &[Mode::StalledReader], DenseHistory::DOWNLOAD, half)?;
                let whole = swarm(target, &[Mode::NeverRead], DenseHistory::LARGE, half)?;
                std::thread::scope(|scope| {
                    for mut swarm in [streamed, whole] {
                        scope.spawn(move || swarm.run(time, |_| {}));
                    }
                });
                Ok(Findings::default())
            }
            Scenario::AdminClients => {
                admin_swarm(target, &Mode::ADMIN, "/metrics", ADMIN_CLIENTS)?.run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::AdminPipelines => {
                admin_swarm(target, &[Mode::EndlessPipeline], "/healthz", scale.connections)?
                    .run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::Pipelines => {
                let mut plan = plan(target, &[Mode::EndlessPipeline], "/ping", scale.connections);
                plan.addresses = PIPELINING_ADDRESSES;
                Swarm::new(plan)?.run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::AdminConnects => {
                Ok(Findings { opened: Some(churn(target.admin, scale)), ..Findings::default() })
            }
            Scenario::PasswordGuesses => {
                guesses.map_or_else(|| Ok(Findings::default()), |it| it.attack(target, time))
            }
            Scenario::LogReaderStops => {
                target.stop_reading_log();
                let ping = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
                pipeline(&|_| vec![ping.clone(); 4])
            }
        }
    }
}

/// Returns a batch of queries by GET or by HEAD. HEAD costs as much and has no body whose writing
/// would end the connection's turn.
fn expensive_queries(history: DenseHistory, number: u8) -> Vec<String> {
    let method = if number.is_multiple_of(4) { "GET" } else { "HEAD" };
    vec![format!("{method} {} HTTP/1.1\r\nHost: localhost\r\n\r\n", history.scan()); 64]
}

/// Returns a batch of requests for a page and for pictures, by GET or by HEAD.
fn source_pages(number: u8) -> Vec<String> {
    let method = if number.is_multiple_of(2) { "GET" } else { "HEAD" };
    let request = |path: &str| format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let sizes = (0..64).map(|size| 200 + u32::from(number) * 100 + size);
    let picture = |width| format!("/chart/site.level.svg?range=1y&width={width}");
    sizes.flat_map(|width| [request("/source/site"), request(&picture(width))]).collect()
}

/// Returns a batch of queries of 13 KB in which every parameter has a different name.
fn many_parameters() -> Vec<String> {
    const LENGTH: usize = 13_000;
    let mut query = String::with_capacity(LENGTH + 8);
    for number in 0.. {
        if query.len() >= LENGTH {
            break;
        }
        query += &format!("{number:x}&");
    }
    let request = |path: &str| {
        format!("GET {path}?{} HTTP/1.1\r\nHost: localhost\r\n\r\n", query.trim_end_matches('&'))
    };
    vec![request("/api/v1/status"), request("/api/v1/history")]
}

pub(super) fn flood(target: &Target, number: u8, requests: Vec<String>) -> Flood {
    let config = Some(Arc::clone(&target.config));
    let transport = Transport { address: target.address, config };
    Flood { transport, source: Ipv4Addr::new(127, 7, 100, number), requests }
}

/// Runs floods for this time and returns the responses of all.
pub(super) fn flood_for(time: Duration, floods: &[Flood]) -> Statuses {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running: Vec<_> = floods.iter().map(|flood| scope.spawn(|| flood.run(&stop))).collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let mut all = Statuses::default();
        for flood in running {
            all.add(&flood.join().expect("a flood does not panic"));
        }
        all
    })
}

/// Opens connections in a loop for `scale.time` and returns their number.
fn churn(target: SocketAddr, scale: &Scale) -> u64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running: Vec<_> = (1..=ADMIN_CHURNERS)
            .map(|number| {
                let source = Ipv4Addr::new(127, 7, 101, number);
                let churn = Churn { target, source, held: scale.connections / 2 };
                let stop = &stop;
                scope.spawn(move || churn.run(stop))
            })
            .collect();
        std::thread::sleep(scale.time);
        stop.store(true, Ordering::Relaxed);
        running.into_iter().map(|it| it.join().expect("a churner does not panic")).sum()
    })
}

fn plan(target: &Target, modes: &[Mode], large: &str, connections: usize) -> Plan {
    let plan = Plan::new(target.address, &target.config, modes, connections);
    Plan { large: large.to_owned(), ..plan }
}

fn admin_swarm(
    target: &Target,
    modes: &[Mode],
    path: &str,
    connections: usize,
) -> io::Result<Swarm> {
    let plan = Plan { target: target.admin, ..plan(target, modes, path, connections) };
    Ok(Swarm::new(plan)?.over_plain_http().bound_to(Ipv4Addr::LOCALHOST))
}

fn swarm(target: &Target, modes: &[Mode], large: &str, connections: usize) -> io::Result<Swarm> {
    Swarm::new(plan(target, modes, large, connections))
}
