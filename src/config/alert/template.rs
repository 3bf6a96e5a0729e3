//! Text of messages with placeholders: `"{title}: {value}, {rate}"`.

use std::str::FromStr;
use std::sync::Arc;

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::suggestion::advice;

/// Text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: Arc<str>,
    parts: Vec<TemplatePart>,
}

/// Part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text as it is.
    Text(String),
    /// Place for a value.
    Placeholder(Placeholder),
}

/// Value that a template can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Placeholder {
    /// Name of the alert.
    Alert,
    /// Severity.
    Severity,
    /// State: firing, resolved, withdrawn.
    State,
    /// Title of the source, or of the site for an alert on the server itself.
    Title,
    /// Name of the source.
    Source,
    /// Name of the field, as people read it.
    Field,
    /// Value with its unit.
    Value,
    /// Age of the value.
    Age,
    /// Rate of change with its unit, if the source has a trend of the field.
    Rate,
    /// Threshold with its unit.
    Threshold,
    /// Time since which the condition holds.
    Since,
    /// Condition in words: "below 300 gal".
    Condition,
    /// Id of the incident.
    Incident,
    /// Link to the page of the source.
    Url,
}

/// A text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace is not closed, or closes none.
    #[error("has a brace without its counterpart; write {{{{ or }}}} for a brace itself")]
    Unbalanced,
    /// A placeholder has another name.
    #[error("\"{{{name}}}\" is unknown; {advice}")]
    Unknown {
        /// Name in the text.
        name: String,
        /// Advice on the names that exist.
        advice: String,
    },
}

impl Template {
    /// Returns the text, as it was written.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns its parts in order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Template, TemplateError> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let name = rest.split_once('}').filter(|_| brace == "{");
            let (name, after) = name.ok_or(TemplateError::Unbalanced)?;
            let placeholder = name.parse().map_err(|_| TemplateError::Unknown {
                name: name.to_owned(),
                advice: advice(name, Placeholder::VARIANTS.iter().copied()),
            })?;
            if !plain.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
            }
            parts.push(TemplatePart::Placeholder(placeholder));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(TemplatePart::Text(plain));
        }
        Ok(Template { text: text.into(), parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_is_divided_at_its_placeholders() {
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        let template: Template = "{title}: {value}, {{{rate}}}!".parse().unwrap();
        let expected = [
            TemplatePart::Placeholder(Placeholder::Title),
            text(": "),
            TemplatePart::Placeholder(Placeholder::Value),
            text(", {"),
            TemplatePart::Placeholder(Placeholder::Rate),
            text("}!"),
        ];
        assert_eq!(template.parts(), expected);
        assert_eq!(&**template.text(), "{title}: {value}, {{{rate}}}!");
        assert_eq!("".parse::<Template>().unwrap().parts(), []);
    }

    #[test]
    fn unknown_names_and_single_braces_are_refused() {
        let error = "{titel}".parse::<Template>().unwrap_err().to_string();
        assert!(error.contains("\"{titel}\" is unknown") && error.contains("title"), "{error}");
        for text in ["{", "}", "a}b", "{title", "{a{title}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
