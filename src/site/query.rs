//! The query parameters of the API. Whatever one cannot mean is refused, never ignored.

use std::borrow::Cow;

use http::Uri;

use super::problem::Problem;
use super::target::percent_decoded;
use crate::config::is_name;

/// Parameters of a query at most, far more than any route has: comparing each with each stays
/// cheap.
pub(super) const MOST_PARAMETERS: usize = 32;

/// A parameter that a route understands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// `fields`
    Fields,
    /// `format`
    Format,
    /// `max_age`
    MaxAge,
}

/// How what is now is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `format=json`
    #[default]
    Json,
    /// `format=shell`: assignments for `eval`.
    Shell,
}

/// The query, checked. Whatever it cannot mean is refused, never ignored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// `fields=source.field,…`: what to narrow the answer to.
    pub(super) fields: Option<Vec<Field>>,
    /// `max_age=seconds`: how old the data may be.
    pub(super) max_age: Option<u64>,
    /// `format=json` or `shell`.
    pub(super) syntax: Syntax,
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
    /// Reads the target's query, of which the route understands these parameters.
    pub(super) fn parse(target: &Uri, understood: &[Parameter]) -> Result<Query, Problem> {
        let mut pairs = Pairs::of(target)?;
        let mut query = Query::default();
        for parameter in understood {
            match parameter {
                Parameter::Fields => {
                    query.fields = pairs.take("fields").map(|text| fields(&text)).transpose()?;
                }
                Parameter::Format => {
                    let syntax = pairs.take("format").map(|text| syntax(&text)).transpose()?;
                    query.syntax = syntax.unwrap_or_default();
                }
                Parameter::MaxAge => {
                    query.max_age = pairs.take("max_age").map(|text| max_age(&text)).transpose()?;
                }
            }
        }
        pairs.finish()?;
        Ok(query)
    }
}

/// The parameters of a query, to be taken one by one.
#[derive(Debug)]
pub(super) struct Pairs<'q> {
    left: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    /// The names that were asked for, which are those that there are.
    known: Vec<&'static str>,
}

impl<'q> Pairs<'q> {
    /// Those of the target. A repeated one is refused.
    pub(super) fn of(target: &'q Uri) -> Result<Pairs<'q>, Problem> {
        let text = target.query().unwrap_or("");
        if text.bytes().filter(|byte| *byte == b'&').count() >= MOST_PARAMETERS {
            return Err(Problem::bad_request(format!(
                "The query holds more than {MOST_PARAMETERS} parameters; no route takes as many."
            )));
        }
        let mut left: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for pair in text.split('&').filter(|_| !text.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if left.iter().any(|(known, _)| *known == name) {
                return Err(Problem::bad_request(format!("The parameter {name} is repeated.")));
            }
            left.push((name, value));
        }
        Ok(Pairs { left, known: Vec::new() })
    }

    /// The value of that parameter.
    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.swap_remove(at).1.into_owned())
    }

    /// Refuses what nobody took, and names what there is.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let Some((name, _)) = self.left.first() else { return Ok(()) };
        self.known.sort_unstable();
        let known = match self.known.split_last() {
            None => String::new(),
            Some((only, [])) => format!("; there is {only}"),
            Some((last, others)) => format!("; there are {} and {last}", others.join(", ")),
        };
        Err(Problem::bad_request(format!("There is no parameter {name:?} here{known}.")))
    }
}

/// Names and numbers hold no space, so a `+` needs no meaning of its own.
fn decoded(text: &str) -> Result<Cow<'_, str>, Problem> {
    percent_decoded(text)
        .ok_or_else(|| Problem::bad_request("The query holds an invalid percent-encoding."))
}

/// Seconds that `max_age` may be at most: the most that HTTP caches must understand as an age
/// (RFC 9111 1.2.2), 68 years.
pub(super) const MOST_MAX_AGE: u64 = 2_147_483_647;

fn max_age(text: &str) -> Result<u64, Problem> {
    whole_number(text).filter(|seconds| *seconds <= MOST_MAX_AGE).ok_or_else(|| {
        Problem::bad_request(format!(
            "max_age is a number of whole seconds up to {MOST_MAX_AGE}, such as max_age=300."
        ))
    })
}

fn syntax(text: &str) -> Result<Syntax, Problem> {
    match text {
        "json" => Ok(Syntax::Json),
        "shell" => Ok(Syntax::Shell),
        _ => Err(Problem::bad_request("format is json or shell.")),
    }
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

/// Fields that a query names at most, as each is looked up among those of its source.
pub(super) const MOST_FIELDS: usize = 512;

fn fields(text: &str) -> Result<Vec<Field>, Problem> {
    if text.bytes().filter(|byte| *byte == b',').count() >= MOST_FIELDS {
        return Err(Problem::bad_request(format!(
            "fields names more than {MOST_FIELDS} fields; request the rest separately, or \
             everything, without fields."
        )));
    }
    text.split(',').map(field).collect::<Option<_>>().ok_or_else(|| {
        Problem::bad_request(
            "fields is a list of source.field, such as fields=tank.level,weather.temperature.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Parameter; 3] = [Parameter::Fields, Parameter::Format, Parameter::MaxAge];

    fn parse(query: &str, understood: &[Parameter]) -> Result<Query, Problem> {
        Query::parse(&format!("/x?{query}").parse().unwrap(), understood)
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
            ("max_age=2147483647", None, Some(MOST_MAX_AGE)),
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
            let expected = Query { fields, max_age, syntax: Syntax::Json };
            assert_eq!(parse(text, &ALL).ok(), Some(expected), "{text}");
        }
        for (text, syntax) in [("format=json", Syntax::Json), ("format=shell", Syntax::Shell)] {
            assert_eq!(parse(text, &ALL).unwrap().syntax, syntax);
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
            "max_age=2147483648",
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
            "format",
            "format=xml",
            "format=Shell",
        ] {
            assert_eq!(parse(text, &ALL).ok(), None, "{text}");
        }
    }

    #[test]
    fn parameters_beyond_the_limit_are_refused_before_they_are_compared() {
        let named = |number: usize| {
            let pairs: Vec<String> = (0..number).map(|number| format!("p{number}=")).collect();
            parse(&pairs.join("&"), &ALL).unwrap_err().detail.into_owned()
        };
        assert!(named(MOST_PARAMETERS).contains("There is no parameter"));
        let detail = named(MOST_PARAMETERS + 1);
        assert!(detail.contains("more than 32 parameters"), "{detail}");
        let fields = |number: usize| format!("fields={}", vec!["a.b"; number].join(","));
        assert!(parse(&fields(MOST_FIELDS), &ALL).is_ok());
        let detail = parse(&fields(MOST_FIELDS + 1), &ALL).unwrap_err().detail.into_owned();
        assert!(detail.contains("more than 512 fields"), "{detail}");
    }

    #[test]
    fn what_is_not_understood_is_told_what_is() {
        for (understood, told) in [
            (&[][..], r#"There is no parameter "colour" here."#),
            (&[Parameter::MaxAge], r#"There is no parameter "colour" here; there is max_age."#),
            (
                &[Parameter::MaxAge, Parameter::Fields, Parameter::Format],
                r#"There is no parameter "colour" here; there are fields, format and max_age."#,
            ),
        ] {
            assert_eq!(parse("colour=blue", understood).unwrap_err().detail, told);
        }
        assert!(parse("fields=a.b", &[Parameter::MaxAge]).is_err());
    }
}
