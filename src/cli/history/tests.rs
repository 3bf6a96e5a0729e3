//! The commands on a database.

use std::fs;

use argh::FromArgs as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::super::export::Export;
use super::*;
use crate::board::{Change, Finite, Sample};
use crate::history::import;
use crate::postgres::fixture::{self, Database};
use crate::postgres::{Limits, Statement};
use crate::store::Link;
use crate::units::Unit;

/// A folder with the configurations of a file and of a database.
struct Fixture {
    folder: TempDir,
    database: Database,
    /// Its URL, without the password.
    url: String,
}

impl Fixture {
    fn new() -> Fixture {
        let (folder, database) = (tempfile::tempdir().unwrap(), fixture::database());
        let (before, rest) = database.0.url.split_once("://").unwrap();
        let (credentials, rest) = rest.split_once('@').unwrap();
        let (user, _) = credentials.split_once(':').unwrap();
        let url = format!("{before}://{user}@{rest}");
        let fixture = Fixture { folder, database, url };
        let source = "[[source]]\nname = \"tank\"\nkind = \"json\"\nurl = \"http://127.0.0.1:9/\"\n\
                      [source.values.level]\npointer = \"/level\"\nunit = \"%\"\n";
        let site = "[site]\ntimezone = \"UTC\"\n";
        let file = format!("{site}[history]\npath = \"{}\"\n{source}", fixture.path("old.db"));
        fixture.write("file.toml", &file);
        let store = format!(
            "{site}[store]\nurl = \"{}\"\npassword_file = \"{}\"\n\
             spool = \"{}\"\n{source}",
            fixture.url,
            fixture.path("password"),
            fixture.path("spool.db")
        );
        fixture.write("store.toml", &store);
        fixture.write("password", &format!("{}\n", hostile::postgres::PASSWORD));
        fixture
    }

