//! Recognises the contents of certificate and key files, so that an error names the cause and the remedy.
//!
//! rustls skips everything in a file that it does not know, and reports that nothing was found. Operators
//! have a file that holds something: another format, an encrypted key, a request instead of the certificate.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::shell::quoted;

/// Object that a file has to contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A certificate chain.
    Chain,
    /// A private key.
    Key,
}

/// Contents that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    /// No bytes, or blanks only.
    Empty,
    /// UTF-16 or UTF-32 text.
    WideText,
    /// DER, which is the binary form of PEM.
    Der,
    /// A PKCS#12 archive of certificates and key.
    Pkcs12,
    /// A PKCS#7 bundle of certificates; true if it is binary.
    Pkcs7(bool),
    /// Other bytes that are no text.
    Binary,
    /// Text without a PEM section.
    NoPem,
    /// A section begins with blanks.
    Indented(String),
    /// Text follows the `BEGIN` of a section in the same line.
    Joined(String),
    /// A section has no end.
    Truncated(String),
    /// The base64 text of a section is damaged, or its `BEGIN` line is.
    Damaged(String),
    /// The key is encrypted with a passphrase.
    Encrypted,
    /// Sections of other kinds only.
    Other(Vec<String>),
}

/// Parses a chain, the leaf first.
pub(super) fn parse_chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let bytes = without_bom(bytes);
    let chain = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(recognise(bytes, None)),
        Err(error) => Err(recognise(bytes, Some(&error))),
    }
}

/// Parses the first private key that is not encrypted.
pub(super) fn parse_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Unusable> {
    let bytes = without_bom(bytes);
    let mut rest = bytes;
    let error = loop {
        match PrivateKeyDer::from_pem_slice(rest) {
            Ok(key) => return Ok(key),
            // The parser skips an encrypted key by its label, and fails at one that has the field.
            Err(error) => match after_encrypted(rest) {
                Some(after) => rest = after,
                None => break error,
            },
        }
    };
    let is_encrypted = rest.len() < bytes.len()
        || labels(bytes).iter().any(|label| label == "ENCRYPTED PRIVATE KEY");
    Err(match error {
        pem::Error::NoItemsFound if is_encrypted => Unusable::Encrypted,
        pem::Error::NoItemsFound => recognise(bytes, None),
        error => recognise(bytes, Some(&error)),
    })
}

/// Returns the bytes behind the first key, if that is encrypted as in RFC 1421.
fn after_encrypted(bytes: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(bytes, ENCRYPTED_FIELD)?;
    let (before, section) = bytes.split_at(at);
    let is_parsed =
        |label: &&String| label.ends_with("PRIVATE KEY") && !label.starts_with("ENCRYPTED ");
    let is_first = labels(before).iter().filter(is_parsed).count() == 1;
    let end = memchr::memmem::find(section, SECTION_END).filter(|_| is_first)?;
    section.get(end + SECTION_END.len()..)
}

/// Field of an encrypted section (RFC 1421 4.6.1.1).
const ENCRYPTED_FIELD: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// Begin of the last line of a section (RFC 7468 2).
const SECTION_END: &[u8] = b"-----END ";

/// Removes the byte order mark that some editors of Windows put in front of UTF-8.
fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Recognises contents that were not parsed, by `error` if there was one.
fn recognise(bytes: &[u8], error: Option<&pem::Error>) -> Unusable {
    if let Some(label) = joined(bytes) {
        return Unusable::Joined(label);
    }
    match error {
        Some(pem::Error::MissingSectionEnd { end_marker }) => {
            return Unusable::Truncated(shown_label(end_marker));
        }
        // The line may contain the key.
        Some(pem::Error::IllegalSectionStart { .. }) => {
            return Unusable::Damaged("a BEGIN line does not end with five dashes".to_owned());
        }
        Some(error) => return Unusable::Damaged(error.to_string()),
        None => {}
    }
    if bytes.iter().all(|byte| byte.is_ascii_whitespace()) {
        return Unusable::Empty;
    }
    if bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || has_every_other_nul(bytes)
    {
        return Unusable::WideText;
    }
    if let [0x30, rest @ ..] = bytes
        && !bytes.is_ascii()
    {
        return binary_kind(rest);
    }
    let labels = labels(bytes);
    if labels.iter().any(|label| matches!(label.as_str(), "PKCS7" | "CMS")) {
        return Unusable::Pkcs7(false);
    }
    if !labels.is_empty() {
        return Unusable::Other(labels);
    }
    if bytes.contains(&0) {
        return Unusable::Binary;
    }
    let mut lines = lines(bytes).map(<[u8]>::trim_ascii_start);
    match lines.find_map(|line| line.strip_prefix(SECTION_BEGIN)) {
        Some(label) => Unusable::Indented(shown_label(label)),
        None => Unusable::NoPem,
    }
}

