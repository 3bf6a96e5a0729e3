//! Device cookies of earlier sign-ins: the attempts that they grant, and their end.

use super::*;

#[test]
fn owner_with_a_device_cookie_is_admitted_where_unknown_callers_are_throttled() {
    let fixture = Fixture::new(restricted());
    let device = fixture.device("anna", "right", HOME);
    fixture.advance(Limits::default().remember);
    for number in 0..500 {
        fixture.try_password("anna", &format!("guess {number}"), HOME);
        fixture.try_password("anna", &format!("guess {number}"), &address(number as u8));
    }
    for from in [HOME, ELSEWHERE] {
        assert_eq!(fixture.try_password("anna", "right", from), "429", "without the cookie");
        assert_eq!(fixture.try_with_device("forged", "anna", "right", from), "429");
        assert_eq!(fixture.try_with_device(&device, "anna", "right", from), "ok");
    }
    // It is valid for its own account only.
    assert_eq!(fixture.try_with_device(&device, "bert", "other", HOME), "429");
}

#[test]
fn stolen_device_cookie_has_one_counter_of_its_own() {
    let fixture = Fixture::new(restricted());
    let stolen = fixture.device("anna", "right", HOME);
    // One of 32 has the number, and so the counter, of the stolen one. The text begins with the number.
    let owners = (0..)
        .map(|_| fixture.device("anna", "right", ELSEWHERE))
        .find(|device| device[..2] != stolen[..2])
        .unwrap();
    let mut responses = Vec::new();
    for number in 0..1000_u16 {
        let from = address((number % 250) as u8);
        responses.push(fixture.try_with_device(&stolen, "anna", &format!("guess {number}"), &from));
    }
    let free = Limits::default().failures_per_address;
    assert_eq!(responses.iter().filter(|response| **response == "401").count(), free + 1);
    assert_eq!(
        fixture.try_with_device(&stolen, "anna", "right", HOME),
        "429",
        "refused without a comparison"
    );
    assert_eq!(fixture.try_with_device(&owners, "anna", "right", HOME), "ok");
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok", "the address has no failures");
}

#[test]
fn device_cookie_is_set_once() {
    let fixture = Fixture::new(restricted());
    let device = fixture.device("anna", "right", HOME);
    let again = |device: &str| {
        let mut request = request(&basic("anna", "right"), HOME);
        let cookie = format!("{DEVICE_COOKIE}1={device}");
        request.headers.insert(COOKIE, HeaderValue::try_from(cookie).unwrap());
        fixture.admit(&request).unwrap().device
    };
    assert_eq!(again(&device), None);
    assert!(again("forged").is_some());
    let bearer = request("Bearer pumphouse_reader", HOME);
    assert_eq!(fixture.admit(&bearer).unwrap().device, None, "a token needs none");
}

#[test]
fn device_cookie_ends_with_the_password_and_the_account() {
    let fixture = Fixture::new(restricted());
    let device = fixture.device("anna", "right", HOME);
    for number in 0..=255 {
        fixture.try_password("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(fixture.try_with_device(&device, "anna", "right", ELSEWHERE), "ok");
    let known = fixture.comparisons(CallerClass::Known);
    for password in [Some("newer"), None] {
        fixture.gate.replace(changed(password));
        assert_eq!(fixture.try_with_device(&device, "anna", "newer", "203.1.113.1"), "429");
    }
    assert_eq!(fixture.comparisons(CallerClass::Known), known, "a stranger");
}

#[test]
fn collected_device_cookies_are_counted_by_account() {
    let fixture = Fixture::new(restricted());
    let berts = fixture.gate.admit(
        &fixture.gate.active_rules(),
        &request(&basic("bert", "other"), ELSEWHERE),
        "/",
        RouteAccess::Account,
    );
    let berts = berts.unwrap().device.unwrap();
    let devices: Vec<_> = (0..1500).map(|_| fixture.device("anna", "right", HOME)).collect();
    let compared = fixture.comparisons(CallerClass::Known);
    for (number, device) in devices.iter().enumerate() {
        // Slow enough for the limits per second.
        fixture.advance(Duration::from_millis(250));
        fixture.try_with_device(device, "anna", &format!("guess {number}"), "203.1.113.1");
    }
    let compared = fixture.comparisons(CallerClass::Known) - compared;
    let free = Limits::default().failures_per_account as u64;
    assert!((free..free + 12).contains(&compared), "{compared} were compared");
    let guess = |number| fixture.try_with_device(&devices[0], "anna", &format!("x {number}"), HOME);
    assert!((0..).take(100).any(|number| guess(number) == "429"));
    for device in &devices {
        assert_eq!(fixture.try_with_device(device, "anna", "right", ELSEWHERE), "429");
    }
    assert_eq!(
        fixture.try_with_device(berts.expose(), "bert", "other", ELSEWHERE),
        "403",
        "bert's device has its own counter"
    );
    assert_eq!(
        fixture.try_password("anna", "right", "203.2.113.1"),
        "ok",
        "unknown callers have another counter"
    );
}

#[test]
fn failures_of_unknown_callers_do_not_throttle_devices() {
    let fixture = Fixture::new(restricted());
    let device = fixture.device("anna", "right", HOME);
    for number in 0..=255 {
        fixture.try_with_device("forged", "anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(fixture.try_with_device(&device, "anna", "right", ELSEWHERE), "ok");
}
