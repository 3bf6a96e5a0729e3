//! Certificates that a probe over https trusts.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::outbound::tls::{self, ClientTls};

/// Error of the certificates to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Error of the read.
        error: io::Error,
    },
    /// The file holds no certificate in PEM.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
}

/// Certificates that probes trust: the system's, or those of one file alone.
pub(super) struct Trust {
    file: Option<PathBuf>,
    /// Content of the file as of the latest read.
    pem: Vec<u8>,
    pub(super) config: ClientTls,
}

impl Trust {
    /// Reads the certificates of the file, or those of the system.
    pub(super) fn load(file: Option<&Path>) -> Result<Trust, TrustError> {
        let Some(path) = file else {
            return Ok(Trust { file: None, pem: Vec::new(), config: tls::system() });
        };
        let unreadable = |error| TrustError::Unreadable { path: path.to_owned(), error };
        let pem = std::fs::read(path).map_err(unreadable)?;
        let config = trusting(&pem).ok_or_else(|| TrustError::Empty(path.to_owned()))?;
        Ok(Trust { file: Some(path.to_owned()), pem, config })
    }

    /// Reads the file again, which changes when a self-signed certificate is renewed. Reads the
    /// system's certificates again if the latest probe rejected the certificate of a server.
    ///
    /// A file that is missing or holds no certificate changes nothing, as the server is not to blame.
    pub(super) fn refresh(&mut self, was_rejected: bool) {
        let Some(path) = &self.file else {
            if was_rejected {
                self.config = tls::system();
            }
            return;
        };
        let Ok(pem) = std::fs::read(path) else { return };
        if pem == self.pem {
            return;
        }
        match trusting(&pem) {
            Some(config) => self.config = config,
            None => log::warn!(
                "{} holds no certificate any more: the previous ones stay trusted",
                path.display()
            ),
        }
        self.pem = pem;
    }
}

/// Returns the settings that trust the certificates of a PEM file; `None` if it holds none.
fn trusting(pem: &[u8]) -> Option<ClientTls> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    (!found.is_empty()).then(|| tls::trusting(&found))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn renewed_file_is_trusted_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let missing = Trust::load(Some(&path)).err().unwrap().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
        let pem = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            made.cert.pem().into_bytes()
        };
        let (first, second) = (pem(), pem());
        std::fs::write(&path, "nothing").unwrap();
        assert!(matches!(Trust::load(Some(&path)), Err(TrustError::Empty(_))));
        std::fs::write(&path, &first).unwrap();
        let mut trust = Trust::load(Some(&path)).unwrap();
        let before = trust.config.clone();
        let is_unchanged = |trust: &Trust| Arc::ptr_eq(trust.config.config(), before.config());
        for bad in [Some("nothing"), None] {
            match bad {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            trust.refresh(true);
            assert!(is_unchanged(&trust));
        }
        std::fs::write(&path, &second).unwrap();
        trust.refresh(false);
        assert!(!is_unchanged(&trust));
    }
}