/// Returns the label of the first section whose `BEGIN` has other text in its line, as in a file whose line
/// breaks were lost.
fn joined(bytes: &[u8]) -> Option<String> {
    lines(bytes).find_map(|line| {
        let label = line.get(memchr::memmem::find(line, SECTION_BEGIN)? + SECTION_BEGIN.len()..)?;
        let end = memchr::memmem::find(label, DASHES)?;
        let has_text = label.get(end..)?.iter().any(|byte| !matches!(byte, b'-' | b' ' | b'\t'));
        has_text.then(|| shown_label(label))
    })
}

/// Returns a label for a message, without what follows it. The rest of a damaged line may be the key itself,
/// so other text than a label is not repeated.
fn shown_label(text: &[u8]) -> String {
    let end = memchr::memmem::find(text, DASHES).unwrap_or(text.len());
    let label = text[..end].trim_ascii();
    let is_label = label.len() <= MAX_LABEL
        && label.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' '));
    if is_label { String::from_utf8_lossy(label).into_owned() } else { "…".to_owned() }
}

/// Maximum length of a label that a message repeats.
const MAX_LABEL: usize = 40;

/// Begin of the first line of a section (RFC 7468 2).
const SECTION_BEGIN: &[u8] = b"-----BEGIN ";

/// End of the first and of the last line of a section.
const DASHES: &[u8] = b"-----";

/// Returns the lines as the parser of PEM splits them.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Returns true for UTF-16 without a byte order mark.
fn has_every_other_nul(bytes: &[u8]) -> bool {
    let pairs = bytes.chunks_exact(2).take(16);
    bytes.len() >= 32 && (pairs.clone().all(|p| p[0] == 0) || pairs.clone().all(|p| p[1] == 0))
}

/// Distinguishes the kinds of DER by the first element of the outer sequence, whose tag was removed.
fn binary_kind(rest: &[u8]) -> Unusable {
    /// An INTEGER of one byte with the value 3, the version of PKCS#12 (RFC 7292 4).
    const PKCS12: &[u8] = &[2, 1, 3];
    /// The OBJECT IDENTIFIER 1.2.840.113549.1.7.2, signed data of PKCS#7 (RFC 2315 14).
    const PKCS7: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    // X.690 8.1.3: a short length, or the number of bytes of a long one.
    let length = rest.first().copied().unwrap_or_default();
    let skipped = 1 + if length > 0x80 { usize::from(length & 0x7f) } else { 0 };
    match rest.get(skipped..) {
        Some(inner) if inner.starts_with(PKCS12) => Unusable::Pkcs12,
        Some(inner) if inner.starts_with(PKCS7) => Unusable::Pkcs7(true),
        _ => Unusable::Der,
    }
}

/// Returns true if a file has a section of this kind.
pub(super) fn holds(bytes: &[u8], kind: Wanted) -> bool {
    labels(without_bom(bytes)).iter().any(|label| match kind {
        Wanted::Chain => label == "CERTIFICATE",
        Wanted::Key => label.ends_with("PRIVATE KEY"),
    })
}

/// Returns the labels of the PEM sections in a file, in their order.
fn labels(bytes: &[u8]) -> Vec<String> {
    lines(bytes).filter_map(|line| line.strip_prefix(SECTION_BEGIN)).map(shown_label).collect()
}

