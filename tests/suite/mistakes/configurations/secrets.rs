//! Mistakes in secrets and their places.

use crate::mistakes::Mistake;

pub(super) const SECRETS: &[Mistake] = &[
    Mistake {
        name: "a variable that is not set",
        file: json_source!(r#"bearer = "${NOT_SET}""#),
        says: &[
            "p.toml:5:11: the environment variable NOT_SET is not set; set it where the server is started",
        ],
    },
    Mistake {
        name: "a variable that is empty",
        file: json_source!(r#"bearer = "${EMPTY}""#),
        says: &[
            r#"p.toml:5:11: "bearer" is empty: the environment variable EMPTY is set to nothing in [[source]] "pump""#,
        ],
    },
    Mistake {
        name: "an empty secret",
        file: json_source!(r#"bearer = """#),
        says: &[r#"p.toml:5:10: "bearer" is empty in [[source]] "pump"; write its value"#],
    },
    Mistake {
        name: "an empty file of a secret",
        file: json_source!(r#"bearer_file = "empty""#),
        says: &[
            r#"p.toml:5:16: "bearer_file" in [[source]] "pump": empty in DIR: the file is empty; write the secret into it"#,
        ],
    },
    Mistake {
        name: "a file of a secret in UTF-16",
        file: json_source!(r#"bearer_file = "utf16""#),
        says: &[
            r#"p.toml:5:16: "bearer_file" in [[source]] "pump": utf16 in DIR: the file is not UTF-8 text; store it as UTF-8"#,
        ],
    },
    Mistake {
        name: "a file of a secret that does not exist",
        file: json_source!(r#"bearer_file = "secrets/bearer""#),
        says: &[
            r#"p.toml:5:16: "bearer_file" in [[source]] "pump": cannot read secrets/bearer in DIR: the folder secrets does not exist"#,
        ],
    },
    Mistake {
        name: "a secret twice",
        file: json_source!(
            r#"bearer = "x"
bearer_file = "empty""#
        ),
        says: &[
            r#"p.toml:6:16: "bearer" and "bearer_file" exclude each other in [[source]] "pump""#,
        ],
    },
    Mistake {
        name: "secrets in a file that others can read",
        file: json_source!(r#"bearer = "s3cret""#),
        says: &[
            r#"note: p.toml contains secrets ("bearer" in line 5), and other users can read it (mode 0644); run: chmod o-rwx p.toml"#,
        ],
    },
];
