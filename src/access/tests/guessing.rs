//! Throttling of guesses: the number of comparisons and verifications, and the memory of records.

use super::*;

#[test]
fn brute_force_from_one_address_costs_few_verifications() {
    let fixture = Fixture::new(restricted());
    let mut responses = Vec::new();
    for number in 0..10_000 {
        responses.push(fixture.try_password("anna", &format!("guess {number}"), HOME));
        // Other names share the address's counter.
        responses.push(fixture.try_password(&format!("user {number}"), "guess", HOME));
    }
    let free = Limits::default().failures_per_address as u64;
    assert_eq!(fixture.verifications(), free + 1);
    assert_eq!(
        responses.iter().filter(|response| **response == "429").count() as u64,
        20_000 - free - 1
    );
    // A day of guesses: each wait is twice as long as the one before, up to a quarter of an hour.
    for second in 0..86_400 {
        fixture.advance(Duration::from_secs(1));
        fixture.try_password("anna", &format!("later {second}"), HOME);
    }
    assert!(fixture.verifications() < 120, "{}", fixture.verifications());
}

#[test]
fn brute_force_from_many_addresses_is_slowed_by_account() {
    let fixture = Fixture::new(restricted());
    for number in 0..=255 {
        fixture.try_password("anna", &format!("guess {number}"), &address(number));
    }
    let free = Limits::default().failures_per_account as u64;
    assert_eq!(fixture.verifications(), free + 1);
    assert_eq!(
        fixture.try_password("anna", "right", ELSEWHERE),
        "429",
        "an unknown caller must wait"
    );
    assert_eq!(
        fixture.try_password("bert", "other", ELSEWHERE),
        "403",
        "other accounts are not affected"
    );
}

#[test]
fn failures_of_one_address_do_not_throttle_an_account() {
    let fixture = Fixture::new(restricted());
    for second in 0..86_400 {
        fixture.advance(Duration::from_secs(1));
        fixture.try_password("anna", &format!("guess {second}"), HOME);
    }
    assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "ok");
}

#[test]
fn throttled_caller_is_refused_even_the_remembered_password() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    // From the owner's address, where the password is remembered, and from another one.
    for from in [HOME, ELSEWHERE] {
        while fixture.try_password("anna", &format!("guess {}", fixture.verifications()), from)
            != "429"
        {}
        let compared =
            [CallerClass::Known, CallerClass::Stranger].map(|caller| fixture.comparisons(caller));
        for _ in 0..5000 {
            assert_eq!(fixture.try_password("anna", "right", from), "429", "{from}");
        }
        assert_eq!(
            [CallerClass::Known, CallerClass::Stranger].map(|caller| fixture.comparisons(caller)),
            compared
        );
    }
}

#[test]
fn wrong_guess_against_a_remembered_password_counts_as_failure() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    let responses: Vec<_> = (0..100)
        .map(|number| fixture.try_password("anna", &format!("guess {number}"), HOME))
        .collect();
    let free = Limits::default().failures_per_address;
    assert_eq!(responses.iter().filter(|response| **response == "401").count(), free + 1);
    assert!(responses[free + 1..].iter().all(|response| *response == "429"));
}

#[test]
fn guesses_at_one_account_while_verifications_are_taken_are_charged() {
    let responses_by_name = ["anna", "bert", "carl"].map(|user| {
        let fixture = Fixture::new(restricted());
        assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
        fixture.gate.while_busy(|| {
            let guess = |number| fixture.try_password(user, &format!("guess {number}"), HOME);
            let responses: Vec<_> = (0..100).map(guess).collect();
            for right in [("anna", "right"), ("bert", "other")] {
                let expected = match right.0 {
                    same if same == user => "429",
                    "anna" => "ok",
                    _ => "503",
                };
                assert_eq!(
                    fixture.try_password(right.0, right.1, HOME),
                    expected,
                    "{user}, {right:?}"
                );
            }
            responses
        })
    });
    let free = Limits::default().failures_per_account;
    assert!(
        responses_by_name[0][..=free].iter().all(|response| *response == "503"),
        "{:?}",
        responses_by_name[0]
    );
    assert!(
        responses_by_name[0][free + 1..].iter().all(|response| *response == "429"),
        "{:?}",
        responses_by_name[0]
    );
    assert_eq!(responses_by_name[0], responses_by_name[2], "a remembered name and no name");
    assert_eq!(
        responses_by_name[1], responses_by_name[2],
        "a name that is not remembered and no name"
    );
}

