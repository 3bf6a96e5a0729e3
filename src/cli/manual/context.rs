//! Context of the commands: exit codes, environment variables, files and signals.

/// Exit codes of every command, unless it describes them otherwise.
pub(super) const EXIT_CODES: [(i32, &str); 3] = [
    (0, "done"),
    (1, "failed; standard error says why"),
    (2, "wrong command line; nothing was done"),
];

/// Environment variables, with what they do.
pub(super) const ENVIRONMENT: [(&str, &str); 16] = [
    ("PUMPHOUSE_CONFIG", "configuration file of commands that are given none"),
    ("PUMPHOUSE_TOKEN", "token of alert, if it is given no --token-file"),
    ("PUMPHOUSE_LOG_FORMAT", "log format without --log-format: text or json"),
    ("RUST_LOG", "filter of the log, such as debug or pumphouse_web::upstream=debug"),
    ("RUST_LOG_STYLE", "colours of the log: always or never (default: on a terminal)"),
    ("NO_COLOR", "if set, the log has no colours"),
    ("TZ", "time zone of the site, unless the configuration sets one"),
    ("SUPERVISOR_SERVER_URL", "address of supervisord for watch; supervisord sets it"),
    ("SUPERVISOR_USERNAME", "user name that supervisord demands from watch"),
    ("SUPERVISOR_PASSWORD", "password that supervisord demands from watch"),
    ("PUMPHOUSE_ALARM", "text of an alarm; watch sets it for --alarm-exec"),
    ("PUMPHOUSE_ALARM_KIND", "name of the alarm, such as certificate_expired"),
    ("PUMPHOUSE_ALARM_STATE", "begins, lasts or over"),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "proxies of sources with proxy = \"env\""),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "authorities to trust instead of the system's"),
    ("NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS", "set by systemd; see examples/systemd"),
];

/// Files, with their contents.
pub(super) const FILES: [(&str, &str); 4] = [
    ("pumphouse.toml", "the configuration; read from the current folder unless named"),
    ("certs/cert.pem, certs/key.pem", "certificate and key that the commands init and cert write"),
    (
        "/usr/local/share/pumphouse-web/",
        "examples, by `make install`; with a PREFIX, PREFIX/share/pumphouse-web/. pumphouse.toml documents \
         every key; sources/, shell/ and systemd/ have more",
    ),
    ("/usr/share/doc/pumphouse-web/examples/", "the same, in the Debian package"),
];

/// Signals to a server, with what they do.
pub(super) const SIGNALS: [(&str, &str); 3] = [
    (
        "TERM, INT",
        "finish the requests and messages in flight within drain_timeout, then exit with 0",
    ),
    ("a second TERM or INT", "exit at once with 130"),
    ("HUP", "read the configuration again, without closing a connection"),
];
