//! `[auth]`: accounts, tokens and the limits of access.

use std::time::Duration;

use strum::{VariantArray as _, VariantNames as _};

use super::listen_addr::ListenAddr;
use super::section::{Section, Spanned};
use super::server::Server;
use super::tls::TlsFiles;
use crate::access::{
    Admission, Limits, MAX_NAME_BYTES, Origin, Restricted, Rules, Scope, Scopes, Token, User,
    is_account_name,
};
use crate::route_pattern::RoutePattern;
use crate::suggestion::advice;

/// `[auth]`, with the keys of `[server]` that concern access.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Auth {
    /// True if the file configures access, by accounts or by `open`. If false, every client that can reach the
    /// server may read, and the server may listen on local addresses only.
    pub is_configured: bool,
    /// Rules that each request is checked against.
    pub rules: Rules,
}

/// Default of `public`: routes that reveal only that the server is alive.
const PUBLIC: [&str; 2] = ["/ping", "/healthz"];

const MAX_VERIFICATIONS: usize = 64;
const MAX_FAILURES: usize = 1000;
const MAX_THROTTLED: usize = 1 << 20;
const MAX_STRANGERS: usize = 1000;

/// Reads `[auth]`. Settings that are valid but probably unintended are added to `warnings`.
pub(super) fn read(
    mut section: Section<'_, '_>,
    server: &Server,
    warnings: &mut Vec<String>,
) -> Auth {
    let open = section.boolean("open");
    let users = users(section.sections("user"), warnings);
    let tokens = tokens(section.sections("token"));
    let is_open = open.as_ref().is_some_and(|open| open.value);
    let has_users = section.was_present("user");
    // Beside `open = true`, tokens are for commands to the admin listener only.
    let has_accounts = has_users || section.was_present("token") && !is_open;
    let public = public(&mut section);
    let has_public = section.was_present("public");
    let limits = limits(&mut section, server);
    let cors_origins = cors_origins(&mut section);
    match &open {
        Some(Spanned { value: true, span }) if has_users => section.report(
            *span,
            "\"open = true\" lets every client read, which excludes [[auth.user]]; remove one or the other",
        ),
        Some(Spanned { value: false, span }) if !has_accounts => section.report(
            *span,
            "\"open = false\" without [[auth.user]] or [[auth.token]] refuses every client; add \
             one (`pumphouse-web hash-password`, `pumphouse-web token new`)",
        ),
        _ => {}
    }
    if has_public && !has_accounts {
        warnings.push("\"public\" in [auth] has no effect, because everything is open".to_owned());
    }
    section.finish();
    let (admission, admin_tokens) = match has_accounts {
        true => (Admission::Restricted(Restricted { users, tokens, public, limits }), Vec::new()),
        false => (Admission::Open, tokens),
    };
    for token in admin_tokens.iter().filter(|token| !token.scopes.allow(Scope::Alert)) {
        warnings.push(format!(
            "the token \"{}\" has no effect: beside \"open = true\" in [auth], tokens with the scope alert are for \
             commands to the admin listener, and others for nothing",
            token.name
        ));
    }
    Auth {
        is_configured: has_accounts || open.is_some(),
        rules: Rules { admission, admin_tokens, cors_origins, ..rules_of(server) },
    }
}

/// Returns the defaults for a file without `[auth]`.
pub(super) fn absent(server: &Server) -> Auth {
    Auth { is_configured: false, rules: rules_of(server) }
}

fn rules_of(server: &Server) -> Rules {
    Rules { names: server.names.clone(), hsts: server.hsts, ..Rules::default() }
}

fn users(sections: Vec<Section<'_, '_>>, warnings: &mut Vec<String>) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    for mut section in sections {
        let name = name(&mut section, "[[auth.user]]", "user", |name| {
            users.iter().any(|user| user.name == name)
        });
        let span = section.span_of("password_hash").or(section.span_of("password_hash_file"));
        let hash = section.secret("password_hash");
        let hash = section.require("password_hash", hash);
        let hash = hash.and_then(|hash| match hash.expose().parse() {
            Ok(hash) => Some(hash),
            Err(error) => {
                // The text may be a password, so the message does not repeat it.
                let span = span.unwrap_or_default();
                section.report(span, format_args!("\"password_hash\": {error}"));
                None
            }
        });
        let scopes = scopes(&mut section);
        section.finish();
        if let (Some(name), Some(password_hash)) = (name, hash) {
            let user = User { name, password_hash, scopes };
            if user.password_hash.is_weak() {
                warnings.push(format!(
                    "the password hash of user \"{}\" is cheap to attack; \
                     `pumphouse-web hash-password` makes a stronger one",
                    user.name
                ));
            }
            users.push(user);
        }
    }
    users
}

fn tokens(sections: Vec<Section<'_, '_>>) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for mut section in sections {
        let name = name(&mut section, "[[auth.token]]", "token", |name| {
            tokens.iter().any(|token| token.name == name)
        });
        let hash = section.parsed("sha256");
        let hash = section.require("sha256", hash);
        let scopes = scopes(&mut section);
        section.finish();
        if let (Some(name), Some(Spanned { value: hash, .. })) = (name, hash) {
            tokens.push(Token { name, hash, scopes });
        }
    }
    tokens
}

