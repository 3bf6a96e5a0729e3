//! States, incidents and facts.

use super::*;

#[test]
fn states_of_the_holder_are_followed_and_those_of_others_refused() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("a", X, 1);
        world.lease("b", X, 7);
        x.read();
        y.read_all();
        assert!(x.exchange(state("a", 1, Some("pending"))).refused.is_empty());
        assert_eq!(texts(&y.read()), [text("a", "pending")]);
        assert!(y.read().is_empty(), "once");
        // The lease goes to the other one. What waits of the former holder is refused, of this source alone.
        world.lease("a", Y, 2);
        let mut changes = state("a", 1, Some("stale"));
        changes.states.push((key("b"), saved("firing")));
        changes.shared.epochs.push(("b".into(), 7));
        let exchanged = x.exchange(changes);
        assert_eq!(exchanged.refused, ["a".into()]);
        assert_eq!(texts(&y.read()), [text("b", "firing")]);
        assert!(y.exchange(state("a", 1, Some("old epoch"))).refused == ["a".into()]);
        assert!(y.exchange(state("a", 2, Some("firing"))).refused.is_empty());
        assert_eq!(texts(&x.read()), [text("a", "firing")]);
        // An end is a row that is followed, and is none of all rows.
        y.exchange(state("a", 2, None));
        assert_eq!(texts(&x.read()), [("a".to_owned(), None)]);
        assert_eq!(texts(&x.read_all()), [text("b", "firing")]);
        assert!(x.read().is_empty());
    });
}

#[test]
fn write_that_was_given_up_and_comes_late_changes_nothing() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("a", X, 1);
        x.exchange_as(5, state("a", 1, Some("later")));
        x.exchange_as(4, state("a", 1, Some("earlier")));
        assert_eq!(texts(&y.read_all()), [text("a", "later")]);
    });
}

#[test]
fn state_of_a_server_is_that_of_its_replica_or_of_another_once_it_has_ended() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        let of = |replica: &str, state| Changes {
            states: vec![(server(replica), state)],
            ..Changes::default()
        };
        x.exchange(of("x", saved("firing")));
        y.exchange(of("y", saved("pending")));
        y.exchange(of("x", None));
        assert_eq!(texts(&y.read_all()), [text("x", "firing"), text("y", "pending")]);
        world.end("x");
        y.exchange(of("x", None));
        assert_eq!(texts(&y.read_all()), [text("y", "pending")]);
    });
}

#[test]
fn incident_without_a_lease_is_inserted_if_it_has_ended_and_is_not_known() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        let write = |incidents: Vec<Incident>, lease: &[(&str, i64)]| Changes {
            incidents: incidents.into_iter().map(Arc::new).collect(),
            shared: epochs(lease),
            ..Changes::default()
        };
        x.exchange(write(vec![incident(1, 0, None)], &[("tank", 1)]));
        let stale = vec![incident(1, 0, Some(5)), incident(2, 0, Some(6)), incident(3, 0, None)];
        y.exchange(write(stale, &[]));
        let read = |replica: &mut Replica| {
            let incidents = replica.read_all().incidents.into_iter();
            let mut found: Vec<_> = incidents.map(|of| (of.id.0, of.ended.is_some())).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(read(&mut x), [(1, false), (2, true)]);
        x.exchange(write(vec![incident(1, 0, Some(9))], &[("tank", 1)]));
        assert_eq!(y.read().incidents, [incident(1, 0, Some(9)), incident(2, 0, Some(6))][..1]);
        assert_eq!(read(&mut y), [(1, true), (2, true)]);
    });
}

#[test]
fn later_silence_and_earlier_acknowledgement_win_in_any_order() {
    let silence = |set_at, instance, by: &str| Silence {
        alert: "tank_low".into(),
        until: at(900),
        by: by.into(),
        set_at: at(set_at),
        instance,
    };
    let acknowledged = |second, by: &str| Acknowledged {
        incident: IncidentId(u64::MAX),
        by: Acknowledgement { by: by.into(), at: at(second) },
    };
    let silences = [silence(1, Y, "ann"), silence(2, X, "bob"), silence(2, Y, "eve")];
    let known = [acknowledged(3, "Zoe"), acknowledged(3, "ann"), acknowledged(4, "Al")];
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            for (index, which) in order.into_iter().enumerate() {
                let shared = SharedChanges {
                    silences: vec![silences[which].clone()],
                    acknowledgements: vec![known[which].clone()],
                    ..SharedChanges::default()
                };
                let replica = if index == 1 { &mut y } else { &mut x };
                replica.exchange(Changes { shared, ..Changes::default() });
            }
            let all = y.read_all();
            assert_eq!(all.silences, [silences[2].clone()], "{order:?}");
            assert_eq!(all.acknowledgements, [known[0].clone()], "{order:?}: by bytes");
            world.run("DELETE FROM pumphouse.silence", []);
            world.run("DELETE FROM pumphouse.acknowledgement", []);
        }
    });
}

#[test]
fn past_incidents_come_page_by_page() {
    with_each(|world| {
        let World::Postgres(database, _) = world else { return };
        let mut x = world.store("x", X);
        world.lease("tank", X, 1);
        let incidents =
            (1..=5).map(|id| Arc::new(incident(id, id.cast_signed(), Some(9)))).collect();
        x.exchange(Changes { incidents, shared: epochs(&[("tank", 1)]), ..Changes::default() });
        let target = database.target();
        let find = find(Link::new(Access::new(target, "test".into()).unwrap()));
        let page = |before: Option<u64>| {
            let found = find("tank_low", before.map(IncidentId), 2).unwrap();
            found.iter().map(|incident| incident.id.0).collect::<Vec<_>>()
        };
        assert_eq!(page(None), [5, 4]);
        assert_eq!(page(Some(4)), [3, 2]);
        assert_eq!(page(Some(2)), [1]);
        assert_eq!(find("none", None, 2).unwrap(), []);
    });
}
