//! Owners of accounts under attack, and the information that responses to wrong guesses reveal.

use super::*;

#[test]
fn password_in_use_stays_remembered() {
    let scene = Scene::new(restricted());
    let remember = Limits::default().remember;
    for _ in 0..10 {
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        scene.pass(remember - Duration::from_secs(1));
    }
    assert_eq!(scene.verifications(), 1);
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 2, "five minutes without use, and it is verified again");
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
    assert_eq!(scene.verifications(), 3, "it is remembered for the network that sent it");
    for from in [HOME, ELSEWHERE] {
        assert_eq!(scene.enter("anna", "right", from), "in");
    }
    assert_eq!(scene.verifications(), 3);
}

#[test]
fn unknown_user_costs_the_same_and_gets_the_same_response_as_a_wrong_password() {
    let of = |name| course(&Scene::new(restricted()), name, Some(HOME));
    let (known, unknown) = (of("anna"), of("carl"));
    assert_eq!(known, unknown);
    assert!(known.iter().any(|(denial, _)| matches!(denial, Denial::Throttled(_))));
    assert!(known.last().unwrap().1 >= 6, "verified each time it was not throttled");
}

#[test]
fn owner_with_an_open_page_is_admitted_while_guesses_fail_elsewhere() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        assert_eq!(scene.bear("reader", HOME), "in");
    }
}

#[test]
fn mistyped_password_is_revealed_to_its_own_address_only() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "rihgt", HOME), "401");
    // The account is throttled, for strangers.
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "mistyped", ELSEWHERE), "429");
    scene.pass(Duration::from_secs(86_400));
    assert_eq!(scene.enter("anna", "rihgt again", HOME), "401");
    for number in 0..=255 {
        scene.enter("bert", &format!("guess {number}"), &address(number));
    }
    for number in 0..100 {
        let answers = ["rihgt again", "rihgt", &format!("text {number}")]
            .map(|text| scene.enter("bert", text, "203.0.113.1"));
        assert_eq!(answers, ["429"; 3]);
    }
    // Not even a throttled caller's own latest guess is compared.
    while scene.enter("carl", &format!("x {}", scene.verifications()), ELSEWHERE) != "429" {}
    let last = format!("x {}", scene.verifications() - 1);
    assert_eq!(scene.enter("carl", &last, ELSEWHERE), "429");
}

#[test]
fn throttled_unknown_caller_gets_the_same_response_for_every_guess() {
    let scene = Scene::new(restricted());
    for number in 0..30 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "mistyped", &address(200)), "429");
    scene.pass(Duration::from_secs(16 * 60));
    // The owner mistypes at home, and the account is throttled again.
    assert_eq!(scene.enter("anna", "mistyped", HOME), "401");
    scene.pass(Duration::from_millis(1));
    let answers = ["mistyped", "right", "else"].map(|text| scene.enter("anna", text, ELSEWHERE));
    assert_eq!(answers, ["429"; 3]);
}

/// Returns the responses to a sequence of wrong guesses, by which an attacker could tell names apart.
fn course(scene: &Scene, name: &str, from: Option<&str>) -> Vec<(Denial, u64)> {
    let before = scene.verifications();
    let guess = |number: usize| {
        scene.pass(Duration::from_millis(700));
        let mut attempt = request(&basic(name, &format!("guess {number}")), "192.0.2.200");
        attempt.client = from.map(|from| from.parse().unwrap());
        (scene.ask(&attempt).unwrap_err(), scene.verifications() - before)
    };
    (0..40).map(guess).collect()
}

#[test]
fn names_in_use_at_a_shared_address_cannot_be_listed() {
    // No address at all is a unix socket.
    for from in [None, Some(HOME)] {
        let courses = ["anna", "bert", "carl"].map(|name| {
            let scene = Scene::new(restricted());
            let mut owner = request(&basic("anna", "right"), HOME);
            owner.client = from.map(|from| from.parse().unwrap());
            // The owner's page is open, and the account is under attack from elsewhere.
            assert!(scene.ask(&owner).is_ok());
            for number in 0..=255 {
                for user in ["anna", "bert", "carl"] {
                    scene.enter(user, &format!("guess {number}"), &address(number));
                }
            }
            assert!(scene.ask(&owner).is_ok());
            let quiet = course(&scene, name, from);
            // With another name the address is throttled, or becomes free again.
            scene.pass(Duration::from_secs(60));
            let mut other = request(&basic("else", "guess"), HOME);
            other.client = from.map(|from| from.parse().unwrap());
            let _ = scene.ask(&other);
            (quiet, course(&scene, name, from))
        });
        assert_eq!(courses[0], courses[2], "a name in use there and no name");
        assert_eq!(courses[1], courses[2], "a name in use elsewhere and no name");
    }
}

