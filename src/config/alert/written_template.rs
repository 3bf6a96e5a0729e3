//! Reads templates of messages.

use super::super::section::{Section, Spanned};
use super::{Template, TemplateError};

/// Longest name of a placeholder that an error repeats, bytes. Other texts in braces may be secrets: a template may be
/// JSON whose braces are not doubled.
const MAX_NAME: usize = 24;

/// Parses the template of a key.
pub(in crate::config) fn template_in(
    section: &Section<'_, '_>,
    key: &str,
    Spanned { value, span }: Spanned<String>,
) -> Option<Template> {
    let is_name = |name: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        name.len() <= MAX_NAME && name.bytes().all(is_letter)
    };
    match value.parse() {
        Ok(template) => return Some(template),
        Err(TemplateError::Unknown { name, .. }) if !is_name(&name) => section.report(
            span,
            format_args!(
                "\"{key}\" has a brace that begins no placeholder such as {{title}}; write {{{{ and }}}} for \
                 braces themselves"
            ),
        ),
        Err(error) => section.report(span, format_args!("\"{key}\": {error}")),
    }
    None
}
