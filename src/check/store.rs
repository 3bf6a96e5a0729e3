//! Tries the database of `[store]`, and describes what a start would find there. It changes nothing.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::SignedDuration;

use crate::config::{self, Config};
use crate::postgres::PostgresError;
use crate::store::{Access, Inspection};
use crate::wall_clock::TOLERANCE;

/// Most time of the try. Each host of the url gets its share.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Tries the database, if there is one, and passes its description to `print`. Returns true if a start could use it.
pub fn run(config: &Config, mut print: impl FnMut(&str)) -> bool {
    let Some(store) = &config.store else { return true };
    let (text, is_usable) = describe(config, store);
    print(&text);
    is_usable
}

fn describe(config: &Config, store: &config::Store) -> (String, bool) {
    let mut text = format!("\ntried the database: {}\n", store.target);
    match inspect(config, store) {
        Ok((access, found)) => {
            let refusal = found.refusal();
            if let Some(server) = access.server() {
                let (major, minor) = (server.version / 10_000, server.version % 10_000);
                let _ = writeln!(text, "  PostgreSQL {major}.{minor} at {}", server.host);
            }
            let _ = match (&refusal, found.schema) {
                (Some(refusal), _) => writeln!(text, "  FAILED: {refusal}"),
                (None, None) => {
                    writeln!(text, "  the schema pumphouse does not exist; a start creates it")
                }
                (None, Some((version, _))) => {
                    writeln!(text, "  the schema pumphouse has version {version}")
                }
            };
            text += &clock_note(found.clock_ahead);
            (text, refusal.is_none())
        }
        Err(error) => {
            let _ = writeln!(text, "  FAILED: {error}");
            (text, false)
        }
    }
}

fn inspect(config: &Config, store: &config::Store) -> Result<(Access, Inspection), PostgresError> {
    let (target, name) = (store.target.clone(), config.replica.shared());
    let access = Access::of_replica(target, "check".into(), name, &config.site.timezone)?;
    let found = access.inspect(TIMEOUT)?;
    Ok((access, found))
}

/// Returns a note if the clocks differ.
fn clock_note(ahead: SignedDuration) -> String {
    if ahead.abs() <= TOLERANCE {
        return String::new();
    }
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    format!(
        "  note: the clock of the database is {} s {direction} that of this machine, and replicas use that of the \
         database; run NTP on both\n",
        ahead.abs().as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::fixture::database;

    fn tried(url: &str) -> (String, bool) {
        let text = format!("[auth]\nopen = true\n[store]\nurl = {url:?}\n");
        let config = config::parse("p.toml".as_ref(), &text, &|_| None).unwrap();
        let mut shown = String::new();
        let is_usable = run(&config, |text| shown += text);
        (shown, is_usable)
    }

    #[test]
    fn database_is_described_with_its_version_and_without_its_password() {
        let database = database();
        let (shown, is_usable) = tried(&database.0.url);
        assert!(is_usable, "{shown}");
        assert!(shown.contains("  PostgreSQL 1"), "{shown}");
        assert!(
            shown.contains("the schema pumphouse does not exist; a start creates it"),
            "{shown}"
        );
        assert!(!shown.contains(hostile::postgres::PASSWORD), "{shown}");
    }

    #[test]
    fn database_that_cannot_be_reached_fails_the_check() {
        // Nothing listens on port 1.
        let (shown, is_usable) = tried("postgresql://p@127.0.0.1:1/p");
        assert!(!is_usable);
        assert!(shown.contains("  FAILED: 127.0.0.1:1: "), "{shown}");
        let config = config::parse("p.toml".as_ref(), "[auth]\nopen = true\n", &|_| None).unwrap();
        assert!(run(&config, |text| panic!("{text}")), "without a store there is nothing to try");
    }

    #[test]
    fn clocks_that_differ_are_noted_with_their_direction() {
        assert_eq!(clock_note(SignedDuration::from_secs(2)), "");
        assert!(clock_note(SignedDuration::from_secs(3)).contains(" 3 s ahead of that of this"));
        assert!(clock_note(SignedDuration::from_secs(-90)).contains(" 90 s behind that of this"));
    }
}
