//! Mistaken certificates: the commands that make `cert.pem` and `key.pem`, and the lines that `check` prints
//! about them.

use super::Mistake;

/// Functions of the shell for the commands below.
pub(super) const PRELUDE: &str = r#"umask 077
ext() { printf 'basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:tank.lan\nextendedKeyUsage=serverAuth\n'; }
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:${2:-P-256} -out $1; }
self() {
    openssl req -x509 -key key.pem -out cert.pem -days 90 -subj /CN=tank.lan \
        -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth "$@"
}
named() { self -addext subjectAltName=DNS:${1:-tank.lan}; }
pair() { key key.pem; named; }
issue() {
    openssl req -new -key $1.key -subj "/CN=$1" |
        openssl x509 -req -CA $2.pem -CAkey $2.key -CAcreateserial -days 90 -extfile $3 -out $1.pem
}
chain() {
    printf 'basicConstraints=critical,CA:TRUE\n' > ca.ext
    ext > leaf.ext
    key root.key
    openssl req -x509 -key root.key -out root.pem -days 90 -subj /CN=root -addext basicConstraints=critical,CA:TRUE
    key middle.key
    issue middle root ca.ext
    key tank.lan.key
    issue tank.lan middle leaf.ext
    cp tank.lan.key key.pem
}
"#;

