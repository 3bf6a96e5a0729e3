//! Mistakes that leave a value of the example as it is.

use crate::mistakes::Mistake;

pub(super) const PLACEHOLDERS: &[Mistake] = &[
    Mistake {
        name: "the example as it is",
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/your-share"
height = 58
capacity = 1400
"#,
        says: &[
            r#"note: p.toml:4:8: "url" still has "your-share" of the example; replace it by your own"#,
            r#"note: p.toml contains secrets ("url" in line 4), and other users can read it (mode 0644); run: chmod o-rwx p.toml"#,
        ],
    },
    Mistake {
        name: "the coordinates of the example",
        file: r#"[[source]]
name = "weather"
kind = "open-meteo"
latitude = 37.24
longitude = -122.14
"#,
        says: &[
            r#"note: p.toml:4:12: "latitude" still has the example's value 37.24; replace it by your own"#,
        ],
    },
    Mistake {
        name: "the contact of the example",
        file: r#"[site]
contact = "ops@example.org"
"#,
        says: &[
            r#"note: p.toml:2:12: "contact" still has the example's host example.org; replace it by your own"#,
        ],
    },
    Mistake {
        name: "the device of the example",
        file: r#"[[source]]
name = "tank"
kind = "ptdevices"
device = "200"
token = "${TOKEN}"
timezone = "America/Denver"
"#,
        says: &[
            r#"note: p.toml:4:11: "device" still has the example's value 200; replace it by your own"#,
        ],
    },
    Mistake {
        name: "the endpoint of the example",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://127.0.0.1:8080/pump.json"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"note: p.toml:4:8: "url" still has the example's value http://127.0.0.1:8080/pump.json; replace it by your own"#,
        ],
    },
    Mistake {
        name: "names of the example",
        file: r#"[server]
names = ["tank.example", "192.0.2.7"]
"#,
        says: &[
            r#"note: p.toml:2:11: "names" still has the example's host tank.example; replace it by your own"#,
            r#"note: p.toml:2:27: "names" still has the example's address 192.0.2.7; replace it by your own"#,
        ],
    },
];
