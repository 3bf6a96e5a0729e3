//! Commands of the README for scripts, with the real curl and jq.

use std::process::{Command, Output};

use crate::demo::Demo;

const README: &str = include_str!("../../README.md");

/// Runs a line of the README in a shell, with the URL of the demo.
fn shell(demo: &Demo, line: &str) -> Output {
    let line = line
        .replace("curl ", "curl --insecure --max-time 20 ")
        .replace("https://localhost:6443/", &demo.url());
    let directory = tempfile::tempdir().unwrap();
    Command::new("sh").args(["-c", &line]).current_dir(directory.path()).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the commands of README under "HTTP API", without their comments.
fn readme_commands() -> Vec<String> {
    let blocks = README.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").unwrap().0);
    let block = blocks.into_iter().find(|block| block.contains("/api/v1/status | jq")).unwrap();
    let without_comments = |command: &str| {
        let lines = command.lines().filter(|line| !line.starts_with('#'));
        lines.collect::<Vec<_>>().join("\n")
    };
    block.split("\n\n").map(without_comments).collect()
}

#[test]
fn each_command_of_the_readme_succeeds() {
    let demo = Demo::start();
    crate::harness::eventually("the sources have answered", || {
        shell(&demo, "curl -sf https://localhost:6443/readyz").status.success()
    });
    let commands = readme_commands();
    assert!(commands.len() >= 9, "{commands:#?}");
    for command in commands {
        let text = printed(&shell(&demo, &command));
        // A request of the download shows nothing, since its output is a file.
        assert!(!text.is_empty() || command.contains(" -o "), "{command} printed nothing");
        // The rate limit may forbid a poll, as README says.
        let is_limited = command.contains("-sX POST") && text.contains("\"status\":429");
        let is_problem = text.contains("\"detail\":");
        assert!(!is_problem || is_limited, "{command} got a problem: {text}");
    }
}

#[test]
fn commands_of_the_readme_print_what_it_shows() {
    let demo = Demo::start();
    crate::harness::eventually("the sources have answered", || {
        shell(&demo, "curl -sf https://localhost:6443/readyz").status.success()
    });
    let level = shell(
        &demo,
        "curl -s https://localhost:6443/api/v1/status | jq -e '.sources.tank.values.level.value'",
    );
    let level: f64 = printed(&level).trim().parse().unwrap();
    assert!((30.0..=100.0).contains(&level), "{level}");

    let bare = shell(&demo, "curl -sf https://localhost:6443/api/v1/values/tank.level.txt");
    let bare = printed(&bare);
    assert!(bare.ends_with('\n') && bare.trim().parse::<f64>().is_ok(), "{bare:?}");

    let variables = shell(
        &demo,
        "eval \"$(curl -sf 'https://localhost:6443/api/v1/status?format=shell')\"\n\
         echo \"$tank_level $tank_level_unit, $tank_state, observed $tank_observed_at\"",
    );
    let variables = printed(&variables);
    assert!(variables.contains(" %, fresh, observed 2"), "{variables}");

    let gate = |age: &str| {
        let url = "https://localhost:6443/api/v1/values/tank.level.txt";
        shell(&demo, &format!("curl -sf '{url}?max_age={age}' || echo \"no fresh level\""))
    };
    assert_ne!(printed(&gate("600")), "no fresh level\n");

    let ages = shell(
        &demo,
        "curl -s https://localhost:6443/api/v1/status | jq -r '.sources | to_entries[] | \
         \"\\(.key): \\(.value.state), \\(now - (.value.observed_at | fromdateiso8601) | floor) s old\"'",
    );
    let ages = printed(&ages);
    assert_eq!(ages.lines().count(), 3, "{ages}");
    assert!(ages.lines().all(|line| line.contains(": fresh, ")), "{ages}");

    // The icon does not change between requests, unlike the readings of a demo.
    let twice = shell(
        &demo,
        "ask() { curl -s --etag-save tag --etag-compare tag -o out -w '%{http_code} ' \
         https://localhost:6443/favicon.ico; }; ask; ask",
    );
    assert_eq!(printed(&twice), "200 304 ");

    let problem = shell(
        &demo,
        "curl -s https://localhost:6443/api/v1/values/tank.nothing | jq -r '.status, .title'",
    );
    assert_eq!(printed(&problem), "404\nNot Found\n");
}