/// Reads a name that is unique among its kind.
fn name(
    section: &mut Section<'_, '_>,
    title: &str,
    kind: &str,
    is_taken: impl Fn(&str) -> bool,
) -> Option<String> {
    let name = section.string("name");
    let Spanned { value, span } = section.require("name", name)?;
    section.rename(format!("{title} \"{value}\""));
    if !is_account_name(&value) {
        section.report(
            span,
            format_args!(
                "\"name\" must have 1 to {MAX_NAME_BYTES} bytes, no colon and no control character"
            ),
        );
        return None;
    }
    if is_taken(&value) {
        section.report(span, format_args!("the name \"{value}\" is taken by another {kind}"));
        return None;
    }
    Some(value)
}

fn scopes(section: &mut Section<'_, '_>) -> Scopes {
    let Some(written) = section.strings("scopes") else { return Scopes::default() };
    let mut scopes = Vec::new();
    for Spanned { value, span } in written {
        match value.parse::<Scope>() {
            Ok(scope) if !scopes.contains(&scope) => scopes.push(scope),
            Ok(_) => {}
            Err(_) => {
                let advice = advice(&value, Scope::VARIANTS.iter().copied());
                section.report(span, format_args!("\"scopes\": \"{value}\" is unknown; {advice}"));
            }
        }
    }
    Scopes::new(scopes)
}

fn public(section: &mut Section<'_, '_>) -> Vec<String> {
    let Some(written) = section.strings("public") else {
        return PUBLIC.map(str::to_owned).to_vec();
    };
    let mut public = Vec::new();
    for Spanned { value, span } in written {
        if value.parse::<RoutePattern>().is_ok() {
            public.push(value);
            continue;
        }
        let advice = advice(&value, RoutePattern::VARIANTS.iter().map(|pattern| pattern.as_str()));
        section.report(span, format_args!("\"public\": \"{value}\" is not a route; {advice}"));
    }
    public
}

fn limits(section: &mut Section<'_, '_>, server: &Server) -> Limits {
    let default = Limits::default();
    let mut duration = |key: &str, default: Duration| section.duration_or(key, default);
    let remember = duration("remember", default.remember);
    let first_delay = duration("first_delay", default.first_delay);
    let longest_delay = duration("longest_delay", default.longest_delay);
    let session = duration("session", default.session);
    let mut number = |key: &str, default, most| section.integer(key, default, most);
    let verifications = number("verifications", default.verifications, MAX_VERIFICATIONS);
    // A verification blocks its worker, so at least one worker is reserved for other requests.
    let max_verifications = server.engine.workers.saturating_sub(1).max(1);
    Limits {
        remember,
        verifications: verifications.min(max_verifications),
        failures_per_address: number(
            "failures_per_address",
            default.failures_per_address,
            MAX_FAILURES,
        ),
        failures_per_account: number(
            "failures_per_account",
            default.failures_per_account,
            MAX_FAILURES,
        ),
        first_delay,
        longest_delay: longest_delay.max(first_delay),
        max_throttled: number("max_throttled", default.max_throttled, MAX_THROTTLED),
        strangers_per_second: number(
            "strangers_per_second",
            default.strangers_per_second,
            MAX_STRANGERS,
        ),
        session,
    }
}

fn cors_origins(section: &mut Section<'_, '_>) -> Vec<Origin> {
    let mut origins = Vec::new();
    for Spanned { value, span } in section.strings("cors_origins").unwrap_or_default() {
        match value.parse() {
            Ok(origin) => origins.push(origin),
            Err(error) => section.report(span, format_args!("\"cors_origins\": {error}")),
        }
    }
    origins
}

impl Auth {
    /// Returns an address that other machines can reach although the file configures no access.
    pub(super) fn unconfigured_access_at<'a>(
        &self,
        listen: &'a [ListenAddr],
    ) -> Option<&'a ListenAddr> {
        listen.iter().find(|address| !self.is_configured && !address.is_local())
    }
}

/// Returns a warning if credentials are sent over the network without TLS.
pub(super) fn plaintext_warning(
    auth: &Auth,
    server: &Server,
    tls: Option<&TlsFiles>,
) -> Option<String> {
    let address = server.listen.iter().find(|address| !address.is_local())?;
    let restricted = matches!(auth.rules.admission, Admission::Restricted(_));
    (restricted && tls.is_none()).then(|| {
        format!(
            "clients send passwords and tokens to {address} in clear, because there is no [tls]; that \
             is safe only behind a proxy that terminates TLS"
        )
    })
}

/// Returns a warning, for a server without a history, if browsers sign in: their sessions are not stored.
pub(super) fn volatile_sessions_warning(auth: &Auth) -> Option<String> {
    let Admission::Restricted(restricted) = &auth.rules.admission else { return None };
    (!restricted.users.is_empty()).then(|| {
        "[history] is off, so sessions are kept in memory only: browsers must sign in again after a \
         restart"
            .to_owned()
    })
}

/// Returns the error for an address that other machines can reach without configured access.
pub(super) fn unconfigured_access_error(address: &ListenAddr) -> String {
    format!(
        "{address} accepts connections from other machines, and [auth] configures no access. Either add \
         accounts by [[auth.user]] (`pumphouse-web hash-password`) or [[auth.token]] (`pumphouse-web token \
         new`), or let every client read by \"open = true\" in [auth]. 127.0.0.1 and unix sockets \
         need neither"
    )
}

#[cfg(test)]
mod tests;
