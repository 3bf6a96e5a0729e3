//! What to probe: by options of the command line, and by the configuration of the server.
//!
//! Options win. Without `--admin` and `--url` the admin listener and every public listener of the
//! configuration are probed, the latter as a visitor would who uses one of the server's own names. Such a
//! probe connects to the listener's address, so that no name has to resolve on this machine, and trusts the
//! certificate that is configured, so that a self-signed one for any name needs no `--ca`. An address that
//! is given by `--url` is probed as it is written, and the certificate has to be for its host.
//!
//! Of the configuration, `[server]` and the certificates of `[tls]` are read: neither keys nor secrets.

use std::path::PathBuf;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use super::probed::{Probed, Way, endpoint};
use super::trust::{self, TrustError};
use crate::certificates::{CertificateInfo, Certificates};
use crate::config::{
    ConfigErrors, ListenAddr, Listeners, TlsFiles, check_beside_server, load_listeners, location,
};
use crate::outbound::tls::{self, ClientTls};
use crate::outbound::{Endpoint, Target, ThreadedResolver};

/// Names of the resolvers, and so of their threads.
const PROBE_LOOKUP: &str = "probe";

/// Admin listener without a configuration.
const DEFAULT_ADMIN: &str = "http://127.0.0.1:6480";

/// Most certificates that are remembered, those of the configuration included.
const MAX_SEEN: usize = 8;

/// Label in place of the wildcard of a certificate: any label matches it.
const ANY_LABEL: &str = "pumphouse";

/// Settings of the probes.
#[derive(Debug, Clone, Default)]
pub struct ProbeSettings {
    /// Configuration that the command line names.
    pub config: Option<PathBuf>,
    /// Admin listener, in place of the configuration's.
    pub admin: Option<Endpoint>,
    /// Addresses, in place of the configuration's public listeners.
    pub urls: Vec<Target>,
    /// File of certificates to trust, in place of the system's and the configuration's.
    pub ca: Option<PathBuf>,
    /// True to probe the addresses of `urls` alone, if there are any and no `admin`.
    pub urls_alone: bool,
}

/// Error of making a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The configuration cannot be read, or has faults.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The file of trusted certificates cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// What to probe, and what is known about it.
#[derive(Debug, Default)]
pub struct Plan {
    /// Admin listener.
    pub(super) admin: Option<Probed>,
    /// Public addresses.
    pub(super) public: Vec<Probed>,
    /// Configured certificates.
    pub(super) own: Vec<OwnCertificate>,
    /// Faults that leave the plan usable, as texts for people.
    pub(super) notes: Vec<String>,
}

/// Certificate of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnCertificate {
    pub(super) file: PathBuf,
    pub(super) not_after: Timestamp,
}

impl Plan {
    /// Returns every address to probe, that of the admin listener first.
    pub(super) fn probes(&self) -> impl Iterator<Item = &Probed> {
        self.admin.iter().chain(&self.public)
    }

    /// Returns the addresses for the log.
    pub(super) fn addresses(&self) -> String {
        let probed: Vec<String> = self.probes().map(Probed::to_string).collect();
        probed.join(", ")
    }
}

/// Everything that a plan is made of, to notice a change.
#[derive(Debug, Default, PartialEq)]
struct Inputs {
    /// Admin listener, if it is probed.
    admin: Option<Endpoint>,
    /// Public listeners of the configuration, unless there are URLs.
    listen: Vec<ListenAddr>,
    /// Name of the server in requests to these listeners.
    name: Option<String>,
    is_tls: bool,
    /// Certificates of the configuration: the chain of each file, the default one first.
    chains: Vec<Vec<CertificateDer<'static>>>,
    own: Vec<OwnCertificate>,
    /// Certificates of the option `--ca`.
    ca: Option<Vec<CertificateDer<'static>>>,
    notes: Vec<String>,
}

