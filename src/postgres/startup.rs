//! Start of a session: encryption, and authentication.
//!
//! ```text
//! SSLRequest ─► S or N ─► TLS ─► startup message ─► password or SCRAM ─► AuthenticationOk ─► ReadyForQuery
//! ```

use std::io::Read as _;
use std::time::Instant;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use super::error::{Phase, PostgresError};
use super::scram::{self, Binding, Scram};
use super::target::{Host, SslMode, Target};
use super::tls::{PostgresTls, end_point};
use super::wire::Wire;
use crate::outbound::{DeadlineStream, ThreadedResolver};

/// invalid_authorization_specification: no line of `pg_hba.conf` matches, which may name the encryption.
const NOT_ALLOWED: &str = "28000";

/// Where to connect, and until when.
pub(super) struct Attempt<'a> {
    pub(super) target: &'a Target,
    pub(super) host: &'a Host,
    pub(super) resolver: &'a ThreadedResolver,
    pub(super) tls: &'a PostgresTls,
    pub(super) deadline: Instant,
}

impl Attempt<'_> {
    /// Starts a session, encrypted as the target demands.
    pub(super) fn start(&self) -> Result<Wire, PostgresError> {
        let (first, second) = match (self.host, self.target.ssl_mode) {
            (Host::Unix { .. }, _) | (_, SslMode::Disable) => (false, None),
            (_, SslMode::Allow) => (false, Some(true)),
            (_, SslMode::Prefer) => (true, Some(false)),
            (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => (true, None),
        };
        match (self.start_with(first), second) {
            (Err(error), Some(second)) if depends_on_encryption(&error) => self.start_with(second),
            (started, _) => started,
        }
    }

    fn start_with(&self, is_encrypted: bool) -> Result<Wire, PostgresError> {
        let mut stream = self.connect()?;
        if is_encrypted {
            stream = self.encrypt(stream)?;
        }
        let mut wire = Wire::new(stream);
        let mut output = BytesMut::new();
        let parameters = [
            ("user", self.target.user.as_str()),
            ("database", &self.target.database),
            ("application_name", &self.target.application_name),
            ("client_encoding", "UTF8"),
        ];
        frontend::startup_message(parameters, &mut output)
            .map_err(|error| PostgresError::of_io(&error, Phase::Authenticate))?;
        wire.send(&output)?;
        self.authenticate(&mut wire)?;
        loop {
            match wire.receive_success()? {
                // The key could cancel a statement, which statement_timeout does already.
                Message::BackendKeyData(_) => {}
                Message::ReadyForQuery(_) => return Ok(wire),
                _ => return Err(unexpected()),
            }
        }
    }

    fn connect(&self) -> Result<DeadlineStream, PostgresError> {
        match self.host {
            Host::Tcp { name, port } => {
                DeadlineStream::connect(name, *port, self.resolver, self.deadline)
                    .map_err(|error| PostgresError::of_connection(error, Phase::Connect))
            }
            Host::Unix { folder, port } => {
                DeadlineStream::connect_unix(&Host::socket_path(folder, *port), self.deadline)
                    .map_err(|error| PostgresError::of_connection(error.into(), Phase::Connect))
            }
        }
    }

    /// Requests encryption. Returns the connection as it is if the server has none and the target does not
    /// demand it.
    fn encrypt(&self, mut stream: DeadlineStream) -> Result<DeadlineStream, PostgresError> {
        let Host::Tcp { name, .. } = self.host else { return Ok(stream) };
        let mut output = BytesMut::new();
        frontend::ssl_request(&mut output);
        stream
            .write_duplex(&output, &mut |_| Ok(()))
            .map_err(|error| PostgresError::of_io(&error, Phase::Encrypt))?;
        // One byte and no more, so that nothing that was sent before the encryption counts as sent within it.
        let mut answer = [0];
        stream
            .read_exact(&mut answer)
            .map_err(|error| PostgresError::of_io(&error, Phase::Encrypt))?;
        let mode = self.target.ssl_mode;
        match answer {
            [b'S'] => stream.encrypt(name, self.tls.settings()).map_err(|error| {
                match PostgresError::of_connection(error, Phase::Encrypt) {
                    PostgresError::Tls(reason) => PostgresError::Tls(self.explained(&reason)),
                    error => error,
                }
            }),
            [b'N'] if matches!(mode, SslMode::Allow | SslMode::Prefer) => Ok(stream),
            [b'N'] => {
                let mode: &str = mode.into();
                Err(PostgresError::Tls(format!(
                    "the server has no encryption, which sslmode={mode} demands: set ssl = on there, or \
                     choose another sslmode in the URL"
                )))
            }
            _ => Err(PostgresError::Protocol(
                "the answer to the request for encryption is not that of PostgreSQL".to_owned(),
            )),
        }
    }

    fn explained(&self, reason: &str) -> String {
        if self.target.root_certificates().is_none() {
            return reason.to_owned();
        }
        format!("{reason}: sslrootcert in the URL names the file of the authority to trust")
    }

    fn authenticate(&self, wire: &mut Wire) -> Result<(), PostgresError> {
        loop {
            match wire.receive_success()? {
                Message::AuthenticationOk => return Ok(()),
                Message::AuthenticationSasl(mechanisms) => self.prove(wire, &mechanisms)?,
                Message::AuthenticationCleartextPassword => {
                    let password = self.exposable_password(wire, "the password itself")?;
                    send_password(wire, password.as_bytes())?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let password = self.exposable_password(wire, "an MD5 hash of the password")?;
                    let user = self.target.user.as_bytes();
                    let hash = md5_hash(user, password.as_bytes(), body.salt());
                    send_password(wire, hash.as_bytes())?;
                }
                Message::AuthenticationGss
                | Message::AuthenticationGssContinue(_)
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential
                | Message::AuthenticationSspi => {
                    return Err(auth(
                        "the server asks for a method that this client does not have: set \
                         scram-sha-256 for its address in pg_hba.conf",
                    ));
                }
                _ => return Err(unexpected()),
            }
        }
    }

    fn password(&self) -> Result<&str, PostgresError> {
        let password = self.target.password.as_ref();
        password.map(|password| password.expose()).ok_or_else(|| {
            auth("the server asks for a password, and none is set: set password_file")
        })
    }

    /// Returns the password, for a method that shows it or its hash to the server.
    fn exposable_password(&self, wire: &Wire, what: &str) -> Result<&str, PostgresError> {
        let is_verified = wire.stream().is_encrypted() && self.target.root_certificates().is_some();
        if !is_verified && !wire.stream().is_loopback() {
            return Err(PostgresError::Auth(format!(
                "the server asks for {what}, which only a verified server gets: set sslmode=verify-full, or \
                 scram-sha-256 in its pg_hba.conf and the password again"
            )));
        }
        self.password()
    }

    /// Proves by SCRAM that this client knows the password, and verifies that the server does.
    fn prove(&self, wire: &mut Wire, offer: &AuthenticationSaslBody) -> Result<(), PostgresError> {
        let offered: Vec<&str> = offer.mechanisms().collect().map_err(|error| {
            PostgresError::of_io(&super::wire::malformed(&error), Phase::Authenticate)
        })?;
        let end_point = wire.stream().peer_certificate().and_then(end_point);
        let (mechanism, binding) = match end_point {
            Some(hash) if offered.contains(&scram::MECHANISM_PLUS) => {
                (scram::MECHANISM_PLUS, Binding::EndPoint(hash))
            }
            Some(_) => (scram::MECHANISM, Binding::NotOffered),
            None => (scram::MECHANISM, Binding::Unsupported),
        };
        if !offered.contains(&mechanism) {
            return Err(auth("the server offers no SCRAM-SHA-256"));
        }
        let password = self.password()?;
        let scram = Scram::new(binding)?;
        let mut output = BytesMut::new();
        frontend::sasl_initial_response(mechanism, scram.first_message().as_bytes(), &mut output)
            .map_err(|error| PostgresError::of_io(&error, Phase::Authenticate))?;
        wire.send(&output)?;
        let Message::AuthenticationSaslContinue(first) = wire.receive_success()? else {
            return Err(unexpected());
        };
        let (last, proven) = scram.prove(password, first.data())?;
        output.clear();
        frontend::sasl_response(last.as_bytes(), &mut output)
            .map_err(|error| PostgresError::of_io(&error, Phase::Authenticate))?;
        wire.send(&output)?;
        match wire.receive_success()? {
            Message::AuthenticationSaslFinal(last) => proven.verify(last.data()),
            _ => Err(unexpected()),
        }
    }
}

/// Returns true if the same attempt with or without encryption may succeed.
fn depends_on_encryption(error: &PostgresError) -> bool {
    matches!(error, PostgresError::Tls(_)) || error.sqlstate() == Some(NOT_ALLOWED)
}

fn send_password(wire: &mut Wire, password: &[u8]) -> Result<(), PostgresError> {
    let mut output = BytesMut::new();
    frontend::password_message(password, &mut output)
        .map_err(|_| auth("the password contains the character NUL"))?;
    wire.send(&output)
}

fn auth(message: &str) -> PostgresError {
    PostgresError::Auth(message.to_owned())
}

fn unexpected() -> PostgresError {
    PostgresError::Protocol("the server sent a message that does not fit the start".to_owned())
}
