//! Access of owners whose accounts are under attack, and information that responses to wrong guesses reveal.

use super::*;

#[test]
fn password_in_use_stays_remembered() {
    let fixture = Fixture::new(restricted());
    let remember = Limits::default().remember;
    for _ in 0..10 {
        assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
        fixture.advance(remember - Duration::from_secs(1));
    }
    assert_eq!(fixture.verifications(), 1);
    fixture.advance(Duration::from_secs(1));
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    assert_eq!(fixture.verifications(), 2, "verified again after five minutes without use");
    assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "ok");
    assert_eq!(fixture.verifications(), 3, "remembered for its own network only");
    for from in [HOME, ELSEWHERE] {
        assert_eq!(fixture.try_password("anna", "right", from), "ok");
    }
    assert_eq!(fixture.verifications(), 3);
}

#[test]
fn unknown_user_costs_the_same_and_gets_the_same_response_as_a_wrong_password() {
    let of = |name| responses(&Fixture::new(restricted()), name, Some(HOME));
    let (known, unknown) = (of("anna"), of("carl"));
    assert_eq!(known, unknown);
    assert!(known.iter().any(|(denial, _)| matches!(denial, Denial::Throttled(_))));
    assert!(known.last().unwrap().1 >= 6, "verified each time it was not throttled");
}

#[test]
fn owner_with_an_open_page_is_admitted_while_guesses_fail_elsewhere() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    for number in 0..=255 {
        fixture.try_password("anna", &format!("guess {number}"), &address(number));
        assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
        assert_eq!(fixture.try_token("reader", HOME), "ok");
    }
}

#[test]
fn mistyped_password_is_revealed_to_its_own_address_only() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "rihgt", HOME), "401");
    // The account is throttled, for strangers.
    for number in 0..=255 {
        fixture.try_password("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(fixture.try_password("anna", "mistyped", ELSEWHERE), "429");
    fixture.advance(Duration::from_secs(86_400));
    assert_eq!(fixture.try_password("anna", "rihgt again", HOME), "401");
    for number in 0..=255 {
        fixture.try_password("bert", &format!("guess {number}"), &address(number));
    }
    for number in 0..100 {
        let responses = ["rihgt again", "rihgt", &format!("text {number}")]
            .map(|text| fixture.try_password("bert", text, "203.0.113.1"));
        assert_eq!(responses, ["429"; 3]);
    }
    // Not even a throttled caller's own latest guess is compared.
    while fixture.try_password("carl", &format!("x {}", fixture.verifications()), ELSEWHERE)
        != "429"
    {}
    let last = format!("x {}", fixture.verifications() - 1);
    assert_eq!(fixture.try_password("carl", &last, ELSEWHERE), "429");
}

#[test]
fn throttled_unknown_caller_gets_the_same_response_for_every_guess() {
    let fixture = Fixture::new(restricted());
    for number in 0..30 {
        fixture.try_password("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(fixture.try_password("anna", "mistyped", &address(200)), "429");
    fixture.advance(Duration::from_secs(16 * 60));
    // The owner mistypes at home, and the account is throttled again.
    assert_eq!(fixture.try_password("anna", "mistyped", HOME), "401");
    fixture.advance(Duration::from_millis(1));
    let responses =
        ["mistyped", "right", "else"].map(|text| fixture.try_password("anna", text, ELSEWHERE));
    assert_eq!(responses, ["429"; 3]);
}

/// Returns the responses to a sequence of wrong guesses, with the number of verifications after each. An
/// attacker could use them to distinguish names.
fn responses(fixture: &Fixture, name: &str, from: Option<&str>) -> Vec<(Denial, u64)> {
    let before = fixture.verifications();
    let guess = |number: usize| {
        fixture.advance(Duration::from_millis(700));
        let mut attempt = request(&basic(name, &format!("guess {number}")), "192.0.2.200");
        attempt.client = from.map(|from| from.parse().unwrap());
        (fixture.admit(&attempt).unwrap_err(), fixture.verifications() - before)
    };
    (0..40).map(guess).collect()
}

#[test]
fn names_in_use_at_a_shared_address_cannot_be_listed() {
    // A client on a unix socket has no address.
    for from in [None, Some(HOME)] {
        let responses_by_name = ["anna", "bert", "carl"].map(|name| {
            let fixture = Fixture::new(restricted());
            let mut owner = request(&basic("anna", "right"), HOME);
            owner.client = from.map(|from| from.parse().unwrap());
            // The owner's page is open, and the account is under attack from elsewhere.
            assert!(fixture.admit(&owner).is_ok());
            for number in 0..=255 {
                for user in ["anna", "bert", "carl"] {
                    fixture.try_password(user, &format!("guess {number}"), &address(number));
                }
            }
            assert!(fixture.admit(&owner).is_ok());
            let quiet = responses(&fixture, name, from);
            // With another name the address is throttled, or becomes free again.
            fixture.advance(Duration::from_secs(60));
            let mut other = request(&basic("else", "guess"), HOME);
            other.client = from.map(|from| from.parse().unwrap());
            let _ = fixture.admit(&other);
            (quiet, responses(&fixture, name, from))
        });
        assert_eq!(responses_by_name[0], responses_by_name[2], "a name in use there and no name");
        assert_eq!(
            responses_by_name[1], responses_by_name[2],
            "a name in use elsewhere and no name"
        );
    }
}

#[test]
fn owner_of_one_account_cannot_guess_at_another_from_many_networks() {
    let fixture = Fixture::new(restricted());
    let device = fixture.device("anna", "right", HOME);
    let before = fixture.verifications();
    for number in 0..200 {
        // Bert's own password makes each network known.
        assert_eq!(fixture.try_password("bert", "other", &address(number)), "403");
        for guess in 0..5 {
            fixture.try_password("anna", &format!("guess {number} {guess}"), &address(number));
        }
    }
    let guesses = fixture.verifications() - before - 200;
    let free = Limits::default().failures_per_account as u64;
    assert!(guesses <= free + 1, "{guesses} were compared");
    assert_eq!(fixture.try_with_device(&device, "anna", "right", HOME), "ok");
}

#[test]
fn password_is_remembered_for_its_own_network_only() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    assert_eq!(
        fixture.try_password("bert", "other", ELSEWHERE),
        "403",
        "bert's password makes the network known"
    );
    assert_eq!(fixture.verifications(), 2);
    assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "ok");
    assert_eq!(fixture.verifications(), 3);
}

#[test]
fn network_with_a_remembered_password_stays_known() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    // Anna uses more networks than are stored, and her home network in between.
    for number in 0..200 {
        assert_eq!(fixture.try_password("anna", "right", &address(number)), "ok");
        fixture.advance(Duration::from_secs(1));
        assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    }
    assert_eq!(fixture.verifications(), 1 + 200, "still remembered at home");
    fixture.advance(Limits::default().remember);
    for number in 0..=255_u8 {
        fixture.try_password("anna", &format!("guess {number}"), &format!("198.51.{number}.1"));
    }
    assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "429");
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
}

