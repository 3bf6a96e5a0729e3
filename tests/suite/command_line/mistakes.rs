//! Mistaken command lines, and the one line that each gets.

use super::{Ended, run};

/// Line, message, and the command whose help the message names. `…` stands for any further text.
const MISTAKES: &[(&str, &str, &str)] = &[
    // Commands.
    ("chekc", "unknown command \"chekc\"; did you mean \"check\"?", ""),
    ("Serve", "unknown command \"Serve\"; did you mean \"serve\"?", ""),
    ("serv", "unknown command \"serv\"; did you mean \"serve\"?", ""),
    ("docter", "unknown command \"docter\"; did you mean \"doctor\"?", ""),
    ("hash_password", "unknown command \"hash_password\"; did you mean \"hash-password\"?", ""),
    ("histroy check", "unknown command \"histroy\"; did you mean \"history\"?", ""),
    ("backup copy.db", "unknown command \"backup\"; did you mean \"history backup\"?", ""),
    ("new", "unknown command \"new\"; did you mean \"token new\"?", ""),
    ("xyzzy", "unknown command \"xyzzy\"", ""),
    ("history chekc", "unknown command \"chekc\" of history; did you mean \"check\"?", "history"),
    ("history", "history needs a command: check or backup or copy", "history"),
    ("token", "token needs a command: new", "token"),
    ("help chekc", "unknown command \"chekc\"; did you mean \"check\"?", ""),
    (
        "help history chek",
        "unknown command \"chek\" of history; did you mean \"check\"?",
        "history",
    ),
    (
        "tank.toml",
        "unknown command \"tank.toml\"; to serve by this file: pumphouse-web serve tank.toml",
        "",
    ),
    // Options.
    ("check --pol", "unknown option \"--pol\" for check; did you mean \"--poll\"?", "check"),
    ("check -poll", "unknown option \"-poll\" for check; did you mean \"--poll\"?", "check"),
    (
        "serve -config x",
        "unknown option \"-config\" for serve; did you mean \"--config\"?",
        "serve",
    ),
    ("serve --conf=x", "unknown option \"--conf\" for serve; did you mean \"--config\"?", "serve"),
    (
        "serve --log_format json",
        "unknown option \"--log_format\" for serve; did you mean \"--log-format\"?",
        "serve",
    ),
    ("serve -c x", "unknown option \"-c\" for serve; did you mean \"--config\"?", "serve"),
    ("serve --zzz", "unknown option \"--zzz\" for serve", "serve"),
    (
        "history check --confg x",
        "unknown option \"--confg\" for history check; did you mean \"--config\"?",
        "history check",
    ),
    ("--hlep", "unknown option \"--hlep\"; did you mean \"--help\"?", ""),
    ("--help=serve", "option \"--help\" takes no value", ""),
    ("-version", "unknown option \"-version\"; did you mean \"--version\"?", ""),
    ("--lsten 1", "unknown option \"--lsten\"; did you mean \"serve --listen\"?", ""),
    ("-c p.toml", "unknown option \"-c\"; did you mean \"serve --config\"?", ""),
    ("-x", "unknown option \"-x\"", ""),
    (
        "--config x serve",
        "option \"--config\" belongs behind the command: pumphouse-web serve --config x",
        "",
    ),
    (
        "--config=x check --poll",
        "option \"--config=x\" belongs behind the command: pumphouse-web check --config=x --poll",
        "",
    ),
    ("--poll", "option \"--poll\" belongs behind a command, as in: pumphouse-web check --poll", ""),
    // Values.
    ("serve --config", "option \"--config FILE\" lacks its value", "serve"),
    ("check --config --poll", "option \"--config FILE\" lacks its value before --poll", "check"),
    // A mistyped option is no value of the one before it.
    (
        "init --title --opne",
        "option \"--title TITLE\" lacks its value before --opne; did you mean \"--open\"?",
        "init",
    ),
    (
        "init --user --supervisrd",
        "option \"--user NAME\" lacks its value before --supervisrd; did you mean \
     \"--supervisord\"?",
        "init",
    ),
    (
        "watch --exec --dry-rn=yes",
        "option \"--exec COMMAND\" lacks its value before --dry-rn=yes; did you mean \
     \"--dry-run\"?",
        "watch",
    ),
    (
        "init --title --zzz",
        "option \"--title TITLE\" lacks its value before --zzz; if that is the value, write \
     --title=--zzz",
        "init",
    ),
    ("check --config -- a", "option \"--config FILE\" lacks its value before --", "check"),
    ("check --poll=1", "option \"--poll\" takes no value, such as \"1\"", "check"),
    ("check --config a --config b", "option \"--config\" is given twice", "check"),
    ("check a --config b", "two configuration files are given, a and --config b…", "check"),
    ("serve --listen 6443", "--listen 6443: \"6443\" is not an address to listen on…", "serve"),
    ("serve --listen=6443", "--listen 6443: \"6443\" is not an address to listen on…", "serve"),
    ("demo --log-format xml", "--log-format xml: \"xml\" is not a log format…", "demo"),
    ("doctor --timeout soon", "--timeout soon: not a duration such as 2s or 500ms", "doctor"),
    ("doctor --timeout 0s", "--timeout 0s: the duration must be longer than zero", "doctor"),
    ("watch --failures=abc", "--failures abc: expected a whole number, such as 3", "watch"),
    ("watch --max-restarts=-1", "--max-restarts -1: expected a whole number, such as 3", "watch"),
    ("watch --failures=4294967296", "--failures 4294967296: at most 4294967295", "watch"),
    ("token new --scope x", "--scope x: no scope; expected read…", "token new"),
    ("completions tcsh", "tcsh: no completions for this shell; expected bash…", "completions"),
    // Arguments.
    ("check a b", "unexpected argument \"b\" for check", "check"),
    ("check a poll", "unexpected argument \"poll\" for check; did you mean \"--poll\"?", "check"),
    ("demo now", "unexpected argument \"now\" for demo", "demo"),
    ("completions", "completions is missing bash|zsh|fish", "completions"),
    ("history backup", "history backup is missing COPY", "history backup"),
    ("export", "export is missing --from TIME and --to TIME", "export"),
    ("export --from 0", "export is missing --to TIME", "export"),
    // Contradictions that the command itself finds.
    ("cert --renew --force", "--renew keeps the key and --force replaces it…", "cert"),
];

#[test]
fn mistaken_command_line_is_2_and_one_line_with_the_nearest_name() {
    for (line, message, path) in MISTAKES {
        let Ended { code, stdout, stderr } = run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((code, &*stdout), (Some(2), ""), "{line}: {stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        let [first, second] = lines[..] else { panic!("{line}: {stderr}") };
        let is_as_expected = match message.strip_suffix('…') {
            Some(begin) => first.starts_with(&format!("pumphouse-web: {begin}")),
            None => first == format!("pumphouse-web: {message}"),
        };
        assert!(is_as_expected, "{line}: {stderr}");
        let name = ["pumphouse-web", path].join(" ");
        assert_eq!(second, format!("see `{} --help`", name.trim_end()), "{line}");
    }
}