/// Makes plans. Each `load` reads the files again.
#[derive(Debug)]
pub struct Planner {
    settings: ProbeSettings,
    /// Configuration, once one was found or named. It has to exist from then on.
    file: Option<PathBuf>,
    /// Resolvers of the admin listener and of the URLs. A plan shares them with the next one, so that a
    /// lookup that hangs costs one thread, however often the plan changes.
    resolvers: Vec<ThreadedResolver>,
    inputs: Option<Inputs>,
    /// Inputs that the latest read has found, if they differ: files are not replaced in one step, so the
    /// next read has to confirm them.
    unconfirmed: Option<Inputs>,
    /// Certificates that were configured. A server loads a renewed one up to `check_every` later.
    seen: Vec<CertificateDer<'static>>,
    /// Authorities of the system, once a plan has needed them.
    authorities: Option<Vec<CertificateDer<'static>>>,
}

impl Planner {
    /// Returns a planner that has read nothing yet.
    pub fn new(settings: ProbeSettings) -> Planner {
        let count = 1 + settings.urls.len();
        let resolvers = (0..count).map(|_| ThreadedResolver::system(PROBE_LOOKUP)).collect();
        Planner {
            settings,
            file: None,
            resolvers,
            inputs: None,
            unconfirmed: None,
            seen: Vec::new(),
            authorities: None,
        }
    }

    /// Returns the names of the threads that look up host names.
    pub fn lookup_threads(&self) -> impl Iterator<Item = String> {
        self.resolvers.iter().map(|_| ThreadedResolver::thread_name(PROBE_LOOKUP))
    }

