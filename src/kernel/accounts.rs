//! Names of users and groups, for messages and files that people read.

/// Returns the name of an account or a group in a file such as `/etc/passwd`; the number if it has none
/// there, as in a directory service.
fn name_in(table: &str, number: u32) -> String {
    let found = table.lines().find_map(|line| {
        let mut columns = line.split(':');
        let name = columns.next()?;
        (columns.nth(1)?.parse() == Ok(number)).then_some(name)
    });
    found.map_or_else(|| number.to_string(), str::to_owned)
}

/// Returns the name of a user.
pub fn user_name(number: u32) -> String {
    name_in(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), number)
}

/// Returns the name of a group.
pub fn group_name(number: u32) -> String {
    name_in(&std::fs::read_to_string("/etc/group").unwrap_or_default(), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_has_the_name_of_its_number() {
        let table =
            "root:x:0:0:root:/root:/bin/sh\n# comment\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(name_in(table, 1000), "anna");
        assert_eq!(name_in(table, 4711), "4711");
    }
}
