//! `tiny-http-peer ADDRESS BODY`: a tiny_http server over plain HTTP, with as many threads as
//! pumphouse-web has workers.

use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(body)) = (arguments.next(), arguments.next()) else {
        return Err("tiny-http-peer ADDRESS BODY".into());
    };
    let body = std::fs::read(body)?;
    let server = Arc::new(tiny_http::Server::http(address)?);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (server, body) = (Arc::clone(&server), body.clone());
            std::thread::spawn(move || {
                let json = tiny_http::Header::from_bytes("Content-Type", "application/json");
                let json = json.expect("a constant header");
                while let Ok(request) = server.recv() {
                    let response =
                        tiny_http::Response::from_data(body.clone()).with_header(json.clone());
                    let _ = request.respond(response);
                }
            })
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}
