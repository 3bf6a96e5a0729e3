//! The request target (RFC 9112 3.2), and relative references to the site's root (RFC 3986 4.2).
//!
//! The path in the browser's URL may begin with the path of a reverse proxy, which the site need not know.
//! Links are therefore relative: from `/source/tank`, one directory deep, the root is `../`.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::Uri;

use crate::access::SiteUrl;
use crate::access::percent::{has_escape, has_escaped_separator, percent_decoded};
use crate::engine::RequestHead;

use super::problem::Problem;

/// Returns the path of the target, percent-decoded once. The absolute form is read as the origin form.
pub(super) fn decoded_path(target: &Uri) -> Result<Cow<'_, str>, Problem> {
    let path = target.path();
    // An escaped slash is data and no separator (RFC 3986 2.2). No parameter of a route contains a
    // slash, so such a path matches no route.
    if has_escape(path, b"%2f") {
        return Err(Problem::unmatched());
    }
    percent_decoded(path)
        .ok_or_else(|| Problem::bad_request("The path holds an invalid percent-encoding."))
}

/// Returns true if a path has a segment `.` or `..`, also with escaped dots.
pub(super) fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| matches!(&*with_plain_dots(segment), "." | ".."))
}

/// Returns the segment with escaped dots as dots, as browsers read it (URL Standard 4.4).
fn with_plain_dots(segment: &str) -> Cow<'_, str> {
    if segment.contains('%') {
        segment.replace("%2e", ".").replace("%2E", ".").into()
    } else {
        segment.into()
    }
}

/// Returns the path and query with every byte escaped that a URI cannot hold (RFC 3986 3.3, 3.4).
/// A `%` that begins no escape is data, and is escaped itself.
pub(super) fn escaped(path_and_query: &str) -> Cow<'_, str> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte);
    let is_escape = |at: usize| {
        let digits = path_and_query.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let stays = |at: usize, byte: u8| is_plain(byte) || (byte == b'%' && is_escape(at));
    if path_and_query.bytes().enumerate().all(|(at, byte)| stays(at, byte)) {
        return Cow::Borrowed(path_and_query);
    }
    let mut text = String::with_capacity(path_and_query.len() + 16);
    for (at, byte) in path_and_query.bytes().enumerate() {
        if stays(at, byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Cow::Owned(text)
}

/// Deepest path whose error page has links. Every link on the page has a `../` for each directory, so deeper
/// paths would let a small request cause a large response.
const MAX_DEPTH: usize = 200;

/// Position of a request's path below the path of the site's public address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Below {
    /// Directories of the public address with which the path of the request begins. A proxy that removes
    /// them leaves none.
    directories: usize,
}

impl Below {
    /// Returns the position of a path that begins with that of the public address, `folder`, which has no
    /// slash at its end.
    pub(super) fn folder(folder: &str) -> Below {
        Below { directories: folder.matches('/').count() }
    }

    /// Returns the position of a target that the router has not seen, or that cannot be decoded as a whole.
    pub(super) fn of_target(target: &Uri, site_url: Option<&SiteUrl>) -> Below {
        let folder =
            site_url.and_then(|url| url.decoded_path().strip_suffix('/')).unwrap_or_default();
        let mut sent = target.path().split('/');
        let is_sent = |segment| sent.next().and_then(percent_decoded).as_deref() == Some(segment);
        let is_below = folder.split('/').all(is_sent) && sent.next().is_some();
        if is_below { Below::folder(folder) } else { Below::default() }
    }

    /// Returns the relative reference from the request's URL to the root of the site: `./`, `../`, `../../`…
    /// Returns `None` for a path that is too deep.
    pub(super) fn root(self, target: &Uri) -> Option<Cow<'static, str>> {
        match directories(target.path()).saturating_sub(self.directories) {
            0 => Some(Cow::Borrowed(ROOT)),
            1 => Some(Cow::Borrowed(PARENT)),
            depth if depth <= MAX_DEPTH => Some(Cow::Owned(PARENT.repeat(depth))),
            _ => None,
        }
    }

    /// Returns true if the browser's URL has as many directories below the site as the path that arrived.
    ///
    /// Some proxies decode separators, or join them, and find the site below such a path where this server does
    /// not. Others compare without case: `/Pumphouse/x` gets here by the location of `/pumphouse/`, while here
    /// it is a path of the site in two directories.
    pub(super) fn is_certain(self, target: &Uri, site_url: Option<&SiteUrl>) -> bool {
        let path = target.path();
        if path.contains("//") || has_escaped_separator(path) {
            return false;
        }
        let folder = site_url.map_or("/", SiteUrl::decoded_path);
        let is_taken_for_folder = || {
            let path = percent_decoded(path).map(|path| path.to_lowercase());
            path.is_none_or(|path| path.starts_with(&folder.to_lowercase()))
        };
        self.directories > 0 || folder == "/" || !is_taken_for_folder()
    }

    /// Returns the path and query without the directories of the public address.
    pub(super) fn path_and_query(self, target: &Uri) -> &str {
        let text = target.path_and_query().map_or("", |path| path.as_str());
        let start = text.match_indices('/').nth(self.directories).map_or(0, |(at, _)| at);
        &text[start..]
    }
}

