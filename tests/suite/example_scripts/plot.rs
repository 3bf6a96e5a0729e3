//! `plot.sh`: a picture of the history.

use std::fs;
use std::process::Command;

use super::{Outcome, demo};

#[test]
fn plot_draws_the_history_of_a_field() {
    let (_demo, environment) = demo();
    for arguments in [&["tank.level"][..], &["-d", "2", "-s", "1h", "-o", "it's.png", "tank.level"]]
    {
        let drawn = environment.run("plot.sh", arguments);
        assert_eq!(drawn.code, 0, "{drawn:?}");
        let picture = fs::read(environment.folder.path().join(drawn.stdout.trim_end())).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 2000, "{} bytes", picture.len());
    }
    let nothing = environment.run("plot.sh", &["-o", "none.png", "tank.nothing"]);
    assert_eq!(nothing.code, 1);
    assert!(nothing.stderr.contains("No value of tank.nothing was ever recorded."), "{nothing:?}");
    assert!(!environment.folder.path().join("none.png").exists());
    assert_eq!(environment.run_nowhere("plot.sh", &["tank.level"]).code, 1);

    // Without gnuplot.
    let bin = environment.folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["sh", "dirname", "readlink", "sed"] {
        let found =
            Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        std::os::unix::fs::symlink(path.trim_end(), bin.join(program)).unwrap();
    }
    let missing = Outcome::of(environment.command("plot.sh", &["tank.level"]).env("PATH", &bin));
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("gnuplot is missing"), "{missing:?}");
}
