//! URLs of databases, as libpq writes them: `postgresql://user:password@host:port,host/database?key=value`.

use std::fmt;

use super::super::secret::Secret;
use super::MODES;
use crate::access::percent::percent_decoded;
use crate::suggestion::advice;

/// A `postgresql` URL. `Display` and `Debug` omit its password and its parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    /// The whole URL, with the `sslmode` of its own key.
    text: String,
    /// Password in it, decoded.
    password: Option<Secret>,
}

/// A text is not the URL of a database. The error does not repeat the text, which may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum StoreUrlError {
    #[error(
        "must begin with postgresql:// or postgres://, such as \"postgresql://pumphouse@db/pumphouse\""
    )]
    Scheme,
    #[error("must be in one line, without blanks; write them as %20")]
    Blank,
    #[error(
        "has a \"%\" that begins no escape, or escapes that are not UTF-8; write a percent sign as %25"
    )]
    Percent,
    #[error("has an unescaped \"/\", \"?\" or \"@\" in the password; write %2F, %3F, %40")]
    Unescaped,
    #[error(
        "has a port that is not between 1 and 65535; write \"postgresql://user:password@host:5432/database\""
    )]
    Port,
    #[error("names no database; write \"postgresql://pumphouse@db/pumphouse\"")]
    NoDatabase,
    #[error("has a parameter without \"=\", or twice; write ?key=value&key=value")]
    Parameter,
    #[error("has an unknown sslmode; {0}")]
    Mode(String),
    /// The URL has another `sslmode`, which is known.
    #[error("says sslmode={0}")]
    Conflict(String),
}

impl StoreUrl {
    pub(super) fn parse(text: &str) -> Result<StoreUrl, StoreUrlError> {
        let text = text.trim();
        let mut url = StoreUrl { text: text.to_owned(), password: None };
        if !["postgresql://", "postgres://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(StoreUrlError::Scheme);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(StoreUrlError::Blank);
        }
        let (authority, rest) = url.rest().split_once('/').ok_or(StoreUrlError::NoDatabase)?;
        let database = rest.split('?').next().unwrap_or_default();
        let (user, hosts) = authority.split_once('@').unwrap_or(("", authority));
        // Otherwise a part of the password would be taken for a host or the database, and be displayed.
        if authority.contains('?') || hosts.contains('@') || database.contains('@') {
            return Err(StoreUrlError::Unescaped);
        }
        if database.is_empty() {
            return Err(StoreUrlError::NoDatabase);
        }
        let is_port =
            |port: &str| port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0);
        let port = |host: &str| host.rsplit_once(':').map_or("", |(_, port)| port).to_owned();
        // That of `[::1]:5432` follows the bracket.
        let port = |host: &str| port(host.rsplit(']').next().unwrap_or_default());
        if !hosts.split(',').all(|host| is_port(&port(host))) {
            return Err(StoreUrlError::Port);
        }
        let own = user.split_once(':').map(|(_, password)| password);
        let parameters: Vec<_> = url.parameters().collect();
        for (index, (name, value)) in parameters.iter().enumerate() {
            let is_twice = parameters[..index].iter().any(|(earlier, _)| earlier == name);
            let value = value.filter(|_| !is_twice).ok_or(StoreUrlError::Parameter)?;
            if *name == "sslmode" && !MODES.contains(&value) {
                return Err(StoreUrlError::Mode(advice(value, MODES.into_iter())));
            }
        }
        percent_decoded(text).ok_or(StoreUrlError::Percent)?;
        let own = own.or_else(|| url.parameter("password")).filter(|own| !own.is_empty());
        url.password = own.and_then(percent_decoded).map(|own| Secret::new(own.into_owned()));
        Ok(url)
    }

    /// Returns the URL with this `sslmode`.
    pub(super) fn with_mode(mut self, mode: &str) -> Result<StoreUrl, StoreUrlError> {
        match self.parameter("sslmode") {
            Some(own) if own == mode => {}
            Some(own) => return Err(StoreUrlError::Conflict(own.to_owned())),
            None => {
                let separator = if self.text.contains('?') { '&' } else { '?' };
                self.text.push(separator);
                self.text += "sslmode=";
                self.text += mode;
            }
        }
        Ok(self)
    }

    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameter(name).is_some()
    }

    /// Returns the password in it.
    pub(super) fn password(&self) -> Option<Secret> {
        self.password.clone()
    }

    /// Returns the whole URL, with a password that it may contain. Not for logs.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Returns the part behind the scheme.
    fn rest(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, rest)| rest)
    }

    /// Returns the names and values of the parameters, as they are written.
    fn parameters(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let query = self.text.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(own, _)| *own == name).and_then(|(_, value)| value)
    }
}