#[test]
fn guesses_at_many_accounts_while_verifications_are_taken_are_charged() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    fixture.gate.while_busy(|| {
        let guess = |number| fixture.try_password(&format!("user {number}"), "guess", HOME);
        let responses: Vec<_> = (0..200).map(guess).collect();
        let free = crate::access::ledger::FREE_BUSY_ATTEMPTS;
        assert!(responses[..=free].iter().all(|response| *response == "503"), "{responses:?}");
        assert!(responses[free + 1..].iter().all(|response| *response == "429"), "{responses:?}");
        assert_eq!(fixture.try_password("anna", "right", HOME), "429", "no longer compared");
    });
    // A program that repeats its password while all verifications are taken is charged once.
    fixture.advance(Duration::from_secs(86_400));
    fixture.gate.while_busy(|| {
        for _ in 0..100 {
            assert_eq!(fixture.try_password("anna", "right", HOME), "503");
        }
    });
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
}

#[test]
fn unknown_callers_latest_wrong_guess_while_verifications_are_taken_is_not_compared() {
    let fixture = Fixture::new(restricted());
    assert_eq!(fixture.try_password("anna", "mistyped", HOME), "401");
    let compared = fixture.comparisons(CallerClass::Stranger);
    fixture.gate.while_taken(1, || {
        for _ in 0..100 {
            let responses =
                ["mistyped", "else"].map(|text| fixture.try_password("anna", text, HOME));
            assert_eq!(responses, ["503"; 2]);
        }
    });
    assert_eq!(fixture.comparisons(CallerClass::Stranger), compared);
}

#[test]
fn repeated_wrong_guess_of_an_unknown_caller_counts_as_comparison() {
    let fixture = Fixture::new(Restricted { limits: Limits::default(), ..restricted() });
    for second in 1..=3 {
        let mut responses = Vec::new();
        for _ in 0..500 {
            responses
                .extend([HOME, ELSEWHERE].map(|from| fixture.try_password("anna", "old", from)));
        }
        assert_eq!(responses.iter().filter(|response| **response == "401").count(), 15);
        assert_eq!(responses.iter().filter(|response| **response == "503").count(), 985);
        assert_eq!(
            fixture.try_password("anna", "else", HOME),
            "503",
            "the same response for every password"
        );
        assert_eq!(fixture.comparisons(CallerClass::Stranger), second * 15);
        fixture.advance(Duration::from_secs(1));
    }
    assert_eq!(fixture.verifications(), 2, "one for each address");
}

#[test]
fn passwords_of_unknown_callers_are_compared_at_a_limited_rate() {
    let limits = Limits { failures_per_account: 1000, ..Limits::default() };
    let fixture = Fixture::new(Restricted { limits, ..restricted() });
    assert_eq!(fixture.try_password("anna", "right", HOME), "ok");
    let mut latest = 1;
    for second in 0..10_u8 {
        fixture.advance(Duration::from_secs(1));
        for number in 0..500_u16 {
            let [high, low] = number.to_be_bytes();
            let from = format!("203.{second}.{low}.{high}");
            let response = fixture.try_password("anna", &format!("guess {second} {number}"), &from);
            assert!(response == "401" || response == "503", "{response}");
            assert_eq!(
                fixture.try_password("anna", "right", HOME),
                "ok",
                "the owner is a known caller"
            );
        }
        let compared = fixture.comparisons(CallerClass::Stranger);
        assert!(compared - latest <= 20, "{} in one second", compared - latest);
        latest = compared;
    }
    assert_eq!(latest, 1 + 10 * 20);
    let refused = fixture.gate.stats().failures(FailureReason::StrangerLimit);
    assert_eq!(refused, 10 * 480);
    // A guess that is refused without a comparison is not counted as a failure of its address.
    fixture.advance(Duration::from_secs(1));
    assert_eq!(fixture.try_password("anna", "right", "203.1.255.0"), "ok");
}

