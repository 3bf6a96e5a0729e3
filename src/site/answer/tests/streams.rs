//! Streamed series.

use super::{RecordedSite, drive, get};
use crate::engine::Body;
use crate::site::fixture::{request, text};

#[test]
fn stream_whose_rows_make_no_point_yields() {
    let recorded = RecordedSite::dense();
    let target = "/api/v1/history?field=tank.level&hours=6&step=7000&format=csv";
    let (_, response) = get(&recorded.site, target);
    let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
    let (mut output, mut buffer, mut yields) = (Vec::new(), [0; 1024], 0);
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => output.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => yields += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(yields >= 6, "{yields} times in 12,000 rows");
    let lines = String::from_utf8(output).unwrap().lines().count();
    // A head, two or three points, and one more where a day begins between them.
    assert!((3..=5).contains(&lines), "{lines} lines");
}

#[test]
fn stream_between_two_reads_holds_rows_and_no_rendered_bytes() {
    let recorded = RecordedSite::dense();
    for format in ["csv", "ndjson", "json"] {
        let target = format!("/api/v1/history?field=tank.level&hours=6&step=raw&format={format}");
        let (_, response) = get(&recorded.site, &target);
        let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
        // As much as the engine reads at a time.
        let (mut buffer, mut read) = ([0; 16 << 10], 0);
        loop {
            match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => read += length,
                Err(error) => panic!("{error}"),
            }
            // A page of rows, of 88 bytes each.
            let held = source.held_bytes();
            assert!(held < 14 << 10, "{format}: {held}");
        }
        assert!(read > 300_000, "{format}: {read}");
    }
    let (_, response) =
        get(&recorded.site, "/api/v1/history?field=tank.level&hours=6&step=raw&format=csv");
    let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
    assert!(source.held_bytes() > 14 << 10, "the first piece is ready");
    source.read_exact(&mut [0; 100]).unwrap();
    assert!(source.held_bytes() > 14 << 10, "most of it is");
}

#[test]
fn head_of_a_stream_reads_no_row() {
    let recorded = RecordedSite::dense();
    for (method, is_read) in [("GET", true), ("HEAD", false)] {
        let target = "/api/v1/history?field=tank.level&hours=6&step=raw&format=csv";
        let (lanes, response) = drive(&recorded.site, &request(method, target, &[]));
        assert_eq!((lanes.len(), response.status().as_u16()), (1, 200), "{method}");
        // Rows that were read before this are still sent.
        if !is_read {
            recorded.sql("DELETE FROM raw");
        }
        let Body::Stream(mut source) = response.into_body() else { panic!("it is streamed") };
        let mut buffer = [0; 64 << 10];
        let length = source.read(&mut buffer).unwrap();
        let output = String::from_utf8_lossy(&buffer[..length]);
        assert_eq!(output.lines().count() > 1, is_read, "{method}: {output}");
    }
}

#[test]
fn step_that_joins_too_much_is_refused_with_a_cheaper_one() {
    let recorded = RecordedSite::dense();
    recorded.sql("UPDATE day SET count = 3000000");
    let target = "/api/v1/history?field=tank.level&days=2";
    for (step, status) in [("&step=7", 400), ("&step=15m", 200), ("&step=raw", 200), ("", 200)] {
        let (_, response) = get(&recorded.site, &format!("{target}{step}"));
        assert_eq!(response.status().as_u16(), status, "{step}");
        if status == 400 {
            let detail = text(&response);
            assert!(detail.contains("at most 500000"), "{detail}");
            assert!(detail.contains("a multiple of 15m"), "{detail}");
        }
    }
}