/// Omits the password and the parameters.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.rest().split('?').next().unwrap_or_default();
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.split_once('@') {
            Some((user, hosts)) => (user.split(':').next(), hosts),
            None => (None, authority),
        };
        f.write_str("postgresql://")?;
        if let Some(user) = user {
            write!(f, "{user}@")?;
        }
        write!(f, "{hosts}/{database}")
    }
}

/// Omits the password and the parameters.
impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displayed_url_has_no_password() {
        for (text, shown, password) in [
            ("postgresql://p@db/x", "postgresql://p@db/x", None),
            ("postgres://p:s3cret@db:1,db2/x", "postgresql://p@db:1,db2/x", Some("s3cret")),
            ("postgresql://p:s3%40cret@[::1]:5/x?a=1", "postgresql://p@[::1]:5/x", Some("s3@cret")),
            ("postgresql://db/x?password=s3cret", "postgresql://db/x", Some("s3cret")),
            ("postgresql://p:@db/x", "postgresql://p@db/x", None),
        ] {
            let url = StoreUrl::parse(text).unwrap();
            assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
            assert_eq!(url.password().as_ref().map(Secret::expose), password, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_url_of_a_database_is_rejected_and_not_repeated() {
        for (text, expected) in [
            ("", StoreUrlError::Scheme),
            ("mysql://s3cret@h/x", StoreUrlError::Scheme),
            ("host=s3cret dbname=x", StoreUrlError::Scheme),
            ("postgresql://s3cret", StoreUrlError::NoDatabase),
            ("postgresql://s3cret@db/", StoreUrlError::NoDatabase),
            ("postgresql://s3cret@db/?a=b", StoreUrlError::NoDatabase),
            ("postgresql://p:s3 cret@db/x", StoreUrlError::Blank),
            ("postgresql://p:s3%cret@db/x", StoreUrlError::Percent),
            ("postgresql://p:s3%ffcret@db/x", StoreUrlError::Percent),
            ("postgresql://p:s3cret/w@db/x", StoreUrlError::Unescaped),
            ("postgresql://p:s3cret?/w@db/x", StoreUrlError::Unescaped),
            ("postgresql://p:s3cret@1@db/x", StoreUrlError::Unescaped),
            ("postgresql://p:s3cret/x", StoreUrlError::Port),
            ("postgresql://p@db:0,db/x", StoreUrlError::Port),
            ("postgresql://p@[::1]:x/x", StoreUrlError::Port),
            ("postgresql://p@db/x?s3cret", StoreUrlError::Parameter),
            ("postgresql://p@db/x?a=1&a=1", StoreUrlError::Parameter),
        ] {
            let error = StoreUrl::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let error = StoreUrl::parse("postgresql://p@db/x?sslmode=verify").unwrap_err();
        assert!(error.to_string().contains("did you mean \"verify-"), "{error}");
    }

    #[test]
    fn mode_of_the_key_is_a_parameter() {
        for (text, expected) in [
            ("postgresql://db/x", Ok("postgresql://db/x?sslmode=require")),
            ("postgresql://db/x?a=b", Ok("postgresql://db/x?a=b&sslmode=require")),
            ("postgresql://db/x?sslmode=require", Ok("postgresql://db/x?sslmode=require")),
            (
                "postgresql://db/x?sslmode=disable",
                Err(StoreUrlError::Conflict("disable".to_owned())),
            ),
        ] {
            let url = StoreUrl::parse(text).unwrap().with_mode("require");
            assert_eq!(url.map(|url| url.text), expected.map(str::to_owned), "{text}");
        }
    }
}