    /// Reads the files. Returns the plan if it differs from the previous one; from the second plan on, two
    /// reads in a row have to agree. `reads_authorities` has the authorities of the system read again.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn load(&mut self, reads_authorities: bool) -> Result<Option<Plan>, PlanError> {
        let read = self.read();
        let previous = self.unconfirmed.take();
        let inputs = read?;
        let had_authorities = self.authorities.is_some();
        if reads_authorities {
            self.authorities = None;
        }
        let is_changed = self.inputs.as_ref() != Some(&inputs);
        if is_changed && self.inputs.is_some() && previous.as_ref() != Some(&inputs) {
            self.unconfirmed = Some(inputs);
            return Ok(None);
        }
        let renews_authorities = reads_authorities && had_authorities;
        if !is_changed && !renews_authorities {
            return Ok(None);
        }
        let plan = self.plan(&inputs);
        self.inputs = Some(inputs);
        Ok(Some(plan))
    }

    /// Returns the plan by the options alone, for a start with a configuration that has faults: nothing
    /// else is known then, and what is guessed must not be restarted.
    pub(super) fn by_options(&mut self) -> Plan {
        let admin = self.settings.admin.clone();
        let inputs = Inputs { admin, ..Inputs::default() };
        self.plan(&inputs)
    }

    fn read(&mut self) -> Result<Inputs, PlanError> {
        let listeners = self.listeners()?;
        let settings = &self.settings;
        let ca = settings.ca.as_deref().map(trust::read).transpose()?;
        let has_urls = !settings.urls.is_empty();
        let admin = match (&settings.admin, &listeners) {
            (Some(admin), _) => Some(admin.clone()),
            (None, _) if settings.urls_alone && has_urls => None,
            (None, Some(listeners)) => endpoint(&listeners.server.admin_listen),
            (None, None) => Some(default_admin()),
        };
        let Listeners { server, tls } = listeners.clone().unwrap_or_default();
        let mut inputs = Inputs {
            admin,
            listen: Vec::new(),
            name: server.names.first().map(ToString::to_string),
            is_tls: tls.is_some(),
            chains: Vec::new(),
            own: Vec::new(),
            ca,
            notes: Vec::new(),
        };
        if listeners.is_some() && !has_urls {
            inputs.listen = server.listen;
        }
        if let Some(tls) = &tls {
            inputs.read_certificates(tls);
        }
        Ok(inputs)
    }

    /// Reads the listeners of the configuration. A default file that does not belong to these probes, as
    /// they are given in full, need not be readable. One that was found must not go: the server, which has
    /// read it, goes on to serve by it.
    fn listeners(&mut self) -> Result<Option<Listeners>, ConfigErrors> {
        let ProbeSettings { config, admin, urls, urls_alone, .. } = &self.settings;
        let is_complete = !urls.is_empty() && (*urls_alone || admin.is_some());
        let named = self.file.as_deref().or(config.as_deref());
        match load_listeners(named) {
            Ok(found) => Ok(found.map(|(path, listeners)| {
                self.file = Some(path);
                listeners
            })),
            Err(_) if is_complete && config.is_none() => Ok(None),
            Err(error) => {
                self.file = Some(location(named));
                Err(error)
            }
        }
    }

    /// Returns the reason why a server would not start with the configuration as it is now, as far as this
    /// process can read it; `None` if there is none, or no configuration.
    pub fn obstacle(&self) -> Option<String> {
        let tls = match check_beside_server(self.file.as_deref()?) {
            Ok(tls) => tls?,
            Err(errors) => return Some(errors.to_string()),
        };
        let errors = Certificates::load(&tls).err()?.of_every_process()?;
        Some(errors.to_string())
    }

    fn plan(&mut self, inputs: &Inputs) -> Plan {
        let (of_urls, of_listeners) = self.trust(inputs);
        let mut resolvers = self.resolvers.iter();
        let mut by_url = |target: Target| {
            // There is one for the admin listener and one for each URL.
            let resolver = resolvers.next().cloned();
            let resolver = resolver.unwrap_or_else(|| ThreadedResolver::system(PROBE_LOOKUP));
            Probed { target, way: Way::Url(resolver), tls: of_urls.clone() }
        };
        let admin = inputs.admin.as_ref().map(|admin| by_url(Target::health(admin)));
        let mut public: Vec<Probed> = self.settings.urls.iter().cloned().map(by_url).collect();
        let name = inputs.name.as_deref();
        public.extend(inputs.listen.iter().filter_map(|listen| {
            Probed::listener(listen, name, inputs.is_tls, of_listeners.clone())
        }));
        Plan { admin, public, own: inputs.own.clone(), notes: inputs.notes.clone() }
    }

    /// Returns what URLs and what listeners of the configuration trust.
    fn trust(&mut self, inputs: &Inputs) -> (ClientTls, ClientTls) {
        for leaf in inputs.chains.iter().filter_map(|chain| chain.first()) {
            self.seen.retain(|seen| seen != leaf);
            self.seen.push(leaf.clone());
        }
        let outdated = self.seen.len().saturating_sub(MAX_SEEN.max(inputs.chains.len()));
        self.seen.drain(..outdated);
        let leaves = self.seen.clone();
        if let Some(ca) = &inputs.ca {
            return (tls::trusting(ca), tls::identifying(leaves, ca));
        }
        let is_https = |target: &Endpoint| target.to_string().starts_with("https://");
        let urls = self.settings.urls.iter().map(|target| &target.endpoint);
        if !urls.chain(&inputs.admin).any(is_https) && !inputs.is_tls {
            return (tls::trusting(&[]), tls::trusting(&[]));
        }
        let authorities = self.authorities.get_or_insert_with(tls::system_authorities);
        let mut anchors = authorities.clone();
        anchors.extend(inputs.chains.iter().flatten().cloned());
        (tls::trusting(&anchors), tls::identifying(leaves, authorities))
    }
}

impl Inputs {
    /// Reads the certificate files. One that cannot be read leaves the authorities of the system.
    fn read_certificates(&mut self, files: &TlsFiles) {
        let paths = std::iter::once(&files.default).chain(&files.named).map(|files| &files.cert);
        for path in paths {
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
            self.own.push(OwnCertificate { file: path.clone(), not_after: info.not_after });
            self.chains.push(chain);
        }
    }
}

/// Returns a name that a certificate's name covers.
fn own(name: &str) -> String {
    match name.strip_prefix("*.") {
        Some(domain) => format!("{ANY_LABEL}.{domain}"),
        None => name.to_owned(),
    }
}

fn default_admin() -> Endpoint {
    Endpoint::Web(DEFAULT_ADMIN.to_owned())
}
