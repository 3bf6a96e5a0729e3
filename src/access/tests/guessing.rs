//! Throttling of guesses: the number of comparisons and verifications, and the memory of records.

use super::*;

#[test]
fn brute_force_from_one_address_costs_few_verifications() {
    let scene = Scene::new(restricted());
    let mut answers = Vec::new();
    for number in 0..10_000 {
        answers.push(scene.enter("anna", &format!("guess {number}"), HOME));
        // Other names do not help.
        answers.push(scene.enter(&format!("user {number}"), "guess", HOME));
    }
    let free = Limits::default().failures_per_address as u64;
    assert_eq!(scene.verifications(), free + 1);
    assert_eq!(answers.iter().filter(|answer| **answer == "429").count() as u64, 20_000 - free - 1);
    // A day at full speed: with each wait the next is twice as long, up to a quarter of an hour.
    for second in 0..86_400 {
        scene.pass(Duration::from_secs(1));
        scene.enter("anna", &format!("later {second}"), HOME);
    }
    assert!(scene.verifications() < 120, "{}", scene.verifications());
}

#[test]
fn brute_force_from_many_addresses_is_slowed_by_account() {
    let scene = Scene::new(restricted());
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    let free = Limits::default().failures_per_account as u64;
    assert_eq!(scene.verifications(), free + 1);
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "429", "a stranger has to wait");
    assert_eq!(scene.enter("bert", "other", ELSEWHERE), "403", "other accounts are not concerned");
}

#[test]
fn failures_of_one_address_do_not_throttle_an_account() {
    let scene = Scene::new(restricted());
    for second in 0..86_400 {
        scene.pass(Duration::from_secs(1));
        scene.enter("anna", &format!("guess {second}"), HOME);
    }
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
}

#[test]
fn throttled_caller_is_refused_even_the_remembered_password() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    // The owner's page is open, at the same address and elsewhere.
    for from in [HOME, ELSEWHERE] {
        while scene.enter("anna", &format!("guess {}", scene.verifications()), from) != "429" {}
        let compared =
            [CallerClass::Known, CallerClass::Stranger].map(|caller| scene.comparisons(caller));
        for _ in 0..5000 {
            assert_eq!(scene.enter("anna", "right", from), "429", "{from}");
        }
        assert_eq!(
            [CallerClass::Known, CallerClass::Stranger].map(|caller| scene.comparisons(caller)),
            compared
        );
    }
}

#[test]
fn wrong_guess_against_a_remembered_password_counts_as_failure() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    let answers: Vec<_> =
        (0..100).map(|number| scene.enter("anna", &format!("guess {number}"), HOME)).collect();
    let free = Limits::default().failures_per_address;
    assert_eq!(answers.iter().filter(|answer| **answer == "401").count(), free + 1);
    assert!(answers[free + 1..].iter().all(|answer| *answer == "429"));
}

#[test]
fn guesses_at_one_account_while_verifications_are_taken_are_charged() {
    let courses = ["anna", "bert", "carl"].map(|user| {
        let scene = Scene::new(restricted());
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        scene.gate.while_busy(|| {
            let guess = |number| scene.enter(user, &format!("guess {number}"), HOME);
            let course: Vec<_> = (0..100).map(guess).collect();
            for right in [("anna", "right"), ("bert", "other")] {
                let expected = match right.0 {
                    same if same == user => "429",
                    "anna" => "in",
                    _ => "503",
                };
                assert_eq!(scene.enter(right.0, right.1, HOME), expected, "{user}, {right:?}");
            }
            course
        })
    });
    let free = Limits::default().failures_per_account;
    assert!(courses[0][..=free].iter().all(|answer| *answer == "503"), "{:?}", courses[0]);
    assert!(courses[0][free + 1..].iter().all(|answer| *answer == "429"), "{:?}", courses[0]);
    assert_eq!(courses[0], courses[2], "a remembered name and no name");
    assert_eq!(courses[1], courses[2], "a name that is not remembered and no name");
}

#[test]
fn guesses_at_many_accounts_while_verifications_are_taken_are_charged() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.gate.while_busy(|| {
        let guess = |number| scene.enter(&format!("user {number}"), "guess", HOME);
        let course: Vec<_> = (0..200).map(guess).collect();
        let free = crate::access::ledger::FREE_BUSY_ATTEMPTS;
        assert!(course[..=free].iter().all(|answer| *answer == "503"), "{course:?}");
        assert!(course[free + 1..].iter().all(|answer| *answer == "429"), "{course:?}");
        assert_eq!(scene.enter("anna", "right", HOME), "429", "not compared any more");
    });
    // A program that repeats its password while all are taken is charged once.
    scene.pass(Duration::from_secs(86_400));
    scene.gate.while_busy(|| {
        for _ in 0..100 {
            assert_eq!(scene.enter("anna", "right", HOME), "503");
        }
    });
    assert_eq!(scene.enter("anna", "right", HOME), "in");
}

#[test]
fn unknown_callers_latest_wrong_guess_while_verifications_are_taken_is_not_compared() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "mistyped", HOME), "401");
    let compared = scene.comparisons(CallerClass::Stranger);
    scene.gate.while_taken(1, || {
        for _ in 0..100 {
            let answers = ["mistyped", "else"].map(|text| scene.enter("anna", text, HOME));
            assert_eq!(answers, ["503"; 2]);
        }
    });
    assert_eq!(scene.comparisons(CallerClass::Stranger), compared);
}

