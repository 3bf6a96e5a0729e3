//! Validators of a response (RFC 9110 8.8), as far as they can be believed.

use std::time::SystemTime;

use ureq::http::HeaderValue;
use ureq::http::header::{
    DATE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};

/// Validators of a response, for the conditions of the next request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    /// Returns the validators of a response that arrived at `now`.
    ///
    /// A Last-Modified later than the response itself is ignored: a server that compares times would answer
    /// 304 until then, whatever happens meanwhile. The response's own Date decides, since the clock of the
    /// upstream may differ from ours, and our clock if there is none (RFC 9110 8.8.2.1). One that is no date
    /// cannot be judged, and is ignored too.
    pub(super) fn of(headers: &HeaderMap, now: SystemTime) -> Validators {
        let sent = date(headers, DATE).unwrap_or(now);
        let is_past = date(headers, LAST_MODIFIED).is_some_and(|modified| modified <= sent);
        Validators {
            etag: headers.get(ETAG).cloned(),
            last_modified: headers.get(LAST_MODIFIED).filter(|_| is_past).cloned(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// Adds the conditions to a request.
    pub(super) fn add_to<T>(
        &self,
        mut builder: ureq::RequestBuilder<T>,
    ) -> ureq::RequestBuilder<T> {
        if let Some(etag) = &self.etag {
            builder = builder.header(IF_NONE_MATCH, etag);
        }
        if let Some(last_modified) = &self.last_modified {
            builder = builder.header(IF_MODIFIED_SINCE, last_modified);
        }
        builder
    }
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_modified_in_the_future_is_no_validator() {
        const BEFORE: &str = "Sat, 31 Jan 2026 17:15:59 GMT";
        const AT: &str = "Sat, 31 Jan 2026 17:16:00 GMT";
        const AFTER: &str = "Sat, 31 Jan 2026 17:16:01 GMT";
        const YEARS_LATER: &str = "Mon, 31 Jan 2039 17:16:01 GMT";
        let now = httpdate::parse_http_date(AT).unwrap();
        for (date, modified, is_kept) in [
            (Some(AT), BEFORE, true),
            (Some(AT), AT, true),
            (Some(AT), AFTER, false),
            (Some(AT), YEARS_LATER, false),
            // By the clock of the upstream, which may be ahead of ours or behind it.
            (Some(AFTER), AFTER, true),
            (Some(BEFORE), AT, false),
            (Some("soon"), AFTER, false),
            (None, AT, true),
            (None, AFTER, false),
            (Some(AT), "yesterday", false),
            (Some(AT), "", false),
            (Some(AT), "Sunday, 06-Nov-94 08:49:37 GMT", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(date.map(|date| (DATE, HeaderValue::from_static(date))));
            headers.insert(LAST_MODIFIED, HeaderValue::from_static(modified));
            let validators = Validators::of(&headers, now);
            assert_eq!(validators.is_empty(), !is_kept, "{date:?} {modified}");
            headers.insert(ETAG, HeaderValue::from_static("\"v1\""));
            let validators = Validators::of(&headers, now);
            assert!(validators.etag.is_some(), "the tag is kept");
            assert_eq!(validators.last_modified.is_some(), is_kept, "{date:?} {modified}");
        }
    }
}
