use std::path::Path;

use super::*;
use crate::certificates::info::CertificateInfo;
use crate::config::self_signed::self_signed;

/// Length of a part of a key that no message may repeat.
const PART: usize = 8;

/// Damages a file, as a copy through a variable, a form or an editor does.
type Damage = fn(&str) -> String;

const DAMAGES: [(&str, Damage); 18] = [
    ("no line breaks", |pem| pem.replace('\n', "")),
    ("blanks for line breaks", |pem| pem.replace('\n', " ")),
    ("escaped line breaks", |pem| pem.replace('\n', r"\n")),
    ("escaped line breaks in quotes", |pem| format!("\"{}\"", pem.replace('\n', r"\n"))),
    ("a variable", |pem| format!("KEY={}", pem.replace('\n', " "))),
    ("one line, indented", |pem| format!("  {}", pem.replace('\n', ""))),
    ("one line and a line break", |pem| pem.replace('\n', "") + "\n"),
    ("no first line break", |pem| pem.replacen('\n', "", 1)),
    ("no first line break, and truncated", |pem| pem.replacen('\n', "", 1)[..90].to_owned()),
    ("no dashes behind BEGIN", |pem| pem.replacen("-----\n", "\n", 1)),
    ("neither dashes nor a line break", |pem| pem.replacen("-----\n", "", 1)),
    ("a blank for dashes and line break", |pem| pem.replacen("-----\n", " ", 1)),
    ("fewer dashes, one line", |pem| pem.replacen("-----\n", "--", 1).replace('\n', "")),
    ("more dashes", |pem| pem.replacen("-----\n", "-------\n", 1)),
    ("no END line", |pem| pem.replacen("-----END", "", 1)),
    ("another BEGIN within", |pem| {
        pem.replacen("-----\n", "-----\n-----BEGIN ", 1).replace("-----END", "END")
    }),
    ("a base64 error", |pem| pem.replacen('M', "!", 1)),
    ("indented", |pem| pem.replace('\n', "\n  ").replacen("-----", " -----", 1)),
];

/// Returns the message about a damaged file that has to be `wanted`, if it is not usable.
fn message(bytes: &[u8], wanted: Wanted) -> Option<String> {
    let path = Path::new("file.pem");
    match wanted {
        Wanted::Chain => match parse_chain(bytes) {
            Ok(chain) => CertificateInfo::of_der(&chain).err(),
            Err(unusable) => Some(unusable.describe(wanted, path)),
        },
        Wanted::Key => parse_key(bytes).err().map(|unusable| unusable.describe(wanted, path)),
    }
}

#[test]
fn no_message_repeats_a_part_of_a_damaged_key() {
    let pkcs8 = self_signed(&["a.example".to_owned()]).unwrap().key_pem;
    let body: String = pkcs8.lines().filter(|line| !line.starts_with('-')).collect();
    let parts: Vec<&str> = (0..=body.len() - PART).map(|at| &body[at..at + PART]).collect();
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "CERTIFICATE", "OTHER"]
    {
        let whole = pkcs8.replace("PRIVATE KEY", label);
        for (name, damage) in DAMAGES {
            let damaged = damage(&whole);
            for bytes in [damaged.clone(), format!("{whole}{damaged}"), format!("{damaged}{whole}")]
            {
                for wanted in [Wanted::Chain, Wanted::Key] {
                    let message = message(bytes.as_bytes(), wanted).unwrap_or_default();
                    let repeated = parts.iter().find(|part| message.contains(**part));
                    assert_eq!(repeated, None, "{name}, {label}, {wanted:?}: {message}");
                }
            }
        }
    }
}

#[test]
fn file_that_lost_its_line_breaks_says_so() {
    let key = self_signed(&["a.example".to_owned()]).unwrap().key_pem;
    for (name, damage) in &DAMAGES[..9] {
        let message = message(damage(&key).as_bytes(), Wanted::Key).unwrap();
        let expected = "the line breaks are missing: text follows \"-----BEGIN PRIVATE KEY-----\" in the \
                        same line; copy the file itself again, not its text";
        assert_eq!(message, expected, "{name}");
    }
}
