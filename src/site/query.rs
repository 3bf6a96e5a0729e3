//! Query parameters of the API. A parameter that is unknown, repeated or malformed is rejected, never
//! ignored: a script with a typing error must not get data that it did not request.

use std::borrow::Cow;

use http::Uri;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::problem::Problem;
use super::source_filter::{SourceFilter, conditions};
use crate::access::percent::percent_decoded;
use crate::config::is_name;
use crate::order;

/// Most parameters of a query. No route has as many, and comparing each with each stays cheap.
pub(super) const MAX_PARAMETERS: usize = 32;

/// A parameter of the routes of current readings.
#[derive(Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Parameter {
    /// `fields`
    Fields,
    /// `format`
    Format,
    /// `max_age`
    MaxAge,
    /// `group`
    Group,
    /// `state`
    State,
    /// `limit`
    Limit,
    /// `cursor`
    Cursor,
}

/// Syntax of a response with current readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Syntax {
    /// `format=json`
    #[default]
    Json,
    /// `format=shell`: assignments for `eval`.
    Shell,
}

/// A checked query.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// `fields=source.field,…`: the fields to return.
    pub(super) fields: Option<Vec<Field>>,
    /// `max_age=seconds`: the largest acceptable age of the data.
    pub(super) max_age: Option<u64>,
    /// `format=json` or `shell`.
    pub(super) syntax: Syntax,
    /// `group=`, `state=`, `limit=` and `cursor=`: some of the sources.
    pub(super) page: Option<Page>,
}

/// One page of the sources that pass a filter, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) filter: SourceFilter,
    /// Most sources of the page.
    pub(super) limit: Option<usize>,
    /// Name of the last source of the page before.
    pub(super) cursor: Option<String>,
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
    /// Parses the target's query. The route has these parameters.
    pub(super) fn parse(target: &Uri, parameters: &[Parameter]) -> Result<Query, Problem> {
        let mut pairs = Pairs::of(target)?;
        let mut query = Query::default();
        for parameter in parameters {
            let Some(text) = pairs.take(parameter.into()) else { continue };
            match parameter {
                Parameter::Fields => query.fields = Some(fields(&text)?),
                Parameter::Format => query.syntax = syntax(&text)?,
                Parameter::MaxAge => query.max_age = Some(max_age(&text)?),
                Parameter::Group => page(&mut query).filter.group = Some(text),
                Parameter::State => page(&mut query).filter.conditions = conditions(&text)?,
                Parameter::Limit => page(&mut query).limit = Some(limit(&text)?),
                Parameter::Cursor => page(&mut query).cursor = Some(cursor(text)?),
            }
        }
        pairs.finish()?;
        Ok(query)
    }
}

/// Returns the page of a query, which one of its parameters requests.
fn page(query: &mut Query) -> &mut Page {
    query.page.get_or_insert_default()
}

/// Parameters of a query. A handler takes those that it has, then calls [`finish`](Self::finish).
#[derive(Debug)]
pub(super) struct Pairs<'q> {
    /// Parameters that the handler has not taken yet.
    left: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    /// Names that the handler has taken, which are all that the route has.
    taken: Vec<&'static str>,
}

impl<'q> Pairs<'q> {
    /// Splits the target's query. Rejects a repeated parameter.
    pub(super) fn of(target: &'q Uri) -> Result<Pairs<'q>, Problem> {
        let text = target.query().unwrap_or("");
        if text.bytes().filter(|byte| *byte == b'&').count() >= MAX_PARAMETERS {
            return Err(Problem::bad_request(format!(
                "The query holds more than {MAX_PARAMETERS} parameters; no route takes as many."
            )));
        }
        let mut left: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for pair in text.split('&').filter(|_| !text.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if left.iter().any(|(listed, _)| *listed == name) {
                return Err(Problem::bad_request(format!("The parameter {name} is repeated.")));
            }
            left.push((name, value));
        }
        Ok(Pairs { left, taken: Vec::new() })
    }

    /// Returns the value of a parameter, if the query has it.
    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        self.taken.push(name);
        let at = self.left.iter().position(|(listed, _)| listed == name)?;
        Some(self.left.swap_remove(at).1.into_owned())
    }

    /// Rejects a parameter that the handler has not taken, and lists those of the route.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let Some((name, _)) = self.left.first() else { return Ok(()) };
        order::sort(&mut self.taken);
        let listed = match self.taken.split_last() {
            None => String::new(),
            Some((only, [])) => format!("; there is {only}"),
            Some((last, others)) => format!("; there are {} and {last}", others.join(", ")),
        };
        Err(Problem::bad_request(format!("There is no parameter {name:?} here{listed}.")))
    }
}

/// Decodes a name or a value. None of ours contains a space, so `+` is not decoded.
fn decoded(text: &str) -> Result<Cow<'_, str>, Problem> {
    percent_decoded(text)
        .ok_or_else(|| Problem::bad_request("The query holds an invalid percent-encoding."))
}

