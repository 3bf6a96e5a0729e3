//! `kind = "webhook"`: any HTTP endpoint.

use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::super::alert::{Template, TemplatePart, template_in};
use super::super::headers;
use super::super::section::Section;
use super::Webhook;
use super::endpoint::capability;

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Webhook> {
    let url = capability(section);
    let headers = section.section("headers", "[notify.headers]".to_owned());
    let headers = headers.map(headers::read).unwrap_or_default();
    let template = match section.string("template") {
        Some(at) => Some(template_in(section, "template", at)?),
        None => None,
    };
    let configured = headers.iter().find(|(name, _)| *name == CONTENT_TYPE);
    let configured = configured.and_then(|(_, value)| {
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    let content_type =
        template.as_ref().map(|template| configured.unwrap_or_else(|| media_type(template)));
    Some(Webhook { url: url?, headers, template, content_type })
}

/// Returns the media type of the texts that a template makes.
fn media_type(template: &Template) -> HeaderValue {
    let sample: String = template
        .parts()
        .iter()
        .map(|part| match part {
            TemplatePart::Text(text) => text,
            TemplatePart::Placeholder(_) => "x",
        })
        .collect();
    HeaderValue::from_static(match crate::json::from_text::<serde::de::IgnoredAny>(&sample) {
        Ok(_) => "application/json",
        Err(_) => "text/plain; charset=utf-8",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_of_json_makes_json() {
        for (template, expected) in [
            (r#"{{"text": "{title}: {value}"}}"#, "application/json"),
            ("\"{title}\"", "application/json"),
            ("{title}: {value}", "text/plain; charset=utf-8"),
            (r#"{{"text": {value}}}"#, "text/plain; charset=utf-8"),
        ] {
            assert_eq!(media_type(&template.parse().unwrap()), expected, "{template}");
        }
    }
}
