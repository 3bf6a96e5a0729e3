//! Calls on a real server.

use std::time::Duration;

use crate::postgres::fixture::{self, deadline};
use crate::postgres::{Limits, Param, PostgresError, Statement};

const LIMITS: Limits = Limits::all(Duration::from_secs(50));

#[test]
fn values_of_each_type_return_as_they_were_sent() {
    let mut connection = fixture::database().connect();
    let floats = [0.0, -0.0, 1.5, f64::MIN, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let integers = [0, -1, i64::MIN, i64::MAX];
    let texts = ["", "Zisterne ü 水 🌧", "a\nb\\\"{}"];
    let bytes: Vec<u8> = (0..=255).collect();
    let params = [
        Param::I64(i64::MIN),
        Param::F64(-0.0),
        Param::Text(texts[1]),
        Param::Bytes(&bytes),
        Param::Bools(&[Some(true), None, Some(false)]),
        Param::I64s(&integers),
        Param::OptionalI64s(&[None, Some(7)]),
        Param::F64s(&floats),
        Param::OptionalF64s(&[Some(0.5), None]),
        Param::Texts(&texts),
        Param::OptionalTexts(&[Some(""), None]),
        Param::ByteArrays(&[&bytes, &[]]),
        Param::I64s(&[]),
        Param::optional(None, Param::I64),
    ];
    let sql = "SELECT $1 IS NOT NULL, $1, $2, $3, $4, $5 = '{t, null, f}', $6, $7, $7 = '{null, 7}', \
         $8 = '{0, -0, 1.5, -1.7976931348623157e308, 1.7976931348623157e308, inf, -inf, nan}', \
         $9 = '{0.5, null}', $10, $11 = '{\"\", null}', $12[1], $12[2], $13, $14::bigint";
    let outcomes = connection.pipeline(&[Statement::new(sql, &params)], deadline()).unwrap();
    let row = outcomes[0].only().unwrap();
    assert!(row.bool(0).unwrap());
    assert_eq!(row.i64(1).unwrap(), i64::MIN);
    assert_eq!(row.f64(2).unwrap().to_bits(), (-0.0f64).to_bits());
    assert_eq!(row.text(3).unwrap(), texts[1]);
    assert_eq!(row.bytes(4).unwrap(), bytes);
    assert!(row.bool(5).unwrap());
    assert_eq!(row.i64s(6).unwrap(), integers);
    assert!(row.i64s(7).is_err());
    assert!(row.bool(8).unwrap());
    assert!(row.bool(9).unwrap() && row.bool(10).unwrap());
    assert_eq!(row.texts(11).unwrap(), texts);
    assert!(row.bool(12).unwrap());
    assert_eq!(row.bytes(13).unwrap(), bytes);
    assert_eq!(row.bytes(14).unwrap(), b"");
    assert!(row.i64s(15).unwrap().is_empty());
    assert_eq!(row.optional_i64(16).unwrap(), None);
    assert!(row.i64(16).is_err());
    // Another type, and no such column.
    assert!(row.i64(3).is_err() && row.text(1).is_err() && row.i64(17).is_err());
}

#[test]
fn statements_of_one_call_succeed_or_fail_together() {
    let mut connection = fixture::database().connect();
    let create = Statement::plain("CREATE TABLE tank (name text PRIMARY KEY, level bigint)");
    let params = [Param::Texts(&["a", "b", "c"]), Param::I64s(&[1, 2, 3])];
    let insert =
        Statement::new("INSERT INTO tank SELECT * FROM unnest($1::text[], $2::bigint[])", &params);
    let select = Statement::plain("SELECT name, level FROM tank ORDER BY name");
    let outcomes = connection.run(LIMITS, &[create, insert, select], deadline()).unwrap();
    assert_eq!((outcomes.len(), outcomes[1].affected(), outcomes[2].affected()), (3, 3, 3));
    let rows: Vec<_> =
        outcomes[2].rows().map(|row| (row.text(0).unwrap(), row.i64(1).unwrap())).collect();
    assert_eq!(rows, [("a", 1), ("b", 2), ("c", 3)]);

    let delete = Statement::plain("DELETE FROM tank");
    let error = connection.run(LIMITS, &[delete, insert, insert], deadline()).unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    let PostgresError::Server(server) = &error else { panic!("{error}") };
    assert_eq!(server.constraint.as_deref(), Some("tank_pkey"));
    assert!(!error.is_transient() && !connection.is_broken());
    let outcomes = connection.pipeline(&[select], deadline()).unwrap();
    assert_eq!(outcomes[0].rows().len(), 3);
}
