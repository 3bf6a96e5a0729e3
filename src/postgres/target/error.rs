//! Errors of parsing a [`super::Target`].

/// Error in the URL of a database. Its text does not begin with the name of the key that has the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The text has another scheme, or none.
    #[error("not a URL such as postgresql://pumphouse@db/pumphouse")]
    Scheme,
    /// A part has an escape that is not `%` with two hexadecimal digits, or escapes no UTF-8.
    #[error(
        "{0} of the URL has a wrong escape: write `%` and two hexadecimal digits, and `%` itself as %25"
    )]
    Escape(&'static str),
    /// A part has a character that cannot be sent.
    #[error("{0} of the URL contains the character NUL, which PostgreSQL does not accept")]
    Nul(&'static str),
    /// The URL has no user.
    #[error(
        "the URL names no user: write it before the host, as in postgresql://pumphouse@db/pumphouse"
    )]
    NoUser,
    /// The URL has no host.
    #[error(
        "the URL names no host: write one, as in postgresql://pumphouse@db/pumphouse, or the folder of \
         a unix socket, as in postgresql://pumphouse@/pumphouse?host=/run/postgresql"
    )]
    NoHost,
    /// One of several hosts is empty, or has half a bracket.
    #[error("host {0} of the URL is no host name, address, or address in brackets such as [::1]")]
    Host(usize),
    /// A port is no number of 16 bits.
    #[error("the port of host {0} is no number from 1 to 65535")]
    Port(usize),
    /// The parameter `port` has another number of ports than there are hosts.
    #[error("the URL has {ports} ports for {hosts} hosts: write one for each, or one for all")]
    Ports {
        /// Number of ports.
        ports: usize,
        /// Number of hosts.
        hosts: usize,
    },
    /// The parameter does not exist, or this client does not have it.
    #[error("the URL has the unknown parameter \"{name}\": {advice}")]
    Parameter {
        /// Name that was written.
        name: String,
        /// Nearest name, or all of them.
        advice: String,
    },
    /// A parameter has no `=`.
    #[error(
        "a parameter of the URL has no value: write it as name=value, and `&` in a value as %26"
    )]
    NoValue,
    /// The value of a parameter is unknown.
    #[error("the parameter {name} of the URL cannot be \"{value}\": {advice}")]
    Value {
        /// Name of the parameter.
        name: &'static str,
        /// Value that was written.
        value: String,
        /// Nearest value, or all of them.
        advice: String,
    },
}
