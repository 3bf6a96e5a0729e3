//! Names of the files that `init` writes. There are no others.

/// The configuration.
pub(super) const CONFIGURATION: &str = "pumphouse.toml";
/// The certificate.
pub(super) const CERTIFICATE: &str = "certs/cert.pem";
/// Key of the certificate.
pub(super) const KEY: &str = "certs/key.pem";
/// Hash of the user's password.
pub(super) const PASSWORD_HASH: &str = "password-hash";
/// Link of a PTLevel share page.
pub(super) const TANK_LINK: &str = "tank-link";
/// Token of the PTDevices API.
pub(super) const TANK_TOKEN: &str = "tank-token";
/// File for supervisord.
pub(super) const SUPERVISORD: &str = "pumphouse-web.conf";
/// File for systemd.
pub(super) const SYSTEMD: &str = "pumphouse-web.service";

/// All of them.
pub(super) const ALL: [&str; 8] =
    [CONFIGURATION, CERTIFICATE, KEY, PASSWORD_HASH, TANK_LINK, TANK_TOKEN, SUPERVISORD, SYSTEMD];
