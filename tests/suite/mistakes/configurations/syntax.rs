//! Mistakes that are no TOML.

use crate::mistakes::Mistake;

pub(super) const SYNTAX: &[Mistake] = &[
    Mistake {
        name: "typographic quotation marks",
        file: r#"[site]
title = “Well”
"#,
        says: &[
            r#"p.toml:2:9: “ is a typographic quotation mark, as word processors write it; write ""#,
        ],
    },
    Mistake {
        name: "typographic single quotation marks",
        file: r#"[site]
title = ‘Well’
"#,
        says: &[
            r#"p.toml:2:9: ‘ is a typographic quotation mark, as word processors write it; write ""#,
        ],
    },
    Mistake {
        name: "no closing quotation mark",
        file: r#"[site]
title = "Well
units = "us"
"#,
        says: &[r#"p.toml:2:14: the text of "title" has no closing quotation mark"#],
    },
    Mistake {
        name: "no opening quotation mark",
        file: r#"[site]
title = Well"
"#,
        says: &[r#"p.toml:2:9: "title": a text must be in quotation marks; write title = "…""#],
    },
    Mistake {
        name: "quotation marks in a text",
        file: r#"[site]
title = "The "big" tank"
"#,
        says: &[
            r#"p.toml:2:15: the text of "title" contains quotation marks; write \" for them, or '…' in place of "…""#,
        ],
    },
    Mistake {
        name: "no equals sign",
        file: r#"[site]
title "Well"
"#,
        says: &[r#"p.toml:2:7: "title" is not followed by "="; write title = …"#],
    },
    Mistake {
        name: "a colon for the equals sign",
        file: r#"[site]
title: "Well"
"#,
        says: &[r#"p.toml:2:6: "title" is followed by a colon; write title = …"#],
    },
    Mistake {
        name: "a YAML file",
        file: r#"site:
  title: x
"#,
        says: &[
            r#"p.toml:1:5: "site" is followed by a colon; write site = …"#,
            r#"p.toml:2:8: "title" is followed by a colon; write title = …"#,
        ],
    },
    Mistake {
        name: "a JSON file",
        file: r#"{"site": {"title": "x"}}
"#,
        says: &[r#"p.toml:1:1: the file is JSON, and must be TOML: [site], then title = "…""#],
    },
    Mistake {
        name: "True",
        file: r#"[history]
enabled = True
"#,
        says: &[r#"p.toml:2:11: "enabled": True must be in lower case; write enabled = true"#],
    },
    Mistake {
        name: "yes",
        file: r#"[history]
enabled = yes
"#,
        says: &[
            r#"p.toml:2:11: "enabled": yes is neither true, false nor a text in quotation marks; write enabled = true, or enabled = "yes""#,
        ],
    },
    Mistake {
        name: "null",
        file: r#"[site]
contact = null
"#,
        says: &[r#"p.toml:2:11: "contact" has no value; delete the line for the default"#],
    },
    Mistake {
        name: "a text without quotation marks",
        file: r#"[site]
units = us
"#,
        says: &[r#"p.toml:2:9: "units": a text must be in quotation marks; write units = "…""#],
    },
    Mistake {
        name: "a path without quotation marks",
        file: r#"[history]
path = /srv/pumphouse.db
"#,
        says: &[r#"p.toml:2:8: "path": a text must be in quotation marks; write path = "…""#],
    },
    Mistake {
        name: "a secret without quotation marks",
        file: r#"[[source]]
name = "a"
kind = "ptdevices"
token = 12ab34
"#,
        says: &[r#"p.toml:4:9: "token": a text must be in quotation marks; write token = "…""#],
    },
    Mistake {
        name: "a variable without quotation marks",
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
        name: "a duration without quotation marks",
        file: r#"[server]
keep_alive = 75s
"#,
        says: &[
            r#"p.toml:2:14: "keep_alive": a duration must be in quotation marks; write keep_alive = "75s""#,
        ],
    },
    Mistake {
        name: "a number with its unit",
        file: r#"[[source]]
height = 58in
"#,
        says: &[
            r#"p.toml:2:10: "height": 58in is neither a number nor a text in quotation marks; write height = 58, or height = "58in""#,
        ],
    },
    Mistake {
        name: "a number with a decimal comma",
        file: r#"[[source]]
height = 5,8
"#,
        says: &[r#"p.toml:2:11: "height": 5,8 is not a number of TOML; write height = 5.8"#],
    },
    Mistake {
        name: "a number with a separator of thousands",
        file: r#"[[source]]
capacity = 1,400
"#,
        says: &[r#"p.toml:2:13: "capacity": 1,400 is not a number of TOML; write capacity = 1400"#],
    },
    Mistake {
        name: "a number with a leading zero",
        file: r#"[server]
workers = 08
"#,
        says: &[r#"p.toml:2:12: "workers": 08 is not a number of TOML; write workers = 8"#],
    },
    Mistake {
        name: "a number that is too large",
        file: r#"[server]
workers = 99999999999999999999999
"#,
        says: &[
            r#"p.toml:2:11: "workers": 99999999999999999999999 is out of range; the largest number is 9223372036854775807"#,
        ],
    },
    Mistake {
        name: "a number that is too small",
        file: r#"[server]
workers = -99999999999999999999999
"#,
        says: &[
            r#"p.toml:2:11: "workers": -99999999999999999999999 is out of range; the smallest number is -9223372036854775808"#,
        ],
    },
    Mistake {
        name: "a number that is too large, as a text",
        file: r#"[server]
workers = "99999999999999999999999"
"#,
        says: &[r#"p.toml:2:12: "workers" must be a whole number, not a string in [server]"#],
    },
    Mistake {
        name: "a number that is too large in a table",
        file: r#"[[source]]
name = "well"
kind = "json"
url = "http://h/"
query = { id = 18446744073709551615 }
"#,
        says: &[
            r#"p.toml:5:16: a number of "query" is out of range; the largest is 9223372036854775807, longer ones must be texts in quotation marks"#,
        ],
    },
    Mistake {
        name: "a number without digits before the point",
        file: r#"[[source]]
height = .5
"#,
        says: &[r#"p.toml:2:10: "height": .5 is not a number of TOML; write height = 0.5"#],
    },
    Mistake {
        name: "no value",
        file: r#"[site]
title =
"#,
        says: &[r#"p.toml:2:8: "title" has no value; delete the line for the default"#],
    },
    Mistake {
        name: "several values without a list",
        file: r#"[server]
listen = "127.0.0.1:6443", "[::1]:6443"
"#,
        says: &[r#"p.toml:2:26: "listen" has several values; write a list: listen = ["…", "…"]"#],
    },
    Mistake {
        name: "an open list",
        file: r#"[server]
listen = ["127.0.0.1:6443",
workers = 3
"#,
        says: &[r#"p.toml:2:1: the list or table of "listen" is not closed; end it by ] or }"#],
    },
    Mistake {
        name: "two keys on a line",
        file: r#"[site]
title = "Well" units = "us"
"#,
        says: &[
            r#"p.toml:2:16: a second key follows the value of "title"; write each key on a line of its own"#,
        ],
    },
    Mistake {
        name: "a blank in a key",
        file: r#"[server]
keep alive = "75s"
"#,
        says: &[
            r#"p.toml:2:6: the key "keep alive" contains a blank; names of keys have _ instead"#,
        ],
    },
    Mistake {
        name: "blanks in a text without quotation marks",
        file: r#"[site]
my s3cret = "Well"
"#,
        says: &["p.toml:2:4: the key of this line contains a blank; names of keys have _ instead"],
    },
    Mistake {
        name: "a token that was wrapped",
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
        name: "a secret without its key",
        file: r#"[[source]]
Q7zWk3Xv9Jp2Yt8
"#,
        says: &[r#"p.toml:2:16: this line is not followed by "="; write name = …"#],
    },
    Mistake {
        name: "a secret of a query without quotation marks",
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
        name: "a secret of a header without quotation marks",
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
        name: "an unknown key behind a byte order mark",
        file: "\u{feff}titel = \"Well\"\n",
        says: &[r#"p.toml:1:1: unknown key "titel" in the file; did you mean "site"?"#],
    },
    Mistake {
        name: "a header without its bracket",
        file: r#"[site
title = "Well"
"#,
        says: &["p.toml:1:6: the header of a table is not complete; write [site]"],
    },
    Mistake {
        name: "a header with one bracket of two",
        file: r#"[[source]
name = "a"
"#,
        says: &["p.toml:1:10: the header of a table is not complete; write [[source]]"],
    },
    Mistake {
        name: "a comment of C",
        file: r#"// Well
[site]
title = "Well"
"#,
        says: &["p.toml:1:1: a comment begins with #"],
    },
    Mistake {
        name: "a comment of an INI file",
        file: r#"[site]
; Well
title = "Well"
"#,
        says: &["p.toml:2:1: a comment begins with #"],
    },
    Mistake {
        name: "a backslash",
        file: r#"[history]
path = "C:\pump\db"
"#,
        says: &[
            r#"p.toml:2:12: "path" contains a backslash, which begins an escape; write \\, or '…' in place of "…""#,
        ],
    },
    Mistake {
        name: "a conflict of git",
        file: r#"<<<<<<< HEAD
[site]
"#,
        says: &[
            "p.toml:1:1: a conflict of a version control system; keep one side, and delete this line",
        ],
    },
    Mistake {
        name: "a no-break space",
        file: "[site]\n\u{a0}title = \"Well\"\n",
        says: &["p.toml:2:1: an invisible character, U+00A0; delete it, or write a blank"],
    },
    Mistake {
        name: "a zero byte",
        file: "[site]\ntitle = \"We\0ll\"\n",
        says: &[
            "p.toml:2:12: a zero byte: the file is damaged, or is not a text; restore it from a copy",
        ],
    },
    Mistake {
        name: "faults in several lines",
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
        name: "line ends of Windows",
        file: "[site]\r\ntitle = \"Well\"\r\nunits = us\r\n",
        says: &[r#"p.toml:3:9: "units": a text must be in quotation marks; write units = "…""#],
    },
    Mistake {
        name: "tabs",
        file: "\t[site]\n\ttitle\t=\t\"Well\"\n\tunitz\t=\t\"us\"\n",
        says: &[r#"p.toml:3:2: unknown key "unitz" in [site]; did you mean "units"?"#],
    },
];