#[test]
fn known_caller_is_admitted_while_unknown_callers_are_throttled() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.advance(Limits::default().remember);
    for number in 0..=255 {
        fixture.try_password("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "429");
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
}

#[test]
fn old_password_in_a_tab_does_not_throttle_the_new_one() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.advance(Limits::default().remember);
    for _ in 0..1000 {
        fixture.advance(Duration::from_secs(5));
        assert_eq!(fixture.try_password("anna", "old", HOME), "401");
    }
    assert_eq!(fixture.verifications(), 2, "the same guess again is not verified again");
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
}

#[test]
fn caller_that_needs_no_verification_is_admitted_while_all_are_taken() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.gate.while_busy(|| {
        assert_eq!(fixture.try_password("bert", "other", HOME), "503");
        assert_eq!(fixture.try_password("carl", "other", HOME), "503");
        assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
        assert_eq!(fixture.try_token("reader", HOME), "ok");
        assert_eq!(fixture.try_token("none", HOME), "401");
        let ping =
            fixture.gate.admit(&fixture.gate.active_rules(), &request("", HOME), "/ping", READ);
        let pass = Pass {
            guarded: false,
            by_session: false,
            role: Role::Guest,
            account: None,
            device: None,
        };
        assert_eq!(ping, Ok(pass));
    });
    assert_eq!(fixture.verifications(), 1);
    assert_eq!(fixture.try_password("bert", "other", HOME), "403");
}

#[test]
fn unknown_callers_leave_a_verification_to_known_callers() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.advance(Limits::default().remember);
    fixture.gate.while_taken(1, || {
        assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "503");
        assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    });
}

#[test]
fn known_caller_gets_the_only_verification() {
    let limits = Limits { verifications: 1, ..Limits::default() };
    let fixture = Fixture::new(Restricted { limits, ..restricted() });
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.advance(Limits::default().remember);
    fixture.gate.while_taken(1, || {
        assert_eq!(fixture.try_password("anna", "right", HOME), "503");
    });
    fixture.advance(Duration::from_secs(1));
    assert_eq!(
        fixture.try_password("anna", "right", ELSEWHERE),
        "503",
        "reserved for the known caller"
    );
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.advance(Duration::from_secs(3));
    assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "ok");
}

