//! Refusals of the database for which no record is the reason.

use super::*;

#[test]
fn property_that_is_no_number_keeps_nothing_from_being_recorded() {
    let fixture = Fixture::of(Store::Server);
    let mut writer = fixture.server_writer();
    let level = |n: i64| vec![level(START + n, 1.0)];
    write_records(&mut writer, &[level(0)]).1.unwrap();
    fixture.execute("UPDATE meta SET value = 'x' WHERE key = 'latest'");
    fixture.execute("INSERT INTO meta (key, value) VALUES ('pruned', '12 Nov')");
    assert_eq!(write_records(&mut writer, &[level(60)]).1.unwrap(), 1);
    let latest =
        fixture.rows("SELECT value FROM meta WHERE key = 'latest'", &[], |row| row.string(0));
    assert_eq!(latest, [(START + 60).to_string()]);
    assert!(writer.prune(&FOREVER, moment(START)).unwrap());
}

#[test]
fn fault_of_a_table_is_not_taken_for_one_of_a_record() {
    let fixture = Fixture::of(Store::Server);
    let mut writer = fixture.server_writer();
    let records = |n: i64| [0, 1].map(|record| vec![level(START + n + record, 1.0)]);
    write_records(&mut writer, &records(0)).1.unwrap();
    fixture.execute("ALTER TABLE meta ADD CONSTRAINT refuse CHECK (key <> 'latest') NOT VALID");
    let (written, result) = write_records(&mut writer, &records(60));
    assert!(result.is_err() && written == 0, "{written} {result:?}");
    fixture.execute("ALTER TABLE meta DROP CONSTRAINT refuse");
    assert_eq!(write_records(&mut writer, &records(60)).1.unwrap(), 2);
}
