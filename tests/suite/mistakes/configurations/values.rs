//! Mistakes in values: type, range, unit.

use crate::mistakes::Mistake;

pub(super) const VALUES: &[Mistake] = &[
    Mistake {
        name: "nan",
        file: r#"[[source]]
name = "sky"
kind = "open-meteo"
latitude = nan
longitude = -inf
"#,
        says: &[
            r#"p.toml:4:12: "latitude" must be a number, not nan in [[source]] "sky""#,
            r#"p.toml:5:13: "longitude" must be a number, not -inf in [[source]] "sky""#,
        ],
    },
    Mistake {
        name: "nan for a whole number",
        file: r#"[server]
workers = nan
"#,
        says: &[r#"p.toml:2:11: "workers" must be a whole number, not nan in [server]"#],
    },
    Mistake {
        name: "nan for a bound",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
[source.values.on]
pointer = "/on"
min = nan
max = inf
"#,
        says: &[
            r#"p.toml:7:7: "min" must be a number, not nan in [source.values.on]"#,
            r#"p.toml:8:7: "max" must be a number, not inf in [source.values.on]"#,
        ],
    },
    Mistake {
        name: "a number as a text",
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/a1b2c3"
height = "58"
capacity = 1400
"#,
        says: &[
            r#"p.toml:5:11: "height" must be a number, not a string in [[source]] "tank"; write height = 58"#,
        ],
    },
    Mistake {
        name: "a truth as a text",
        file: r#"[history]
enabled = "true"
"#,
        says: &[
            r#"p.toml:2:12: "enabled" must be true or false, not a string in [history]; write enabled = true"#,
        ],
    },
    Mistake {
        name: "a text for a list",
        file: r#"[server]
listen = "127.0.0.1:6443"
"#,
        says: &[
            r#"p.toml:2:11: "listen" must be an array of strings, not a string in [server]; write listen = ["127.0.0.1:6443"]"#,
        ],
    },
    Mistake {
        name: "a duration without its unit",
        file: r#"[server]
keep_alive = "75"
"#,
        says: &[
            r#"p.toml:2:15: "keep_alive" must be a duration such as "10s" or "5m" in [server]; "75" has no unit: write "75s" for seconds, "75m" for minutes"#,
        ],
    },
    Mistake {
        name: "a duration as a number",
        file: r#"[server]
keep_alive = 75
"#,
        says: &[
            r#"p.toml:2:14: "keep_alive" must be a duration such as "10s" or "5m", not a whole number in [server]; write keep_alive = "75s" for seconds"#,
        ],
    },
    Mistake {
        name: "a duration in other words",
        file: r#"[server]
keep_alive = "five minutes"
"#,
        says: &[
            r#"p.toml:2:15: "keep_alive" must be a duration such as "10s" or "5m" in [server]; "five minutes" is none: its units are s, m, h and d"#,
        ],
    },
    Mistake {
        name: "durations that are switched off",
        file: r#"[server]
keep_alive = "off"
queue_timeout = "None"
"#,
        says: &[
            r#"p.toml:2:15: "keep_alive" must be a duration such as "10s" or "5m" in [server]; it cannot be switched off: for the default, delete the key"#,
            r#"p.toml:3:18: "queue_timeout" must be a duration such as "10s" or "5m" in [server]; it cannot be switched off: for the default, delete the key"#,
        ],
    },
    Mistake {
        name: "a negative duration",
        file: r#"[server]
keep_alive = "-5s"
"#,
        says: &[
            r#"p.toml:2:15: "keep_alive" must be a duration such as "10s" or "5m" in [server]; "-5s" is negative"#,
        ],
    },
    Mistake {
        name: "a size without quotation marks",
        file: r#"[server]
max_body_bytes = 65536
"#,
        says: &[
            r#"p.toml:2:18: "max_body_bytes" must be a size such as "16KiB", not a whole number in [server]; write max_body_bytes = "65536B" for bytes"#,
        ],
    },
    Mistake {
        name: "a size without a number",
        file: r#"[server]
max_body_bytes = "lots"
"#,
        says: &[
            r#"p.toml:2:19: "max_body_bytes" must be a size such as "16KiB" in [server]; "lots" is none"#,
        ],
    },
    Mistake {
        name: "a number out of its range",
        file: r#"[server]
workers = 5000
"#,
        says: &[r#"p.toml:2:11: "workers" must be between 1 and 1024 in [server]; it is 5000"#],
    },
    Mistake {
        name: "an unknown unit",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
[source.values.on]
pointer = "/on"
unit = "degCC"
"#,
        says: &[
            r#"p.toml:7:9: "unit": "degCC" is unknown in [source.values.on]; did you mean "degC", or unit_label = "degCC"?"#,
        ],
    },
    Mistake {
        name: "an unknown system of units",
        file: r#"[site]
units = "imperial"
"#,
        says: &[r#"p.toml:2:10: "units": "imperial" is neither "us" nor "metric" in [site]"#],
    },
    Mistake {
        name: "an unknown time zone",
        file: r#"[site]
timezone = "Amerika/Denver"
"#,
        says: &[
            r#"p.toml:2:13: "timezone": Amerika/Denver is not a time zone such as America/Denver in [site]"#,
        ],
    },
];
