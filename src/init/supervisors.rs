//! Files for supervisord and systemd: the examples, with this folder, this binary and this user.
//!
//! The examples are the only texts of these files. Their paths and names are replaced here, quoted as
//! the parser of each line requires.

use std::path::Path;

use super::documents::Documents;

const SUPERVISORD: &str = include_str!("../../examples/supervisord.conf");
const SYSTEMD: &str = include_str!("../../examples/systemd/pumphouse-web.service");

/// Paths and names in the examples.
const BINARY: &str = "/usr/local/bin/pumphouse-web";
const FOLDER: &str = "/srv/pumphouse";
const STATE_FOLDER: &str = "/var/lib/pumphouse";
const CONFIGURATION: &str = "/etc/pumphouse/pumphouse.toml";
const CONFIGURATION_FOLDER: &str = "/etc/pumphouse";
const USER: &str = "pumphouse";
const PORT: &str = "6443";

/// Folders that `ProtectHome` hides.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// Paths, programs and users that the files name.
#[derive(Debug, Clone)]
pub(super) struct Service<'a> {
    /// This program.
    pub binary: &'a Path,
    /// Folder with the configuration.
    pub folder: &'a Path,
    /// Folder in which the server runs and writes.
    pub state: &'a Path,
    /// User that it runs as.
    pub user: &'a str,
    /// Group of that user, which gets access to supervisord's socket.
    pub group: &'a str,
    /// Port of the first public address.
    pub port: u16,
    /// Examples on this machine.
    pub documents: &'a Documents,
    /// False if another user than root makes the file, who may have a supervisord of his own.
    pub is_made_by_root: bool,
}

/// A path or a name that the file cannot contain.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file for {file} cannot name {path:?}: it has a quotation mark, a backslash, one of $ : ; #, or a \
     character that is no text; move it to a plainer path"
)]
pub struct UnsafePath {
    file: &'static str,
    path: String,
}

/// Returns a path that neither parser changes except by the rules that are applied below.
fn plain<'a>(file: &'static str, path: &'a Path) -> Result<&'a str, UnsafePath> {
    let error = || UnsafePath { file, path: path.to_string_lossy().into_owned() };
    let text = path.to_str().ok_or_else(error)?;
    let is_unsafe =
        |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '$' | ':' | ';' | '#');
    if text.contains(is_unsafe) || text.trim() != text { Err(error()) } else { Ok(text) }
}

/// Doubles the percent signs, which begin a variable in both files.
fn without_variables(text: &str) -> String {
    text.replace('%', "%%")
}

/// Returns one word of a command line. Both parsers understand double quotes.
fn word(text: &str) -> String {
    let text = without_variables(text);
    if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text }
}

/// Returns `pumphouse-web.conf`.
///
/// # Errors
/// A path has characters that the file cannot contain.
pub(super) fn supervisord(service: &Service<'_>) -> Result<String, UnsafePath> {
    let file = "supervisord";
    let binary = plain(file, service.binary)?;
    let folder = plain(file, service.folder)?;
    let state = plain(file, service.state)?;
    // The working directory's configuration is the default.
    let configuration = match service.folder == service.state {
        true => String::new(),
        false => format!(" --config {}", word(&format!("{folder}/pumphouse.toml"))),
    };
    let port = service.port.to_string();
    let socket_owner = format!("root:{}", service.group);
    let lines = body(SUPERVISORD).map(|line| match line.split_once('=') {
        Some(("command", command)) => {
            let command = replaced(command, &[(BINARY, &word(binary)), (PORT, &port)]);
            format!("command={command}{configuration}")
        }
        Some(("user", USER)) => format!("user={}", service.user),
        Some((key, value)) if !is_comment(line) => {
            let value = replaced(value, &[(FOLDER, &without_variables(state)), (PORT, &port)]);
            format!("{key}={value}")
        }
        _ => replaced(
            line,
            &[(FOLDER, folder), (BINARY, binary), ("root:pumphouse", &socket_owner), (PORT, &port)],
        ),
    });
    let mut head = head(';', service.documents, "examples/supervisord.conf");
    if !service.is_made_by_root {
        head += "; It is for the system's supervisord, which root runs and which logs to /var/log. For one of your\n\
                 ; own change both lines stderr_logfile= to a folder that you may write to.\n";
    }
    Ok(lines.fold(head + "\n", |text, line| text + &line + "\n"))
}

/// Replaces texts of an example. What was put in their place is not searched again: a folder may be named
/// like another one's example, or after a port.
fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let found = pairs.iter().find_map(|(old, new)| Some((rest.strip_prefix(old)?, *new)));
        if let Some((behind, new)) = found {
            result += new;
            rest = behind;
        } else {
            result.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    result
}

/// Returns the lines from the first section on. The comments before it say how to adapt the example.
fn body(example: &str) -> impl Iterator<Item = &str> {
    example.lines().skip_while(|line| !line.starts_with('['))
}

