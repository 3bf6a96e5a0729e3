//! Mistakes in secrets and their places.

use crate::mistakes::Mistake;

pub(super) const SECRETS: &[Mistake] = &[
    Mistake {
        name: "a variable that is not set",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer = "${NOT_SET}"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            "p.toml:5:11: the environment variable NOT_SET is not set; set it where the server is started",
        ],
    },
    Mistake {
        name: "a variable that is empty",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer = "${EMPTY}"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"p.toml:5:11: "bearer" is empty: the environment variable EMPTY is set to nothing in [[source]] "pump""#,
        ],
    },
    Mistake {
        name: "an empty secret",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer = ""
[source.values.on]
pointer = "/on"
"#,
        says: &[r#"p.toml:5:10: "bearer" is empty in [[source]] "pump"; write its value"#],
    },
    Mistake {
        name: "an empty file of a secret",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer_file = "empty"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"p.toml:5:16: "bearer_file": empty in DIR: the file is empty in [[source]] "pump"; write the secret into it"#,
        ],
    },
    Mistake {
        name: "a file of a secret that does not exist",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer_file = "secrets/bearer"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"p.toml:5:16: "bearer_file": cannot read secrets/bearer in DIR: the folder secrets does not exist in [[source]] "pump""#,
        ],
    },
    Mistake {
        name: "a secret twice",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer = "x"
bearer_file = "empty"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"p.toml:6:16: "bearer" and "bearer_file" exclude each other in [[source]] "pump""#,
        ],
    },
    Mistake {
        name: "secrets in a file that others can read",
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer = "s3cret"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"note: p.toml contains secrets ("bearer" in line 5), and other users can read it (mode 0644); run: chmod o-rwx p.toml"#,
        ],
    },
];
