//! Mistakes in the settings of a source.

use crate::mistakes::Mistake;

pub(super) const SOURCES: &[Mistake] = &[
    Mistake {
        name: "an unknown kind",
        file: r#"[[source]]
name = "tank"
kind = "ptlevle"
url = "https://www.mypt.in/s/a1b2c3"
height = 58
capacity = 1400
"#,
        says: &[
            r#"p.toml:3:9: "kind": "ptlevle" is unknown in [[source]] "tank"; did you mean "ptlevel"?"#,
        ],
    },
    Mistake {
        name: "a timeout longer than the interval",
        file: tank_source!(
            r#"interval = "5s"
timeout = "10s""#
        ),
        says: &[
            r#"p.toml:8:12: "timeout" must not be longer than "interval" in [[source]] "tank"; that is 5s"#,
        ],
    },
    Mistake {
        name: "a password in a URL",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://me:pw@10.0.0.5/status"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"p.toml:4:8: "url": must not contain a user name or password in [[source]] "pump"; give credentials by their own keys"#,
        ],
    },
    Mistake {
        name: "an unknown field in show",
        file: tank_source!(r#"show = ["levle", "volume_rate", "rain"]"#),
        says: &[
            r#"note: p.toml:7:10: "show": "levle" is no field of the kind "ptlevel" in [[source]] "tank"; did you mean "level"?"#,
            r#"note: p.toml:7:34: "show": "rain" is no field of the kind "ptlevel" in [[source]] "tank"; known are level, depth, volume, volume_rate, volume_change_1h, volume_change_24h, level_rate, level_change_1h, level_change_24h, time_to_full, time_to_empty, last_refill, last_refill_began, last_refill_amount"#,
            r#"note: p.toml contains secrets ("url" in line 4), and other users can read it (mode 0644); run: chmod o-rwx p.toml"#,
        ],
    },
    Mistake {
        name: "an unknown field of JSON in show",
        file: json_source!(r#"show = ["of"]"#),
        says: &[
            r#"note: p.toml:5:10: "show": "of" is no field of the kind "json" in [[source]] "pump"; known are on"#,
        ],
    },
    Mistake {
        name: "a unit for an unknown field",
        file: r#"[[source]]
name = "sky"
kind = "nws"
station = "KDEN"
[source.fields.temprature]
unit = "degC"
"#,
        says: &[
            r#"note: p.toml:5:16: [source.fields.temprature]: "temprature" is no field of the kind "nws" in [[source]] "sky"; did you mean "temperature"?"#,
        ],
    },
    Mistake {
        name: "stale before the next poll",
        file: tank_source!(
            r#"interval = "15m"
stale_after = "5m""#
        ),
        says: &[
            r#"note: p.toml:8:16: "stale_after" is 5m, which is shorter than "interval", 15m, so readings turn stale between two polls in [[source]] "tank"; make it longer, such as three intervals"#,
            r#"note: p.toml contains secrets ("url" in line 4), and other users can read it (mode 0644); run: chmod o-rwx p.toml"#,
        ],
    },
];
