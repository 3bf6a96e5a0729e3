//! Notices and claims.

use super::*;

fn made(id: u64, channel: &str, lease: &[(&str, i64)]) -> (NoticeKey, Changes) {
    let mut notice = notice(id, NoticeKind::Fired, 0, 1);
    notice.key.channel = channel.into();
    let key = notice.key.clone();
    let notices = vec![Arc::new(notice)];
    (key, Changes { notices, shared: epochs(lease), ..Changes::default() })
}

fn done(key: &NoticeKey) -> Changes {
    Changes { done: vec![key.clone()], ..Changes::default() }
}

fn keys(notices: &[Notice]) -> Vec<NoticeKey> {
    notices.iter().map(|notice| notice.key.clone()).collect()
}

#[test]
fn notice_is_claimed_by_its_maker_and_adopted_once_that_has_ended() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        let (key, changes) = made(1, "phone", &[("tank", 1)]);
        assert!(x.exchange(changes.clone()).taken.is_empty());
        assert!(x.exchange(changes.clone()).taken.is_empty(), "written again");
        // The other side of a partition has made the same one.
        assert_eq!(y.exchange(changes).taken, std::slice::from_ref(&key));
        y.exchange(done(&key));
        let (of_pager, changes) = made(2, "pager", &[("tank", 1)]);
        x.exchange(changes);
        assert!(keys(&y.exchange(Changes::default()).adopted).is_empty());
        world.end("x");
        let adopted = y.exchange(Changes::default()).adopted;
        let own = std::slice::from_ref(&key);
        assert_eq!(keys(&adopted), own, "not that of a channel that it does not have");
        assert_eq!(*adopted[0].incident, incident(1, 0, None));
        assert!(y.exchange(Changes::default()).adopted.is_empty(), "once");
        // The former claimer has sent it, and marks it late.
        x.exchange(done(&key));
        y.claimed = vec![key.clone(), of_pager.clone()];
        assert_eq!(y.exchange(Changes::default()).taken, [of_pager]);
        y.exchange(done(&key));
        y.claimed = vec![key.clone()];
        assert_eq!(y.exchange(Changes::default()).taken, [key]);
    });
}

#[test]
fn notice_of_a_former_holder_is_that_of_the_new_one_if_that_knows_the_incident() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", Y, 2);
        let incidents = vec![Arc::new(incident(1, 0, None))];
        y.exchange(Changes { incidents, shared: epochs(&[("tank", 2)]), ..Changes::default() });
        let (known, mut changes) = made(1, "phone", &[("tank", 1)]);
        let (_, unknown) = made(2, "phone", &[]);
        changes.notices.extend(unknown.notices);
        let exchanged = x.exchange(changes);
        assert_eq!(exchanged.taken, [known]);
        assert_eq!(exchanged.refused, ["tank".into()]);
    });
}

#[test]
fn instance_that_has_ended_adopts_nothing_and_has_no_time_left() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        x.exchange(made(1, "phone", &[("tank", 1)]).1);
        let left = y.exchange(Changes::default()).ends_in.unwrap();
        assert!(left > Duration::from_secs(1), "{left:?}");
        world.end("x");
        world.end("y");
        assert_eq!(y.exchange(Changes::default()).ends_in, None);
        if let World::Postgres(..) = world {
            assert!(y.exchange(Changes::default()).adopted.is_empty());
        }
    });
}
