//! Addresses to probe: by options of the command line, and by the configuration of the server.
//!
//! Options win. Without `--admin` and `--url` the admin listener and every public listener of the
//! configuration are probed, the latter as a visitor would who uses one of the server's own names. Such a
//! probe connects to the listener's address, so that no name has to resolve on this machine, and trusts the
//! certificate that is configured, so that a self-signed one for any name needs no `--ca`. An address that
//! is given by `--url` is probed as it is written, and the certificate has to be for its host.
//!
//! It reads `[server]` and the certificates of `[tls]` from the configuration: neither keys nor secrets.

mod inputs;

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;

use self::inputs::Inputs;
use super::alarm::AlarmKind;
use super::fault::{Outcome, Verdict};
use super::probed::{Probed, Way, endpoint};
use super::serve_options::ServeOptions;
use super::trust::{self, TrustError};
use crate::certificates::{Certificates, EXPIRES_SOON_DAYS, Validity};
use crate::config::{
    ConfigErrors, ListenAddr, Listeners, check_beside_server, load_listeners, location,
};
use crate::kernel::clock::MIN_TIME;
use crate::outbound::tls::{self, ClientTls};
use crate::outbound::{Endpoint, Target, ThreadedResolver};
use crate::timestamp::Rfc3339;

/// Admin listener without a configuration.
const DEFAULT_ADMIN: &str = "http://127.0.0.1:6480";

/// Most certificates that are remembered, those of the configuration included.
const MAX_SEEN: usize = 8;

/// Reads in a row that have to find the same change.
const MIN_READS: u32 = 2;

/// Reads in a row, one at each tick, that have to find the same fault of a file: a file that is being copied may
/// stay half written for seconds.
pub(super) const MIN_FAULTY_READS: u32 = 4;

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

/// Addresses to probe, and their certificates.
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
    /// Certificates that visitors refuse, though the server presents what is configured.
    pub(super) refused: Vec<RefusedCertificate>,
    /// Listeners that cannot be probed from this machine.
    pub(super) omitted: Vec<ListenAddr>,
    /// Configuration.
    pub(super) file: Option<PathBuf>,
}

/// Configured certificate that visitors refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefusedCertificate {
    pub(super) kind: AlarmKind,
    pub(super) file: PathBuf,
    pub(super) reason: String,
}

/// Certificate of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnCertificate {
    pub(super) file: PathBuf,
    pub(super) validity: Validity,
}

impl OwnCertificate {
    /// Returns true if the certificate should have been renewed by now: less than [`EXPIRES_SOON_DAYS`] are left,
    /// and less than a sixth of its validity, since one for a day is renewed each day.
    fn expires_soon(&self, now: Timestamp) -> bool {
        let Validity { end, own_duration, .. } = &self.validity;
        let left = end.at.duration_since(now);
        left < SignedDuration::from_hours(24 * EXPIRES_SOON_DAYS).min(*own_duration / 6)
    }
}

impl Plan {
    /// Returns every address to probe, that of the admin listener first.
    pub(super) fn probes(&self) -> impl Iterator<Item = &Probed> {
        self.admin.iter().chain(&self.public)
    }

    /// Returns the certificates that visitors refuse at that time or soon, each as an outcome for an alarm. It is
    /// not known which have expired while the clock is unset.
    pub(super) fn certificate_faults(&self, now: Timestamp) -> Vec<Outcome> {
        let is_clock_set = now.as_second() >= MIN_TIME;
        let own = self.own.iter().filter(|_| is_clock_set);
        let expired = own.filter(|own| own.expires_soon(now)).map(|own| {
            let end = &own.validity.end;
            let (kind, verb) = match end.at <= now {
                true => (AlarmKind::CertificateExpired, "expired"),
                false => (AlarmKind::CertificateExpiresSoon, "expires"),
            };
            let holder = match &end.issuer {
                Some(issuer) => format!("its issuer \"{issuer}\""),
                None => "it".to_owned(),
            };
            let reason = format!("{holder} {verb} on {}: {}", Rfc3339(end.at), end.remedy());
            RefusedCertificate { kind, file: own.file.clone(), reason }
        });
        let outcome = |RefusedCertificate { kind, file, reason }: RefusedCertificate| Outcome {
            target: file.display().to_string(),
            verdict: Verdict::Misconfigured { kind, answered: false },
            text: format!("{}: {reason}", file.display()),
        };
        expired.chain(self.refused.iter().cloned()).map(outcome).collect()
    }

    /// Returns what a probe does not find, for people: listeners that are not probed, and certificates that
    /// visitors refuse.
    pub fn notes_for_people(&self, now: Timestamp) -> Vec<String> {
        let omitted = self.omitted.iter().map(|listen| {
            format!("{listen} is not probed: this machine cannot reach it by its address")
        });
        let refused = self.certificate_faults(now).into_iter().map(|fault| fault.text);
        omitted.chain(refused).collect()
    }

    /// Returns the reason why a plan probes nothing.
    pub fn nothing_to_probe(&self) -> Option<&'static str> {
        self.probes().next().is_none().then_some(
            "nothing to probe: the configuration has no address that can be reached, as a passed socket \
             or port 0 cannot; give the address by --url or --admin",
        )
    }

    /// Returns the addresses for the log.
    pub(super) fn addresses(&self) -> String {
        let probed: Vec<String> = self.probes().map(Probed::to_string).collect();
        probed.join(", ")
    }
}

