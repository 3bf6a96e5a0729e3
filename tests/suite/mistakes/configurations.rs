//! Mistaken configurations: the file, and the lines that `check` prints about it.

use super::Mistake;

/// Each file is followed by `[auth]` and `open = true`, unless it has accounts.
pub(super) const CONFIGURATIONS: &[Mistake] = &[
    Mistake {
        name: r#"typographic quotation marks"#,
        file: r#"[site]
title = “Well”
"#,
        says: &[
            r#"p.toml:2:9: “ is a typographic quotation mark, as word processors write it; write ""#,
        ],
    },
    Mistake {
        name: r#"typographic single quotation marks"#,
        file: r#"[site]
title = ‘Well’
"#,
        says: &[
            r#"p.toml:2:9: ‘ is a typographic quotation mark, as word processors write it; write ""#,
        ],
    },
    Mistake {
        name: r#"no closing quotation mark"#,
        file: r#"[site]
title = "Well
units = "us"
"#,
        says: &[r#"p.toml:2:14: the text of "title" has no closing quotation mark"#],
    },
    Mistake {
        name: r#"no opening quotation mark"#,
        file: r#"[site]
title = Well"
"#,
        says: &[r#"p.toml:2:9: "title": a text must be in quotation marks; write title = "…""#],
    },
    Mistake {
        name: r#"quotation marks in a text"#,
        file: r#"[site]
title = "The "big" tank"
"#,
        says: &[
            r#"p.toml:2:15: the text of "title" contains quotation marks; write \" for them, or '…' in place of "…""#,
        ],
    },
    Mistake {
        name: r#"no equals sign"#,
        file: r#"[site]
title "Well"
"#,
        says: &[r#"p.toml:2:7: "title" is not followed by "="; write title = …"#],
    },
    Mistake {
        name: r#"a colon for the equals sign"#,
        file: r#"[site]
title: "Well"
"#,
        says: &[r#"p.toml:2:6: "title" is followed by a colon; write title = …"#],
    },
    Mistake {
        name: r#"a YAML file"#,
        file: r#"site:
  title: x
"#,
        says: &[
            r#"p.toml:1:5: "site" is followed by a colon; write site = …"#,
            r#"p.toml:2:8: "title" is followed by a colon; write title = …"#,
        ],
    },
    Mistake {
        name: r#"a JSON file"#,
        file: r#"{"site": {"title": "x"}}
"#,
        says: &[r#"p.toml:1:1: the file is JSON, and must be TOML: [site], then title = "…""#],
    },
    Mistake {
        name: r#"True"#,
        file: r#"[history]
enabled = True
"#,
        says: &[r#"p.toml:2:11: "enabled": True must be in lower case; write enabled = true"#],
    },
    Mistake {
        name: r#"yes"#,
        file: r#"[history]
enabled = yes
"#,
        says: &[
            r#"p.toml:2:11: "enabled": yes is neither true, false nor a text in quotation marks; write enabled = true, or enabled = "yes""#,
        ],
    },
    Mistake {
        name: r#"null"#,
        file: r#"[site]
contact = null
"#,
        says: &[r#"p.toml:2:11: "contact" has no value; delete the line for the default"#],
    },
    Mistake {
        name: r#"a text without quotation marks"#,
        file: r#"[site]
units = us
"#,
        says: &[r#"p.toml:2:9: "units": a text must be in quotation marks; write units = "…""#],
    },
    Mistake {
        name: r#"a path without quotation marks"#,
        file: r#"[history]
path = /srv/pumphouse.db
"#,
        says: &[r#"p.toml:2:8: "path": a text must be in quotation marks; write path = "…""#],
    },
    Mistake {
        name: r#"a secret without quotation marks"#,
        file: r#"[[source]]
name = "a"
kind = "ptdevices"
token = 12ab34
"#,
        says: &[r#"p.toml:4:9: "token": a text must be in quotation marks; write token = "…""#],
    },
    Mistake {
        name: r#"a variable without quotation marks"#,
        file: r#"[[source]]
name = "a"
kind = "ptdevices"
token = ${PTDEVICES_TOKEN}
"#,
        says: &[
            r#"p.toml:4:9: "token": a variable must be in quotation marks; write token = "${…}""#,
        ],
    },
    Mistake {
        name: r#"a duration without quotation marks"#,
        file: r#"[server]
keep_alive = 75s
"#,
        says: &[
            r#"p.toml:2:14: "keep_alive": a duration must be in quotation marks; write keep_alive = "75s""#,
        ],
    },
    Mistake {
        name: r#"a number with its unit"#,
        file: r#"[[source]]
height = 58in
"#,
        says: &[
            r#"p.toml:2:10: "height": 58in is neither a number nor a text in quotation marks; write height = 58, or height = "58in""#,
        ],
    },
    Mistake {
        name: r#"a number with a decimal comma"#,
        file: r#"[[source]]
height = 5,8
"#,
        says: &[r#"p.toml:2:11: "height": 5,8 is not a number of TOML; write height = 5.8"#],
    },
    Mistake {
        name: r#"a number with a separator of thousands"#,
        file: r#"[[source]]
capacity = 1,400
"#,
        says: &[r#"p.toml:2:13: "capacity": 1,400 is not a number of TOML; write capacity = 1400"#],
    },
    Mistake {
        name: r#"a number with a leading zero"#,
        file: r#"[server]
workers = 08
"#,
        says: &[r#"p.toml:2:12: "workers": 08 is not a number of TOML; write workers = 8"#],
    },
    Mistake {
        name: r#"a number without digits before the point"#,
        file: r#"[[source]]
height = .5
"#,
        says: &[r#"p.toml:2:10: "height": .5 is not a number of TOML; write height = 0.5"#],
    },
    Mistake {
        name: r#"no value"#,
        file: r#"[site]
title =
"#,
        says: &[r#"p.toml:2:8: "title" has no value; delete the line for the default"#],
    },
    Mistake {
        name: r#"several values without a list"#,
        file: r#"[server]
listen = "127.0.0.1:6443", "[::1]:6443"
"#,
        says: &[r#"p.toml:2:26: "listen" has several values; write a list: listen = ["…", "…"]"#],
    },
    Mistake {
        name: r#"an open list"#,
        file: r#"[server]
listen = ["127.0.0.1:6443",
workers = 3
"#,
        says: &[r#"p.toml:2:1: the list or table of "listen" is not closed; end it by ] or }"#],
    },
    Mistake {
        name: r#"two keys on a line"#,
        file: r#"[site]
title = "Well" units = "us"
"#,
        says: &[
            r#"p.toml:2:16: a second key follows the value of "title"; write each key on a line of its own"#,
        ],
    },
    Mistake {
        name: r#"a blank in a key"#,
        file: r#"[server]
keep alive = "75s"
"#,
        says: &[
            r#"p.toml:2:6: the key "keep alive" contains a blank; names of keys have _ instead"#,
        ],
    },
    Mistake {
        name: r#"blanks in a text without quotation marks"#,
        file: r#"[site]
my s3cret = "Well"
"#,
        says: &[
            r#"p.toml:2:4: the key of this line contains a blank; names of keys have _ instead"#,
        ],
    },
    Mistake {
        name: r#"a token that was wrapped"#,
        file: r#"[[source]]
token = "Q7zWk3X
v9Jp2Yt8"
[site]
units = us
"#,
        says: &[
            r#"p.toml:2:17: the text of "token" has no closing quotation mark"#,
            r#"p.toml:5:9: "units": a text must be in quotation marks; write units = "…""#,
        ],
    },
    Mistake {
        name: r#"a secret without its key"#,
        file: r#"[[source]]
Q7zWk3Xv9Jp2Yt8
"#,
        says: &[r#"p.toml:2:16: this line is not followed by "="; write name = …"#],
    },
    Mistake {
        name: r#"a secret of a query without quotation marks"#,
        file: r#"[[source]]
[source.query]
appid = 9f8e7d6c
units = 12metric
"#,
        says: &[
            r#"p.toml:3:9: this line: a text must be in quotation marks; write name = "…""#,
            r#"p.toml:4:9: "units": a text must be in quotation marks; write units = "…""#,
        ],
    },
    Mistake {
        name: r#"a secret of a header without quotation marks"#,
        file: r#"[[source]]
body = 12s3cret
[source.headers]
x-api = 12345s3cret
"#,
        says: &[
            r#"p.toml:2:8: "body": a text must be in quotation marks; write body = "…""#,
            r#"p.toml:4:9: this line: a text must be in quotation marks; write name = "…""#,
        ],
    },
    Mistake {
        name: r#"an unknown key behind a byte order mark"#,
        file: "\u{feff}titel = \"Well\"\n",
        says: &[r#"p.toml:1:1: unknown key "titel" in the file; did you mean "site"?"#],
    },
    Mistake {
        name: r#"a header without its bracket"#,
        file: r#"[site
title = "Well"
"#,
        says: &[r#"p.toml:1:6: the header of a table is not complete; write [site]"#],
    },
    Mistake {
        name: r#"a header with one bracket of two"#,
        file: r#"[[source]
name = "a"
"#,
        says: &[r#"p.toml:1:10: the header of a table is not complete; write [[source]]"#],
    },
    Mistake {
        name: r#"a comment of C"#,
        file: r#"// Well
[site]
title = "Well"
"#,
        says: &[r#"p.toml:1:1: a comment begins with #"#],
    },
    Mistake {
        name: r#"a comment of an INI file"#,
        file: r#"[site]
; Well
title = "Well"
"#,
        says: &[r#"p.toml:2:1: a comment begins with #"#],
    },
    Mistake {
        name: r#"a backslash"#,
        file: r#"[history]
path = "C:\pump\db"
"#,
        says: &[
            r#"p.toml:2:12: "path" contains a backslash, which begins an escape; write \\, or '…' in place of "…""#,
        ],
    },
    Mistake {
        name: r#"a conflict of git"#,
        file: r#"<<<<<<< HEAD
[site]
"#,
        says: &[
            r#"p.toml:1:1: a conflict of a version control system; keep one side, and delete this line"#,
        ],
    },
    Mistake {
        name: r#"a no-break space"#,
        file: "[site]\n\u{a0}title = \"Well\"\n",
        says: &[r#"p.toml:2:1: an invisible character, U+00A0; delete it, or write a blank"#],
    },
    Mistake {
        name: r#"a zero byte"#,
        file: "[site]\ntitle = \"We\0ll\"\n",
        says: &[
            r#"p.toml:2:12: a zero byte: the file is damaged, or is not a text; restore it from a copy"#,
        ],
    },
    Mistake {
        name: r#"faults in several lines"#,
        file: r#"[site]
title = “Well”
units = us
[server]
workers = 8 threads
hsts = off
"#,
        says: &[
            r#"p.toml:2:9: “ is a typographic quotation mark, as word processors write it; write ""#,
            r#"p.toml:3:9: "units": a text must be in quotation marks; write units = "…""#,
            r#"p.toml:5:13: "workers": 8 threads is neither a number nor a text in quotation marks; write workers = 8, or workers = "8 threads""#,
            r#"p.toml:6:8: "hsts": off is neither true, false nor a text in quotation marks; write hsts = false, or hsts = "off""#,
        ],
    },
    Mistake {
        name: r#"line ends of Windows"#,
        file: "[site]\r\ntitle = \"Well\"\r\nunits = us\r\n",
        says: &[r#"p.toml:3:9: "units": a text must be in quotation marks; write units = "…""#],
    },
    Mistake {
        name: r#"tabs"#,
        file: "\t[site]\n\ttitle\t=\t\"Well\"\n\tunitz\t=\t\"us\"\n",
        says: &[r#"p.toml:3:2: unknown key "unitz" in [site]; did you mean "units"?"#],
    },
    Mistake {
        name: r#"a key twice"#,
        file: r#"[site]
title = "a"
title = "b"
"#,
        says: &[r#"p.toml:3:1: the key "title" is set in line 2 already; remove one of the two"#],
    },
    Mistake {
        name: r#"a table twice"#,
        file: r#"[site]
title = "a"
[server]
workers = 2
[site]
units = "us"
"#,
        says: &[r#"p.toml:5:1: the table [site] is in line 1 already; move its keys there"#],
    },
    Mistake {
        name: r#"[source] after [[source]]"#,
        file: r#"[[source]]
name = "a"

[source]
name = "b"
"#,
        says: &[
            r#"p.toml:4:1: [source] must be written [[source]], as in line 1: there may be several"#,
        ],
    },
    Mistake {
        name: r#"[source] after several [[source]]"#,
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
            r#"p.toml:7:1: [source] must be written [[source]], as in line 1: there may be several"#,
        ],
    },
    Mistake {
        name: r#"[source] twice"#,
        file: r#"[source]
name = "a"

[ source ] # the second
name = "b"
"#,
        says: &[
            r#"p.toml:4:1: the table [source] is in line 1 already; write [[source]] in both lines for two of them"#,
        ],
    },
    Mistake {
        name: r#"[auth.user] after several [[auth.user]]"#,
        file: r#"[[auth.user]]
name = "anna"
[[auth.user]]
name = "bert"
[auth.user]
name = "carl"
"#,
        says: &[
            r#"p.toml:5:1: [auth.user] must be written [[auth.user]], as in line 1: there may be several"#,
        ],
    },
    Mistake {
        name: r#"[[source.values.token]] of two sources"#,
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
            r#"p.toml:9:1: the table [source.values.token] is in line 7 already; move its keys there"#,
        ],
    },
    Mistake {
        name: r#"[source.values.v] before [[source]]"#,
        file: r#"[source.values.v]
pointer = "/v"
[[source]]
name = "a"
"#,
        says: &[
            r#"p.toml:1:1: [source.values.v] must follow the [[source]] that it belongs to; the first one is in line 3"#,
        ],
    },
    Mistake {
        name: r#"[[source.values.v]] before [[source]]"#,
        file: r#"[site]
[[source.values.v]]
pointer = "/v"
[[source]]
name = "a"
"#,
        says: &[
            r#"p.toml:2:1: [[source.values.v]] must follow the [[source]] that it belongs to; the first one is in line 4"#,
        ],
    },
    Mistake {
        name: r#"a header of values without its bracket"#,
        file: r#"[[source]]
[source.values.token
pointer = "/v"
"#,
        says: &[
            r#"p.toml:2:21: the header of a table is not complete; write [source.values.token]"#,
        ],
    },
    Mistake {
        name: r#"[[source]] after [source]"#,
        file: r#"[source]
name = "a"

[[source]]
name = "b"
"#,
        says: &[
            r#"p.toml:1:1: [source] must be written [[source]], as in line 4: there may be several"#,
        ],
    },
    Mistake {
        name: r#"[source] alone"#,
        file: r#"[source]
name = "a"
"#,
        says: &[r#"p.toml:1:1: "source" must be written [[source]]: there may be several"#],
    },
    Mistake {
        name: r#"[auth.user]"#,
        file: r#"[auth.user]
name = "anna"
"#,
        says: &[r#"p.toml:1:1: "user" must be written [[auth.user]]: there may be several"#],
    },
    Mistake {
        name: r#"[auth.user] after [[auth.user]]"#,
        file: r#"[[auth.user]]
name = "anna"

[auth.user]
name = "bert"
"#,
        says: &[
            r#"p.toml:4:1: [auth.user] must be written [[auth.user]], as in line 1: there may be several"#,
        ],
    },
    Mistake {
        name: r#"[[server]]"#,
        file: r#"[[server]]
workers = 2
"#,
        says: &[r#"p.toml:1:1: [[server]] must be written [server]: there is one"#],
    },
    Mistake {
        name: r#"[tls.certificate]"#,
        file: r#"[tls]
cert = "c.pem"
key = "k.pem"
[tls.certificate]
cert = "d.pem"
"#,
        says: &[
            r#"p.toml:4:1: "certificate" must be written [[tls.certificate]]: there may be several"#,
            r#"cannot read c.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
            r#"cannot read k.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: r#"a table as a value"#,
        file: r#"[site]
server = 1
[server]
workers = 2
server = "x"
"#,
        says: &[
            r#"p.toml:2:1: unknown key "server" in [site]; known are title, url, contact, timezone, units"#,
            r#"p.toml:5:1: unknown key "server" in [server]; known are listen, admin_listen, backlog, watchdog_timeout, names, hsts, handshake_timeout, header_timeout, body_timeout, write_timeout, keep_alive, linger_timeout, queue_timeout, drain_timeout, max_connections, max_connections_per_address, trusted_proxies, workers, heavy_requests, max_header_bytes, max_headers, max_body_bytes, max_buffered_bytes"#,
        ],
    },
    Mistake {
        name: r#"a misspelt table"#,
        file: r#"[sorce]
name = "a"
"#,
        says: &[r#"p.toml:1:2: unknown key "sorce" in the file; did you mean "source"?"#],
    },
    Mistake {
        name: r#"a misspelt key"#,
        file: r#"[server]
lisen = ["127.0.0.1:6443"]
"#,
        says: &[r#"p.toml:2:1: unknown key "lisen" in [server]; did you mean "listen"?"#],
    },
    Mistake {
        name: r#"a key in upper case"#,
        file: r#"[server]
WORKERS = 2
"#,
        says: &[r#"p.toml:2:1: unknown key "WORKERS" in [server]; did you mean "workers"?"#],
    },
    Mistake {
        name: r#"a misspelt required key"#,
        file: r#"[tls]
cert = "c.pem"
kye = "k.pem"
"#,
        says: &[r#"p.toml:3:1: unknown key "kye" in [tls]; did you mean "key"?"#],
    },
    Mistake {
        name: r#"a misspelt kind"#,
        file: r#"[[source]]
name = "a"
kidn = "nws"
station = "KDEN"
"#,
        says: &[r#"p.toml:3:1: unknown key "kidn" in [[source]] "a"; did you mean "kind"?"#],
    },
    Mistake {
        name: r#"a misspelt height"#,
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
        name: r#"a required key that is missing"#,
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/a1b2c3"
capacity = 1400
"#,
        says: &[r#"p.toml:1:1: missing key "height" in [[source]] "tank""#],
    },
    Mistake {
        name: r#"nan"#,
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
        name: r#"nan for a whole number"#,
        file: r#"[server]
workers = nan
"#,
        says: &[r#"p.toml:2:11: "workers" must be a whole number, not nan in [server]"#],
    },
    Mistake {
        name: r#"nan for a bound"#,
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
        name: r#"a number as a text"#,
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
        name: r#"a truth as a text"#,
        file: r#"[history]
enabled = "true"
"#,
        says: &[
            r#"p.toml:2:12: "enabled" must be true or false, not a string in [history]; write enabled = true"#,
        ],
    },
    Mistake {
        name: r#"a text for a list"#,
        file: r#"[server]
listen = "127.0.0.1:6443"
"#,
        says: &[
            r#"p.toml:2:11: "listen" must be an array of strings, not a string in [server]; write listen = ["127.0.0.1:6443"]"#,
        ],
    },
    Mistake {
        name: r#"a duration without its unit"#,
        file: r#"[server]
keep_alive = "75"
"#,
        says: &[
            r#"p.toml:2:15: "keep_alive" must be a duration such as "10s" or "5m" in [server]; "75" has no unit: write "75s" for seconds, "75m" for minutes"#,
        ],
    },
    Mistake {
        name: r#"a duration as a number"#,
        file: r#"[server]
keep_alive = 75
"#,
        says: &[
            r#"p.toml:2:14: "keep_alive" must be a duration such as "10s" or "5m", not a whole number in [server]; write keep_alive = "75s" for seconds"#,
        ],
    },
    Mistake {
        name: r#"a duration in other words"#,
        file: r#"[server]
keep_alive = "five minutes"
"#,
        says: &[
            r#"p.toml:2:15: "keep_alive" must be a duration such as "10s" or "5m" in [server]; "five minutes" is none: its units are s, m, h and d"#,
        ],
    },
    Mistake {
        name: r#"a negative duration"#,
        file: r#"[server]
keep_alive = "-5s"
"#,
        says: &[
            r#"p.toml:2:15: "keep_alive" must be a duration such as "10s" or "5m" in [server]; "-5s" is negative"#,
        ],
    },
    Mistake {
        name: r#"a size without quotation marks"#,
        file: r#"[server]
max_body_bytes = 65536
"#,
        says: &[
            r#"p.toml:2:18: "max_body_bytes" must be a size such as "16KiB", not a whole number in [server]; write max_body_bytes = "65536B" for bytes"#,
        ],
    },
    Mistake {
        name: r#"a size without a number"#,
        file: r#"[server]
max_body_bytes = "lots"
"#,
        says: &[
            r#"p.toml:2:19: "max_body_bytes" must be a size such as "16KiB" in [server]; "lots" is none"#,
        ],
    },
    Mistake {
        name: r#"a number out of its range"#,
        file: r#"[server]
workers = 5000
"#,
        says: &[r#"p.toml:2:11: "workers" must be between 1 and 1024 in [server]; it is 5000"#],
    },
    Mistake {
        name: r#"an unknown unit"#,
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
        name: r#"an unknown system of units"#,
        file: r#"[site]
units = "imperial"
"#,
        says: &[r#"p.toml:2:10: "units": "imperial" is neither "us" nor "metric" in [site]"#],
    },
    Mistake {
        name: r#"an unknown time zone"#,
        file: r#"[site]
timezone = "Amerika/Denver"
"#,
        says: &[
            r#"p.toml:2:13: "timezone": Amerika/Denver is not a time zone such as America/Denver in [site]"#,
        ],
    },
    Mistake {
        name: r#"an unknown kind"#,
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
        name: r#"a timeout longer than the interval"#,
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/a1b2c3"
height = 58
capacity = 1400
interval = "5s"
timeout = "10s"
"#,
        says: &[
            r#"p.toml:8:12: "timeout" must not be longer than "interval" in [[source]] "tank"; that is 5s"#,
        ],
    },
    Mistake {
        name: r#"a port without its address"#,
        file: r#"[server]
listen = ["6443"]
"#,
        says: &[
            r#"p.toml:2:12: "listen": "6443" is not an address to listen on in [server]; write "0.0.0.0:6443", "[::]:6443", "unix:/path" or "fd:0""#,
        ],
    },
    Mistake {
        name: r#"an admin listener that others reach"#,
        file: r#"[server]
admin_listen = "0.0.0.0:6480"
"#,
        says: &[
            r#"p.toml:2:17: "admin_listen": the admin listener has no access control, so it must be on loopback (127.0.0.1, [::1]) or a unix socket in [server]"#,
        ],
    },
    Mistake {
        name: r#"a name with a port"#,
        file: r#"[server]
names = ["tank.lan:6443"]
"#,
        says: &[
            r#"p.toml:2:11: "names": "tank.lan:6443" is not a host name such as "tank.example" or "192.0.2.7", without a port in [server]"#,
        ],
    },
    Mistake {
        name: r#"a password in a URL"#,
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
        name: r#"a variable that is not set"#,
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
bearer = "${NOT_SET}"
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"p.toml:5:11: the environment variable NOT_SET is not set; set it where the server is started"#,
        ],
    },
    Mistake {
        name: r#"a variable that is empty"#,
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
        name: r#"an empty secret"#,
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
        name: r#"an empty file of a secret"#,
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
        name: r#"a file of a secret that does not exist"#,
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
        name: r#"a secret twice"#,
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
        name: r#"~ in a path"#,
        file: r#"[history]
path = "~/pumphouse.db"
"#,
        says: &[
            r#"p.toml:2:9: "path": "~" is not replaced by the home folder in [history]; write "/home/anna/pumphouse.db""#,
        ],
    },
    Mistake {
        name: r#"$HOME in a path"#,
        file: r#"[history]
path = "$HOME/pumphouse.db"
"#,
        says: &[
            r#"p.toml:2:9: "path": "$HOME" is not replaced by the variable in [history]; write "${HOME}/pumphouse.db""#,
        ],
    },
    Mistake {
        name: r#"~ in the path of a certificate"#,
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
        name: r#"~ in the path of a socket"#,
        file: r#"[server]
listen = ["unix:~/pumphouse.sock"]
"#,
        says: &[
            r#"p.toml:2:12: "listen": "~" is not replaced by the home folder in [server]; write "/home/anna/pumphouse.sock""#,
        ],
    },
    Mistake {
        name: r#"a history that is a folder"#,
        file: r#"[history]
path = "folder"
"#,
        says: &[
            r#""path" in [history]: folder in DIR is a folder; write the path of a file in it, such as "folder/pumphouse.db""#,
        ],
    },
    Mistake {
        name: r#"a history in a folder that does not exist"#,
        file: r#"[history]
path = "data/pumphouse.db"
"#,
        says: &[
            r#""path" in [history]: the folder data in DIR does not exist, so data/pumphouse.db cannot be stored; make it: mkdir -p data"#,
        ],
    },
    Mistake {
        name: r#"an authority file that does not exist"#,
        file: r#"[[source]]
name = "sky"
kind = "nws"
station = "KDEN"
ca_file = "ca.pem"
"#,
        says: &[
            r#"p.toml:5:12: "ca_file": cannot read ca.pem in DIR: no such file in [[source]] "sky""#,
        ],
    },
    Mistake {
        name: r#"certificates that do not exist"#,
        file: r#"[tls]
cert = "certs/cert.pem"
key = "certs/key.pem"
"#,
        says: &[
            r#"cannot read certs/cert.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
            r#"cannot read certs/key.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: r#"errors of the file and of the certificates"#,
        file: r#"[server]
workers = 0
[tls]
cert = "certs/cert.pem"
key = "certs/key.pem"
"#,
        says: &[
            r#"p.toml:2:11: "workers" must be between 1 and 1024 in [server]; it is 0"#,
            r#"cannot read certs/cert.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
            r#"cannot read certs/key.pem in DIR: the folder certs does not exist; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: r#"an unknown field in show"#,
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/a1b2c3"
height = 58
capacity = 1400
show = ["levle", "volume_rate", "rain"]
"#,
        says: &[
            r#"note: p.toml:7:10: "show": "levle" is no field of the kind "ptlevel" in [[source]] "tank"; did you mean "level"?"#,
            r#"note: p.toml:7:34: "show": "rain" is no field of the kind "ptlevel" in [[source]] "tank"; known are level, depth, volume, volume_rate, volume_change_1h, volume_change_24h, level_rate, level_change_1h, level_change_24h, time_to_full, time_to_empty, last_refill, last_refill_began, last_refill_amount"#,
            r#"note: p.toml contains secrets ("url" in line 4), and other users can read it (mode 0644); run: chmod o-rwx p.toml"#,
        ],
    },
    Mistake {
        name: r#"an unknown field of JSON in show"#,
        file: r#"[[source]]
name = "pump"
kind = "json"
url = "http://10.0.0.5/status"
show = ["of"]
[source.values.on]
pointer = "/on"
"#,
        says: &[
            r#"note: p.toml:5:10: "show": "of" is no field of the kind "json" in [[source]] "pump"; known are on"#,
        ],
    },
    Mistake {
        name: r#"a unit for an unknown field"#,
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
        name: r#"stale before the next poll"#,
        file: r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://www.mypt.in/s/a1b2c3"
height = 58
capacity = 1400
interval = "15m"
stale_after = "5m"
"#,
        says: &[
            r#"note: p.toml:8:16: "stale_after" is 5m, which is shorter than "interval", 15m, so readings turn stale between two polls in [[source]] "tank"; make it longer, such as three intervals"#,
            r#"note: p.toml contains secrets ("url" in line 4), and other users can read it (mode 0644); run: chmod o-rwx p.toml"#,
        ],
    },
    Mistake {
        name: r#"the example as it is"#,
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
        name: r#"the coordinates of the example"#,
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
        name: r#"the contact of the example"#,
        file: r#"[site]
contact = "ops@example.org"
"#,
        says: &[
            r#"note: p.toml:2:12: "contact" still has the example's host example.org; replace it by your own"#,
        ],
    },
    Mistake {
        name: r#"the device of the example"#,
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
        name: r#"the endpoint of the example"#,
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
        name: r#"names of the example"#,
        file: r#"[server]
names = ["tank.example", "192.0.2.7"]
"#,
        says: &[
            r#"note: p.toml:2:11: "names" still has the example's host tank.example; replace it by your own"#,
            r#"note: p.toml:2:27: "names" still has the example's address 192.0.2.7; replace it by your own"#,
        ],
    },
    Mistake {
        name: r#"secrets in a file that others can read"#,
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
    Mistake {
        name: r#"localhost, which has two addresses"#,
        file: r#"[server]
listen = ["localhost:6443"]
"#,
        says: &[
            r#"note: p.toml:2:12: "listen": "localhost:6443" is 127.0.0.1:6443 alone in [server]; add "[::1]:6443", which is localhost, too, for clients that use IPv6"#,
        ],
    },
    Mistake {
        name: r#"a port that the system chooses"#,
        file: r#"[server]
listen = ["127.0.0.1:0"]
"#,
        says: &[
            r#"note: 127.0.0.1:0: with port 0 the system chooses another port at each start, which the log names"#,
        ],
    },
];
