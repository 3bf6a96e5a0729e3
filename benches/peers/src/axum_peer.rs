//! `axum-peer ADDRESS BODY [CERT KEY]`: a minimal axum server, over TLS if it has a certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, body, tls @ ..] = &arguments[..] else {
        return Err("axum-peer ADDRESS BODY [CERT KEY]".into());
    };
    let address: SocketAddr = address.parse()?;
    let body: &'static [u8] = Vec::leak(std::fs::read(body)?);
    let app = Router::new().route(
        "/api/v1/status",
        get(move || async move { ([(CONTENT_TYPE, "application/json")], body) }),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let service = app.into_make_service();
    runtime.block_on(async move {
        match tls {
            [cert, key] => {
                let config = RustlsConfig::from_config(server_config(cert, key)?);
                axum_server::bind_rustls(address, config).serve(service).await?;
            }
            _ => axum_server::bind(address).serve(service).await?,
        }
        Ok(())
    })
}

fn server_config(cert: &str, key: &str) -> Result<Arc<ServerConfig>, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
