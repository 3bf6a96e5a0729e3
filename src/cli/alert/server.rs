//! The server that a command is sent to: its admin listener, and the token that TCP needs.

use std::env;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::admin::client::{self, RequestError, Response};
use crate::cli::outcome::Failure;
use crate::config::{self, ListenAddr, Secret, admin_address};

/// Environment variable with the token.
const TOKEN: &str = "PUMPHOUSE_TOKEN";

/// Options of a command that changes something.
pub(super) struct ServerOptions {
    pub(super) config: Option<PathBuf>,
    pub(super) admin: Option<ListenAddr>,
    pub(super) token_file: Option<PathBuf>,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    admin: ListenAddr,
    token: Option<Secret>,
}

impl ServerOptions {
    /// Finds the server, and the token if it needs one.
    pub(super) fn find(self) -> Result<Server, Failure> {
        let server = Server::find(self.config.as_deref(), self.admin)?;
        if matches!(server.admin, ListenAddr::Unix(_)) {
            return Ok(server);
        }
        let token = token(self.token_file.as_deref(), env::var(TOKEN).ok())?;
        Ok(Server { token: Some(token.ok_or_else(|| no_token(&server.admin))?), ..server })
    }
}

/// Returns the token of the file, else that of the environment.
fn token(file: Option<&Path>, environment: Option<String>) -> Result<Option<Secret>, Failure> {
    let (token, origin) = match file {
        Some(file) => {
            let token = Secret::read(file).map_err(|error| format!("--token-file {error}"))?;
            (token.expose().trim().to_owned(), "--token-file")
        }
        None => (environment.unwrap_or_default().trim().to_owned(), TOKEN),
    };
    // A field of the request cannot contain other characters. The message does not repeat the token.
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            format!("{origin}: a token has letters, digits, - and _ only, on one line").into()
        );
    }
    Ok((!token.is_empty()).then(|| Secret::new(token)))
}

fn no_token(admin: &ListenAddr) -> Failure {
    Failure::usage(format!(
        "a command over TCP ({admin}) needs a token with the scope alert: --token-file FILE, or {TOKEN} in the \
         environment; make one with `pumphouse-web token new --name phone --scope alert`, whose section belongs into \
         the configuration, also beside open = true in [auth]; or use [server] admin_listen = \"unix:/path\", which \
         needs none"
    ))
}

impl Server {
    /// Finds the server of a configuration, or the one at an address.
    pub(super) fn find(
        config: Option<&Path>,
        admin: Option<ListenAddr>,
    ) -> Result<Server, Failure> {
        let admin = match admin {
            Some(address) => admin_address(address.clone())
                .map_err(|error| Failure::usage(format!("--admin {address}: {error}")))?,
            None => {
                let configured = config::load_listeners(config)?;
                configured
                    .map_or_else(config::Server::default, |(_, listeners)| listeners.server)
                    .admin_listen
            }
        };
        Ok(Server { admin, token: None })
    }

    /// Returns the body of a page.
    pub(super) fn get(&self, target: &str, timeout: Duration) -> Result<String, Failure> {
        self.body(client::get(&self.admin, target, Instant::now() + timeout))
    }

    /// Sends a command, and returns the body of its response.
    pub(super) fn post(&self, target: &str, timeout: Duration) -> Result<String, Failure> {
        let deadline = Instant::now() + timeout;
        self.body(client::post(&self.admin, target, self.token.as_ref(), deadline))
    }

    fn body(&self, response: Result<Response, RequestError>) -> Result<String, Failure> {
        let admin = &self.admin;
        let response = response.map_err(|error| {
            let message = format!(
                "no response from the admin listener {admin}: {error}; see `pumphouse-web doctor`"
            );
            match error {
                // The server is being restarted, or is too busy.
                RequestError::Connect(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    Failure::temporary(message)
                }
                RequestError::Full => Failure::temporary(message),
                _ => message.into(),
            }
        })?;
        let body = String::from_utf8_lossy(&response.body).into_owned();
        if (200..300).contains(&response.status) {
            return Ok(body);
        }
        let problem: serde_json::Value = crate::json::from_text(&body).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("the server gives no reason");
        let hint = match response.status {
            404 if problem["detail"].as_str() == Some(NOTHING_THERE) => {
                "; the running server is older than this program"
            }
            _ => "",
        };
        let message = format!("{detail}{hint} ({})", response.status);
        match response.status {
            503 => Err(Failure::temporary(message)),
            _ => Err(message.into()),
        }
    }
}

/// Detail of a server that has no such route.
const NOTHING_THERE: &str = "There is nothing at this address.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_that_of_the_file_else_that_of_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (good, bad, empty) =
            (file("good", "pumphouse_a\r\n"), file("bad", "two words\n"), file("empty", "\n"));
        let environment = |text: &str| Some(text.to_owned());
        for (file, environment, expected) in [
            (Some(&good), environment("pumphouse_b"), Ok(Some("pumphouse_a"))),
            (None, environment(" pumphouse_b "), Ok(Some("pumphouse_b"))),
            (None, environment(""), Ok(None)),
            (None, None, Ok(None)),
            (Some(&bad), None, Err("on one line")),
            (None, environment("a\nX: y"), Err("PUMPHOUSE_TOKEN: a token has")),
            (Some(&empty), environment("pumphouse_b"), Err("--token-file")),
            (Some(&folder.path().join("none")), None, Err("--token-file")),
        ] {
            match (token(file.map(PathBuf::as_path), environment), expected) {
                (Ok(token), Ok(expected)) => {
                    assert_eq!(token.as_ref().map(Secret::expose), expected);
                }
                (Err(failure), Err(expected)) => {
                    let text = failure.to_string();
                    assert!(text.contains(expected) && !text.contains("two words"), "{text}");
                }
                (outcome, expected) => panic!("{outcome:?} in place of {expected:?}"),
            }
        }
    }
}
