//! supervisord's XML-RPC interface (<https://supervisord.org/api.html>), as far as a restart
//! needs it. Each call has a total deadline.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dxr::{FaultResponse, MethodCall, MethodResponse, TryFromValue, Value};
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::TlsConfig;

use crate::config::Secret;
use crate::outbound::{Client, Endpoint, Failure, ThreadedResolver};
use crate::supervisor::probe::one_line;

const PATH: &str = "/RPC2";

/// Bound on one call. supervisord answers from its main loop, which also reaps and logs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer at most; a process's description has two thousand.
const MAX_ANSWER: u64 = 64 * 1024;

/// Characters of a fault's text that are shown.
const SHOWN: usize = 200;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// No answer, or not in time.
    #[error("supervisord does not answer: {0}")]
    Unreachable(Failure),
    /// 401: it wants to know who asks.
    #[error(
        "supervisord refuses the user or password: give both in the environment, \
         SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD"
    )]
    Unauthorized,
    /// Another status than 200.
    #[error("supervisord answered {0}")]
    Status(u16),
    /// Not what the method answers.
    #[error("supervisord's answer is not understood: {0}")]
    Malformed(&'static str),
    /// It understood, and said no.
    #[error("supervisord says {}: {text}", fault_name(*code))]
    Fault {
        /// Which of its faults.
        code: i32,
        /// Its words; mostly the program's name.
        text: String,
    },
}

impl RpcError {
    /// The fault's code, when it is one.
    pub fn fault(&self) -> Option<i32> {
        match self {
            RpcError::Fault { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// supervisord's faults that matter here.
pub mod fault {
    /// supervisord itself is stopping.
    pub const SHUTDOWN_STATE: i32 = 6;
    /// There is no such program.
    pub const BAD_NAME: i32 = 10;
    /// The process could not be made.
    pub const SPAWN_ERROR: i32 = 50;
    /// It runs already.
    pub const ALREADY_STARTED: i32 = 60;
    /// It does not run.
    pub const NOT_RUNNING: i32 = 70;
}

fn fault_name(code: i32) -> String {
    let name = match code {
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

/// What supervisord thinks of a process (<https://supervisord.org/subprocess.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Stopped by request, or never started.
    Stopped,
    /// Started less than `startsecs` ago.
    Starting,
    /// Running.
    Running,
    /// Ended too soon after its start, to be tried again.
    Backoff,
    /// Asked to stop.
    Stopping,
    /// Ended by itself.
    Exited,
    /// Could not be started.
    Fatal,
    /// A defect of supervisord's.
    Unknown,
}

impl State {
    fn of(code: i32) -> State {
        match code {
            0 => State::Stopped,
            10 => State::Starting,
            20 => State::Running,
            30 => State::Backoff,
            40 => State::Stopping,
            100 => State::Exited,
            200 => State::Fatal,
            _ => State::Unknown,
        }
    }

    /// supervisord's own name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Stopped => "STOPPED",
            State::Starting => "STARTING",
            State::Running => "RUNNING",
            State::Backoff => "BACKOFF",
            State::Stopping => "STOPPING",
            State::Exited => "EXITED",
            State::Fatal => "FATAL",
            State::Unknown => "UNKNOWN",
        }
    }
}

/// A process as supervisord sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its state.
    pub state: State,
    /// Its process number; 0 while there is none.
    pub pid: i32,
    /// Since its last start, by supervisord's clock.
    pub uptime: Duration,
}

/// A supervisord.
#[derive(Debug)]
pub struct Supervisord {
    client: Client,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Supervisord {
    /// The one at that address. A user without a password has an empty one.
    pub fn new(endpoint: Endpoint, user: Option<(&str, &Secret)>) -> Supervisord {
        // supervisord speaks no TLS.
        let (tls, names) = (TlsConfig::default(), ThreadedResolver::system("rpc"));
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("text/xml"))];
        if let Some((user, password)) = user {
            let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
            // Base64 is always fit for a header.
            if let Ok(mut value) = HeaderValue::try_from(format!("Basic {pair}")) {
                value.set_sensitive(true);
                headers.push((AUTHORIZATION, value));
            }
        }
        Supervisord { client: Client::new(endpoint, TIMEOUT, tls, names), headers }
    }

    /// `supervisor.getProcessInfo`
    ///
    /// # Errors
    /// See [`RpcError`]; so too below.
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
            state: State::of(number("state")?),
            pid: number("pid")?,
            uptime: Duration::from_secs(uptime.try_into().unwrap_or(0)),
        })
    }

    /// `supervisor.stopProcess`, without waiting for the end.
    pub fn stop(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.stopProcess", vec![name(program), WITHOUT_WAITING]).map(drop)
    }

    /// `supervisor.startProcess`, without waiting until it counts as started.
    pub fn start(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.startProcess", vec![name(program), WITHOUT_WAITING]).map(drop)
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let call = MethodCall { name: method.into(), params };
        let call = call.to_xml().map_err(|_| RpcError::Malformed("the call cannot be written"))?;
        let answer = self.client.post(PATH, &self.headers, call.as_bytes(), MAX_ANSWER);
        let answer = answer.map_err(RpcError::Unreachable)?;
        match answer.status {
            200 => decode(&answer.body),
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
    let text = str::from_utf8(body).map_err(|_| RpcError::Malformed("it is not UTF-8"))?;
    if let Ok(response) = MethodResponse::from_xml(text) {
        return Ok(response.value);
    }
    match FaultResponse::from_xml(text) {
        Ok(FaultResponse { fault }) => {
            let text = one_line(fault.string().as_bytes(), SHOWN);
            Err(RpcError::Fault { code: fault.code(), text })
        }
        Err(_) => Err(RpcError::Malformed("it is no XML-RPC")),
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
    fn values_and_faults_are_told_apart() {
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
    fn garbage_is_an_error_and_nothing_worse() {
        let deep = |open: &str, close: &str| response(&(open.repeat(3000) + &close.repeat(3000)));
        for garbage in [
            String::new(),
            "ok".to_owned(),
            "<methodResponse>".to_owned(),
            "<methodResponse></methodResponse>".to_owned(),
            "<html><body>It works!</body></html>".to_owned(),
            response("<int>many</int>"),
            "\u{0}".repeat(1000),
            // Deep enough to run out of stack, if the decoder did not count.
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
