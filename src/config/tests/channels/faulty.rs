//! Errors of faulty channels.

use super::*;

/// Keys of a channel, each with the beginning of its only error: line and column, then the message.
const WRONG: &[(&str, &str)] = &[
    (
        "kind = \"nfty\"",
        "3:9: \"kind\": \"nfty\" is unknown in [[notify]] \"c\"; did you mean \"ntfy\"?",
    ),
    ("", "1:1: missing key \"kind\" in [[notify]] \"c\""),
    ("kind = \"ntfy\"", "1:1: missing key \"topic\" in [[notify]] \"c\""),
    (
        "kind = \"ntfy\"\ntopic = \"x\"\ntopics = \"y\"",
        "5:1: unknown key \"topics\" in [[notify]] \"c\"; did you mean \"topic",
    ),
    (
        "kind = \"ntfy\"\ntopic = \"s3cret/x\"",
        "4:1: \"topic\" must be 1 to 64 letters, digits, \"_\" and \"-\"",
    ),
    (
        "kind = \"ntfy\"\ntopic = \"x\"\ntoken = \"s3 cret\"",
        "5:1: \"token\" must be visible ASCII characters without blanks",
    ),
    (
        "kind = \"ntfy\"\ntopic = \"x\"\nurl = \"https://ntfy.sh/?auth=s3cret\"",
        "5:1: \"url\": must be the root of the server, without a query",
    ),
    (
        "kind = \"ntfy\"\ntopic = \"x\"\nurl = \"https://ntfy.sh/s3cret\"",
        "5:1: \"url\": must be the root of the server, such as \"https://ntfy.sh\"",
    ),
    ("kind = \"webhook\"", "1:1: missing key \"url\" in [[notify]] \"c\""),
    (
        "kind = \"webhook\"\nurl = \"s3cret\"",
        "4:1: \"url\": is not a URL such as \"https://host/path\" in [[notify]] \"c\"",
    ),
    (
        "kind = \"webhook\"\nurl = \"ftp://h/s3cret\"",
        "4:1: \"url\": must begin with http:// or https://",
    ),
    (
        "kind = \"slack\"\nurl = \"https://me:s3cret@h/\"",
        "4:1: \"url\": must not contain a user name or password",
    ),
    (
        "kind = \"discord\"\nurl = \"https://h/s3cret#x\"",
        "4:1: \"url\": must not have a fragment, which is not sent in [[notify]] \"c\"; remove",
    ),
    (
        "kind = \"webhook\"\nurl = \"https://h/\"\ntemplate = '{\"key\":\"s3cret\"}'",
        "5:13: \"template\" has a brace that begins no placeholder such as {title} in [[notify]] \"c\"; write {{ and }}",
    ),
    (
        "kind = \"webhook\"\nurl = \"https://h/\"\ntemplate = \"{titel}\"",
        "5:13: \"template\": \"{titel}\" is unknown in [[notify]] \"c\"; did you mean \"title\"?",
    ),
    (
        "kind = \"webhook\"\nurl = \"https://h/\"\nheaders = { \"a b\" = \"s3cret\" }",
        "5:14: \"a b\" is not the name of a header field in [notify.headers]",
    ),
    (
        "kind = \"smtp\"\nurl = \"https://h\"\nfrom = \"a@b\"\nto = \"a@b\"",
        "4:1: \"url\": must begin with smtps:// (TLS from the first byte) or smtp:// (STARTTLS) in [[notify]] \"c\"; \
         write",
    ),
    (
        "kind = \"smtp\"\nurl = \"smtps://me:s3cret@h\"\nfrom = \"a@b\"\nto = \"a@b\"",
        "4:1: \"url\": must not contain a user name or password in [[notify]] \"c\"; write them as \"username\" and \
         \"password\"",
    ),
    (
        "kind = \"smtp\"\nurl = \"smtps://h\"\nfrom = \"a@b\"\nto = []",
        "6:1: \"to\" is empty in [[notify]] \"c\"; write an address",
    ),
    (
        "kind = \"smtp\"\nurl = \"smtps://h\"\nfrom = \"a@b\\r\\nBcc: c@d\"\nto = \"a@b\"",
        "5:9: \"from\" must be an address such as \"anna@example.org\"",
    ),
    (
        "kind = \"smtp\"\nurl = \"smtps://h\"\nfrom = \"a@b\"\nto = [\"a@b\", \"anna\"]",
        "6:15: \"to\" must be an address such as",
    ),
    (
        "kind = \"smtp\"\nurl = \"smtps://h\"\nfrom = \"a@b\"\nto = \"a@b\"\nusername = \"me\"",
        "1:1: missing key \"password\" in [[notify]] \"c\"",
    ),
    (
        "kind = \"pushover\"\ntoken = \"s3cret-x\"\nuser = \"u\"",
        "4:1: \"token\" must be the application's key of letters and digits",
    ),
    (
        "kind = \"telegram\"\ntoken = \"s3/cret\"\nchat = 5",
        "4:1: \"token\" must be the token of a bot, such as \"123456:ABC…\"",
    ),
    (
        "kind = \"telegram\"\ntoken = \"1:A\"\nchat = \"s3cret chat\"",
        "5:1: \"chat\" must be a chat's number, or a channel's \"@name\"",
    ),
    (
        "kind = \"exec\"\ncommand = \"notify s3cret\"",
        "4:12: \"command\" must be an array of strings, the program and its arguments, not a string in [[notify]] \
         \"c\"; write command = [",
    ),
    ("kind = \"exec\"\ncommand = []", "4:1: \"command\" is empty in [[notify]] \"c\"; write"),
    (
        "kind = \"exec\"\ncommand = [\"./notify\"]",
        "4:13: \"command\" must begin with the absolute path of a program, or with its name in PATH",
    ),
    (
        "kind = \"exec\"\ncommand = [\"~/notify\"]",
        "4:13: \"command\": \"~\" is not replaced by the home folder",
    ),
    (
        "kind = \"exec\"\ncommand = [\"a\"]\ntimeout = \"6m\"",
        "5:12: \"timeout\" must be between 1s and 5m in [[notify]] \"c\"; it is 6m",
    ),
    (
        "kind = \"exec\"\ncommand = [\"a\"]\ngroup_wait = \"11m\"",
        "5:15: \"group_wait\" must be between 0s and 10m in [[notify]] \"c\"; it is 11m",
    ),
    (
        "kind = \"exec\"\ncommand = [\"a\"]\ngroup_wait = 0",
        "5:14: \"group_wait\" must be a duration such as \"10s\" or \"5m\", not a whole number in [[notify]] \"c\"; \
         write group_wait = \"0s\" for seconds",
    ),
    (
        "kind = \"exec\"\ncommand = [\"a\"]\nmax_per_hour = 3601",
        "5:16: \"max_per_hour\" must be between 1 and 3600",
    ),
    ("kind = \"exec\"\ncommand = [\"a\"]\n[heartbeat]", "5:1: missing key \"url\" in [heartbeat]"),
    (
        "kind = \"exec\"\ncommand = [\"a\"]\n[heartbeat]\nurl = \"https://h/\"\nevery = \"5s\"",
        "7:10: \"every\" must be at least 10s in [heartbeat]; it is 5s",
    ),
    (
        "kind = \"exec\"\ncommand = [\"a\"]\n[heartbeat]\nurl = \"https://h/\"\nevery = \"15s\"\ntimeout = \"20s\"",
        "8:12: \"timeout\" must not be longer than \"every\" in [heartbeat]; that is 15s",
    ),
];

#[test]
fn fault_of_a_channel_is_reported_once_without_its_secret() {
    for (keys, expected) in WRONG {
        let errors = read(&file(keys)).expect_err(keys);
        let expected = format!("p.toml:{expected}");
        assert!(errors.starts_with(&expected), "{keys}\nhas the error\n{errors}\nnot\n{expected}");
        assert_eq!(errors.lines().count(), 1, "{keys}: {errors}");
        assert!(!errors.contains("s3") && !errors.contains("cret"), "{errors}");
    }
}
