//! The rules in force, prepared for lookups.

use std::collections::HashSet;

use http::HeaderValue;

use super::accounts::Accounts;
use super::key::{Fingerprint, MacKey};
use super::origins;
use super::rules::{Admission, Rules};
use super::site_url::SiteUrl;
use crate::engine::Request;

/// The rules in force, prepared for lookups.
pub struct ActiveRules {
    rules: Rules,
    pub(super) accounts: Option<Accounts>,
    strict_transport: Option<HeaderValue>,
    pub(super) generation: u64,
}

impl ActiveRules {
    pub(super) fn new(
        rules: Rules,
        key: &MacKey,
        before: Option<&Accounts>,
        generation: u64,
    ) -> ActiveRules {
        let accounts = match &rules.admission {
            Admission::Open => None,
            Admission::Restricted(restricted) => Some(Accounts::new(restricted, key, before)),
        };
        // No includeSubDomains: other hosts of the domain may not support TLS.
        let strict_transport = rules.hsts.map(|age| format!("max-age={}", age.as_secs()));
        let strict_transport = strict_transport.and_then(|value| HeaderValue::try_from(value).ok());
        ActiveRules { rules, accounts, strict_transport, generation }
    }

    /// Returns the rules as configured.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Returns the public address of the site.
    pub fn site_url(&self) -> Option<&SiteUrl> {
        self.rules.site_url.as_ref()
    }

    /// Returns the value of Strict-Transport-Security (RFC 6797), for responses over TLS.
    pub fn strict_transport(&self) -> Option<&HeaderValue> {
        self.strict_transport.as_ref()
    }

    /// Returns the proofs of the accounts with a password.
    pub(super) fn proofs(&self) -> HashSet<Fingerprint> {
        self.accounts.iter().flat_map(Accounts::proofs).collect()
    }

    /// Returns true if any account has a name and password to sign in with.
    pub fn signs_in(&self) -> bool {
        self.accounts.as_ref().is_some_and(Accounts::has_users)
    }

    /// Returns true if every visitor is admitted without credentials.
    pub fn is_open(&self) -> bool {
        self.accounts.is_none()
    }

    /// Returns the request's origin if the rules allow its pages to read responses (CORS).
    pub fn listed_origin(&self, request: &Request) -> Option<HeaderValue> {
        origins::allowed(&self.rules.cors_origins, &request.headers)
    }
}
