//! `/login` and `/logout`, which browsers use. Scripts send credentials with each request.

use serde_json::{Map, Value as Json, json};

use super::operation::{common, options};
use super::parameter::references;
use super::response::{plain_media, response_with, shared};

const TAG: &str = "access";

fn responses(also: &[&str], own: &[(&str, Json)]) -> Map<String, Json> {
    let mut responses = common(also);
    responses.extend(own.iter().map(|(status, answer)| ((*status).to_owned(), answer.clone())));
    responses
}

/// Returns the operations of `/login`.
pub(super) fn login(path: &str) -> Json {
    let form = |content: bool| {
        let bodies = content.then(|| plain_media("text/html", "Text"));
        let mut form = response_with("The form.", &["Cache-Control", "Vary"], bodies);
        if let Some(members) = form.as_object_mut().filter(|_| !content) {
            members.remove("content");
        }
        form
    };
    let see_other = || ("303", shared("SeeOther"));
    json!({
        "parameters": references(&["next"]),
        "get": {
            "operationId": "getLogin",
            "tags": [TAG],
            "summary": "The sign-in form. If the site is open, or the browser has signed in already, \
                        a redirection.",
            "security": [{}],
            "responses": responses(&["NotFound"], &[("200", form(true)), see_other()]),
        },
        "head": {
            "operationId": "getLoginHead",
            "tags": [TAG],
            "summary": "The sign-in form.",
            "security": [{}],
            "responses": responses(&["NotFound"], &[("200", form(false)), see_other()]),
        },
        "post": {
            "operationId": "signIn",
            "tags": [TAG],
            "summary": "Sign in: sets a session cookie, and a device cookie that exempts the browser \
                        from the throttle of other clients at its address. Wrong credentials get \
                        401 with the form. Throttled like HTTP Basic.",
            "security": [{}],
            "requestBody": {
                "required": true,
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": {"$ref": "#/components/schemas/SignIn"},
                        "example": {"username": "anna", "password": "correct horse", "next": "/"},
                    },
                },
            },
            "responses": responses(
                &["NotFound", "ContentTooLarge", "UnsupportedMediaType"],
                &[see_other()],
            ),
        },
        "options": options("login", TAG, path),
    })
}

/// Returns the operations of `/logout`.
pub(super) fn logout(path: &str) -> Json {
    let unsaved = response_with(
        "The session has ended, but a crash of the server would restore it: it is not on disk yet.",
        &["Cache-Control", "Vary", "Retry-After", "Set-Cookie", "Clear-Site-Data"],
        [plain_media("application/problem+json", "Problem"), plain_media("text/html", "Text")],
    );
    json!({
        "post": {
            "operationId": "signOut",
            "tags": [TAG],
            "summary": "Sign out: ends the session of the cookie on the server, not only in the browser.",
            "security": [{}, {"session": []}],
            "responses": responses(&[], &[("303", shared("SeeOther")), ("503", unsaved)]),
        },
        "options": options("signOut", TAG, path),
    })
}