#[test]
fn owner_of_one_account_cannot_guess_at_another_from_many_networks() {
    let scene = Scene::new(restricted());
    let device = scene.device("anna", "right", HOME);
    let before = scene.verifications();
    for number in 0..200 {
        // Bert's own password makes each network known.
        assert_eq!(scene.enter("bert", "other", &address(number)), "403");
        for guess in 0..5 {
            scene.enter("anna", &format!("guess {number} {guess}"), &address(number));
        }
    }
    let guesses = scene.verifications() - before - 200;
    let free = Limits::default().failures_per_account as u64;
    assert!(guesses <= free + 1, "{guesses} were compared");
    assert_eq!(scene.enter_with(&device, "anna", "right", HOME), "in");
}

#[test]
fn owner_with_a_device_cookie_is_admitted_where_unknown_callers_are_throttled() {
    let scene = Scene::new(restricted());
    let device = scene.device("anna", "right", HOME);
    scene.pass(Limits::default().remember);
    for number in 0..500 {
        scene.enter("anna", &format!("guess {number}"), HOME);
        scene.enter("anna", &format!("guess {number}"), &address(number as u8));
    }
    for from in [HOME, ELSEWHERE] {
        assert_eq!(scene.enter("anna", "right", from), "429", "without the cookie");
        assert_eq!(scene.enter_with("forged", "anna", "right", from), "429");
        assert_eq!(scene.enter_with(&device, "anna", "right", from), "in");
    }
    // It holds for its own account.
    assert_eq!(scene.enter_with(&device, "bert", "other", HOME), "429");
}

#[test]
fn stolen_device_cookie_has_one_counter_of_its_own() {
    let scene = Scene::new(restricted());
    let (stolen, owners) =
        (scene.device("anna", "right", HOME), scene.device("anna", "right", ELSEWHERE));
    let mut answers = Vec::new();
    for number in 0..1000_u16 {
        let from = address((number % 250) as u8);
        answers.push(scene.enter_with(&stolen, "anna", &format!("guess {number}"), &from));
    }
    let free = Limits::default().failures_per_address;
    assert_eq!(answers.iter().filter(|answer| **answer == "401").count(), free + 1);
    assert_eq!(scene.enter_with(&stolen, "anna", "right", HOME), "429", "compared with nothing");
    assert_eq!(scene.enter_with(&owners, "anna", "right", HOME), "in");
    assert_eq!(scene.enter("anna", "right", HOME), "in", "the address has no failures");
}

#[test]
fn device_cookie_is_set_once() {
    let scene = Scene::new(restricted());
    let device = scene.device("anna", "right", HOME);
    let again = |device: &str| {
        let mut request = request(&basic("anna", "right"), HOME);
        let cookie = format!("{DEVICE_COOKIE}1={device}");
        request.headers.insert(COOKIE, HeaderValue::try_from(cookie).unwrap());
        scene.ask(&request).unwrap().device
    };
    assert_eq!(again(&device), None);
    assert!(again("forged").is_some());
    let bearer = request("Bearer pumphouse_reader", HOME);
    assert_eq!(scene.ask(&bearer).unwrap().device, None, "a token needs none");
}

#[test]
fn password_is_remembered_for_its_own_network_only() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.enter("bert", "other", ELSEWHERE), "403", "so the network is known");
    assert_eq!(scene.verifications(), 2);
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
    assert_eq!(scene.verifications(), 3);
}

#[test]
fn network_with_a_remembered_password_stays_known() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    // Anna comes from more networks than are kept, and from home all the while.
    for number in 0..200 {
        assert_eq!(scene.enter("anna", "right", &address(number)), "in");
        scene.pass(Duration::from_secs(1));
        assert_eq!(scene.enter("anna", "right", HOME), "in");
    }
    assert_eq!(scene.verifications(), 1 + 200, "it was never forgotten at home");
    scene.pass(Limits::default().remember);
    for number in 0..=255_u8 {
        scene.enter("anna", &format!("guess {number}"), &format!("198.51.{number}.1"));
    }
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "429");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
}

#[test]
fn known_caller_is_admitted_while_unknown_callers_are_throttled() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "429");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
}

#[test]
fn old_password_in_a_tab_does_not_throttle_the_new_one() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    for _ in 0..1000 {
        scene.pass(Duration::from_secs(5));
        assert_eq!(scene.enter("anna", "old", HOME), "401");
    }
    assert_eq!(scene.verifications(), 2, "the same guess again is not verified again");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
}

