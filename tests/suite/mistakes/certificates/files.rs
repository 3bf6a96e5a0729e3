//! Mistakes in the files of a certificate and its key: absent, of another format, damaged or exchanged.

use crate::mistakes::Mistake;

pub(super) const FILES: &[Mistake] = &[
    Mistake {
        name: "missing files",
        file: "true",
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cannot read cert.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
            r#"p.toml:5:8: "key" in [tls]: cannot read key.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: "a missing key",
        file: r#"pair
rm key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: cannot read key.pem in DIR: no such file; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: "empty files",
        file: r#"key key.pem
: > cert.pem
: > key.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is empty; copy the certificate into it again"#,
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is empty; copy the private key into it again"#,
        ],
    },
    Mistake {
        name: "a folder for the key",
        file: r#"pair
rm key.pem
mkdir key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: cannot read key.pem in DIR: is a folder, not a file"#,
        ],
    },
    Mistake {
        name: "a link to nothing",
        file: r#"pair
rm cert.pem
ln -s gone.pem cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cannot read cert.pem in DIR: cert.pem links to gone.pem, which does not exist; `pumphouse-web cert` makes a self-signed pair"#,
        ],
    },
    Mistake {
        name: "a truncated certificate",
        file: r#"pair
head -4 cert.pem > c
mv c cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is truncated: the line "-----END CERTIFICATE-----" is missing; copy the file again"#,
        ],
    },
    Mistake {
        name: "a truncated key",
        file: r#"pair
head -2 key.pem > k
mv k key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is truncated: the line "-----END PRIVATE KEY-----" is missing; copy the file again"#,
        ],
    },
    Mistake {
        name: "a damaged certificate",
        file: r#"pair
sed -i '3s/./!/' cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: a PEM section is damaged (base64 decode error: InvalidCharacter(33)); copy the file again"#,
        ],
    },
    Mistake {
        name: "a certificate in DER",
        file: r#"pair
openssl x509 -in cert.pem -outform der -out c
mv c cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is DER, not PEM; convert it: openssl x509 -inform der -in cert.pem -out cert.new.pem"#,
        ],
    },
    Mistake {
        name: "a key in DER",
        file: r#"pair
openssl pkey -in key.pem -outform der -out k
mv k key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is DER, not PEM; convert it: openssl pkey -inform der -in key.pem -out key.new.pem"#,
        ],
    },
    Mistake {
        name: "PKCS#12",
        file: r#"pair
openssl pkcs12 -export -in cert.pem -inkey key.pem -passout pass: -out p12
cp p12 cert.pem
cp p12 key.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is a PKCS#12 archive (.p12, .pfx), not PEM; extract the certificate: openssl pkcs12 -in cert.pem -nokeys -out cert.new.pem"#,
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is a PKCS#12 archive (.p12, .pfx), not PEM; extract the private key: openssl pkcs12 -in key.pem -nocerts -nodes -out key.new.pem"#,
        ],
    },
    Mistake {
        name: "PKCS#7",
        file: r#"pair
openssl crl2pkcs7 -nocrl -certfile cert.pem -out c
mv c cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is a PKCS#7 bundle (.p7b), which has no private key; extract the certificates: openssl pkcs7 -in cert.pem -print_certs -out cert.new.pem"#,
        ],
    },
    Mistake {
        name: "a signing request",
        file: r#"pair
openssl req -new -key key.pem -subj /CN=tank.lan -out cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is a signing request (CSR), not the certificate; use the certificate that the authority issued for it"#,
        ],
    },
    Mistake {
        name: "a public key",
        file: r#"pair
openssl pkey -in key.pem -pubout -out cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is a public key, not a certificate; use the certificate that was issued for it"#,
        ],
    },
    Mistake {
        name: "a public key for the private one",
        file: r#"pair
openssl pkey -in key.pem -pubout -out k
mv k key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is a public key; "key" must be the private key that belongs to the certificate"#,
        ],
    },
    Mistake {
        name: "the certificate for the key",
        file: r#"pair
cp cert.pem key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR: the file is a certificate, not a private key; "cert" must be the certificate chain and "key" the private key"#,
        ],
    },
    Mistake {
        name: "the key for the certificate",
        file: r#"pair
cp key.pem cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is a private key, not a certificate; "cert" must be the certificate chain and "key" the private key"#,
        ],
    },
    Mistake {
        name: "certificate and key exchanged",
        file: r#"pair
mv cert.pem c
mv key.pem cert.pem
mv c key.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR is a private key, and key.pem in DIR a certificate; exchange "cert" and "key""#,
        ],
    },
    Mistake {
        name: "a trusted certificate of openssl",
        file: r#"pair
openssl x509 -in cert.pem -trustout -out c
mv c cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is a TRUSTED CERTIFICATE of openssl; convert it: openssl x509 -in cert.pem -out cert.new.pem"#,
        ],
    },
    Mistake {
        name: "a key of another certificate",
        file: r#"pair
key key.pem"#,
        says: &[
            r#"p.toml:5:8: "key" in [tls]: key.pem in DIR is the key of another certificate than cert.pem in DIR; the outputs of these must be equal: openssl x509 -in cert.pem -noout -pubkey; openssl pkey -in key.pem -pubout"#,
        ],
    },
    Mistake {
        name: "a text",
        file: r#"pair
echo "see the wiki" > cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file has no PEM section; a certificate in PEM begins with the line "-----BEGIN CERTIFICATE-----""#,
        ],
    },
    Mistake {
        name: "an indented certificate",
        file: r#"pair
sed -i 's/^/  /' cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the line "-----BEGIN CERTIFICATE-----" begins with blanks; remove them: sed -i 's/^[[:blank:]]*//' cert.pem"#,
        ],
    },
    Mistake {
        name: "UTF-16",
        file: r#"pair
iconv -t UTF-16 cert.pem > c
mv c cert.pem"#,
        says: &[
            r#"p.toml:4:9: "cert" in [tls]: cert.pem in DIR: the file is UTF-16 text, not PEM; convert it: iconv -f UTF-16 -t ASCII cert.pem > cert.new.pem"#,
        ],
    },
    Mistake {
        name: "a byte order mark and line ends of Windows",
        file: r#"pair
sed -i 's/$/\r/' cert.pem key.pem
printf '\357\273\277' | cat - cert.pem > c
mv c cert.pem
printf '\357\273\277' | cat - key.pem > c
mv c key.pem"#,
        says: &[],
    },
];