/// Returns the comment that begins a file.
fn head(mark: char, documents: &Documents, example: &str) -> String {
    format!(
        "{mark} Written by `pumphouse-web init`, from an example that says more:\n{mark} {}\n",
        documents.locate(example)
    )
}

fn is_comment(line: &str) -> bool {
    line.starts_with([';', '#'])
}

/// Returns `pumphouse-web.service`.
///
/// # Errors
/// A path has characters that the file cannot contain.
pub(super) fn systemd(service: &Service<'_>) -> Result<String, UnsafePath> {
    let file = "systemd";
    let binary = plain(file, service.binary)?;
    let folder = plain(file, service.folder)?;
    let state = plain(file, service.state)?;
    let configuration = format!("{folder}/pumphouse.toml");
    let port = service.port.to_string();
    let mut text = head('#', service.documents, "examples/systemd/pumphouse-web.service") + "\n";
    for line in body(SYSTEMD) {
        let line = match line.split_once('=') {
            _ if is_comment(line) => replaced(
                line,
                &[
                    (CONFIGURATION_FOLDER, folder),
                    (STATE_FOLDER, state),
                    (BINARY, binary),
                    (PORT, &port),
                ],
            ),
            Some(("ExecStart", command)) => {
                let pairs = [(BINARY, &*word(binary)), (CONFIGURATION, &word(&configuration))];
                format!("ExecStart={}", replaced(command, &pairs))
            }
            Some(("WorkingDirectory", _)) => {
                format!("WorkingDirectory={}", without_variables(state))
            }
            // systemd would create these below /var/lib and /etc, for the user of the example.
            Some(("StateDirectory", _)) => format!("ReadWritePaths={}", word(state)),
            Some(("StateDirectoryMode" | "ConfigurationDirectory", _)) => continue,
            Some(("ProtectHome", _)) => homes(&[binary, folder, state]),
            Some(("PrivateTmp", _)) if [binary, folder, state].into_iter().any(is_temporary) => {
                "PrivateTmp=no".to_owned()
            }
            Some(("User", _)) => format!("User={}", service.user),
            Some((key, value)) => {
                format!("{key}={}", replaced(value, &[(PORT, &port)]))
            }
            None => line.to_owned(),
        };
        text += &line;
        text.push('\n');
    }
    Ok(text)
}

/// Returns the protection of home directories. Files below one are mounted into empty ones.
fn homes(paths: &[&str]) -> String {
    let is_in_home = |path: &&&str| HOMES.iter().any(|home| Path::new(path).starts_with(home));
    let mut bound: Vec<&str> = paths.iter().filter(is_in_home).copied().collect();
    bound.dedup();
    // A whole one cannot be mounted into itself.
    if bound.iter().any(|path| HOMES.contains(path)) {
        return "ProtectHome=no".to_owned();
    }
    match bound.as_slice() {
        [] => "ProtectHome=yes".to_owned(),
        bound => bound
            .iter()
            .map(|path| format!("\nBindPaths={}", word(path)))
            .fold("ProtectHome=tmpfs".to_owned(), |text, line| text + &line),
    }
}

