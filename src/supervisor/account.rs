//! The group of this process, by name, for messages about rights.

use rustix::process::getegid;

/// Returns the name of this process's group, or its number if `/etc/group` does not have it.
pub(super) fn group() -> String {
    let number = getegid().as_raw().to_string();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    name_of(&groups, &number).unwrap_or(number)
}

/// Returns the name of a group in the format of group(5): `name:password:number:members`.
fn name_of(groups: &str, number: &str) -> Option<String> {
    let found = groups.lines().find(|line| line.split(':').nth(2) == Some(number))?;
    found.split(':').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_found_by_its_number() {
        let groups = "root:x:0:\nadm:x:4:syslog\npumphouse:x:999:\n";
        assert_eq!(name_of(groups, "999").as_deref(), Some("pumphouse"));
        assert_eq!(name_of(groups, "99"), None);
        assert!(!group().is_empty());
    }
}
