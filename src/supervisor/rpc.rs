//! Client of supervisord's XML-RPC interface (<https://supervisord.org/api.html>): the calls that a
//! restart needs. Each call has a total deadline.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dxr::{FaultResponse, MethodCall, MethodResponse, TryFromValue, Value};
use rustix::process::getegid;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderName, HeaderValue};

use crate::config::Secret;
use crate::kernel::accounts::group_name;
use crate::outbound::{Cause, Client, Endpoint, Failure, ThreadedResolver, tls};
use crate::text::one_line;

const PATH: &str = "/RPC2";

/// Groups in which programs are that have nothing in common. Who may use supervisord's socket runs programs as
/// root.
const SHARED_GROUPS: [&str; 5] = ["nogroup", "nobody", "users", "daemon", "www-data"];

/// Bound on one call. supervisord responds from its main loop, which also reaps processes and logs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Longest response, bytes; the description of a process has 2,000.
const MAX_RESPONSE: u64 = 64 * 1024;

/// Longest text of a fault in a message, characters.
const MAX_FAULT_TEXT: usize = 200;

/// Error of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// There was no response within the deadline.
    #[error("supervisord does not answer: {0}")]
    Unreachable(Failure),
    /// supervisord responded with 401: it demands a user and a password.
    #[error(
        "supervisord refuses the user or password: give both in environment= of the \
         [eventlistener] section, SUPERVISOR_USERNAME=\"…\",SUPERVISOR_PASSWORD=\"…\""
    )]
    Unauthorized,
    /// supervisord responded with another status than 200.
    #[error("supervisord responded with status {0}")]
    Status(u16),
    /// The response is not that of the method.
    #[error("cannot decode supervisord's response: {0}")]
    Malformed(&'static str),
    /// supervisord rejected the call.
    #[error("supervisord rejected the call: {}: {text}", fault_name(*code))]
    Fault {
        /// Number of the fault.
        code: i32,
        /// Text of the fault; mostly the name of the program.
        text: String,
    },
}

