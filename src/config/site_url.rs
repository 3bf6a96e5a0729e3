//! Warnings about `[site] url`: the address that browsers use must fit the listeners.

use super::Site;
use super::listen_addr::ListenAddr;
use super::server::Server;
use super::tls::TlsFiles;

/// Returns a warning if the public address needs a proxy and the configuration names none.
///
/// A proxy is known by `trusted_proxies`, or connects to a unix socket.
pub(super) fn warning(site: &Site, server: &Server, tls: Option<&TlsFiles>) -> Option<String> {
    let url = site.url.as_ref()?;
    let is_proxied = !server.engine.trusted_proxies.is_empty()
        || server.listen.iter().any(|address| matches!(address, ListenAddr::Unix(_)));
    match (url.is_https(), tls) {
        _ if is_proxied => None,
        (true, None) => Some(format!(
            "\"url\" in [site] is {url}, and there is neither [tls] nor \"trusted_proxies\" in [server]: \
             visitors behind the proxy that terminates TLS share one limit of connections and of failed \
             passwords. Name the proxy in \"trusted_proxies\", and let it send X-Forwarded-For and \
             X-Forwarded-Proto"
        )),
        (false, Some(_)) => Some(format!(
            "\"url\" in [site] is {url}, but the listeners speak TLS: write https://, or name the proxy \
             that browsers reach without TLS in \"trusted_proxies\" in [server]"
        )),
        (true, Some(_)) | (false, None) => None,
    }
}