#[test]
fn callers_without_a_password_evict_no_owner() {
    let mut few = restricted();
    few.limits.max_throttled = 16;
    let fixture = Fixture::new(few);
    let device = fixture.device("anna", "right", HOME);
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        fixture.try_password(&format!("user {number}"), "guess", &format!("203.{high}.{low}.1"));
        fixture.advance(Duration::from_millis(2));
    }
    assert_eq!(fixture.verifications(), 1 + 1000);
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    assert_eq!(fixture.verifications(), 1 + 1000, "still remembered");
    fixture.advance(Limits::default().remember);
    for number in 0..=255 {
        fixture.try_password("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok", "still known");
    assert_eq!(fixture.try_with_device(&device, "anna", "right", ELSEWHERE), "ok");
}

#[test]
fn known_network_ends_with_the_password() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.gate.replace(changed(Some("newer")));
    let known = fixture.comparisons(CallerClass::Known);
    assert_eq!(fixture.try_password("anna", "guess", HOME), "401");
    assert_eq!(fixture.comparisons(CallerClass::Known), known);
}

#[test]
fn password_verified_after_its_reload_makes_no_network_known() {
    let fixture = Fixture::new(restricted());
    let before = fixture.gate.active_rules();
    fixture.gate.replace(changed(Some("newer")));
    // A request is checked against the rules that were in force when it began. This one ends after the reload.
    let sent = request(&basic("anna", "right"), HOME);
    assert!(fixture.gate.admit(&before, &sent, "/api/v1/status", READ).is_ok());
    assert_eq!(fixture.try_password("anna", "guess", HOME), "401");
    assert_eq!(fixture.comparisons(CallerClass::Known), 0);
}

#[test]
fn scripts_that_run_together_at_one_address_are_not_throttled() {
    let mut many = restricted();
    many.users =
        (0..12).map(|number| user(&format!("u{number}"), "right", &[Scope::Read])).collect();
    let try_password =
        |fixture: &Fixture, number| fixture.try_password(&format!("u{number}"), "right", HOME);
    for retrying in [0, 4, 12] {
        let fixture = Fixture::new(many.clone());
        for number in 0..12 {
            fixture.advance(Duration::from_secs(1));
            assert_eq!(try_password(&fixture, number), "ok");
        }
        for round in 0..144 {
            fixture.advance(Duration::from_secs(10 * 60));
            fixture.gate.while_busy(|| {
                for number in 0..12 {
                    assert_eq!(try_password(&fixture, number), "503", "{retrying}, round {round}");
                }
            });
            for number in 0..retrying {
                fixture.advance(Duration::from_millis(500));
                assert_eq!(
                    try_password(&fixture, (round + number) % 12),
                    "ok",
                    "{retrying}, round {round}"
                );
            }
        }
        fixture.advance(Duration::from_secs(1));
        assert_eq!(try_password(&fixture, 0), "ok");
    }
}

#[test]
fn remembered_password_refunds_its_attempt_that_was_refused_as_busy() {
    let limits = Limits { failures_per_account: 1, ..Limits::default() };
    let fixture = Fixture::new(Restricted { limits, ..restricted() });
    let device = fixture.device("anna", "right", HOME);
    fixture.advance(Limits::default().remember);
    fixture.gate.while_busy(|| assert_eq!(fixture.try_password("anna", "right", HOME), "503"));
    // The device has its own counters. Its success makes the network remember the password.
    assert_eq!(fixture.try_with_device(&device, "anna", "right", HOME), "ok");
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    assert_eq!(fixture.try_password("anna", "wrong", HOME), "401");
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok", "one failure is free");
}

#[test]
fn known_callers_get_a_limited_rate_of_verifications() {
    let mut many = restricted();
    many.users = (0..10).map(|number| user(&format!("u{number}"), "right", &[])).collect();
    let fixture = Fixture::new(many);
    let device = |name: &str| {
        let sent = request(&basic(name, "right"), HOME);
        let pass =
            fixture.gate.admit(&fixture.gate.active_rules(), &sent, "/", RouteAccess::Account);
        pass.unwrap().device.unwrap().expose().to_owned()
    };
    let mut devices = Vec::new();
    for number in 0..10 {
        fixture.advance(Duration::from_secs(1));
        devices.push(device(&format!("u{number}")));
    }
    for second in 0..3 {
        fixture.advance(Duration::from_secs(1));
        let before = fixture.verifications();
        for number in 0..=255 {
            let account = number % 10;
            let from = format!("203.0.{number}.{second}");
            fixture.try_with_device(&devices[account], &format!("u{account}"), "right", &from);
        }
        assert_eq!(fixture.verifications() - before, 20, "of all accounts");
        fixture.advance(Duration::from_secs(1));
        let before = fixture.verifications();
        for number in 0..=255 {
            let from = format!("203.1.{number}.{second}");
            fixture.try_with_device(&devices[0], "u0", "right", &from);
        }
        assert_eq!(fixture.verifications() - before, 8, "of one account");
        // Its owner is admitted in the next second, and the owner of another account at once.
        assert_eq!(fixture.try_with_device(&devices[1], "u1", "right", ELSEWHERE), "403");
    }
}
