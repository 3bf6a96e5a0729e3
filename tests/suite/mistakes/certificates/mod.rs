//! Mistaken certificates: the commands that make `cert.pem` and `key.pem`, and the lines that `check` prints
//! about them.

mod contents;
mod files;
mod keys;

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

/// Returns all of them. The configuration names the host `tank.lan`.
pub(super) fn certificates() -> impl Iterator<Item = &'static Mistake> {
    [files::FILES, keys::KEYS, contents::CONTENTS].into_iter().flatten()
}