/// Decodes a value as browsers encode those of forms, with `+` for a space (URL Standard 5.1).
pub(super) fn decoded_words(text: &str) -> Option<String> {
    percent_decoded(&text.replace('+', " ")).map(Cow::into_owned)
}

/// Largest `max_age`, in seconds: the largest age that HTTP caches must support (RFC 9111 1.2.2),
/// 68 years.
pub(super) const MAX_MAX_AGE: u64 = 2_147_483_647;

fn max_age(text: &str) -> Result<u64, Problem> {
    whole_number(text).filter(|seconds| *seconds <= MAX_MAX_AGE).ok_or_else(|| {
        Problem::bad_request(format!(
            "max_age is a number of whole seconds up to {MAX_MAX_AGE}, such as max_age=300."
        ))
    })
}

/// Largest `limit`.
pub(super) const MAX_LIMIT: usize = 10_000;

fn limit(text: &str) -> Result<usize, Problem> {
    whole_number(text).filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
        Problem::bad_request(format!("limit is a whole number from 1 to {MAX_LIMIT}."))
    })
}

fn cursor(text: String) -> Result<String, Problem> {
    // A source that was removed since leaves a gap in the order, and no error.
    if is_name(&text) {
        return Ok(text);
    }
    Err(Problem::bad_request("cursor is the member next of the page before."))
}

fn syntax(text: &str) -> Result<Syntax, Problem> {
    text.parse().map_err(|_| Problem::bad_request("format is json or shell."))
}

/// Parses `source.field`.
pub(super) fn field(text: &str) -> Option<Field> {
    let (source, field) = text.split_once('.')?;
    (is_name(source) && is_name(field))
        .then(|| Field { source: source.to_owned(), field: field.to_owned() })
}

/// Parses a number of digits only, without a sign.
pub(super) fn whole_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    // `parse` alone would accept a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Most fields of a query, as each is looked up among those of its source.
pub(super) const MAX_FIELDS: usize = 512;

fn fields(text: &str) -> Result<Vec<Field>, Problem> {
    if text.bytes().filter(|byte| *byte == b',').count() >= MAX_FIELDS {
        return Err(Problem::bad_request(format!(
            "fields names more than {MAX_FIELDS} fields; request the rest separately, or \
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

    fn parse(query: &str, parameters: &[Parameter]) -> Result<Query, Problem> {
        Query::parse(&format!("/x?{query}").parse().unwrap(), parameters)
    }

    fn field(source: &str, field: &str) -> Field {
        Field { source: source.into(), field: field.into() }
    }

    #[test]
    fn query_with_valid_parameters_is_parsed() {
        let level = || Some(vec![field("tank", "level")]);
        for (text, fields, max_age) in [
            ("", None, None),
            ("max_age=0", None, Some(0)),
            ("max_age=300", None, Some(300)),
            ("max_age=2147483647", None, Some(MAX_MAX_AGE)),
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
            let expected = Query { fields, max_age, ..Query::default() };
            assert_eq!(parse(text, &ALL).ok(), Some(expected), "{text}");
        }
        for (text, syntax) in [("format=json", Syntax::Json), ("format=shell", Syntax::Shell)] {
            assert_eq!(parse(text, &ALL).unwrap().syntax, syntax);
        }
    }

    #[test]
    fn query_with_a_malformed_parameter_is_rejected() {
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
    fn parameters_beyond_the_limit_are_rejected_before_they_are_compared() {
        let named = |number: usize| {
            let pairs: Vec<String> = (0..number).map(|number| format!("p{number}=")).collect();
            parse(&pairs.join("&"), &ALL).unwrap_err().detail.into_owned()
        };
        assert!(named(MAX_PARAMETERS).contains("There is no parameter"));
        let detail = named(MAX_PARAMETERS + 1);
        assert!(detail.contains("more than 32 parameters"), "{detail}");
        let fields = |number: usize| format!("fields={}", vec!["a.b"; number].join(","));
        assert!(parse(&fields(MAX_FIELDS), &ALL).is_ok());
        let detail = parse(&fields(MAX_FIELDS + 1), &ALL).unwrap_err().detail.into_owned();
        assert!(detail.contains("more than 512 fields"), "{detail}");
    }

    #[test]
    fn unknown_parameter_is_rejected_with_the_list_of_parameters() {
        for (parameters, detail) in [
            (&[][..], r#"There is no parameter "colour" here."#),
            (&[Parameter::MaxAge], r#"There is no parameter "colour" here; there is max_age."#),
            (
                &[Parameter::MaxAge, Parameter::Fields, Parameter::Format],
                r#"There is no parameter "colour" here; there are fields, format and max_age."#,
            ),
        ] {
            assert_eq!(parse("colour=blue", parameters).unwrap_err().detail, detail);
        }
        assert!(parse("fields=a.b", &[Parameter::MaxAge]).is_err());
    }
}
