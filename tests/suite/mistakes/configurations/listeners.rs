//! Mistakes in addresses to listen on and names of the server.

use crate::mistakes::Mistake;

pub(super) const LISTENERS: &[Mistake] = &[
    Mistake {
        name: "a port without its address",
        file: r#"[server]
listen = ["6443"]
"#,
        says: &[
            r#"p.toml:2:12: "listen": "6443" is not an address to listen on in [server]; write "0.0.0.0:6443", "[::]:6443", "unix:/path" or "fd:0""#,
        ],
    },
    Mistake {
        name: "an admin listener that others reach",
        file: r#"[server]
admin_listen = "0.0.0.0:6480"
"#,
        says: &[
            r#"p.toml:2:17: "admin_listen": the admin listener has no access control, so it must be on loopback (127.0.0.1, [::1]) or a unix socket in [server]"#,
        ],
    },
    Mistake {
        name: "a name with a port",
        file: r#"[server]
names = ["tank.lan:6443"]
"#,
        says: &[
            r#"p.toml:2:11: "names": "tank.lan:6443" is not a host name such as "tank.example" or "192.0.2.7", without a port in [server]"#,
        ],
    },
    Mistake {
        name: "localhost, which has two addresses",
        file: r#"[server]
listen = ["localhost:6443"]
"#,
        says: &[
            r#"note: p.toml:2:12: "listen": "localhost:6443" is 127.0.0.1:6443 alone in [server]; add "[::1]:6443", which is localhost, too, for clients that use IPv6"#,
        ],
    },
    Mistake {
        name: "a port that the system chooses",
        file: r#"[server]
listen = ["127.0.0.1:0"]
"#,
        says: &[
            "note: 127.0.0.1:0: with port 0 the system chooses another port at each start, which the log names",
        ],
    },
];
