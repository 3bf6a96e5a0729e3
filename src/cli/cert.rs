//! `cert`: a self-signed certificate for a first start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use super::{Failure, print};
use crate::config::CertificateInfo;
use crate::config::self_signed::self_signed;

/// Write a self-signed certificate and its key, for a first start or a private network.
#[derive(FromArgs)]
#[argh(subcommand, name = "cert")]
pub(super) struct Cert {
    /// folder for cert.pem and key.pem (default: certs)
    #[argh(option, default = "PathBuf::from(\"certs\")")]
    dir: PathBuf,

    /// a host name or IP address that visitors will use; may be repeated (default: localhost,
    /// 127.0.0.1 and ::1)
    #[argh(option)]
    name: Vec<String>,

    /// overwrite files that are there
    #[argh(switch)]
    force: bool,
}

/// Only its owner may read a key.
const KEY_MODE: u32 = 0o600;
const CERT_MODE: u32 = 0o644;

impl Cert {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let names = if self.name.is_empty() {
            ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
        } else {
            self.name
        };
        let (cert, key) = (self.dir.join("cert.pem"), self.dir.join("key.pem"));
        // Both are looked at before either is written, so that a pair stays a pair.
        if !self.force
            && let Some(there) = [&cert, &key].into_iter().find(|path| path.exists())
        {
            let there = there.display();
            return Err(format!("{there} is there already; --force overwrites it").into());
        }
        let made = self_signed(&names)
            .map_err(|error| format!("no certificate for {}: {error}", names.join(", ")))?;
        let certificate = CertificateInfo::of_chain(made.cert_pem.as_bytes())?;
        fs::create_dir_all(&self.dir)
            .map_err(|error| format!("cannot make {}: {error}", self.dir.display()))?;
        write(&key, &made.key_pem, KEY_MODE, self.force)?;
        write(&cert, &made.cert_pem, CERT_MODE, self.force)?;
        Ok(print(&format!(
            "{}\n{}\nself-signed for {}, valid until {}\n",
            cert.display(),
            key.display(),
            names.join(", "),
            certificate.not_after.strftime("%Y-%m-%d")
        )))
    }
}

/// Writes a file that has its mode from the first byte on.
fn write(path: &Path, text: &str, mode: u32, force: bool) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        if force && path.exists() {
            // The old file's mode and its readers' handles must not outlive it.
            fs::remove_file(path)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    written().map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
