//! The query parameters of the API. Whatever one cannot mean is refused, never ignored.

use std::borrow::Cow;

use ::http::Uri;

use super::problem::Problem;
use super::target::percent_decoded;

/// The parameters that a route understands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    /// `max_age`
    MaxAge,
    /// `max_age` and `fields`
    MaxAgeAndFields,
}

/// The query, checked. Whatever it cannot mean is refused, never ignored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// `fields=source.field,…`: what to narrow the answer to.
    pub(super) fields: Option<Vec<Field>>,
    /// `max_age=seconds`: how old the data may be.
    pub(super) max_age: Option<u64>,
}

/// `source.field`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// The source's name.
    pub(super) source: String,
    /// The field's name.
    pub(super) field: String,
}

impl Query {
    /// Reads the target's query.
    pub(super) fn parse(target: &Uri, accepts: Accepts) -> Result<Query, Problem> {
        let mut pairs = Pairs::of(target)?;
        let max_age = pairs.take("max_age").map(|text| max_age(&text)).transpose()?;
        let fields = match accepts {
            Accepts::MaxAge => None,
            Accepts::MaxAgeAndFields => {
                pairs.take("fields").map(|text| fields(&text)).transpose()?
            }
        };
        pairs.finish()?;
        Ok(Query { fields, max_age })
    }
}

/// The parameters of a query, to be taken one by one.
#[derive(Debug)]
pub(super) struct Pairs<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Pairs<'q> {
    /// Those of the target. A repeated one is refused.
    pub(super) fn of(target: &'q Uri) -> Result<Pairs<'q>, Problem> {
        let text = target.query().unwrap_or("");
        let mut pairs: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for pair in text.split('&').filter(|_| !text.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Problem::bad_request(format!("The parameter {name} is repeated.")));
            }
            pairs.push((name, value));
        }
        Ok(Pairs(pairs))
    }

    /// The value of that parameter.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1.into_owned())
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(Problem::bad_request(format!("There is no parameter {name:?} here.")))
            }
        }
    }
}

/// Names and numbers hold no space, so a `+` needs no meaning of its own.
fn decoded(text: &str) -> Result<Cow<'_, str>, Problem> {
    percent_decoded(text)
        .ok_or_else(|| Problem::bad_request("The query holds an invalid percent-encoding."))
}

fn max_age(text: &str) -> Result<u64, Problem> {
    whole_number(text).ok_or_else(|| {
        Problem::bad_request("max_age is a number of whole seconds, such as max_age=300.")
    })
}

/// `source.field`
pub(super) fn field(text: &str) -> Option<Field> {
    let (source, field) = text.split_once('.')?;
    (is_name(source) && is_name(field))
        .then(|| Field { source: source.to_owned(), field: field.to_owned() })
}

/// Digits and nothing else.
pub(super) fn whole_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    // `parse` alone would accept a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn fields(text: &str) -> Result<Vec<Field>, Problem> {
    text.split(',').map(field).collect::<Option<_>>().ok_or_else(|| {
        Problem::bad_request(
            "fields is a list of source.field, such as fields=tank.level,weather.temperature.",
        )
    })
}

/// `[a-z][a-z0-9_]*`
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str, accepts: Accepts) -> Option<Query> {
        Query::parse(&format!("/x?{query}").parse().unwrap(), accepts).ok()
    }

    fn field(source: &str, field: &str) -> Field {
        Field { source: source.into(), field: field.into() }
    }

    #[test]
    fn understood() {
        let level = || Some(vec![field("tank", "level")]);
        for (text, fields, max_age) in [
            ("", None, None),
            ("max_age=0", None, Some(0)),
            ("max_age=300", None, Some(300)),
            ("max%5Fage=%33", None, Some(3)),
            ("fields=tank.level", level(), None),
            ("fields=tank%2Elevel&max_age=1", level(), Some(1)),
            ("max_age=1&fields=tank.level", level(), Some(1)),
            (
                "fields=a.b,c_1.d%2Ce.f",
                Some(vec![field("a", "b"), field("c_1", "d"), field("e", "f")]),
                None,
            ),
        ] {
            let expected = Query { fields, max_age };
            assert_eq!(parse(text, Accepts::MaxAgeAndFields), Some(expected), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "max_age",
            "max_age=",
            "max_age=-1",
            "max_age=+1",
            "max_age=1.5",
            "max_age=5m",
            "max_age=%201",
            "max_age=99999999999999999999",
            "max_age=1&max_age=1",
            "max_age=1&",
            "&max_age=1",
            "&",
            "MAX_AGE=1",
            "maxage=1",
            "fields",
            "fields=",
            "fields=tank",
            "fields=tank.",
            "fields=.level",
            "fields=tank.level,",
            "fields=tank.level.txt",
            "fields=Tank.level",
            "fields=1a.level",
            "fields=a.b&fields=a.b",
            "fields=a.b+c.d",
            "fields=%ff",
            "max_age=%",
            "%zz=1",
        ] {
            assert_eq!(parse(text, Accepts::MaxAgeAndFields), None, "{text}");
        }
        assert_eq!(parse("fields=a.b", Accepts::MaxAge), None);
    }
}
