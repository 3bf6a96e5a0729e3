//! Warnings about `[site] url`: the address that browsers use must fit the listeners, and is no list of names.

use super::Site;
use super::listen_addr::ListenAddr;
use super::server::Server;
use super::tls::TlsFiles;

/// Returns the warnings about the public address.
pub(super) fn warnings(
    site: &Site,
    server: &Server,
    tls: Option<&TlsFiles>,
) -> impl Iterator<Item = String> {
    [proxy_warning(site, server, tls), names_warning(site, server)].into_iter().flatten()
}

/// Returns a warning if other machines reach the server and every Host is served, which the public address
/// does not change: visitors may use other names, and addresses.
fn names_warning(site: &Site, server: &Server) -> Option<String> {
    let url = site.url.as_ref()?;
    let is_local = server.listen.iter().all(ListenAddr::is_local);
    (!is_local && server.names.is_empty()).then(|| {
        let name = url.host_name();
        format!(
            "\"url\" in [site] restricts no Host, and there are no \"names\" in [server]: pages of other sites \
             can reach this server by a name that resolves to its address (DNS rebinding). Write names = \
             [\"{name}\"], with every other name and address that browsers use"
        )
    })
}

/// Returns a warning if the public address needs a proxy and the configuration names none.
fn proxy_warning(site: &Site, server: &Server, tls: Option<&TlsFiles>) -> Option<String> {
    let url = site.url.as_ref()?;
    match (url.is_https(), tls) {
        _ if server.is_behind_proxy() => None,
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