/// The configuration names the host `tank.lan`.
pub(super) const CERTIFICATES: &[Mistake] = &[
    Mistake {
        name: r#"missing files"#,
        file: r#"true"#,
        says: &[
            r#"cannot read cert.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
            r#"cannot read key.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: r#"a missing key"#,
        file: r#"pair
rm key.pem"#,
        says: &[
            r#"cannot read key.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: r#"empty files"#,
        file: r#"key key.pem
: > cert.pem
: > key.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is empty; copy the certificate into it again"#,
            r#"key.pem in DIR: the file is empty; copy the private key into it again"#,
        ],
    },
    Mistake {
        name: r#"a folder for the key"#,
        file: r#"pair
rm key.pem
mkdir key.pem"#,
        says: &[r#"cannot read key.pem in DIR: is a folder, not a file"#],
    },
    Mistake {
        name: r#"a link to nothing"#,
        file: r#"pair
rm cert.pem
ln -s gone.pem cert.pem"#,
        says: &[
            r#"cannot read cert.pem in DIR: cert.pem links to gone.pem, which does not exist; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: r#"an encrypted key (PKCS#8)"#,
        file: r#"pair
openssl pkcs8 -topk8 -in key.pem -passout pass:x -out e.pem
mv e.pem key.pem"#,
        says: &[
            r#"key.pem in DIR: the private key is encrypted, and the server has no passphrase for it; decrypt it: (umask 077 && openssl pkey -in key.pem -out key.new.pem)"#,
        ],
    },
    Mistake {
        name: r#"an encrypted key (legacy)"#,
        file: r#"pair
openssl ec -in key.pem -aes128 -passout pass:x -out e.pem
mv e.pem key.pem"#,
        says: &[
            r#"key.pem in DIR: the private key is encrypted, and the server has no passphrase for it; decrypt it: (umask 077 && openssl pkey -in key.pem -out key.new.pem)"#,
        ],
    },
    Mistake {
        name: r#"an RSA key of 1024 bits"#,
        file: r#"openssl genrsa -out key.pem 1024
named"#,
        says: &[
            r#"key.pem in DIR: the private key is RSA with 1024 bits, and clients need at least 2048; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: r#"an RSA key of 1024 bits (PKCS#1)"#,
        file: r#"openssl genrsa -traditional -out key.pem 1024
named"#,
        says: &[
            r#"key.pem in DIR: the private key is RSA with 1024 bits, and clients need at least 2048; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: r#"secp256k1"#,
        file: r#"key key.pem secp256k1
named"#,
        says: &[
            r#"key.pem in DIR: the private key is on the curve secp256k1, and only P-256, P-384 and P-521 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: r#"secp256k1 (SEC 1)"#,
        file: r#"openssl ecparam -name secp256k1 -genkey -noout -out key.pem
named"#,
        says: &[
            r#"key.pem in DIR: the private key is on the curve secp256k1, and only P-256, P-384 and P-521 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: r#"P-521"#,
        file: r#"key key.pem P-521
named"#,
        says: &[
            r#"note: the certificate for tank.lan has a key of the kind P-521, which browsers refuse; issue one for a P-256 key"#,
        ],
    },
    Mistake {
        name: r#"Ed448"#,
        file: r#"openssl genpkey -algorithm ED448 -out key.pem
named"#,
        says: &[
            r#"key.pem in DIR: the private key is an Ed448 key; only RSA, P-256, P-384, P-521 and Ed25519 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: r#"Ed25519"#,
        file: r#"openssl genpkey -algorithm ED25519 -out key.pem
named"#,
        says: &[
            r#"note: the certificate for tank.lan has a key of the kind Ed25519, which browsers refuse; issue one for a P-256 key"#,
        ],
    },
    Mistake {
        name: r#"DSA"#,
        file: r#"openssl dsaparam -genkey -noout -out key.pem 2048
named"#,
        says: &[
            r#"key.pem in DIR: the private key is a DSA key; only RSA, P-256, P-384, P-521 and Ed25519 are supported; make a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256) and a certificate for it"#,
        ],
    },
    Mistake {
        name: r#"a truncated certificate"#,
        file: r#"pair
head -4 cert.pem > c
mv c cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is truncated: the line "-----END CERTIFICATE-----" is missing; copy the file again"#,
        ],
    },
    Mistake {
        name: r#"a truncated key"#,
        file: r#"pair
head -2 key.pem > k
mv k key.pem"#,
        says: &[
            r#"key.pem in DIR: the file is truncated: the line "-----END PRIVATE KEY-----" is missing; copy the file again"#,
        ],
    },
    Mistake {
        name: r#"a damaged certificate"#,
        file: r#"pair
sed -i '3s/./!/' cert.pem"#,
        says: &[
            r#"cert.pem in DIR: a PEM section is damaged (base64 decode error: InvalidCharacter(33)); copy the file again"#,
        ],
    },
    Mistake {
        name: r#"a certificate in DER"#,
        file: r#"pair
openssl x509 -in cert.pem -outform der -out c
mv c cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is DER, not PEM; convert it: openssl x509 -inform der -in cert.pem -out cert.new.pem"#,
        ],
    },
    Mistake {
        name: r#"a key in DER"#,
        file: r#"pair
openssl pkey -in key.pem -outform der -out k
mv k key.pem"#,
        says: &[
            r#"key.pem in DIR: the file is DER, not PEM; convert it: openssl pkey -inform der -in key.pem -out key.new.pem"#,
        ],
    },
    Mistake {
        name: r#"PKCS#12"#,
        file: r#"pair
openssl pkcs12 -export -in cert.pem -inkey key.pem -passout pass: -out p12
cp p12 cert.pem
cp p12 key.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is a PKCS#12 archive (.p12, .pfx), not PEM; extract the certificate: openssl pkcs12 -in cert.pem -nokeys -out cert.new.pem"#,
            r#"key.pem in DIR: the file is a PKCS#12 archive (.p12, .pfx), not PEM; extract the private key: openssl pkcs12 -in key.pem -nocerts -nodes -out key.new.pem"#,
        ],
    },
    Mistake {
        name: r#"PKCS#7"#,
        file: r#"pair
openssl crl2pkcs7 -nocrl -certfile cert.pem -out c
mv c cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is a PKCS#7 bundle (.p7b), which has no private key; extract the certificates: openssl pkcs7 -in cert.pem -print_certs -out cert.new.pem"#,
        ],
    },
    Mistake {
        name: r#"a signing request"#,
        file: r#"pair
openssl req -new -key key.pem -subj /CN=tank.lan -out cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is a signing request (CSR), not the certificate; use the certificate that the authority issued for it"#,
        ],
    },
    Mistake {
        name: r#"a public key"#,
        file: r#"pair
openssl pkey -in key.pem -pubout -out cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is a public key, not a certificate; use the certificate that was issued for it"#,
        ],
    },
    Mistake {
        name: r#"a public key for the private one"#,
        file: r#"pair
openssl pkey -in key.pem -pubout -out k
mv k key.pem"#,
        says: &[
            r#"key.pem in DIR: the file is a public key; "key" must be the private key that belongs to the certificate"#,
        ],
    },
    Mistake {
        name: r#"the certificate for the key"#,
        file: r#"pair
cp cert.pem key.pem"#,
        says: &[
            r#"key.pem in DIR: the file is a certificate, not a private key; "cert" must be the certificate chain and "key" the private key"#,
        ],
    },
    Mistake {
        name: r#"the key for the certificate"#,
        file: r#"pair
cp key.pem cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is a private key, not a certificate; "cert" must be the certificate chain and "key" the private key"#,
        ],
    },
    Mistake {
        name: r#"certificate and key exchanged"#,
        file: r#"pair
mv cert.pem c
mv key.pem cert.pem
mv c key.pem"#,
        says: &[
            r#""cert" and "key" are exchanged: cert.pem in DIR is a private key, and key.pem in DIR a certificate"#,
        ],
    },
    Mistake {
        name: r#"a key of OpenSSH"#,
        file: r#"pair
sed -i "s/PRIVATE KEY/OPENSSH PRIVATE KEY/" key.pem"#,
        says: &[
            r#"key.pem in DIR: the file is a private key of OpenSSH; convert a copy of it: ssh-keygen -p -N '' -m PKCS8 -f key.pem"#,
        ],
    },
    Mistake {
        name: r#"parameters without a key"#,
        file: r#"pair
openssl ecparam -name prime256v1 -out key.pem"#,
        says: &[
            r#"key.pem in DIR: the file has the parameters of a key (EC PARAMETERS) without the key; "key" must be the private key"#,
        ],
    },
    Mistake {
        name: r#"a trusted certificate of openssl"#,
        file: r#"pair
openssl x509 -in cert.pem -trustout -out c
mv c cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is a TRUSTED CERTIFICATE of openssl; convert it: openssl x509 -in cert.pem -out cert.new.pem"#,
        ],
    },
    Mistake {
        name: r#"a key of another certificate"#,
        file: r#"pair
key key.pem"#,
        says: &[
            r#"key.pem in DIR is the key of another certificate than cert.pem in DIR; the outputs of these must be equal: openssl x509 -in cert.pem -noout -pubkey; openssl pkey -in key.pem -pubout"#,
        ],
    },
    Mistake {
        name: r#"a text"#,
        file: r#"pair
echo "see the wiki" > cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file has no PEM section; a certificate in PEM begins with the line "-----BEGIN CERTIFICATE-----""#,
        ],
    },
    Mistake {
        name: r#"an indented certificate"#,
        file: r#"pair
sed -i 's/^/  /' cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the line "-----BEGIN CERTIFICATE-----" begins with blanks; remove them: sed -i 's/^[[:blank:]]*//' cert.pem"#,
        ],
    },
    Mistake {
        name: r#"UTF-16"#,
        file: r#"pair
iconv -t UTF-16 cert.pem > c
mv c cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the file is UTF-16 text, not PEM; convert it: iconv -f UTF-16 -t ASCII cert.pem > cert.new.pem"#,
        ],
    },
    Mistake {
        name: r#"a byte order mark and line ends of Windows"#,
        file: r#"pair
sed -i 's/$/\r/' cert.pem key.pem
printf '\357\273\277' | cat - cert.pem > c
mv c cert.pem
printf '\357\273\277' | cat - key.pem > c
mv c key.pem"#,
        says: &[],
    },
    Mistake {
        name: r#"version 1"#,
        file: r#"key key.pem
openssl req -new -key key.pem -subj /CN=tank.lan | openssl x509 -req -signkey key.pem -days 9 -out cert.pem"#,
        says: &[
            r#"cert.pem in DIR: the certificate has the version V1 of X.509 and not V3, so it has no names; issue one with subjectAltName (openssl x509 -req: -extfile; or `pumphouse-web cert --name …`)"#,
        ],
    },
    Mistake {
        name: r#"no names"#,
        file: r#"key key.pem
self"#,
        says: &[
            r#"note: the certificate has the name "tank.lan" in its subject (CN) only, and clients read names from subjectAltName only; issue one with subjectAltName (openssl: -addext subjectAltName=DNS:…; or `pumphouse-web cert --name …`)"#,
        ],
    },
    Mistake {
        name: r#"another name"#,
        file: r#"key key.pem
named pump.lan"#,
        says: &[
            r#"note: no certificate is for tank.lan, which "names" in [server] names: clients that use it refuse the certificate for pump.lan; issue one for tank.lan, or correct "names" in [server]"#,
        ],
    },
    Mistake {
        name: r#"an authority"#,
        file: r#"key key.pem
openssl req -x509 -key key.pem -out cert.pem -days 90 -subj /CN=tank.lan -addext subjectAltName=DNS:tank.lan"#,
        says: &[
            r#"note: the certificate for tank.lan is that of an authority (CA:TRUE), which strict clients refuse; issue one with basicConstraints=CA:FALSE; `pumphouse-web cert` makes such a certificate"#,
        ],
    },
    Mistake {
        name: r#"for clients only"#,
        file: r#"key key.pem
openssl req -x509 -key key.pem -out cert.pem -days 90 -subj /CN=tank.lan -addext subjectAltName=DNS:tank.lan -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth"#,
        says: &[
            r#"note: the certificate for tank.lan is not for servers: its extendedKeyUsage lacks serverAuth; issue one with extendedKeyUsage=serverAuth"#,
        ],
    },
    Mistake {
        name: r#"a leaf without its chain"#,
        file: r#"chain
cp tank.lan.pem cert.pem"#,
        says: &[
            r#"note: the certificate for tank.lan is sent without that of its issuer, "CN=middle": clients that do not trust this very issuer refuse the connection; "cert" must be the file with the full chain (certbot: fullchain.pem): the server's certificate, then each issuer of the one before"#,
        ],
    },
    Mistake {
        name: r#"a full chain"#,
        file: r#"chain
cat tank.lan.pem middle.pem > cert.pem"#,
        says: &[],
    },
    Mistake {
        name: r#"an issuer that cannot be parsed"#,
        file: r#"chain
(cat tank.lan.pem; printf -- '-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n') > cert.pem"#,
        says: &[r#"note: certificate 2 of the file cannot be parsed; copy the file again"#],
    },
    Mistake {
        name: r#"a certificate that cannot be parsed"#,
        file: r#"pair
printf -- '-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n' > cert.pem"#,
        says: &[
            r#"cert.pem in DIR: certificate 1 of the file cannot be parsed; copy the file again"#,
        ],
    },
    Mistake {
        name: r#"an encrypted key after the same in plain text"#,
        file: r#"pair
openssl pkcs8 -topk8 -in key.pem -passout pass:x -out e.pem
cat e.pem >> key.pem"#,
        says: &[],
    },
    Mistake {
        name: r#"an encrypted key (legacy) after the same in plain text"#,
        file: r#"pair
openssl ec -in key.pem -aes128 -passout pass:x -out e.pem
cat e.pem >> key.pem"#,
        says: &[],
    },
    Mistake {
        name: r#"a chain in the wrong order"#,
        file: r#"chain
cat tank.lan.pem root.pem middle.pem > cert.pem"#,
        says: &[
            r#"note: the chain of the certificate for tank.lan is not in order: certificate 2 is "CN=root", and not the issuer of certificate 1, "CN=middle"; "cert" must be the file with the full chain (certbot: fullchain.pem): the server's certificate, then each issuer of the one before"#,
        ],
    },
    Mistake {
        name: r#"the leaf last"#,
        file: r#"chain
cat middle.pem tank.lan.pem > cert.pem"#,
        says: &[
            r#"key.pem in DIR is the key of certificate 2 in cert.pem in DIR; the server's own certificate must be the first, followed by that of its issuer"#,
        ],
    },
    Mistake {
        name: r#"SHA-1"#,
        file: r#"chain
openssl req -new -key key.pem -subj /CN=tank.lan | openssl x509 -req -sha1 -CA middle.pem -CAkey middle.key -CAcreateserial -days 90 -extfile leaf.ext -out c
cat c middle.pem > cert.pem"#,
        says: &[
            r#"note: the certificate for tank.lan is signed with SHA-1, which clients refuse; issue one that is signed with SHA-256"#,
        ],
    },
    Mistake {
        name: r#"a key that others can read"#,
        file: r#"pair
chmod 644 key.pem"#,
        says: &[
            r#"note: other users can read the private key key.pem in DIR; run: chmod o-rwx key.pem"#,
        ],
    },
];
