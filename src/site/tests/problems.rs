//! Problems, for programs and for browsers.

use http::StatusCode;
use serde_json::json;

use super::{header, parsed};
use crate::site::fixture::{get, site, text};

#[test]
fn problem_is_json_for_programs_and_a_page_for_browsers() {
    let site = site(vec![]);
    let response = get(&site, "/no%3Cb%3Ewhere?secret=1", &[]);
    assert_eq!(
        parsed(&response),
        json!({"type": "about:blank", "title": "Not Found", "status": 404,
               "detail": "There is nothing at this address.", "instance": "/no%3Cb%3Ewhere"})
    );
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert_eq!(header(&response, "content-security-policy"), "");

    let page = get(&site, "/no%3Cb%3Ewhere", &[("accept", "text/html,*/*;q=0.8")]);
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "vary"), "accept");
    assert!(text(&page).contains("There is nothing at this address."));
    assert!(header(&page, "content-security-policy").starts_with("default-src 'none'; "));

    let odd = get(&site, "/api/v1/status?%3Cb%3E=1", &[("accept", "text/html")]);
    assert!(text(&odd).contains("&lt;b&gt;") && !text(&odd).contains("<b>"));
}