/// Reference to the root of the site from a path without directories.
pub(super) const ROOT: &str = "./";

/// Reference to the root of the site from a path with one directory.
pub(super) const PARENT: &str = "../";

/// Returns the reference to a path of the site, which begins with a slash, from a path without directories.
///
/// The dot keeps a colon in the first segment from ending a scheme (RFC 3986 4.2), and further slashes from
/// beginning a host.
pub(super) fn from_root(path: &str) -> String {
    format!(".{path}")
}

/// Returns the number of directories of a path after removal of its dot segments, as a browser counts them
/// (URL Standard 4.4): an empty segment is one, and `%2e` is a dot.
fn directories(path: &str) -> usize {
    let mut depth: usize = 0;
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match &*with_plain_dots(segment) {
            "." => {}
            ".." => depth = depth.saturating_sub(1),
            _ => depth += usize::from(!is_last),
        }
    }
    depth
}

/// Returns the `instance` of a problem: the path as sent, without the query.
pub(super) fn instance<'a>(head: impl Into<RequestHead<'a>>) -> Option<&'a str> {
    Some(head.into().target.path()).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_a_step_up_for_each_directory() {
        for (path, expected) in [
            ("/", "./"),
            ("/login", "./"),
            ("/source/tank", "../"),
            ("/source/tank/", "../../"),
            ("/a/b/c", "../../"),
            ("//", "../"),
            ("//a//b", "../../../"),
            ("/a%2Fb", "./"),
            ("/a/./b", "../"),
            ("/a/.", "../"),
            ("/a/..", "./"),
            ("/a/../b/c", "../"),
            ("/%2E%2e/a/%2e/b", "../"),
            ("/../../a", "./"),
            ("/a?b/c", "./"),
            ("*", "./"),
        ] {
            let root = Below::default().root(&path.parse().unwrap());
            assert_eq!(root.as_deref(), Some(expected), "{path}");
        }
        let deep = |depth| "/a".repeat(depth + 1).parse().unwrap();
        assert!(Below::default().root(&deep(MAX_DEPTH)).is_some());
        assert_eq!(Below::default().root(&deep(MAX_DEPTH + 1)), None);
    }

    #[test]
    fn path_of_the_public_address_is_removed_where_a_proxy_left_it() {
        let url: SiteUrl = "https://tank.example/a/p%C3%BCmp/".parse().unwrap();
        for (target, root, path) in [
            ("/a/p%C3%BCmp/", "./", "/"),
            ("/a/p%c3%bcmp/source/tank?range=7d", "../", "/source/tank?range=7d"),
            ("/%61/p%C3%BCmp/x/y/z", "../../", "/x/y/z"),
            ("/a/p%C3%BCmp//x", "../", "//x"),
            ("/source/tank?x=/a", "../", "/source/tank?x=/a"),
            ("/a/pump/", "../../", "/a/pump/"),
            ("/A/p%C3%BCmp/", "../../", "/A/p%C3%BCmp/"),
            ("/%zz/x", "../", "/%zz/x"),
            ("/a/p%C3%BCmp/%zz/x", "../", "/%zz/x"),
            ("/a/p%C3%BCmp/x%2Fy", "./", "/x%2Fy"),
            ("/a%2Fp%C3%BCmp/x", "../", "/a%2Fp%C3%BCmp/x"),
        ] {
            let target = target.parse().unwrap();
            let below = Below::of_target(&target, Some(&url));
            assert_eq!(below.root(&target).unwrap(), root, "{target}");
            assert_eq!(below.path_and_query(&target), path, "{target}");
        }
    }
}
