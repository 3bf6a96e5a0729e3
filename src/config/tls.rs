//! `[tls]`: certificate and key files, and the names that clients use.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Site;
use super::configured_path::ConfiguredPath;
use super::listen_addr::{self, ListenAddr};
use super::section::Section;
use super::server::Server;

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The PEM chain, leaf first.
    pub cert: ConfiguredPath,
    /// The PEM private key.
    pub key: ConfiguredPath,
}

/// The `[tls]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `cert` and `key`: for clients whose ClientHello names no host, or a host that no other certificate has.
    pub default: CertificateFiles,
    /// `[[tls.certificate]]`: for clients whose ClientHello names one of its hosts.
    pub named: Vec<CertificateFiles>,
    /// Interval between checks for renewed files.
    pub check_every: Duration,
    /// Plain HTTP listeners that redirect to the TLS ones.
    pub redirect_listen: Vec<ListenAddr>,
    /// Names that clients use for the server, which its certificates have to cover.
    pub expected_names: Vec<ExpectedName>,
}

impl TlsFiles {
    /// Returns all certificates and keys, the default ones first.
    pub fn pairs(&self) -> impl Iterator<Item = &CertificateFiles> {
        std::iter::once(&self.default).chain(&self.named)
    }

    /// Returns true if both name the same certificates and keys, whatever their other settings are.
    pub fn names_same_files(&self, other: &TlsFiles) -> bool {
        self.default == other.default && self.named == other.named
    }
}

/// A name or address of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedName {
    /// Host name or IP address.
    pub name: String,
    /// Key that it comes from: `"names" in [server]`.
    pub origin: &'static str,
}

/// Returns the names by which clients reach the server: that of the public address and `names`, or else the
/// addresses that it listens on.
pub(super) fn expected_names(server: &Server, site: &Site) -> Vec<ExpectedName> {
    // Certificates have IPv6 addresses without brackets.
    let expected = |name: String, origin| {
        let name = name.trim_matches(['[', ']']).to_owned();
        ExpectedName { name, origin }
    };
    // A proxy has a certificate of its own.
    let public = site.url.iter().filter(|_| !server.is_behind_proxy());
    let public = public.map(|url| expected(url.host_name().to_string(), "\"url\" in [site]"));
    let names = server.names.iter().map(ToString::to_string);
    let names = names.map(|name| expected(name, "\"names\" in [server]"));
    let mut all: Vec<ExpectedName> = public.chain(names).collect();
    if !all.is_empty() {
        let mut seen = BTreeSet::new();
        all.retain(|expected| seen.insert(expected.name.clone()));
        return all;
    }
    let addresses = server.listen.iter().filter_map(ListenAddr::tcp).map(|address| address.ip());
    let addresses = addresses.filter(|ip| !ip.is_unspecified() && !ip.is_loopback());
    addresses.map(|ip| expected(ip.to_string(), "\"listen\" in [server]")).collect()
}

const CHECK_EVERY: Duration = Duration::from_secs(60);

pub(super) fn read(mut section: Section<'_, '_>) -> Option<TlsFiles> {
    let default = pair(&mut section);
    let check_every = section.duration_or("check_every", CHECK_EVERY);
    let redirect_listen = listen_addr::read_all(&mut section, "redirect_listen");
    let mut named = Vec::new();
    for mut section in section.sections("certificate") {
        named.extend(pair(&mut section));
        section.finish();
    }
    section.finish();
    Some(TlsFiles {
        default: default?,
        named,
        check_every,
        redirect_listen,
        expected_names: Vec::new(),
    })
}

fn pair(section: &mut Section<'_, '_>) -> Option<CertificateFiles> {
    let cert = section.configured_path("cert");
    let key = section.configured_path("key");
    let cert = section.require("cert", cert);
    let key = section.require("key", key);
    Some(CertificateFiles { cert: cert?, key: key? })
}
