//! `cert`: writes or renews a self-signed certificate.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::outcome::{Failure, print};
use crate::certificates::files::{FilesError, LOCAL_NAMES, Written, create, renew};
use crate::timestamp::Rfc3339Date;

/// Write a self-signed certificate and its key, for a first start or a private network.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "cert",
    example = "Make certs/cert.pem and certs/key.pem for a host\n$ {command_name} --name tank.example",
    example = "Replace a certificate that expires, and keep its key\n$ {command_name} --renew",
    note = "Browsers trust a self-signed certificate only after a question. curl takes it with --cacert \
            certs/cert.pem, probe and watch with --ca certs/cert.pem."
)]
pub(super) struct Cert {
    /// folder for cert.pem and key.pem (default: certs)
    #[argh(option, arg_name = "DIR", default = "PathBuf::from(\"certs\")")]
    dir: PathBuf,

    /// host name or IP address of the server, without a port, or a wildcard such as *.tank.example;
    /// may be repeated (default: localhost, 127.0.0.1 and ::1)
    #[argh(option, arg_name = "NAME")]
    name: Vec<String>,

    /// overwrite existing files; of a symbolic link, the file that it leads to
    #[argh(switch)]
    force: bool,

    /// keep key.pem and replace cert.pem by a new certificate for the same key, and for the same
    /// names unless --name is given
    #[argh(switch)]
    renew: bool,
}

impl Cert {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let Written { paths, names, certificate } = match (self.renew, self.force) {
            (true, true) => {
                return Err(Failure::usage(
                    "--renew keeps the key and --force replaces it: give one of them",
                ));
            }
            (true, false) => renew(&self.dir, &self.name),
            (false, force) if self.name.is_empty() => {
                create(&self.dir, &LOCAL_NAMES.map(str::to_owned), force)
            }
            (false, force) => create(&self.dir, &self.name, force),
        }
        .map_err(failure)?;
        let paths: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
        Ok(print(&format!(
            "{paths}self-signed for {}, valid until {}\n",
            names.join(", "),
            Rfc3339Date(certificate.validity.end.at)
        )))
    }
}

/// Returns the failure: of the command line, if one of its names is wrong.
fn failure(error: FilesError) -> Failure {
    match error {
        FilesError::Name(error) => Failure::usage(format!("--name: {error}")),
        error => error.into(),
    }
}