    fn write(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns what `history` with these words prints; an error with the prefix `error: `.
    fn run(&self, words: &[&str]) -> String {
        let command = HistoryCommand::from_args(&["history"], words);
        let result = match command.map_err(|exit| exit.output).unwrap().action {
            Action::Check(command) => command.text(),
            Action::Backup(command) => command.text(),
            Action::Copy(command) => command.text(),
        };
        result.unwrap_or_else(|failure| format!("error: {failure}"))
    }

    /// Copies the history of a file to the database.
    fn copied(&self) -> String {
        let level = |number: i64| {
            let at = Timestamp::from_second(1_773_014_400 + number * 60).unwrap();
            let value = Finite::new(number as f64).unwrap();
            let unit = Some(Unit::Percent);
            Change::Observed(vec![Sample::new("tank".into(), "level".into(), at, value, unit)])
        };
        let path = self.folder.path().join("old.db");
        import(&path, &TimeZone::UTC, (0..100).map(level)).unwrap();
        let (config, password) = (self.path("file.toml"), self.path("password"));
        self.run(&["copy", &config, "--to", &self.url, "--password-file", &password])
    }

    fn execute(&self, sql: &str) {
        let access = Access::new(self.database.target(), "test".into()).unwrap();
        let limits = Limits::all(fixture::AMPLE);
        Link::new(access).run(limits, &[Statement::plain(sql)], fixture::deadline()).unwrap();
    }
}

#[test]
fn copy_goes_to_a_url_and_back_to_a_path() {
    let fixture = Fixture::new();
    let text = fixture.copied();
    assert!(text.contains("         100 rows of raw, 100 of them new\n"), "{text}");
    assert!(text.ends_with(" has all rows of the history.\n"), "{text}");
    assert!(!text.contains(hostile::postgres::PASSWORD), "{text}");
    let (config, new) = (fixture.path("store.toml"), fixture.path("new.db"));
    let text = fixture.run(&["copy", &config, "--to", &new]);
    assert!(text.contains("         100 rows of raw, 100 of them new\n"), "{text}");
    let text = fixture.run(&["copy", "--config", &config, "--to", &new]);
    assert!(text.contains("         100 rows of raw, 0 of them new\n"), "{text}");
}

#[test]
fn copy_refuses_what_it_cannot_use_and_repeats_no_password() {
    let fixture = Fixture::new();
    let (file, store, password) =
        (fixture.path("file.toml"), fixture.path("store.toml"), fixture.path("password"));
    let with_password = fixture.url.replacen('@', ":s3cret@", 1);
    for (words, expected) in [
        (&[&*file, "--to", "x.db"][..], "there is no history yet"),
        (&[&*store, "--to", "x.db"], "the database has no tables yet"),
        (&[&*store, "--to", &fixture.url, "--password-file", &password], "there already"),
    ] {
        let text = fixture.run(&[&["copy"], words].concat());
        assert!(text.starts_with("error: ") && text.contains(expected), "{text}");
    }
    fixture.copied();
    for (words, expected) in [
        (&["--to", &*with_password][..], "--password-file"),
        (&["--to", "mysql://db/x"], "expected a URL such as postgresql://"),
        (&["--to", "x.db", "--password-file", &password], "--to is a path"),
        (&["--to", "postgresql://u:s3cret@h/d?nonsense=1"], "nonsense"),
        (&["--to", &fixture.url, "--password-file", "/nowhere"], "--password-file /nowhere"),
    ] {
        let text = fixture.run(&[&["copy", &*file], words].concat());
        assert!(text.starts_with("error: ") && text.contains(expected), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn check_of_a_database_reports_its_rows_and_names_what_is_wrong() {
    let fixture = Fixture::new();
    let config = fixture.path("store.toml");
    let text = fixture.run(&["check", &config]);
    assert!(text.contains("error: the database has no tables yet"), "{text}");
    // Nothing was created.
    let text = fixture.run(&["check", &config]);
    assert!(text.contains("no tables yet"), "{text}");
    fixture.copied();
    let text = fixture.run(&["check", &config]);
    for expected in [
        "         100 rows of raw\n",
        "raw has the partition raw_2026_03.\n",
        "quarters of the latest two days are those of their observations.\n",
        "the counts of the latest days are those of their quarters.\n",
        "The database is sound.\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    for (damage, repair, expected) in [
        (
            "UPDATE quarter SET count = count + 1 WHERE at = 1773016200",
            "UPDATE quarter SET count = count - 1 WHERE at = 1773016200",
            "tank.level: the quarter at 1773016200 has 16 observations by its count, and 15",
        ),
        (
            "UPDATE raw SET at = at - 86400 * 7 WHERE at = 1773016260",
            "UPDATE raw SET at = at + 86400 * 7 WHERE at < 1773014400",
            "the quarter at 1773016200 has 15 observations by its count, and 14",
        ),
        (
            "CREATE TABLE other (LIKE raw INCLUDING ALL); \
             ALTER TABLE raw ATTACH PARTITION other FOR VALUES FROM (10) TO (20)",
            "DROP TABLE other",
            "the partition other of raw has a part of a month, whose other times have none: 10 to 20",
        ),
    ] {
        damage.split("; ").for_each(|sql| fixture.execute(sql));
        let text = fixture.run(&["check", &config]);
        assert!(text.starts_with("error: ") && text.contains(expected), "{text}");
        fixture.execute(repair);
        assert!(fixture.run(&["check", &config]).contains("sound"));
    }
}

#[test]
fn backup_of_a_database_is_the_one_of_pg_dump() {
    let fixture = Fixture::new();
    let copy = fixture.path("copy of it.db");
    let text = fixture.run(&["backup", "--config", &fixture.path("store.toml"), &copy]);
    let expected =
        format!("pg_dump --format=custom --schema=pumphouse --file='{copy}' --dbname='host=");
    assert!(text.contains(&expected) && text.contains("user=pumphouse dbname="), "{text}");
    assert!(text.starts_with("error: ") && !text.contains(hostile::postgres::PASSWORD), "{text}");
}

#[test]
fn history_of_a_database_is_exported_and_needs_no_replica() {
    let fixture = Fixture::new();
    fixture.copied();
    let config = config::load(fixture.path("store.toml").as_ref()).unwrap();
    let history = history_of(&config).unwrap();
    assert_eq!(history.fields().unwrap(), [("tank".to_owned(), "level".to_owned())]);
    let words = ["--from", "2026-03-09", "--to", "2026-03-10", "--config"];
    let path = fixture.path("store.toml");
    let export = Export::from_args(&["export"], &[&words[..], &[&*path]].concat()).unwrap();
    export.run().unwrap();
}

#[test]
fn each_command_has_a_name_of_its_own_at_the_database() {
    let target = Fixture::new().database.target();
    let [one, other] = [(); 2].map(|()| access_of(target.clone()).unwrap());
    assert_ne!(one.instance(), other.instance());
}
