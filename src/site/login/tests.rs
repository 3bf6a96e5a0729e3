use http::header::{COOKIE, SET_COOKIE};

use super::*;
use crate::access::{Admission, PasswordHash, Restricted, Rules, Scopes, Token, TokenHash, User};
use crate::engine::Activity;
use crate::site::Site;
use crate::site::fixture::{now, request, site_under, tank, text};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn under(restricted: Restricted) -> Site {
    let admission = Admission::Restricted(restricted);
    site_under(vec![tank()], Rules { admission, ..Rules::default() })
}

fn anna() -> Restricted {
    let user = User {
        name: "anna".to_owned(),
        password_hash: PasswordHash::cheap("right"),
        scopes: Scopes::default(),
    };
    Restricted { users: vec![user], ..Restricted::default() }
}

fn answer(site: &Site, request: &Request) -> Response {
    site.answer(request, now(), &Activity::default()).1
}

fn sign_in(site: &Site) -> Response {
    let mut posted = request("POST", "/login", &[FORM]);
    posted.body = "username=anna&password=right&next=/source/tank".into();
    answer(site, &posted)
}

/// Returns the cookies that a response sets, as a browser sends them back.
fn cookies(response: &Response) -> String {
    let set = response.headers().get_all(SET_COOKIE).iter();
    let pairs: Vec<&str> =
        set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
    pairs.join("; ")
}

#[test]
fn page_has_a_button_to_sign_out_for_its_own_session_only() {
    let site = under(anna());
    let sent = cookies(&sign_in(&site));
    let by_session = request("GET", "/", &[(COOKIE.as_str(), &sent)]);
    // "anna:right"
    let by_basic = request("GET", "/", &[("authorization", "Basic YW5uYTpyaWdodA==")]);
    for _ in 0..2 {
        // In the same second, so the page kept for one could be sent to the other.
        let page = answer(&site, &by_session);
        assert!(text(&page).contains("action=\"./logout\""));
        assert!(!page.headers().contains_key(SET_COOKIE), "the browser has its cookies already");
        let page = answer(&site, &by_basic);
        assert!(!text(&page).contains("action=\"./logout\""));
        assert!(cookies(&page).starts_with(DEVICE_COOKIE), "the client has no device cookie yet");
    }
}

#[test]
fn cookie_is_for_this_host_and_no_script() {
    let response = sign_in(&under(anna()));
    let set: Vec<&str> = response
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect();
    let [session, device] = set[..] else { panic!("{set:?}") };
    for (cookie, prefix, age) in
        [(session, SESSION_COOKIE, 2_592_000), (device, DEVICE_COOKIE, 34_560_000)]
    {
        assert!(cookie.starts_with(&format!("{prefix}443=")), "{cookie}");
        let end = format!("; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax; Secure");
        assert!(cookie.ends_with(&end), "{cookie}");
    }
    // A known browser gets a new session and keeps its device cookie.
    let site = under(anna());
    let sent = cookies(&sign_in(&site));
    let mut again = request("POST", "/login", &[FORM, (COOKIE.as_str(), &sent)]);
    again.body = "username=anna&password=right".into();
    let again = cookies(&answer(&site, &again));
    assert!(again.starts_with(SESSION_COOKIE) && !sent.contains(&again), "{again}");
    assert!(!again.contains(DEVICE_COOKIE), "{again}");
}

#[test]
fn cookie_has_the_path_of_the_site_where_the_browser_is_below_it() {
    let ours = "https://tank.example/pumphouse/";
    let port = "https://tank.example:8443/pumphouse/";
    let plain = "http://tank.example/pumphouse/";
    for (url, target, host, tls, expected) in [
        // The proxy leaves its path, or removes it, with or without the port of the browser's URL.
        (ours, "/pumphouse/login", "127.0.0.1:6443", true, "6443 /pumphouse/ Secure"),
        (ours, "/login", "tank.example", false, "443 /pumphouse/ Secure"),
        (ours, "/pumphouse/login", "tank.example", false, "443 /pumphouse/ Secure"),
        (port, "/login", "tank.example", true, "8443 /pumphouse/ Secure"),
        (port, "/login", "TANK.example:8443", false, "8443 /pumphouse/ Secure"),
        (plain, "/login", "tank.example", false, "80 /pumphouse/"),
        ("https://tank.example/", "/login", "tank.example", false, "443 / Secure"),
        // A browser that reaches the server directly never requests the path.
        (ours, "/login", "tank.example:6443", true, "6443 / Secure"),
        (ours, "/login", "192.168.1.5:6080", false, "6080 /"),
        (ours, "/login", "", true, "443 / Secure"),
    ] {
        let site = under(anna());
        let rules = site.context.gate.active_rules().rules().clone();
        site.context.gate.replace(Rules { site_url: Some(url.parse().unwrap()), ..rules });
        let send = |target: &str, body: &str, cookie: &str| {
            let fields = [
                FORM,
                ("host", host),
                (COOKIE.as_str(), cookie),
                ("sec-fetch-site", "same-origin"),
            ];
            let mut posted = request("POST", target, &fields);
            posted.body = body.to_owned().into();
            posted.peer =
                crate::engine::Peer { address: Some(([192, 0, 2, 1], 9).into()), tls, user: None };
            answer(&site, &posted)
        };
        let signed_in = send(target, "username=anna&password=right&next=/source/tank", "");
        assert_eq!(signed_in.headers()[LOCATION], "./source/tank");
        let signed_out = send(&target.replace("login", "logout"), "", &cookies(&signed_in));
        assert_eq!(signed_out.headers()[LOCATION], "./login");
        for response in [signed_in, signed_out] {
            for cookie in response.headers().get_all(SET_COOKIE) {
                let cookie = cookie.to_str().unwrap();
                let name = cookie.split('=').next().unwrap();
                let path = cookie.split("Path=").nth(1).unwrap().split(';').next().unwrap();
                let secure = if cookie.ends_with("; Secure") { " Secure" } else { "" };
                let found = format!("{} {path}{secure}", name.rsplit('_').next().unwrap());
                assert_eq!(found, expected, "{url} {target} {host}: {cookie}");
            }
        }
    }
}

