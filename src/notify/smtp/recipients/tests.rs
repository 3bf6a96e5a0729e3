use super::*;
use crate::alert::{Notice, NoticeKind};
use crate::config::Severity;
use crate::notify::fixture::{delivery, fired, notice, of_source};

use std::sync::Arc;

const NAMES: [&str; 3] = ["ann", "bob", "cid"];

fn recipients() -> Recipients {
    Recipients::new(NAMES.map(str::to_owned))
}

fn barn() -> Arc<Notice> {
    notice(NoticeKind::Fired, of_source("barn", Severity::Warning))
}

/// Sends all parts of a message to a server that answers the recipients by these codes. Returns the parts, as their
/// recipients and numbers of notices, and the outcome.
fn sent(
    recipients: &Recipients,
    delivery: &Delivery,
    codes: &[(&str, u16)],
    now: Instant,
) -> (Vec<(String, usize)>, Result<(), DeliveryError>) {
    let (mut sent, mut refused, mut has_progress) = (Vec::new(), Vec::new(), false);
    for part in recipients.parts(delivery) {
        let of_part: Vec<Refusal> = codes
            .iter()
            .filter(|(name, _)| part.to.iter().any(|of| of == name))
            .map(|&(name, code)| (name.to_owned(), Reply { code, lines: vec!["no".to_owned()] }))
            .collect();
        has_progress |= recipients.record(&part, &of_part, now);
        refused.extend(of_part);
        sent.push((part.to.join(" "), part.delivery.notices.len()));
    }
    let outcome = recipients.outcome(delivery, &refused, has_progress, now);
    (sent, outcome)
}

fn part(to: &str, notices: usize) -> (String, usize) {
    (to.to_owned(), notices)
}

#[test]
fn each_refusal_has_its_consequence() {
    use DeliveryFault::{Refused, Transient};
    for (codes, expected) in [
        (&[][..], None),
        (&[("bob", 451)], Some((Transient, Progress::Part))),
        (&[("bob", 550)], Some((Refused, Progress::Done))),
        (&[("ann", 550), ("bob", 451)], Some((Transient, Progress::Part))),
        (&[("ann", 550), ("bob", 550), ("cid", 550)], Some((Refused, Progress::Nothing))),
        (&[("ann", 550), ("bob", 451), ("cid", 550)], Some((Transient, Progress::Nothing))),
    ] {
        let (_, outcome) = sent(&recipients(), &delivery([fired()]), codes, Instant::now());
        let found = outcome.err().map(|error| (error.fault, error.progress));
        assert_eq!(found, expected, "{codes:?}");
    }
}

#[test]
fn recipient_that_is_deferred_gets_the_mail_later_and_the_others_do_not_get_it_twice() {
    let (recipients, now) = (recipients(), Instant::now());
    let one = delivery([fired()]);
    let (parts, outcome) = sent(&recipients, &one, &[("bob", 451)], now);
    assert_eq!(parts, [part("ann bob cid", 1)]);
    let message = outcome.unwrap_err().message;
    let expected =
        "the mail server does not take the recipient bob: 451 no; the others have the message";
    assert_eq!(&*message, expected);
    let (parts, outcome) = sent(&recipients, &one, &[("bob", 451)], now);
    assert_eq!((parts, outcome.unwrap_err().progress), (vec![part("bob", 1)], Progress::Nothing));

    // Another notice joins: the others get that one alone.
    let both = delivery([fired(), barn()]);
    let (parts, outcome) = sent(&recipients, &both, &[("bob", 451)], now);
    assert_eq!(parts, [part("ann cid", 1), part("bob", 2)]);
    assert_eq!(outcome.unwrap_err().progress, Progress::Part);
    let (parts, outcome) = sent(&recipients, &both, &[], now);
    assert_eq!((parts, outcome), (vec![part("bob", 2)], Ok(())));

    // It is forgotten with the message.
    assert_eq!(sent(&recipients, &both, &[], now).0, [part("ann bob cid", 2)]);
}

#[test]
fn recipient_that_is_deferred_for_long_holds_up_the_others_no_longer() {
    let (recipients, begin) = (recipients(), Instant::now());
    let send = |notices: Vec<Arc<Notice>>, codes: &[(&str, u16)], now| {
        let (parts, outcome) = sent(&recipients, &delivery(notices), codes, now);
        (parts, outcome.err().map(|error| (error.fault, error.progress)))
    };
    let bob = &[("bob", 452)][..];
    let (_, outcome) = send(vec![fired()], bob, begin);
    assert_eq!(outcome, Some((DeliveryFault::Transient, Progress::Part)));
    let later = begin + MAX_RECIPIENT_DEFERRAL + Duration::from_secs(1);
    let given_up = Some((DeliveryFault::Refused, Progress::Done));
    assert_eq!(send(vec![fired()], bob, later), (vec![part("bob", 1)], given_up));
    assert_eq!(send(vec![barn()], bob, later), (vec![part("ann bob cid", 1)], given_up));
    // While no recipient takes mails, all are waited for.
    let all = NAMES.map(|name| (name, 451));
    assert_eq!(
        send(vec![fired()], &all, later).1,
        Some((DeliveryFault::Transient, Progress::Nothing))
    );
    // Once it takes one, it is waited for again.
    assert_eq!(send(vec![barn()], &[], later).1, None);
    let (_, outcome) = send(vec![fired()], bob, later);
    assert_eq!(outcome, Some((DeliveryFault::Transient, Progress::Part)));
}
