//! `cert`: a self-signed certificate for a first start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use super::{Failure, print};
use crate::config::CertificateInfo;
use crate::config::self_signed::{renewed, self_signed};
use crate::timestamp::Rfc3339Date;

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

    /// keep key.pem and replace cert.pem by a new certificate for the same key, and for the same
    /// names unless --name is given
    #[argh(switch)]
    renew: bool,
}

/// Only its owner may read a key.
const KEY_MODE: u32 = 0o600;
const CERT_MODE: u32 = 0o644;

impl Cert {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match (self.renew, self.force) {
            (true, true) => {
                Err("--renew keeps the key and --force replaces it: give one of them".into())
            }
            (true, false) => self.renew(),
            (false, _) => self.create(),
        }
    }

    /// Replaces the certificate. Clients that pinned the key accept the new one, and a server
    /// that watches the files shows it without a restart.
    fn renew(self) -> Result<ExitCode, Failure> {
        let (cert, key) = self.paths();
        let key_pem = read(&key)?;
        let latest = CertificateInfo::of_chain(read(&cert)?.as_bytes())
            .map_err(|error| format!("cannot renew {}: {error}", cert.display()))?;
        if !latest.self_issued {
            return Err(format!(
                "{} was issued by an authority, which must renew it; --force replaces it and its \
                 key by self-signed ones",
                cert.display()
            )
            .into());
        }
        let names = if self.name.is_empty() { latest.names } else { self.name };
        if names.is_empty() {
            return Err(format!("{} names no host: give --name", cert.display()).into());
        }
        let made = renewed(&names, &key_pem)
            .map_err(|error| format!("no certificate for {}: {error}", names.join(", ")))?;
        replace(&cert, &made)?;
        report(&[&cert], &names, &made)
    }

    fn paths(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("cert.pem"), self.dir.join("key.pem"))
    }

    fn create(self) -> Result<ExitCode, Failure> {
        let (cert, key) = self.paths();
        let names = if self.name.is_empty() {
            ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
        } else {
            self.name
        };
        // Both are looked at before either is written, so that a pair stays a pair.
        if !self.force
            && let Some(there) = [&cert, &key].into_iter().find(|path| path.exists())
        {
            let there = there.display();
            return Err(format!(
                "{there} is there already; --force overwrites both files, --renew keeps the key"
            )
            .into());
        }
        let made = self_signed(&names)
            .map_err(|error| format!("no certificate for {}: {error}", names.join(", ")))?;
        fs::create_dir_all(&self.dir)
            .map_err(|error| format!("cannot make {}: {error}", self.dir.display()))?;
        write(&key, &made.key_pem, KEY_MODE, self.force)?;
        write(&cert, &made.cert_pem, CERT_MODE, self.force)?;
        report(&[&cert, &key], &names, &made.cert_pem)
    }
}

/// Prints the files that were written, and for what the certificate is good.
fn report(written: &[&Path], names: &[String], cert_pem: &str) -> Result<ExitCode, Failure> {
    let certificate = CertificateInfo::of_chain(cert_pem.as_bytes())?;
    let written: String = written.iter().map(|path| format!("{}\n", path.display())).collect();
    Ok(print(&format!(
        "{written}self-signed for {}, valid until {}\n",
        names.join(", "),
        Rfc3339Date(certificate.not_after)
    )))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

/// Replaces a certificate's file in one step, so that a server that reads it meanwhile finds the
/// old one or the new one.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let part = path.with_extension("pem.part");
    write(&part, text, CERT_MODE, true)?;
    fs::rename(&part, path)
        .map_err(|error| format!("cannot replace {}: {error}", path.display()).into())
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