impl RpcError {
    /// Returns the number of the fault, if supervisord rejected the call.
    pub fn fault(&self) -> Option<i32> {
        match self {
            RpcError::Fault { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Numbers of supervisord's faults.
pub mod fault {
    /// supervisord has no such method.
    pub const UNKNOWN_METHOD: i32 = 1;
    /// supervisord is shutting down.
    pub const SHUTDOWN_STATE: i32 = 6;
    /// supervisord knows no such program.
    pub const BAD_NAME: i32 = 10;
    /// The process could not be created.
    pub const SPAWN_ERROR: i32 = 50;
    /// The program is running.
    pub const ALREADY_STARTED: i32 = 60;
    /// The program is not running.
    pub const NOT_RUNNING: i32 = 70;
}

fn fault_name(code: i32) -> String {
    let name = match code {
        fault::UNKNOWN_METHOD => {
            "UNKNOWN_METHOD, its configuration needs the section [rpcinterface:supervisor]"
        }
        fault::SHUTDOWN_STATE => "SHUTDOWN_STATE",
        fault::BAD_NAME => "BAD_NAME, it knows no such program (a group's member is GROUP:NAME)",
        20 => "NO_FILE",
        21 => "NOT_EXECUTABLE",
        30 => "FAILED",
        fault::SPAWN_ERROR => "SPAWN_ERROR",
        fault::ALREADY_STARTED => "ALREADY_STARTED",
        fault::NOT_RUNNING => "NOT_RUNNING",
        code => return format!("fault {code}"),
    };
    name.to_owned()
}

/// State of a process (<https://supervisord.org/subprocess.html>). Its `Display` is supervisord's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "UPPERCASE")]
pub enum ProcessState {
    /// Stopped by a request, or never started.
    Stopped,
    /// Started less than `startsecs` ago.
    Starting,
    /// Running.
    Running,
    /// Exited too soon after its start, to be started again.
    Backoff,
    /// Being stopped.
    Stopping,
    /// Exited by itself.
    Exited,
    /// Could not be started.
    Fatal,
    /// A defect of supervisord, or a state that its documentation does not list.
    Unknown,
}

impl ProcessState {
    fn from_code(code: i32) -> ProcessState {
        match code {
            0 => ProcessState::Stopped,
            10 => ProcessState::Starting,
            20 => ProcessState::Running,
            30 => ProcessState::Backoff,
            40 => ProcessState::Stopping,
            100 => ProcessState::Exited,
            200 => ProcessState::Fatal,
            _ => ProcessState::Unknown,
        }
    }
}

/// Process of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// State.
    pub state: ProcessState,
    /// Process number; 0 while there is no process.
    pub pid: i32,
    /// Time since the last start, by supervisord's clock.
    pub uptime: Duration,
    /// Reason why the process could not be started, on one line; mostly empty.
    pub spawn_error: String,
}

/// Client of one supervisord.
#[derive(Debug)]
pub struct Supervisord {
    client: Client,
    endpoint: Endpoint,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Supervisord {
    /// Returns a client of the supervisord at that address. A user without a password has an empty one.
    pub fn new(endpoint: Endpoint, user: Option<(&str, &Secret)>) -> Supervisord {
        // supervisord speaks no TLS.
        let (tls, resolver) = (tls::trusting(&[]), ThreadedResolver::system());
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("text/xml"))];
        if let Some((user, password)) = user {
            let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
            // Base64 is always valid in a header field.
            if let Ok(mut value) = HeaderValue::try_from(format!("Basic {pair}")) {
                value.set_sensitive(true);
                headers.push((AUTHORIZATION, value));
            }
        }
        let client = Client::new(endpoint.clone(), TIMEOUT, tls, resolver);
        Supervisord { client, endpoint, headers }
    }

    /// Returns how to let this process call supervisord, if it cannot.
    pub fn remedy(&self, error: &RpcError) -> Option<String> {
        let RpcError::Unreachable(failure) = error else { return None };
        let Endpoint::Unix(socket) = &self.endpoint else {
            return Some(format!(
                "check that [inet_http_server] of supervisord's configuration has the port of {}",
                self.endpoint
            ));
        };
        let socket = socket.display();
        match failure.cause {
            Cause::Permission => {
                let group = group_name(getegid().as_raw());
                if SHARED_GROUPS.contains(&group.as_str()) {
                    return Some(format!(
                        "the group {group} of this process is that of other programs as well, so do not \
                         let it use {socket}: run `watch` as a user with a group of its own, and in the \
                         section [unix_http_server] of /etc/supervisor/supervisord.conf set chmod=0770 and \
                         chown=root:GROUP, then restart supervisord: systemctl restart supervisor"
                    ));
                }
                Some(format!(
                    "let the group {group} use {socket}: in the section [unix_http_server] of \
                     /etc/supervisor/supervisord.conf set chmod=0770 and chown=root:{group}, then \
                     restart supervisord: systemctl restart supervisor"
                ))
            }
            Cause::NoSocket => Some(format!(
                "supervisord's configuration needs the section [unix_http_server] with \
                 file={socket}, and supervisord a restart to read it"
            )),
            _ => None,
        }
    }

    /// Calls `supervisor.getProcessInfo`.
    ///
    /// # Errors
    /// The call failed.
    pub fn info(&self, program: &str) -> Result<ProcessInfo, RpcError> {
        let value = self.call("supervisor.getProcessInfo", vec![name(program)])?;
        let malformed = RpcError::Malformed("no description of a process");
        let members: HashMap<String, Value> =
            HashMap::try_from_value(&value).map_err(|_| malformed.clone())?;
        let number = |key: &str| match members.get(key) {
            Some(Value::Integer(number)) => Ok(*number),
            _ => Err(malformed.clone()),
        };
        let uptime = i64::from(number("now")?) - i64::from(number("start")?);
        Ok(ProcessInfo {
            state: ProcessState::from_code(number("state")?),
            pid: number("pid")?,
            uptime: Duration::from_secs(uptime.try_into().unwrap_or(0)),
            spawn_error: match members.get("spawnerr") {
                Some(Value::String(text)) => one_line(text.as_bytes(), MAX_FAULT_TEXT),
                _ => String::new(),
            },
        })
    }

    /// Calls `supervisor.stopProcess`, without waiting for the end of the process.
    ///
    /// # Errors
    /// The call failed.
    pub fn stop(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.stopProcess", vec![name(program), WITHOUT_WAITING]).map(drop)
    }

    /// Calls `supervisor.startProcess`, without waiting until the process counts as started.
    ///
    /// # Errors
    /// The call failed.
    pub fn start(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.startProcess", vec![name(program), WITHOUT_WAITING]).map(drop)
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let call = MethodCall { name: method.into(), params };
        let call = call.to_xml().map_err(|_| RpcError::Malformed("the call cannot be written"))?;
        let response = self.client.post(PATH, &self.headers, call.as_bytes(), MAX_RESPONSE);
        let response = response.map_err(RpcError::Unreachable)?;
        match response.status {
            200 => decode(&response.body),
            401 => Err(RpcError::Unauthorized),
            status => Err(RpcError::Status(status)),
        }
    }
}

const WITHOUT_WAITING: Value = Value::Boolean(false);

fn name(program: &str) -> Value {
    Value::String(program.to_owned())
}

fn decode(body: &[u8]) -> Result<Value, RpcError> {
    let text = str::from_utf8(body).map_err(|_| RpcError::Malformed("not UTF-8"))?;
    if let Ok(response) = MethodResponse::from_xml(text) {
        return Ok(response.value);
    }
    match FaultResponse::from_xml(text) {
        Ok(FaultResponse { fault }) => {
            let text = one_line(fault.string().as_bytes(), MAX_FAULT_TEXT);
            Err(RpcError::Fault { code: fault.code(), text })
        }
        Err(_) => Err(RpcError::Malformed("not XML-RPC")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(value: &str) -> String {
        format!(
            "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{value}</value>\n</param>\n</params>\n</methodResponse>\n"
        )
    }

    #[test]
    fn response_with_a_fault_is_an_error() {
        let value = decode(response("<boolean>1</boolean>").as_bytes());
        assert_eq!(value, Ok(Value::Boolean(true)));
        let fault = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n\
            <member>\n<name>faultCode</name>\n<value><int>10</int></value>\n</member>\n\
            <member>\n<name>faultString</name>\n<value><string>BAD_NAME: x\ny</string></value>\n\
            </member>\n</struct></value>\n</fault>\n</methodResponse>\n";
        let error = decode(fault.as_bytes()).unwrap_err();
        assert_eq!(error.fault(), Some(fault::BAD_NAME));
        assert!(error.to_string().ends_with("BAD_NAME: x y"), "{error}");
    }

    #[test]
    fn response_that_is_no_xml_rpc_is_malformed() {
        let deep = |open: &str, close: &str| response(&(open.repeat(3000) + &close.repeat(3000)));
        for garbage in [
            String::new(),
            "ok".to_owned(),
            "<methodResponse>".to_owned(),
            "<methodResponse></methodResponse>".to_owned(),
            "<html><body>It works!</body></html>".to_owned(),
            response("<int>many</int>"),
            "\u{0}".repeat(1000),
            // Deep enough to overflow the stack of a decoder without a limit.
            deep("<array><data><value>", "</value></data></array>"),
            "<a>".repeat(20_000),
        ] {
            let outcome = decode(garbage.as_bytes());
            let begins = &garbage[..garbage.len().min(60)];
            assert!(matches!(outcome, Err(RpcError::Malformed(_))), "{begins}: {outcome:?}");
        }
        assert!(matches!(decode(b"\xff"), Err(RpcError::Malformed(_))));
    }
}