#[test]
fn caller_that_needs_no_verification_is_admitted_while_all_are_taken() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.gate.while_busy(|| {
        assert_eq!(scene.enter("bert", "other", HOME), "503");
        assert_eq!(scene.enter("carl", "other", HOME), "503");
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        assert_eq!(scene.bear("reader", HOME), "in");
        assert_eq!(scene.bear("none", HOME), "401");
        let ping = scene.gate.admit(&scene.gate.active_rules(), &request("", HOME), "/ping", READ);
        assert_eq!(ping, Ok(Pass { guarded: false, by_session: false, device: None }));
    });
    assert_eq!(scene.verifications(), 1);
    assert_eq!(scene.enter("bert", "other", HOME), "403");
}

#[test]
fn unknown_callers_leave_a_verification_to_known_callers() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    scene.gate.while_taken(1, || {
        assert_eq!(scene.enter("anna", "right", ELSEWHERE), "503");
        assert_eq!(scene.enter("anna", "right", HOME), "in");
    });
}

#[test]
fn known_caller_gets_the_only_verification() {
    let limits = Limits { verifications: 1, ..Limits::default() };
    let scene = Scene::new(Restricted { limits, ..restricted() });
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    scene.gate.while_taken(1, || {
        assert_eq!(scene.enter("anna", "right", HOME), "503");
    });
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "503", "it is left to the known caller");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Duration::from_secs(3));
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
}

#[test]
fn callers_without_a_password_evict_no_owner() {
    let mut few = restricted();
    few.limits.max_throttled = 16;
    let scene = Scene::new(few);
    let device = scene.device("anna", "right", HOME);
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        scene.enter(&format!("user {number}"), "guess", &format!("203.{high}.{low}.1"));
        scene.pass(Duration::from_millis(2));
    }
    assert_eq!(scene.verifications(), 1 + 1000);
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 1 + 1000, "still remembered");
    scene.pass(Limits::default().remember);
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "right", HOME), "in", "still known");
    assert_eq!(scene.enter_with(&device, "anna", "right", ELSEWHERE), "in");
}

/// The rules with another password of anna's, or without her.
fn changed(password: Option<&str>) -> Rules {
    let mut changed = restricted();
    match password {
        Some(password) => changed.users[0].password_hash = PasswordHash::cheap(password),
        None => drop(changed.users.remove(0)),
    }
    rules(changed)
}

#[test]
fn device_cookie_ends_with_the_password_and_the_account() {
    let scene = Scene::new(restricted());
    let device = scene.device("anna", "right", HOME);
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter_with(&device, "anna", "right", ELSEWHERE), "in");
    let known = scene.comparisons(CallerClass::Known);
    for password in [Some("newer"), None] {
        scene.gate.replace(changed(password));
        assert_eq!(scene.enter_with(&device, "anna", "newer", "203.1.113.1"), "429");
    }
    assert_eq!(scene.comparisons(CallerClass::Known), known, "a stranger");
}

#[test]
fn known_network_ends_with_the_password() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.gate.replace(changed(Some("newer")));
    let known = scene.comparisons(CallerClass::Known);
    assert_eq!(scene.enter("anna", "guess", HOME), "401");
    assert_eq!(scene.comparisons(CallerClass::Known), known);
}

#[test]
fn password_verified_after_its_reload_makes_no_network_known() {
    let scene = Scene::new(restricted());
    let before = scene.gate.active_rules();
    scene.gate.replace(changed(Some("newer")));
    // A request is checked against the rules at its beginning; this one ends after the reload.
    let asked = request(&basic("anna", "right"), HOME);
    assert!(scene.gate.admit(&before, &asked, "/api/v1/status", READ).is_ok());
    assert_eq!(scene.enter("anna", "guess", HOME), "401");
    assert_eq!(scene.comparisons(CallerClass::Known), 0);
}

#[test]
fn scripts_that_run_together_at_one_address_are_not_throttled() {
    let mut many = restricted();
    many.users =
        (0..12).map(|number| user(&format!("u{number}"), "right", &[Scope::Read])).collect();
    let enter = |scene: &Scene, number| scene.enter(&format!("u{number}"), "right", HOME);
    for retrying in [0, 4, 12] {
        let scene = Scene::new(many.clone());
        for number in 0..12 {
            scene.pass(Duration::from_secs(1));
            assert_eq!(enter(&scene, number), "in");
        }
        for round in 0..144 {
            scene.pass(Duration::from_secs(10 * 60));
            scene.gate.while_busy(|| {
                for number in 0..12 {
                    assert_eq!(enter(&scene, number), "503", "{retrying}, round {round}");
                }
            });
            for number in 0..retrying {
                scene.pass(Duration::from_millis(500));
                assert_eq!(enter(&scene, (round + number) % 12), "in", "{retrying}, round {round}");
            }
        }
        scene.pass(Duration::from_secs(1));
        assert_eq!(enter(&scene, 0), "in");
    }
}