#[test]
fn networks_with_a_failure_leave_a_quarter_of_the_limit_to_others() {
    let fixture = Fixture::new(Restricted { limits: Limits::default(), ..restricted() });
    for second in 0..5 {
        // An old password is charged once, however often it is sent.
        let repeat = |number: usize| {
            let number = number % 4;
            fixture.try_password(&format!("user {number}"), "old", &format!("203.0.{number}.1"))
        };
        let responses: Vec<_> = (0..500).map(repeat).collect();
        assert_eq!(responses.iter().filter(|response| **response == "401").count(), 15);
        let owners = format!("198.51.{second}.1");
        assert_eq!(fixture.try_password("anna", "right", &owners), "ok", "from a new network");
        fixture.advance(Duration::from_secs(1));
    }
}

#[test]
fn one_neighbourhood_leaves_half_of_the_limit_to_other_networks() {
    let limits = Limits { failures_per_account: 1000, ..Limits::default() };
    let fixture = Fixture::new(Restricted { limits, ..restricted() });
    for number in 0..1000 {
        fixture.try_password(
            "anna",
            &format!("guess {number}"),
            &format!("2001:db8:0:{number:x}::1"),
        );
    }
    assert_eq!(fixture.comparisons(CallerClass::Stranger), 10);
    assert_eq!(fixture.try_password("anna", "right", ELSEWHERE), "ok", "another unknown caller");
}

#[test]
fn right_token_is_never_throttled_and_wrong_ones_are() {
    let fixture = Fixture::new(restricted());
    let mut responses = Vec::new();
    for number in 0..1000 {
        responses.push(fixture.try_token(&format!("guess {number}").replace(' ', "-"), HOME));
        assert_eq!(fixture.try_token("reader", HOME), "ok");
    }
    let free = Limits::default().failures_per_address;
    assert_eq!(responses.iter().filter(|response| **response == "401").count(), free + 1);
    assert_eq!(responses.last(), Some(&"429"));
    assert_eq!(
        fixture.try_password("anna", "right", HOME),
        "ok",
        "passwords have counters of their own"
    );
}

#[test]
fn records_of_guesses_are_bounded() {
    let mut few = restricted();
    few.limits.max_throttled = 8;
    let fixture = Fixture::new(few);
    for number in 0..=255 {
        let name = format!("user {number}");
        fixture.try_password(&name, "guess", &address(number));
        fixture.try_token(&name.replace(' ', "-"), &address(number));
    }
    for number in 0..100 {
        let from = format!("198.51.100.{number}");
        let device = fixture.device("anna", "right", &from);
        fixture.try_with_device(&device, "anna", "wrong", &from);
    }
    for number in 0..100 {
        fixture.try_password(&format!("known {number}"), "guess", &format!("198.51.100.{number}"));
    }
    assert_eq!(fixture.gate.records(), ([8, 8, 8, 8, 1, 8, 32], 8));
}

#[test]
fn ipv6_network_of_64_bits_counts_as_one_address() {
    let fixture = Fixture::new(restricted());
    for number in 0..100 {
        fixture.try_password("anna", &format!("guess {number}"), &format!("2001:db8::{number}"));
    }
    assert_eq!(fixture.try_password("anna", "right", "2001:db8::ffff"), "429");
    assert_eq!(fixture.try_password("anna", "right", "2001:db8:0:1::1"), "ok");
}
