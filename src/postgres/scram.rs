//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): proves that this client knows the password, and
//! verifies that the server does.
//!
//! The password is not prepared by SASLprep, whose tables of Unicode would be a fiftieth of the program. That changes
//! nothing for one of printable ASCII, and for most others in the form NFKC.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::PostgresError;

/// Mechanism without channel binding.
pub(super) const MECHANISM: &str = "SCRAM-SHA-256";

/// Mechanism with channel binding.
pub(super) const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Most iterations of the hash, which the server chooses: some 50 ms. PostgreSQL's default is 4,096.
const MAX_ITERATIONS: u32 = 100_000;

/// Random bytes of the nonce.
const NONCE_BYTES: usize = 18;

/// Binding of the authentication to the TLS session.
pub(super) enum Binding {
    /// This client cannot bind.
    Unsupported,
    /// The server does not offer it, although this client can. A server that does offer it refuses the
    /// authentication then, since its offer was removed on the way.
    NotOffered,
    /// Hash of the server's certificate (`tls-server-end-point`, RFC 5929).
    EndPoint(Vec<u8>),
}

impl Binding {
    fn header(&self) -> &'static str {
        match self {
            Binding::Unsupported => "n,,",
            Binding::NotOffered => "y,,",
            Binding::EndPoint(_) => "p=tls-server-end-point,,",
        }
    }

    fn encoded(&self) -> String {
        let mut bytes = self.header().as_bytes().to_vec();
        if let Binding::EndPoint(hash) = self {
            bytes.extend(hash);
        }
        STANDARD.encode(bytes)
    }
}

/// Exchange after the client's first message.
pub(super) struct Scram {
    binding: Binding,
    nonce: String,
}

/// Exchange after the client's last message.
pub(super) struct Proven {
    server_key: hmac::Key,
    messages: String,
}

impl Scram {
    /// Begins an exchange.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new(binding: Binding) -> Result<Scram, PostgresError> {
        let mut bytes = [0; NONCE_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| PostgresError::Connect(format!("no random numbers: {error}")))?;
        Ok(Scram::with_nonce(binding, STANDARD.encode(bytes)))
    }

    fn with_nonce(binding: Binding, nonce: String) -> Scram {
        Scram { binding, nonce }
    }

    /// Returns the client's first message. PostgreSQL takes the user from the start of the session.
    pub(super) fn first_message(&self) -> String {
        format!("{}n=,r={}", self.binding.header(), self.nonce)
    }

    /// Returns the client's last message, which proves that it knows the password.
    ///
    /// # Errors
    /// The server's message is wrong.
    pub(super) fn prove(
        self,
        password: &str,
        server_first: &[u8],
    ) -> Result<(String, Proven), PostgresError> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| malformed())?;
        let mut attributes = server_first.split(',');
        let mut attribute = |name| attributes.next()?.strip_prefix(name);
        let (Some(nonce), Some(salt), Some(iterations)) =
            (attribute("r="), attribute("s="), attribute("i="))
        else {
            return Err(malformed());
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(auth("the server's nonce does not continue that of this client"));
        }
        let salt = STANDARD.decode(salt).map_err(|_| malformed())?;
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| malformed())?;
        if iterations.get() > MAX_ITERATIONS {
            return Err(PostgresError::Auth(format!(
                "the server asks for {iterations} iterations of SCRAM, more than {MAX_ITERATIONS}: \
                 lower scram_iterations there, and set the password again"
            )));
        }
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &salt,
            password.as_bytes(),
            &mut salted,
        );
        let salted = key(&salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let last = format!("c={},r={nonce}", self.binding.encoded());
        let messages = format!("n=,r={},{server_first},{last}", self.nonce);
        let signature = hmac::sign(&key(stored_key.as_ref()), messages.as_bytes());
        let proof: Vec<u8> =
            client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = key(hmac::sign(&salted, b"Server Key").as_ref());
        Ok((format!("{last},p={}", STANDARD.encode(proof)), Proven { server_key, messages }))
    }
}

impl Proven {
    /// Verifies that the server knows the password.
    ///
    /// # Errors
    /// It does not, or reports an error.
    pub(super) fn verify(self, server_final: &[u8]) -> Result<(), PostgresError> {
        let server_final = std::str::from_utf8(server_final).map_err(|_| malformed())?;
        let signature = server_final.split(',').next().and_then(|it| it.strip_prefix("v="));
        let signature = signature.ok_or_else(malformed)?;
        let signature = STANDARD.decode(signature).map_err(|_| malformed())?;
        hmac::verify(&self.server_key, self.messages.as_bytes(), &signature).map_err(|_| {
            auth(
                "the server could not prove that it knows the password: it may not be the real one",
            )
        })
    }
}

fn key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

fn malformed() -> PostgresError {
    auth("a message of the server for SCRAM is malformed")
}

fn auth(message: &str) -> PostgresError {
    PostgresError::Auth(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// Messages for the password of the example of RFC 7677 3 by a script in Python that computes those of the example,
    /// too, which contain a user.
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k=";
    const SERVER_FINAL: &str = "v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=";

    fn prove(server_first: &str) -> Result<(String, Proven), PostgresError> {
        let scram = Scram::with_nonce(Binding::Unsupported, NONCE.to_owned());
        scram.prove("pencil", server_first.as_bytes())
    }

    #[test]
    fn proof_is_that_of_an_independent_implementation() {
        let scram = Scram::with_nonce(Binding::Unsupported, NONCE.to_owned());
        assert_eq!(scram.first_message(), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
        let (last, proven) = prove(SERVER_FIRST).unwrap();
        assert_eq!(last, CLIENT_FINAL);
        proven.verify(SERVER_FINAL.as_bytes()).unwrap();
    }

    #[test]
    fn binding_is_part_of_the_messages() {
        for (binding, begin, encoded) in [
            (Binding::Unsupported, "n,,n=,r=", "c=biws,"),
            (Binding::NotOffered, "y,,n=,r=", "c=eSws,"),
            (
                Binding::EndPoint(vec![1, 2, 3]),
                "p=tls-server-end-point,,n=,r=",
                "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAQID,",
            ),
        ] {
            let scram = Scram::with_nonce(binding, NONCE.to_owned());
            assert!(scram.first_message().starts_with(begin));
            let (last, _) = scram.prove("pencil", SERVER_FIRST.as_bytes()).unwrap();
            assert!(last.starts_with(encoded), "{last}");
        }
    }

    #[test]
    fn wrong_messages_of_the_server_are_refused() {
        for (server_first, reason) in [
            ("", "malformed"),
            ("e=other-error", "malformed"),
            ("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),
            ("r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096", "malformed"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0", "malformed"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1", "malformed"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=100001", "more than 100000"),
        ] {
            let Err(error) = prove(server_first) else { panic!("accepted {server_first}") };
            assert!(error.to_string().contains(reason), "{server_first}: {error}");
        }
        for server_final in ["", "v=", "v=*", "v=AAAA", "e=invalid-proof"] {
            let (_, proven) = prove(SERVER_FIRST).unwrap();
            assert!(matches!(proven.verify(server_final.as_bytes()), Err(PostgresError::Auth(_))));
        }
    }
}
