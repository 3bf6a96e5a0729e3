//! Mistakes in private keys: encrypted, or of a kind that the server or browsers refuse.

use crate::mistakes::Mistake;

pub(super) const KEYS: &[Mistake] = &[
    Mistake {
        name: "an encrypted key (PKCS#8)",
        file: r#"pair
openssl pkcs8 -topk8 -in key.pem -passout pass:x -out e.pem
mv e.pem key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is encrypted, and the server has no passphrase for it; decrypt it: (umask 077 && openssl pkey -in key.pem -out key.new.pem)"#,
        ],
    },
    Mistake {
        name: "an encrypted key (legacy)",
        file: r#"pair
openssl ec -in key.pem -aes128 -passout pass:x -out e.pem
mv e.pem key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is encrypted, and the server has no passphrase for it; decrypt it: (umask 077 && openssl pkey -in key.pem -out key.new.pem)"#,
        ],
    },
    Mistake {
        name: "an encrypted key after the same in plain text",
        file: r#"pair
openssl pkcs8 -topk8 -in key.pem -passout pass:x -out e.pem
cat e.pem >> key.pem"#,
        says: &[],
    },
    Mistake {
        name: "an encrypted key (legacy) after the same in plain text",
        file: r#"pair
openssl ec -in key.pem -aes128 -passout pass:x -out e.pem
cat e.pem >> key.pem"#,
        says: &[],
    },
    Mistake {
        name: "encrypted keys (legacy and PKCS#8) before the same in plain text",
        file: r#"pair
openssl ec -in key.pem -aes128 -passout pass:x -out e.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:x -out p.pem
mv key.pem k.pem
cat e.pem p.pem e.pem k.pem > key.pem"#,
        says: &[],
    },
    Mistake {
        name: "an encrypted key before a truncated one in plain text",
        file: r#"pair
openssl ec -in key.pem -aes128 -passout pass:x -out e.pem
mv key.pem k.pem
(cat e.pem; head -2 k.pem) > key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is truncated: the line "-----END PRIVATE KEY-----" is missing; copy the file again"#,
        ],
    },
    Mistake {
        name: "a damaged key before an encrypted one",
        file: r#"pair
openssl ec -in key.pem -aes128 -passout pass:x -out e.pem
sed -i '2s/./*/' key.pem
cat e.pem >> key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: a PEM section is damaged (base64 decode error: InvalidCharacter(42)); copy the file again"#,
        ],
    },
    Mistake {
        name: "an RSA key of 1024 bits",
        file: r#"openssl genrsa -out key.pem 1024
named"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is RSA with 1024 bits, and clients need at least 2048; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: "an RSA key of 1024 bits (PKCS#1)",
        file: r#"openssl genrsa -traditional -out key.pem 1024
named"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is RSA with 1024 bits, and clients need at least 2048; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: "secp256k1",
        file: r#"key key.pem secp256k1
named"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is on the curve secp256k1, and only P-256, P-384 and P-521 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: "secp256k1 (SEC 1)",
        file: r#"openssl ecparam -name secp256k1 -genkey -noout -out key.pem
named"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is on the curve secp256k1, and only P-256, P-384 and P-521 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: "P-521",
        file: r#"key key.pem P-521
named"#,
        says: &[
            "note: the certificate for tank.lan has a key of the kind P-521, which browsers refuse; issue one for a P-256 key",
        ],
    },
    Mistake {
        name: "Ed448",
        file: r#"openssl genpkey -algorithm ED448 -out key.pem
named"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is an Ed448 key; only RSA, P-256, P-384, P-521 and Ed25519 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: "Ed25519",
        file: r#"openssl genpkey -algorithm ED25519 -out key.pem
named"#,
        says: &[
            "note: the certificate for tank.lan has a key of the kind Ed25519, which browsers refuse; issue one for a P-256 key",
        ],
    },
    Mistake {
        name: "DSA",
        file: r#"openssl dsaparam -genkey -noout -out key.pem 2048
named"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the private key is a DSA key; only RSA, P-256, P-384, P-521 and Ed25519 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: "parameters without a key",
        file: r#"pair
openssl ecparam -name prime256v1 -out key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file has the parameters of a key (EC PARAMETERS) without the key; "key" must be the private key"#,
        ],
    },
    Mistake {
        name: "a key of OpenSSH",
        file: r#"pair
sed -i "s/PRIVATE KEY/OPENSSH PRIVATE KEY/" key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is a private key of OpenSSH; convert a copy of it: ssh-keygen -p -N '' -m PKCS8 -f key.pem"#,
        ],
    },
    Mistake {
        name: "a key that others can read",
        file: r#"pair
chmod 644 key.pem"#,
        says: &[
            "note: other users can read the private key key.pem in DIR; run: chmod o-rwx key.pem",
        ],
    },
];