#[test]
fn sign_in_without_accounts_redirects_or_is_not_found() {
    let open = site_under(vec![tank()], Rules::default());
    for (method, target, location) in [
        ("GET", "/login", "./"),
        ("GET", "/login?next=/source/tank", "./source/tank"),
        ("GET", "/login?next=//evil.example", "./"),
        ("POST", "/login?next=/source/tank", "./source/tank"),
        ("POST", "/logout", "./"),
    ] {
        let response = answer(&open, &request(method, target, &[]));
        assert_eq!(response.status(), 303, "{target}");
        assert_eq!(response.headers()[LOCATION], location, "{target}");
        assert!(!cookies(&response).contains('=') || target == "/logout", "{target}");
    }
    let token =
        Token { name: "cron".to_owned(), hash: TokenHash::of("cron"), scopes: Scopes::default() };
    let scripts = under(Restricted { tokens: vec![token], ..Restricted::default() });
    for (method, target, expected) in [
        ("GET", "/login", 404),
        ("POST", "/login", 404),
        ("GET", "/", 401),
        ("POST", "/logout", 303),
    ] {
        let response = answer(&scripts, &request(method, target, &[("accept", "text/html")]));
        assert_eq!(response.status(), expected, "{method} {target}");
        assert!(!text(&response).contains("<form"), "{method} {target}");
    }
}

#[test]
fn form_has_a_referrer_policy_that_sends_its_origin() {
    let site = under(anna());
    let form = answer(&site, &request("GET", "/login", &[]));
    // With the policy of the response header browsers would send `Origin: null` with the form.
    assert!(text(&form).contains("<meta name=\"referrer\" content=\"same-origin\">"));
    assert!(
        form.headers()["content-security-policy"].to_str().unwrap().contains("form-action 'self'")
    );
}

#[test]
fn public_page_has_the_button_for_a_session_and_varies_by_cookie() {
    let site = under(Restricted { public: vec!["/".to_owned()], ..anna() });
    let sent = cookies(&sign_in(&site));
    for _ in 0..2 {
        let page = answer(&site, &request("GET", "/", &[(COOKIE.as_str(), &sent)]));
        assert!(text(&page).contains("action=\"./logout\""));
        let page = answer(&site, &request("GET", "/", &[]));
        assert_eq!(page.status(), 200);
        assert!(!text(&page).contains("action=\"./logout\""));
        let vary: Vec<_> = page.headers().get_all(VARY).iter().collect();
        assert!(vary.iter().any(|field| field.as_bytes() == b"cookie"), "{vary:?}");
        assert_ne!(page.headers()[CACHE_CONTROL], "no-store");
    }
}

#[test]
fn page_of_a_session_is_not_stored() {
    for public in [vec![], vec!["/".to_owned()]] {
        let site = under(Restricted { public, ..anna() });
        let sent = cookies(&sign_in(&site));
        let send = |target: &str, fields: &[(&str, &str)]| {
            let fields = [&[(COOKIE.as_str(), &*sent)][..], fields].concat();
            answer(&site, &request("GET", target, &fields))
        };
        let page = send("/", &[]);
        assert_eq!(page.headers()[CACHE_CONTROL], "no-store");
        let etag = page.headers()["etag"].to_str().unwrap().to_owned();
        let unchanged = send("/", &[("if-none-match", &etag)]);
        assert_eq!(unchanged.status(), 304);
        assert_eq!(unchanged.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(send("/source/none", &[("accept", "text/html")]).status(), 404);
        assert_ne!(send("/api/v1/status", &[]).headers()[CACHE_CONTROL], "no-store");
    }
}

#[test]
fn sign_out_clears_the_cache() {
    let site = under(anna());
    let sent = cookies(&sign_in(&site));
    let out =
        request("POST", "/logout", &[(COOKIE.as_str(), &sent), ("sec-fetch-site", "same-origin")]);
    let response = answer(&site, &out);
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers()["clear-site-data"], "\"cache\"");
}

#[test]
fn sign_out_that_is_not_on_disk_is_503_and_keeps_the_cookie_until_it_is() {
    let site = under(anna());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/x.sessions.json");
    let writer = site
        .context
        .gate
        .write_sessions_to(&path, &std::sync::Arc::new(crate::data_lock::DataLock::none()), 8)
        .unwrap();
    let sent = cookies(&sign_in(&site));
    let fields = [(COOKIE.as_str(), &*sent), ("sec-fetch-site", "same-origin")];
    let sign_out = || answer(&site, &request("POST", "/logout", &fields));
    for _ in 0..2 {
        let response = sign_out();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(cookies(&response), "", "the form sent again has to contain the cookie");
        assert!(text(&response).contains("You are signed out, but"));
        assert_eq!(answer(&site, &request("GET", "/", &fields[..1])).status(), 401);
    }
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    // The writer writes the sessions when it is dropped, if not before.
    drop(writer);
    let response = sign_out();
    assert_eq!(response.status(), 303);
    assert_eq!(cookies(&response), format!("{SESSION_COOKIE}443="));
    assert!(std::fs::read_to_string(&path).unwrap().contains("anna"));
}