#[test]
fn remembered_password_refunds_its_attempt_that_was_refused_as_busy() {
    let limits = Limits { failures_per_account: 1, ..Limits::default() };
    let scene = Scene::new(Restricted { limits, ..restricted() });
    let device = scene.device("anna", "right", HOME);
    scene.pass(Limits::default().remember);
    scene.gate.while_busy(|| assert_eq!(scene.enter("anna", "right", HOME), "503"));
    // The device has its own counters, and has the password remembered for the network.
    assert_eq!(scene.enter_with(&device, "anna", "right", HOME), "in");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.enter("anna", "wrong", HOME), "401");
    assert_eq!(scene.enter("anna", "right", HOME), "in", "one failure is free");
}

#[test]
fn collected_device_cookies_are_counted_by_account() {
    let scene = Scene::new(restricted());
    let berts = scene.gate.admit(
        &scene.gate.active_rules(),
        &request(&basic("bert", "other"), ELSEWHERE),
        "/",
        RouteAccess::Account,
    );
    let berts = berts.unwrap().device.unwrap();
    let devices: Vec<_> = (0..1500).map(|_| scene.device("anna", "right", HOME)).collect();
    let compared = scene.comparisons(CallerClass::Known);
    for (number, device) in devices.iter().enumerate() {
        // Slow enough for the limit of each second.
        scene.pass(Duration::from_millis(250));
        scene.enter_with(device, "anna", &format!("guess {number}"), "203.1.113.1");
    }
    let compared = scene.comparisons(CallerClass::Known) - compared;
    let free = Limits::default().failures_per_account as u64;
    assert!((free..free + 12).contains(&compared), "{compared} were compared");
    let guess = |number| scene.enter_with(&devices[0], "anna", &format!("x {number}"), HOME);
    assert!((0..).take(100).any(|number| guess(number) == "429"));
    for device in &devices {
        assert_eq!(scene.enter_with(device, "anna", "right", ELSEWHERE), "429");
    }
    assert_eq!(scene.enter_with(berts.expose(), "bert", "other", ELSEWHERE), "403", "his own");
    assert_eq!(scene.enter("anna", "right", "203.2.113.1"), "in", "a stranger's record is another");
}

#[test]
fn failures_of_unknown_callers_do_not_throttle_devices() {
    let scene = Scene::new(restricted());
    let device = scene.device("anna", "right", HOME);
    for number in 0..=255 {
        scene.enter_with("forged", "anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter_with(&device, "anna", "right", ELSEWHERE), "in");
}

#[test]
fn known_callers_get_a_limited_rate_of_verifications() {
    let mut many = restricted();
    many.users = (0..10).map(|number| user(&format!("u{number}"), "right", &[])).collect();
    let scene = Scene::new(many);
    let device = |name: &str| {
        let asked = request(&basic(name, "right"), HOME);
        let pass = scene.gate.admit(&scene.gate.active_rules(), &asked, "/", RouteAccess::Account);
        pass.unwrap().device.unwrap().expose().to_owned()
    };
    let mut devices = Vec::new();
    for number in 0..10 {
        scene.pass(Duration::from_secs(1));
        devices.push(device(&format!("u{number}")));
    }
    for second in 0..3 {
        scene.pass(Duration::from_secs(1));
        let before = scene.verifications();
        for number in 0..=255 {
            let account = number % 10;
            let from = format!("203.0.{number}.{second}");
            scene.enter_with(&devices[account], &format!("u{account}"), "right", &from);
        }
        assert_eq!(scene.verifications() - before, 20, "of all accounts");
        scene.pass(Duration::from_secs(1));
        let before = scene.verifications();
        for number in 0..=255 {
            let from = format!("203.1.{number}.{second}");
            scene.enter_with(&devices[0], "u0", "right", &from);
        }
        assert_eq!(scene.verifications() - before, 8, "of one account");
        // Its owner is admitted in the next second, and the owner of another account at once.
        assert_eq!(scene.enter_with(&devices[1], "u1", "right", ELSEWHERE), "403");
    }
}