/// Returns true for a path that a service with a `/tmp` of its own would not find.
pub(super) fn is_temporary(path: impl AsRef<Path>) -> bool {
    ["/tmp", "/var/tmp"].iter().any(|folder| path.as_ref().starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service<'a>(binary: &'a str, folder: &'a str, state: &'a str) -> Service<'a> {
        Service {
            binary: Path::new(binary),
            folder: Path::new(folder),
            state: Path::new(state),
            user: "anna",
            group: "staff",
            port: 7443,
            documents: Box::leak(Box::new(Documents::of(Path::new("/none/bin/it")))),
            is_made_by_root: true,
        }
    }

    /// Returns the lines that are not comments.
    fn settings(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !is_comment(line) && !line.is_empty()).collect()
    }

    #[test]
    fn files_name_the_given_folder_binary_and_user_only() {
        let service = service("/opt/p/pumphouse-web", "/data/a tank", "/data/a tank");
        for text in [supervisord(&service).unwrap(), systemd(&service).unwrap()] {
            let settings = settings(&text).join("\n");
            for replaced in [BINARY, FOLDER, CONFIGURATION_FOLDER, STATE_FOLDER, "6443"] {
                assert!(!settings.contains(replaced), "{replaced} in {settings}");
            }
            assert!(settings.contains("/opt/p/pumphouse-web"), "{settings}");
            assert!(!settings.lines().any(|line| line.eq_ignore_ascii_case("user=pumphouse")));
        }
        let unit = systemd(&service).unwrap();
        assert!(unit.contains("--config \"/data/a tank/pumphouse.toml\"\n"), "{unit}");
        assert!(unit.contains("\nWorkingDirectory=/data/a tank\n"), "{unit}");
        assert!(unit.contains("\nReadWritePaths=\"/data/a tank\"\n"), "{unit}");
        assert!(unit.contains("\nUser=anna\n"), "{unit}");
        let socket_folder = "\nRuntimeDirectory=pumphouse\nRuntimeDirectoryMode=0750\n";
        assert!(unit.contains(socket_folder), "{unit}");
        let conf = supervisord(&service).unwrap();
        assert_eq!(conf.matches("\ndirectory=/data/a tank\n").count(), 2, "{conf}");
        assert_eq!(conf.matches("\nuser=anna\n").count(), 2, "{conf}");
    }

    #[test]
    fn configuration_apart_from_the_state_is_named_in_each_command() {
        let service = service("/usr/bin/pumphouse-web", "/etc/pumphouse", "/var/lib/pumphouse");
        let conf = supervisord(&service).unwrap();
        for line in settings(&conf).iter().filter(|line| line.starts_with("command=")) {
            assert!(line.ends_with("--config /etc/pumphouse/pumphouse.toml"), "{line}");
        }
        assert_eq!(conf.matches("\ndirectory=/var/lib/pumphouse\n").count(), 2, "{conf}");
        let unit = systemd(&service).unwrap();
        assert!(unit.contains(" --config /etc/pumphouse/pumphouse.toml\n"), "{unit}");
    }

    #[test]
    fn protected_folders_are_visible_as_far_as_the_service_needs_them() {
        let bin = "/usr/bin/pumphouse-web";
        for (binary, folder, state, home, tmp) in [
            (bin, "/srv/p", "/srv/p", "yes", "yes"),
            (bin, "/homes/p", "/rooted", "yes", "yes"),
            (
                "/home/anna/bin/pumphouse-web",
                "/home/anna/50%",
                "/home/anna/50%",
                "tmpfs\nBindPaths=/home/anna/bin/pumphouse-web\nBindPaths=/home/anna/50%%",
                "yes",
            ),
            ("/root/bin/p", "/srv/p", "/srv/p", "tmpfs\nBindPaths=/root/bin/p", "yes"),
            (bin, "/run/user/7/p", "/srv/p", "tmpfs\nBindPaths=/run/user/7/p", "yes"),
            (bin, "/root", "/root", "no", "yes"),
            (bin, "/srv/p", "/home", "no", "yes"),
            (bin, "/tmp", "/tmp", "yes", "no"),
            (bin, "/srv/p", "/var/tmp/p", "yes", "no"),
            ("/tmp/build/pumphouse-web", "/srv/p", "/srv/p", "yes", "no"),
            (bin, "/tmpfs/p", "/srv/p", "yes", "yes"),
        ] {
            let unit = systemd(&service(binary, folder, state)).unwrap();
            let expected = format!("\nProtectHome={home}\nPrivateTmp={tmp}\n");
            assert!(unit.contains(&expected), "{expected} is not in {unit}");
        }
    }

    #[test]
    fn path_with_the_text_of_an_example_stays_as_it_is() {
        let folder = "/var/lib/pumphouse/6443/srv/pumphouse";
        let service =
            service("/opt/pumphouse-6443/etc/pumphouse/it", folder, "/srv/pumphouse-6443");
        let unit = systemd(&service).unwrap();
        let start = "\nExecStart=/opt/pumphouse-6443/etc/pumphouse/it serve --config \
                     /var/lib/pumphouse/6443/srv/pumphouse/pumphouse.toml\n";
        assert!(unit.contains(start), "{unit}");
        assert!(unit.contains("https://localhost:7443/"), "{unit}");
        let conf = supervisord(&service).unwrap();
        let command = "\ncommand=/opt/pumphouse-6443/etc/pumphouse/it serve --config \
                       /var/lib/pumphouse/6443/srv/pumphouse/pumphouse.toml\n";
        assert!(conf.contains(command), "{conf}");
        assert_eq!(conf.matches("\ndirectory=/srv/pumphouse-6443\n").count(), 2, "{conf}");
        for comment in unit.lines().chain(conf.lines()).filter(|line| is_comment(line)) {
            assert!(!comment.contains("7443/srv") && !comment.contains("-7443"), "{comment}");
        }
    }

    #[test]
    fn file_of_another_user_than_root_says_where_it_logs() {
        let mut service = service("/usr/bin/pumphouse-web", "/srv/p", "/srv/p");
        assert!(!supervisord(&service).unwrap().contains("For one of your"));
        service.is_made_by_root = false;
        assert!(supervisord(&service).unwrap().contains("For one of your"));
    }

    #[test]
    fn path_that_a_parser_would_change_is_rejected() {
        for path in ["/a\"b", "/a'b", "/a\\b", "/a$b", "/a ;b", "/a\nb", "/a ", "/a #b", "/a:b"] {
            let service = service("/bin/pumphouse-web", path, path);
            assert!(supervisord(&service).is_err(), "{path:?}");
            assert!(systemd(&service).unwrap_err().to_string().contains("plainer"), "{path:?}");
        }
    }
}