impl Unusable {
    /// Returns the error of a file, with the remedy.
    pub(super) fn describe(&self, wanted: Wanted, path: &Path) -> String {
        let file = quoted(path);
        let new = quoted(&path.with_extension("new.pem"));
        let noun = match wanted {
            Wanted::Chain => "certificate",
            Wanted::Key => "private key",
        };
        match self {
            Unusable::Empty => format!("the file is empty; copy the {noun} into it again"),
            Unusable::WideText => format!(
                "the file is UTF-16 text, not PEM; convert it: iconv -f UTF-16 -t ASCII {file} > {new}"
            ),
            Unusable::Der => {
                let command = match wanted {
                    Wanted::Chain => "x509",
                    Wanted::Key => "pkey",
                };
                format!(
                    "the file is DER, not PEM; convert it: openssl {command} -inform der -in {file} \
                     -out {new}"
                )
            }
            Unusable::Pkcs12 => {
                let option = match wanted {
                    Wanted::Chain => "-nokeys",
                    Wanted::Key => "-nocerts -nodes",
                };
                format!(
                    "the file is a PKCS#12 archive (.p12, .pfx), not PEM; extract the {noun}: openssl \
                     pkcs12 -in {file} {option} -out {new}"
                )
            }
            Unusable::Pkcs7(is_binary) => {
                let form = if *is_binary { "-inform der " } else { "" };
                format!(
                    "the file is a PKCS#7 bundle (.p7b), which has no private key; extract the \
                     certificates: openssl pkcs7 {form}-in {file} -print_certs -out {new}"
                )
            }
            Unusable::Binary => {
                format!("the file is neither PEM nor DER; it must be a {noun} in PEM")
            }
            Unusable::NoPem => format!(
                "the file has no PEM section; a {noun} in PEM begins with the line \"-----BEGIN {}-----\"",
                match wanted {
                    Wanted::Chain => "CERTIFICATE",
                    Wanted::Key => "PRIVATE KEY",
                }
            ),
            Unusable::Indented(label) => format!(
                "the line \"-----BEGIN {label}-----\" begins with blanks; remove them: sed -i \
                 's/^[[:blank:]]*//' {file}"
            ),
            Unusable::Joined(label) => format!(
                "the line breaks are missing: text follows \"-----BEGIN {label}-----\" in the same line; copy \
                 the file itself again, not its text"
            ),
            Unusable::Truncated(label) => format!(
                "the file is truncated: the line \"-----END {label}-----\" is missing; copy the file again"
            ),
            Unusable::Damaged(what) => {
                format!("a PEM section is damaged ({what}); copy the file again")
            }
            Unusable::Encrypted => format!(
                "the private key is encrypted, and the server has no passphrase for it; decrypt it: (umask \
                 077 && openssl pkey -in {file} -out {new})"
            ),
            Unusable::Other(labels) => other_kind(labels, wanted, &file, &new),
        }
    }
}

/// Describes PEM sections that are not of the wanted kind.
fn other_kind(labels: &[String], wanted: Wanted, file: &str, new: &str) -> String {
    let label = labels.first().map_or("", String::as_str);
    let is = |name: &str| labels.iter().any(|label| label.ends_with(name));
    match wanted {
        Wanted::Chain if is("CERTIFICATE REQUEST") => {
            "the file is a signing request (CSR), not the certificate; use the certificate that the \
             authority issued for it"
                .to_owned()
        }
        Wanted::Chain if is("TRUSTED CERTIFICATE") => format!(
            "the file is a TRUSTED CERTIFICATE of openssl; convert it: openssl x509 -in {file} -out {new}"
        ),
        Wanted::Chain if is("PRIVATE KEY") => {
            "the file is a private key, not a certificate; \"cert\" must be the certificate chain and \
             \"key\" the private key"
                .to_owned()
        }
        Wanted::Chain if is("PUBLIC KEY") => {
            "the file is a public key, not a certificate; use the certificate that was issued for it"
                .to_owned()
        }
        Wanted::Key if is("OPENSSH PRIVATE KEY") => format!(
            "the file is a private key of OpenSSH; convert a copy of it: ssh-keygen -p -N '' -m PKCS8 -f \
             {file}"
        ),
        Wanted::Key if is("DSA PRIVATE KEY") => {
            format!("the private key is a DSA key, which TLS 1.3 and rustls do not support; {NEW_KEY}")
        }
        Wanted::Key if is("PUBLIC KEY") => {
            "the file is a public key; \"key\" must be the private key that belongs to the certificate"
                .to_owned()
        }
        Wanted::Key if is("CERTIFICATE") => {
            "the file is a certificate, not a private key; \"cert\" must be the certificate chain and \
             \"key\" the private key"
                .to_owned()
        }
        Wanted::Key if is("CERTIFICATE REQUEST") => {
            "the file is a signing request (CSR); \"key\" must be the private key that it was made with"
                .to_owned()
        }
        Wanted::Key if is("PARAMETERS") => {
            "the file has the parameters of a key (EC PARAMETERS) without the key; \"key\" must be the \
             private key"
                .to_owned()
        }
        Wanted::Chain => format!("the file has \"{label}\" in PEM, and no CERTIFICATE"),
        Wanted::Key => format!("the file has \"{label}\" in PEM, and no PRIVATE KEY"),
    }
}

/// Remedy for keys of unsupported kinds.
pub(super) const NEW_KEY: &str = "make a P-256 key (openssl genpkey -algorithm EC -pkeyopt \
                                  ec_paramgen_curve:P-256) and a certificate for it";

#[cfg(test)]
mod tests;
