//! Options of the command line.

use super::place::Place;
use super::tank::{Measure, TankKind};
use crate::access::HostName;
use crate::config::{ListenAddr, SourceUrl};
use crate::units::{System, Unit};

/// Options of the command line, each `None` or empty if it was not given.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--place`
    pub place: Option<Place>,
    /// `--units`
    pub units: Option<System>,
    /// `--timezone`
    pub timezone: Option<String>,
    /// `--title`
    pub title: Option<String>,
    /// `--open`
    pub open: bool,
    /// `--user`
    pub user: Option<String>,
    /// `--tank`
    pub tank: Option<TankKind>,
    /// `--height`
    pub height: Option<Measure>,
    /// `--capacity`
    pub capacity: Option<Measure>,
    /// `--device`
    pub device: Option<String>,
    /// `--tank-url`
    pub tank_url: Option<SourceUrl>,
    /// `--pointer`
    pub pointer: Option<String>,
    /// `--unit`
    pub unit: Option<Unit>,
    /// `--listen`
    pub listen: Vec<ListenAddr>,
    /// `--admin-listen`
    pub admin_listen: Option<ListenAddr>,
    /// `--name`
    pub names: Vec<HostName>,
    /// `--supervisord`
    pub supervisord: bool,
    /// `--systemd`
    pub systemd: bool,
}

/// Reason why the options have no meaning.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A place is needed, and no question can be asked.
    #[error(
        "--place LAT,LON is needed, since standard input is no terminal to ask on; optional are --tank \
         KIND, --units us|metric, --open or --user NAME, --supervisord, --systemd"
    )]
    NoPlace,
    /// Both ways to let others read.
    #[error("--open lets everyone read and --user an account only: give one of them")]
    OpenAndUser,
    /// Other machines can reach an address, and nothing says who may read.
    #[error(
        "--listen {0} accepts connections from other machines: say who may read by --open or --user NAME"
    )]
    NoAccess(ListenAddr),
    /// The first address is no TCP address, whose port the printed address needs.
    #[error(
        "--listen {0}: `init` writes TCP addresses such as 0.0.0.0:6443; edit \"listen\" afterwards"
    )]
    NoTcp(ListenAddr),
    /// An option of another kind of tank.
    #[error("--{option} belongs to --tank {kind}")]
    OtherTank {
        /// The option.
        option: &'static str,
        /// The kinds that have it.
        kind: &'static str,
    },
    /// A measure in a unit of another quantity.
    #[error("--{option}: {reason}")]
    Measure {
        /// The option.
        option: &'static str,
        /// Reason.
        reason: String,
    },
}

/// Checks the options before any question.
///
/// # Errors
/// They contradict each other.
pub fn check(options: &Options) -> Result<(), OptionsError> {
    if options.open && options.user.is_some() {
        return Err(OptionsError::OpenAndUser);
    }
    if let Some(address) = options.listen.iter().find(|it| it.tcp().is_none()) {
        return Err(OptionsError::NoTcp(address.clone()));
    }
    let kind = options.tank;
    for (option, is_given, kinds, name) in [
        ("height", options.height.is_some(), TankKind::PtLevel, "ptlevel"),
        ("capacity", options.capacity.is_some(), TankKind::PtLevel, "ptlevel"),
        ("device", options.device.is_some(), TankKind::PtDevices, "ptdevices"),
        ("tank-url", options.tank_url.is_some(), TankKind::Json, "json"),
        ("pointer", options.pointer.is_some(), TankKind::Json, "json"),
        ("unit", options.unit.is_some(), TankKind::Json, "json"),
    ] {
        if is_given && kind != Some(kinds) {
            return Err(OptionsError::OtherTank { option, kind: name });
        }
    }
    Ok(())
}
