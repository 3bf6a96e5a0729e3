//! Mistakes in names of keys.

use crate::mistakes::Mistake;

pub(super) const KEYS: &[Mistake] = &[
    Mistake {
        name: "a misspelt table",
        file: r#"[sorce]
name = "a"
"#,
        says: &[r#"p.toml:1:2: unknown key "sorce" in the file; did you mean "source"?"#],
    },
    Mistake {
        name: "a misspelt key",
        file: r#"[server]
lisen = ["127.0.0.1:6443"]
"#,
        says: &[r#"p.toml:2:1: unknown key "lisen" in [server]; did you mean "listen"?"#],
    },
    Mistake {
        name: "a key in upper case",
        file: r#"[server]
WORKERS = 2
"#,
        says: &[r#"p.toml:2:1: unknown key "WORKERS" in [server]; did you mean "workers"?"#],
    },
    Mistake {
        name: "a misspelt required key",
        file: r#"[tls]
cert = "c.pem"
kye = "k.pem"
"#,
        says: &[r#"p.toml:3:1: unknown key "kye" in [tls]; did you mean "key"?"#],
    },
    Mistake {
        name: "a misspelt kind",
        file: r#"[[source]]
name = "a"
kidn = "nws"
station = "KDEN"
"#,
        says: &[r#"p.toml:3:1: unknown key "kidn" in [[source]] "a"; did you mean "kind"?"#],
    },
    Mistake {
        name: "a misspelt height",
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/a1b2c3"
heigth = 58
capacity = 1400
"#,
        says: &[r#"p.toml:5:1: unknown key "heigth" in [[source]] "tank"; did you mean "height"?"#],
    },
    Mistake {
        name: "a required key that is missing",
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/a1b2c3"
capacity = 1400
"#,
        says: &[r#"p.toml:1:1: missing key "height" in [[source]] "tank""#],
    },
];