#[test]
fn repeated_wrong_guess_of_an_unknown_caller_counts_as_comparison() {
    let scene = Scene::new(Restricted { limits: Limits::default(), ..restricted() });
    for second in 1..=3 {
        let mut answers = Vec::new();
        for _ in 0..500 {
            answers.extend([HOME, ELSEWHERE].map(|from| scene.enter("anna", "old", from)));
        }
        assert_eq!(answers.iter().filter(|answer| **answer == "401").count(), 15);
        assert_eq!(answers.iter().filter(|answer| **answer == "503").count(), 985);
        assert_eq!(scene.enter("anna", "else", HOME), "503", "one answer for every text");
        assert_eq!(scene.comparisons(CallerClass::Stranger), second * 15);
        scene.pass(Duration::from_secs(1));
    }
    assert_eq!(scene.verifications(), 2, "one for each address");
}

#[test]
fn passwords_of_unknown_callers_are_compared_at_a_limited_rate() {
    let limits = Limits { failures_per_account: 1000, ..Limits::default() };
    let scene = Scene::new(Restricted { limits, ..restricted() });
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    let mut latest = 1;
    for second in 0..10_u8 {
        scene.pass(Duration::from_secs(1));
        for number in 0..500_u16 {
            let [high, low] = number.to_be_bytes();
            let from = format!("203.{second}.{low}.{high}");
            let answer = scene.enter("anna", &format!("guess {second} {number}"), &from);
            assert!(answer == "401" || answer == "503", "{answer}");
            assert_eq!(scene.enter("anna", "right", HOME), "in", "the owner is no stranger");
        }
        let compared = scene.comparisons(CallerClass::Stranger);
        assert!(compared - latest <= 20, "{} in one second", compared - latest);
        latest = compared;
    }
    assert_eq!(latest, 1 + 10 * 20);
    let refused = scene.gate.stats().failures(FailureReason::StrangerLimit);
    assert_eq!(refused, 10 * 480);
    // A refused guess was not compared, so it is no failure of its sender.
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.enter("anna", "right", "203.1.255.0"), "in");
}

#[test]
fn networks_with_a_failure_leave_a_quarter_of_the_limit_to_others() {
    let scene = Scene::new(Restricted { limits: Limits::default(), ..restricted() });
    for second in 0..5 {
        // An old password is charged once, however often it is sent.
        let repeat = |number: usize| {
            let number = number % 4;
            scene.enter(&format!("user {number}"), "old", &format!("203.0.{number}.1"))
        };
        let answers: Vec<_> = (0..500).map(repeat).collect();
        assert_eq!(answers.iter().filter(|answer| **answer == "401").count(), 15);
        let owners = format!("198.51.{second}.1");
        assert_eq!(scene.enter("anna", "right", &owners), "in", "from a new network");
        scene.pass(Duration::from_secs(1));
    }
}

#[test]
fn one_neighbourhood_leaves_half_of_the_limit_to_other_networks() {
    let limits = Limits { failures_per_account: 1000, ..Limits::default() };
    let scene = Scene::new(Restricted { limits, ..restricted() });
    for number in 0..1000 {
        scene.enter("anna", &format!("guess {number}"), &format!("2001:db8:0:{number:x}::1"));
    }
    assert_eq!(scene.comparisons(CallerClass::Stranger), 10);
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in", "another stranger");
}

#[test]
fn right_token_is_never_throttled_and_wrong_ones_are() {
    let scene = Scene::new(restricted());
    let mut answers = Vec::new();
    for number in 0..1000 {
        answers.push(scene.bear(&format!("guess {number}").replace(' ', "-"), HOME));
        assert_eq!(scene.bear("reader", HOME), "in");
    }
    let free = Limits::default().failures_per_address;
    assert_eq!(answers.iter().filter(|answer| **answer == "401").count(), free + 1);
    assert_eq!(answers.last(), Some(&"429"));
    assert_eq!(scene.enter("anna", "right", HOME), "in", "passwords are counted by themselves");
}

#[test]
fn records_of_guesses_are_bounded() {
    let mut few = restricted();
    few.limits.max_throttled = 8;
    let scene = Scene::new(few);
    for number in 0..=255 {
        let name = format!("user {number}");
        scene.enter(&name, "guess", &address(number));
        scene.bear(&name.replace(' ', "-"), &address(number));
    }
    for number in 0..100 {
        let from = format!("198.51.100.{number}");
        let device = scene.device("anna", "right", &from);
        scene.enter_with(&device, "anna", "wrong", &from);
    }
    for number in 0..100 {
        scene.enter(&format!("known {number}"), "guess", &format!("198.51.100.{number}"));
    }
    assert_eq!(scene.gate.records(), ([8, 8, 8, 8, 1, 8, 32], 8));
}

#[test]
fn ipv6_network_of_64_bits_counts_as_one_address() {
    let scene = Scene::new(restricted());
    for number in 0..100 {
        scene.enter("anna", &format!("guess {number}"), &format!("2001:db8::{number}"));
    }
    assert_eq!(scene.enter("anna", "right", "2001:db8::ffff"), "429");
    assert_eq!(scene.enter("anna", "right", "2001:db8:0:1::1"), "in");
}
