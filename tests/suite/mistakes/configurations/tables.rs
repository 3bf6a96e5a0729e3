//! Mistakes in headers of tables, and keys or tables that stand twice.

use crate::mistakes::Mistake;

pub(super) const TABLES: &[Mistake] = &[
    Mistake {
        name: "a key twice",
        file: r#"[site]
title = "a"
title = "b"
"#,
        says: &[r#"p.toml:3:1: the key "title" is set in line 2 already; remove one of the two"#],
    },
    Mistake {
        name: "a table twice",
        file: r#"[site]
title = "a"
[server]
workers = 2
[site]
units = "us"
"#,
        says: &["p.toml:5:1: the table [site] is in line 1 already; move its keys there"],
    },
    Mistake {
        name: "[source] after [[source]]",
        file: r#"[[source]]
name = "a"

[source]
name = "b"
"#,
        says: &[
            "p.toml:4:1: [source] must be written [[source]], as in line 1: there may be several",
        ],
    },
    Mistake {
        name: "[source] after several [[source]]",
        file: r#"[[source]]
name = "a"
[[source]]
name = """
[source]
"""
[source]
name = "c"
"#,
        says: &[
            "p.toml:7:1: [source] must be written [[source]], as in line 1: there may be several",
        ],
    },
    Mistake {
        name: "[source] twice",
        file: r#"[source]
name = "a"

[ source ] # the second
name = "b"
"#,
        says: &[
            "p.toml:4:1: the table [source] is in line 1 already; write [[source]] in both lines for two of them",
        ],
    },
    Mistake {
        name: "[auth.user] after several [[auth.user]]",
        file: r#"[[auth.user]]
name = "anna"
[[auth.user]]
name = "bert"
[auth.user]
name = "carl"
"#,
        says: &[
            "p.toml:5:1: [auth.user] must be written [[auth.user]], as in line 1: there may be several",
        ],
    },
    Mistake {
        name: "[[source.values.token]] of two sources",
        file: r#"[[source]]
name = "a"
[source.values.token]
pointer = "/a"
[[source]]
name = "b"
[source.values.token]
pointer = "/a"
[source.values.token]
pointer = "/b"
"#,
        says: &[
            "p.toml:9:1: the table [source.values.token] is in line 7 already; move its keys there",
        ],
    },
    Mistake {
        name: "[source.values.v] before [[source]]",
        file: r#"[source.values.v]
pointer = "/v"
[[source]]
name = "a"
"#,
        says: &[
            "p.toml:1:1: [source.values.v] must follow the [[source]] that it belongs to; the first one is in line 3",
        ],
    },
    Mistake {
        name: "[[source.values.v]] before [[source]]",
        file: r#"[site]
[[source.values.v]]
pointer = "/v"
[[source]]
name = "a"
"#,
        says: &[
            "p.toml:2:1: [[source.values.v]] must follow the [[source]] that it belongs to; the first one is in line 4",
        ],
    },
    Mistake {
        name: "a header of values without its bracket",
        file: r#"[[source]]
[source.values.token
pointer = "/v"
"#,
        says: &["p.toml:2:21: the header of a table is not complete; write [source.values.token]"],
    },
    Mistake {
        name: "[[source]] after [source]",
        file: r#"[source]
name = "a"

[[source]]
name = "b"
"#,
        says: &[
            "p.toml:1:1: [source] must be written [[source]], as in line 4: there may be several",
        ],
    },
    Mistake {
        name: "[source] alone",
        file: r#"[source]
name = "a"
"#,
        says: &[r#"p.toml:1:1: "source" must be written [[source]]: there may be several"#],
    },
    Mistake {
        name: "[auth.user]",
        file: r#"[auth.user]
name = "anna"
"#,
        says: &[r#"p.toml:1:1: "user" must be written [[auth.user]]: there may be several"#],
    },
    Mistake {
        name: "[auth.user] after [[auth.user]]",
        file: r#"[[auth.user]]
name = "anna"

[auth.user]
name = "bert"
"#,
        says: &[
            "p.toml:4:1: [auth.user] must be written [[auth.user]], as in line 1: there may be several",
        ],
    },
    Mistake {
        name: "[[server]]",
        file: r#"[[server]]
workers = 2
"#,
        says: &["p.toml:1:1: [[server]] must be written [server]: there is one"],
    },
    Mistake {
        name: "[tls.certificate]",
        file: r#"[tls]
cert = "c.pem"
key = "k.pem"
[tls.certificate]
cert = "d.pem"
"#,
        says: &[
            r#"p.toml:2:9: "cert" in [tls]: cannot read c.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
            r#"p.toml:3:8: "key" in [tls]: cannot read k.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
            r#"p.toml:4:1: "certificate" must be written [[tls.certificate]]: there may be several"#,
        ],
    },
    Mistake {
        name: "a table as a value",
        file: r#"[site]
server = 1
[server]
workers = 2
server = "x"
"#,
        says: &[
            r#"p.toml:2:1: unknown key "server" in [site]; known are title, url, contact, timezone, units"#,
            r#"p.toml:5:1: unknown key "server" in [server]; known are replica, listen, admin_listen, backlog, watchdog_timeout, names, hsts, handshake_timeout, header_timeout, body_timeout, write_timeout, keep_alive, linger_timeout, queue_timeout, drain_timeout, max_connections, max_connections_per_address, trusted_proxies, workers, heavy_requests, max_header_bytes, max_headers, max_body_bytes, max_buffered_bytes"#,
        ],
    },
];
