//! Parts of a plan: the configured addresses and certificates.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::{OwnCertificate, RefusedCertificate, trust};
use crate::access::HostName;
use crate::certificates::{CertificateInfo, ChainFault, FULL_CHAIN};
use crate::config::{ListenAddr, TlsFiles};
use crate::engine::tls::covers;
use crate::outbound::Endpoint;
use crate::supervisor::alarm::AlarmKind;

/// Label in place of the wildcard of a certificate: any label matches it.
const ANY_LABEL: &str = "pumphouse";

/// Everything that a plan is made of, to notice a change.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Inputs {
    /// Admin listener, if it is probed.
    pub(super) admin: Option<Endpoint>,
    /// Public listeners of the configuration, unless there are URLs.
    pub(super) listen: Vec<ListenAddr>,
    /// Name of the server in requests to these listeners.
    pub(super) name: Option<String>,
    pub(super) is_tls: bool,
    /// Certificates of the configuration: the chain of each file, the default one first.
    pub(super) chains: Vec<Vec<CertificateDer<'static>>>,
    pub(super) own: Vec<OwnCertificate>,
    pub(super) refused: Vec<RefusedCertificate>,
    /// Certificates of the option `--ca`.
    pub(super) ca: Option<Vec<CertificateDer<'static>>>,
    pub(super) notes: Vec<String>,
}

impl Inputs {
    /// Returns true if an alarm would be raised about these files.
    pub(super) fn has_faults(&self) -> bool {
        !self.notes.is_empty() || !self.refused.is_empty()
    }

    /// Finds a name of the server that no certificate has.
    pub(super) fn check_names(&mut self, names: &[HostName], certified: &[String], file: &Path) {
        let is_covered = |name: &&HostName| {
            let name = name.to_string();
            covers(certified, name.trim_matches(['[', ']']))
        };
        if let Some(name) = names.iter().find(|name| !is_covered(name)) {
            self.refused.push(RefusedCertificate {
                kind: AlarmKind::CertificateName,
                file: file.to_owned(),
                reason: format!(
                    "no certificate of [tls] is for {name}, which is in \"names\" of [server], so browsers \
                     refuse it: make one with --name {name}, or correct \"names\""
                ),
            });
        }
    }

    /// Reads the certificate files, and returns the names in them. One that cannot be read leaves the
    /// authorities of the system.
    pub(super) fn read_certificates(&mut self, files: &TlsFiles) -> Vec<String> {
        let mut names = Vec::new();
        for path in files.pairs().map(|pair| &pair.cert) {
            let read = trust::read(path).map_err(|error| error.to_string()).and_then(|chain| {
                let info = CertificateInfo::of_der(&chain);
                let info = info.map_err(|error| format!("{}: {error}", path.display()))?;
                Ok((chain, info))
            });
            let (chain, info) = match read {
                Ok(read) => read,
                Err(error) => {
                    self.notes.push(format!(
                        "{error}; so a certificate is accepted only if an authority of the system \
                         has signed it: let the user of this process read the file"
                    ));
                    continue;
                }
            };
            self.name = self.name.take().or_else(|| info.names.first().map(|name| own(name)));
            let file = path.to_path_buf();
            if let Some(fault) = info.chain_fault.filter(ChainFault::is_refused) {
                self.refused.push(RefusedCertificate {
                    kind: AlarmKind::CertificateInvalid,
                    file: file.clone(),
                    reason: format!("browsers refuse it: {fault}; {FULL_CHAIN}"),
                });
            }
            self.own.push(OwnCertificate { file, validity: info.validity });
            self.chains.push(chain);
            names.extend(info.names);
        }
        names
    }
}

/// Returns a name that a certificate's name covers.
fn own(name: &str) -> String {
    match name.strip_prefix("*.") {
        Some(domain) => format!("{ANY_LABEL}.{domain}"),
        None => name.to_owned(),
    }
}
