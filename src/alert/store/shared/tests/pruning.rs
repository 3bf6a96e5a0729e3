//! Old rows.

use super::*;

/// Rows of which each kind is old, and their number.
const OLD: [(&str, i64); 4] = [
    (
        "alert_state SELECT 'low', 'a' || n, '', 0, NULL, 'gone', 1, now() - interval '2 days' \
         FROM generate_series(1, 2500) AS n",
        2_500,
    ),
    ("acknowledgement VALUES (9, 0, 'ann', 'gone', 1, now() - interval '2 days')", 1),
    ("silence VALUES ('low', 0, 'ann', 0, 'gone', 'gone', 1, now() - interval '2 days')", 1),
    (
        "incident SELECT n, 'low', n, n, '{}', 'gone', 1, now() FROM generate_series(1, 3300) AS n",
        3_300,
    ),
];

/// Returns the numbers of rows of the tables.
fn counts(world: &World) -> [i64; 4] {
    OLD.map(|(rows, _)| world.count(rows.split(' ').next().unwrap()))
}

/// Runs a test with old rows, while another connection has executed a statement and holds its locks.
fn with_old_rows(locking: &str, test: impl FnOnce(&World, &mut Replica)) {
    with_postgres(|world| {
        let World::Postgres(database, _) = world else { return };
        let mut x = world.store("x", X);
        for (rows, _) in OLD {
            world.run(&format!("INSERT INTO pumphouse.{rows}"), []);
        }
        let mut other = database.connect();
        let mut transaction = other.begin(Limits::all(fixture::AMPLE));
        transaction.pipeline(&[Statement::plain(locking)], deadline()).unwrap();
        test(world, &mut x);
    });
}

#[test]
fn old_rows_are_deleted_a_part_after_each_exchange_and_a_locked_one_delays_none() {
    let lock = "SELECT 1 FROM pumphouse.alert_state WHERE source = 'a7' FOR UPDATE";
    with_old_rows(lock, |world, x| {
        for left in [1_500, 500, 1] {
            x.exchange(Changes::default());
            assert_eq!(counts(world), [left, 1, 1, 3_300]);
        }
        let mut turns = 0;
        while counts(world) != [1, 0, 0, 1_000] {
            x.exchange(Changes::default());
            turns += 1;
        }
        assert!(turns <= 6, "{turns}");
        world.run(&format!("INSERT INTO pumphouse.{}", OLD[1].0), []);
        (0..6).for_each(|_| drop(x.exchange(Changes::default())));
        assert_eq!(counts(world), [1, 1, 0, 1_000], "again in an hour");
    });
}

#[test]
fn deletion_that_fails_costs_neither_an_exchange_nor_the_others() {
    let lock = "LOCK TABLE pumphouse.alert_state IN EXCLUSIVE MODE";
    with_old_rows(lock, |world, x| {
        while counts(world) != [2_500, 0, 0, 1_000] {
            let mut notice = notice(1, NoticeKind::Fired, 0, 1);
            notice.key.channel = "phone".into();
            x.exchange(Changes { notices: vec![Arc::new(notice)], ..Changes::default() });
            x.exchange(Changes::default());
        }
    });
}

#[test]
fn old_notice_is_dropped_only_once_its_claimer_is_long_gone() {
    with_old_rows("SELECT 1", |world, x| {
        let _y = world.store("y", Y);
        let gone = Instance(3);
        for (number, claimer) in [X, Y, gone].into_iter().enumerate() {
            world.run(
                "INSERT INTO pumphouse.notice VALUES \
                 ('pager', $1, 'fired', 0, '{}', $2, now() - interval '8 days')",
                [Param::I64(number.try_into().unwrap()), Param::Text(&claimer.to_string())],
            );
        }
        // Less than an hour ago: a replica that has the channel may be about to start.
        world.end("y");
        while counts(world)[3] != 1_000 {
            x.exchange(Changes::default());
        }
        assert_eq!(world.count("notice"), 2);
        assert_eq!(world.count(&format!("notice WHERE instance = '{gone}'")), 0);
    });
}