/// Makes plans. Each `load` reads the files again.
#[derive(Debug)]
pub struct Planner {
    settings: ProbeSettings,
    /// Configuration, once one was found or named. It has to exist from then on.
    file: Option<PathBuf>,
    /// Resolver of the admin listener and of the URLs. A plan shares it with the next one, so that a
    /// lookup that hangs costs one thread, however often the plan changes.
    resolver: ThreadedResolver,
    inputs: Option<Inputs>,
    /// Inputs that the latest reads have found, if they differ, and the number of these reads.
    unconfirmed: Option<(Inputs, u32)>,
    /// Certificates that were configured. A server loads a renewed one up to `check_every` later.
    seen: Vec<CertificateDer<'static>>,
    /// Authorities of the system, once a plan has needed them.
    authorities: Option<Vec<CertificateDer<'static>>>,
}

impl Planner {
    /// Returns a planner that has read nothing yet.
    pub fn new(settings: ProbeSettings) -> Planner {
        Planner {
            settings,
            file: None,
            resolver: ThreadedResolver::system(),
            inputs: None,
            unconfirmed: None,
            seen: Vec::new(),
            authorities: None,
        }
    }

    /// Returns the names of the threads that look up host names: that of the admin listener, and those of the
    /// URLs.
    pub fn lookup_threads(&self) -> impl Iterator<Item = String> {
        ThreadedResolver::thread_names(1 + self.settings.urls.len())
    }

    /// Reads the files. Returns the plan if it differs from the previous one. Files are not replaced in one
    /// step, so from the second plan on, two reads in a row have to agree, and four on one with
    /// faults. `reads_authorities` has the authorities of the system read again.
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
        if is_changed && self.inputs.is_some() {
            let before = previous.filter(|(previous, _)| *previous == inputs);
            let reads = before.map_or(1, |(_, reads)| reads.saturating_add(1));
            let least = if inputs.has_faults() { MIN_FAULTY_READS } else { MIN_READS };
            if reads < least {
                self.unconfirmed = Some((inputs, reads));
                return Ok(None);
            }
        }
        let renews_authorities = reads_authorities && had_authorities;
        if !is_changed && !renews_authorities {
            return Ok(None);
        }
        let mut plan = self.plan(&inputs);
        plan.notes.extend(plan.nothing_to_probe().map(str::to_owned));
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
            refused: Vec::new(),
            ca,
            notes: Vec::new(),
        };
        if listeners.is_some() && !has_urls {
            inputs.listen = server.listen;
        }
        if let Some(tls) = &tls {
            let names = inputs.read_certificates(tls);
            // A proxy has a certificate of its own.
            if server.engine.trusted_proxies.is_empty() && inputs.notes.is_empty() {
                inputs.check_names(&server.names, &names, &tls.default.cert);
            }
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
    /// process can read it; `None` if there is none, or no configuration. `options` are those of its process,
    /// if known: without them, nothing that depends on the addresses is an obstacle.
    pub fn obstacle(&self, options: Option<&ServeOptions>) -> Option<String> {
        let listen = options.map(|options| options.listen.as_slice());
        let tls = match check_beside_server(self.file.as_deref()?, listen) {
            Ok(tls) => tls.filter(|_| options.is_none_or(|options| !options.no_tls))?,
            Err(errors) => return Some(errors.to_string()),
        };
        let errors = Certificates::load(&tls).err()?.of_every_process()?;
        Some(errors.to_string())
    }

    fn plan(&mut self, inputs: &Inputs) -> Plan {
        let (of_urls, of_listeners) = self.trust(inputs);
        let by_url = |target: Target| {
            let way = Way::Url(self.resolver.clone());
            Probed { target, way, tls: of_urls.clone() }
        };
        let admin = inputs.admin.as_ref().map(|admin| by_url(Target::health(admin)));
        let mut public: Vec<Probed> = self.settings.urls.iter().cloned().map(by_url).collect();
        let name = inputs.name.as_deref();
        let mut omitted = Vec::new();
        for listen in &inputs.listen {
            match Probed::listener(listen, name, inputs.is_tls, of_listeners.clone()) {
                Some(probed) => public.push(probed),
                None => omitted.push(listen.clone()),
            }
        }
        Plan {
            admin,
            public,
            own: inputs.own.clone(),
            notes: inputs.notes.clone(),
            refused: inputs.refused.clone(),
            omitted,
            file: self.file.clone(),
        }
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
        let has_https = urls.chain(&inputs.admin).any(is_https);
        if !has_https && !inputs.is_tls {
            return (tls::trusting(&[]), tls::trusting(&[]));
        }
        let authorities = self
            .authorities
            .get_or_insert_with(|| tls::system_authorities(has_https || inputs.chains.is_empty()));
        let mut anchors = authorities.clone();
        anchors.extend(inputs.chains.iter().flatten().cloned());
        (tls::trusting(&anchors), tls::identifying(leaves, authorities))
    }
}

fn default_admin() -> Endpoint {
    Endpoint::Web(DEFAULT_ADMIN.to_owned())
}

#[cfg(test)]
mod tests;
