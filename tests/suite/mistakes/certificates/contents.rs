//! Mistakes in certificates: names, purposes and chains.

use crate::mistakes::Mistake;

pub(super) const CONTENTS: &[Mistake] = &[
    Mistake {
        name: "version 1",
        file: r#"key key.pem
openssl req -new -key key.pem -subj /CN=tank.lan | openssl x509 -req -signkey key.pem -days 9 -out cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the certificate has the version V1 of X.509 and not V3, so it has no names; issue one with subjectAltName (openssl x509 -req: -extfile; or `pumphouse-web cert --name …`)"#,
        ],
    },
    Mistake {
        name: "a critical extension that clients do not know",
        file: r#"key key.pem
self -addext subjectAltName=DNS:tank.lan -addext 1.2.3.4=critical,ASN1:NULL"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the certificate has the critical extension 1.2.3.4, which TLS clients do not know, so they must refuse it; issue one without this extension, or mark it as not critical"#,
        ],
    },
    Mistake {
        name: "no names",
        file: r#"key key.pem
self"#,
        says: &[
            r#"note: the certificate has the name "tank.lan" in its subject (CN) only, and clients read names from subjectAltName only; issue one with subjectAltName (openssl: -addext subjectAltName=DNS:…; or `pumphouse-web cert --name …`)"#,
        ],
    },
    Mistake {
        name: "an empty name",
        file: r#"key key.pem
printf '[x]\nsubjectAltName=DER:30:02:82:00\n' > san.ext
openssl req -new -key key.pem -subj /CN=tank.lan |
    openssl x509 -req -signkey key.pem -days 90 -extfile san.ext -extensions x -out cert.pem"#,
        says: &[
            r#"note: the certificate has the name "tank.lan" in its subject (CN) only, and clients read names from subjectAltName only; issue one with subjectAltName (openssl: -addext subjectAltName=DNS:…; or `pumphouse-web cert --name …`)"#,
        ],
    },
    Mistake {
        name: "an address that is written as a host name",
        file: r#"key key.pem
self -addext subjectAltName=DNS:192.0.2.7"#,
        says: &[
            r#"note: the certificate has the host name "192.0.2.7", which no client accepts; issue one with IP:192.0.2.7 in subjectAltName (or `pumphouse-web cert --name 192.0.2.7`)"#,
        ],
    },
    Mistake {
        name: "a port beside a name",
        file: r#"key key.pem
self -addext subjectAltName=DNS:tank.lan,DNS:tank.lan:6443"#,
        says: &[
            r#"note: the certificate has the host name "tank.lan:6443", which no client accepts; issue one for tank.lan"#,
        ],
    },
    Mistake {
        name: "another name",
        file: r#"key key.pem
named pump.lan"#,
        says: &[
            r#"note: no certificate is for tank.lan, which "names" in [server] names: clients that use it refuse the certificate for pump.lan; issue one for tank.lan, or correct "names" in [server]"#,
        ],
    },
    Mistake {
        name: "an authority",
        file: r#"key key.pem
openssl req -x509 -key key.pem -out cert.pem -days 90 -subj /CN=tank.lan -addext subjectAltName=DNS:tank.lan"#,
        says: &[
            "note: the certificate for tank.lan is that of an authority (CA:TRUE), which strict clients refuse; issue one with basicConstraints=CA:FALSE; `pumphouse-web cert` makes such a certificate",
        ],
    },
    Mistake {
        name: "for clients only",
        file: r#"key key.pem
openssl req -x509 -key key.pem -out cert.pem -days 90 -subj /CN=tank.lan -addext subjectAltName=DNS:tank.lan -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth"#,
        says: &[
            "note: the certificate for tank.lan is not for servers: its extendedKeyUsage lacks serverAuth; issue one with extendedKeyUsage=serverAuth",
        ],
    },
    Mistake {
        name: "a leaf without its chain",
        file: r#"chain
cp tank.lan.pem cert.pem"#,
        says: &[
            r#"note: the certificate for tank.lan is sent without that of its issuer, "CN=middle": clients that do not trust this very issuer refuse the connection; "cert" must be the file with the full chain (certbot: fullchain.pem): the server's certificate, then each issuer of the one before"#,
        ],
    },
    Mistake {
        name: "a full chain",
        file: r#"chain
cat tank.lan.pem middle.pem > cert.pem"#,
        says: &[],
    },
    Mistake {
        name: "an issuer that cannot be parsed",
        file: r#"chain
(cat tank.lan.pem; printf -- '-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n') > cert.pem"#,
        says: &["note: certificate 2 of the file cannot be parsed; copy the file again"],
    },
    Mistake {
        name: "a certificate that cannot be parsed",
        file: r#"pair
printf -- '-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n' > cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: certificate 1 of the file cannot be parsed; copy the file again"#,
        ],
    },
    Mistake {
        name: "a chain in the wrong order",
        file: r#"chain
cat tank.lan.pem root.pem middle.pem > cert.pem"#,
        says: &[
            r#"note: the chain of the certificate for tank.lan is not in order: certificate 2 is "CN=root", and not the issuer of certificate 1, "CN=middle"; "cert" must be the file with the full chain (certbot: fullchain.pem): the server's certificate, then each issuer of the one before"#,
        ],
    },
    Mistake {
        name: "the leaf last",
        file: r#"chain
cat middle.pem tank.lan.pem > cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: key.pem in DIR is the key of certificate 2 in cert.pem in DIR; the server's own certificate must be the first, followed by that of its issuer"#,
        ],
    },
    Mistake {
        name: "a root that has expired",
        file: r#"chain
openssl x509 -in root.pem -signkey root.key -days -1 -out root.pem
cat tank.lan.pem middle.pem root.pem > cert.pem"#,
        says: &[],
    },
    Mistake {
        name: "the issuer's namesake",
        file: r#"chain
key middle.key
issue middle root ca.ext
cat tank.lan.pem middle.pem > cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: clients refuse the chain of the certificate for tank.lan: certificate 2, "CN=middle", has the name of the issuer of certificate 1, but its key has not signed that; "cert" must be the file with the full chain (certbot: fullchain.pem): the server's certificate, then each issuer of the one before"#,
        ],
    },
    Mistake {
        name: "an issuer that is no authority",
        file: r#"chain
issue middle root leaf.ext
cat tank.lan.pem middle.pem > cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: clients refuse the chain of the certificate for tank.lan: certificate 2, "CN=middle", has issued another one, but is not that of an authority (CA:TRUE); "cert" must be the file with the full chain (certbot: fullchain.pem): the server's certificate, then each issuer of the one before"#,
        ],
    },
    Mistake {
        name: "signatures by a short RSA key and with RSASSA-PSS, which are left to the clients",
        file: r#"chain
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out middle.key
issue middle root ca.ext
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out root.key
openssl req -x509 -key root.key -out root.pem -days 90 -subj /CN=root
openssl req -new -key middle.key -subj /CN=middle | openssl x509 -req -CA root.pem -CAkey root.key \
    -extfile ca.ext -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20 -days 90 -out middle.pem
issue tank.lan middle leaf.ext
cat tank.lan.pem middle.pem root.pem > cert.pem"#,
        says: &[],
    },
    Mistake {
        name: "SHA-1",
        file: r#"chain
openssl req -new -key key.pem -subj /CN=tank.lan | openssl x509 -req -sha1 -CA middle.pem -CAkey middle.key -CAcreateserial -days 90 -extfile leaf.ext -out c
cat c middle.pem > cert.pem"#,
        says: &[
            "note: the certificate for tank.lan is signed with SHA-1, which clients refuse; issue one that is signed with SHA-256",
        ],
    },
];
