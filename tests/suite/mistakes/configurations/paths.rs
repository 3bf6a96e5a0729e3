//! Mistakes in paths.

use crate::mistakes::Mistake;

pub(super) const PATHS: &[Mistake] = &[
    Mistake {
        name: "~ in a path",
        file: r#"[history]
path = "~/pumphouse.db"
"#,
        says: &[
            r#"p.toml:2:9: "path": "~" is not replaced by the home folder in [history]; write "/home/anna/pumphouse.db""#,
        ],
    },
    Mistake {
        name: "$HOME in a path",
        file: r#"[history]
path = "$HOME/pumphouse.db"
"#,
        says: &[
            r#"p.toml:2:9: "path": "$HOME" is not replaced by the variable in [history]; write "${HOME}/pumphouse.db""#,
        ],
    },
    Mistake {
        name: "~ in the path of a certificate",
        file: r#"[tls]
cert = "~/cert.pem"
key = "~/key.pem"
"#,
        says: &[
            r#"p.toml:2:9: "cert": "~" is not replaced by the home folder in [tls]; write "/home/anna/cert.pem""#,
            r#"p.toml:3:8: "key": "~" is not replaced by the home folder in [tls]; write "/home/anna/key.pem""#,
        ],
    },
    Mistake {
        name: "~ in the path of a socket",
        file: r#"[server]
listen = ["unix:~/pumphouse.sock"]
"#,
        says: &[
            r#"p.toml:2:12: "listen": "~" is not replaced by the home folder in [server]; write "/home/anna/pumphouse.sock""#,
        ],
    },
    Mistake {
        name: "a history that is a folder",
        file: r#"[history]
path = "folder"
"#,
        says: &[
            r#"p.toml:2:9: "path" in [history]: folder in DIR is a folder; write the path of a file in it, such as "folder/pumphouse.db""#,
        ],
    },
    Mistake {
        name: "a history in a folder that does not exist",
        file: r#"[history]
path = "data/pumphouse.db"
"#,
        says: &[
            r#"p.toml:2:9: "path" in [history]: the folder data in DIR does not exist, so data/pumphouse.db cannot be stored; make it: mkdir -p data"#,
        ],
    },
    Mistake {
        name: "an authority file that does not exist",
        file: r#"[[source]]
name = "sky"
kind = "nws"
station = "KDEN"
ca_file = "ca.pem"
"#,
        says: &[
            r#"p.toml:5:12: "ca_file" in [[source]] "sky": cannot read ca.pem in DIR: no such file"#,
        ],
    },
    Mistake {
        name: "certificates that do not exist",
        file: r#"[tls]
cert = "certs/cert.pem"
key = "certs/key.pem"
"#,
        says: &[
            r#"p.toml:2:9: "cert" in [tls]: cannot read certs/cert.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
            r#"p.toml:3:8: "key" in [tls]: cannot read certs/key.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: "errors of the file and of the certificates",
        file: r#"[server]
workers = 0
[tls]
cert = "certs/cert.pem"
key = "certs/key.pem"
"#,
        says: &[
            r#"p.toml:2:11: "workers" must be between 1 and 1024 in [server]; it is 0"#,
            r#"p.toml:4:9: "cert" in [tls]: cannot read certs/cert.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
            r#"p.toml:5:8: "key" in [tls]: cannot read certs/key.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
];
