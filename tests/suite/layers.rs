//! Layers of the source: no file is part of a large import circle, and modules import downwards only. That
//! the engine imports nothing of the program, Cargo checks.
//!
//! The imports are read from the tokens of each file, inside of macros too. Modules that exist in
//! tests only are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Most files of one import circle.
const MAX_CIRCLE: usize = 3;

/// Segments of a path: `["crate", "board", "Snapshot"]`.
type Segments = Vec<String>;

/// One module with a file of its own.
#[derive(Default)]
struct Module {
    /// Paths that the code uses, private imports included.
    uses: Vec<Segments>,
    /// Names that `use` declares here, with the path that each stands for.
    names: BTreeMap<String, Segments>,
    /// Child modules with files.
    children: Vec<String>,
}

/// All modules of a crate by their paths, such as `["board", "trend"]`.
struct Source(BTreeMap<Segments, Module>);

impl Source {
    /// Reads the modules of the program.
    fn program() -> Source {
        Source::read("src/lib.rs")
    }

    /// Reads the modules of the engine.
    fn engine() -> Source {
        Source::read("src/engine/lib.rs")
    }

    fn read(root: &str) -> Source {
        let mut source = Source(BTreeMap::new());
        source.add(Path::new(env!("CARGO_MANIFEST_DIR")).join(root), Vec::new());
        source
    }

    /// Adds the module of a file, and its children.
    fn add(&mut self, file: PathBuf, path: Segments) {
        let text = fs::read_to_string(&file).unwrap();
        let tokens: TokenStream =
            text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut module = Module::default();
        module.scan(tokens);
        let folder = match file.file_name().and_then(|name| name.to_str()) {
            Some("lib.rs" | "mod.rs") => file.parent().unwrap().to_owned(),
            _ => file.with_extension(""),
        };
        for child in &module.children {
            let mut path = path.clone();
            path.push(child.clone());
            let file = folder.join(format!("{child}.rs"));
            let file = if file.is_file() { file } else { folder.join(child).join("mod.rs") };
            self.add(file, path);
        }
        self.0.insert(path, module);
    }

    /// Returns the module that defines what a path names, as seen from `from`; `None` outside of the
    /// crate.
    fn definer(&self, from: &[String], path: &[String], depth: usize) -> Option<Segments> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (from.to_vec(), &path[1..]),
            "super" => (from.split_last()?.1.to_vec(), &path[1..]),
            name if self.0[from].children.iter().any(|child| child == name) => {
                (from.to_vec(), path)
            }
            _ => return None,
        };
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                at.pop();
            } else if self.0.get(&at)?.children.contains(name) {
                at.push(name.clone());
            } else if let Some(target) = self.0[&at].names.get(name).filter(|_| depth > 0) {
                // A name that the module imports is defined elsewhere, or outside of the crate.
                return self.definer(&at, target, depth - 1);
            } else {
                break;
            }
            rest = after;
        }
        Some(at)
    }

    /// Returns what each module imports from others.
    fn imports(&self) -> BTreeMap<&Segments, BTreeSet<Segments>> {
        let targets = |path: &Segments, module: &Module| -> BTreeSet<Segments> {
            let targets = module.uses.iter().filter_map(|used| self.definer(path, used, 8));
            targets.filter(|target| target != path).collect()
        };
        self.0.iter().map(|(path, module)| (path, targets(path, module))).collect()
    }
}

impl Module {
    /// Collects the paths and the modules that tokens name.
    fn scan(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let (mut is_test, mut after_colons) = (false, false);
        let mut is_public = false;
        while let Some(token) = tokens.next() {
            let colons = after_colons;
            after_colons = false;
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    if let Some(TokenTree::Group(attribute)) = tokens.peek() {
                        is_test |= attribute.to_string().replace(' ', "").starts_with("[cfg(test)");
                        tokens.next();
                    }
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => after_colons = true,
                TokenTree::Punct(mark) if mark.as_char() == ';' => {
                    (is_test, is_public) = (false, false);
                }
                TokenTree::Ident(word) if word == "pub" => {
                    is_public = true;
                    // The scope of `pub(crate)` is not a path that is used.
                    tokens.next_if(|next| matches!(next, TokenTree::Group(_)));
                }
                TokenTree::Ident(word) if word == "mod" => {
                    let name = tokens.next().map(|name| name.to_string()).unwrap_or_default();
                    match tokens.next() {
                        Some(TokenTree::Group(body)) if !is_test => self.scan(body.stream()),
                        Some(TokenTree::Punct(_)) if !is_test => self.children.push(name),
                        _ => {}
                    }
                    (is_test, is_public) = (false, false);
                }
                TokenTree::Ident(word) if word == "use" => {
                    let mut paths = Vec::new();
                    read_use_tree(&mut tokens, &[], &mut paths);
                    if !is_test {
                        for (name, path) in paths {
                            if !is_public {
                                self.uses.push(path.clone());
                            }
                            self.names.insert(name, path);
                        }
                    }
                    (is_test, is_public) = (false, false);
                }
                TokenTree::Ident(word) if !colons => {
                    let mut path = vec![word.to_string()];
                    while is_colons(&mut tokens) {
                        match tokens.next_if(|next| matches!(next, TokenTree::Ident(_))) {
                            Some(segment) => path.push(segment.to_string()),
                            None => break,
                        }
                    }
                    if path.len() > 1 && !is_test {
                        self.uses.push(path);
                    }
                    is_public = false;
                }
                TokenTree::Group(group) => {
                    if !is_test {
                        self.scan(group.stream());
                    }
                    if group.delimiter() == Delimiter::Brace {
                        is_test = false;
                    }
                }
                _ => {}
            }
        }
    }
}

/// Takes `::` if it comes next.
fn is_colons(tokens: &mut Peekable<impl Iterator<Item = TokenTree>>) -> bool {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ':');
    // A single colon, as behind the name of a field, is taken too: no path follows it.
    tokens.next_if(is_colon).is_some() && tokens.next_if(is_colon).is_some()
}

/// Reads a use tree up to its end, and adds each name that it declares with its path.
fn read_use_tree(
    tokens: &mut Peekable<impl Iterator<Item = TokenTree>>,
    prefix: &[String],
    paths: &mut Vec<(String, Segments)>,
) {
    let mut path = prefix.to_vec();
    let mut alias = None;
    let mut is_group = false;
    loop {
        match tokens.next() {
            Some(TokenTree::Ident(word)) if word == "as" => {
                alias = tokens.next().map(|name| name.to_string());
            }
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(group)) => {
                is_group = true;
                let mut inner = group.stream().into_iter().peekable();
                while inner.peek().is_some() {
                    read_use_tree(&mut inner, &path, paths);
                }
            }
            Some(TokenTree::Punct(mark)) if mark.as_char() == ':' => {}
            Some(TokenTree::Punct(mark)) if mark.as_char() == '*' => path.push("*".to_owned()),
            _ => break,
        }
    }
    if !is_group && path.len() > prefix.len() {
        let last = path.pop_if(|last| last == "self").or_else(|| path.last().cloned());
        let name = alias.or_else(|| match last.as_deref() {
            Some("self") => path.last().cloned(),
            _ => last,
        });
        paths.push((name.unwrap_or_default(), path));
    }
}

/// Returns the strongly connected components with more than one member.
fn circles(imports: &BTreeMap<&Segments, BTreeSet<Segments>>) -> Vec<Vec<Segments>> {
    let reach = |from: &Segments| {
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = waiting.pop() {
            let targets = imports[&module].iter().filter(|target| !seen.contains(*target));
            let targets: Vec<_> = targets.cloned().collect();
            seen.extend(targets.iter().cloned());
            waiting.extend(targets);
        }
        seen
    };
    let reaches: BTreeMap<&Segments, _> =
        imports.keys().map(|module| (*module, reach(module))).collect();
    let mut placed = BTreeSet::new();
    let mut found = Vec::new();
    for (module, reached) in &reaches {
        if placed.contains(*module) || !reached.contains(*module) {
            continue;
        }
        let circle: Vec<Segments> =
            reached.iter().filter(|other| reaches[other].contains(*module)).cloned().collect();
        placed.extend(circle.iter().cloned());
        found.push(circle);
    }
    found
}

/// Writes a module's path as Rust does.
fn path_of(module: &[String]) -> String {
    format!("crate::{}", module.join("::"))
}

#[test]
fn import_circles_have_few_files() {
    for source in [Source::program(), Source::engine()] {
        let circles = circles(&source.imports());
        let large: Vec<Vec<String>> = circles
            .iter()
            .filter(|circle| circle.len() > MAX_CIRCLE)
            .map(|circle| circle.iter().map(|module| path_of(module)).collect())
            .collect();
        assert!(large.is_empty(), "import circles of more than {MAX_CIRCLE} files: {large:#?}");
    }
}

#[test]
fn modules_of_a_layer_import_no_layer_above() {
    let source = Source::program();
    let order = &source.0[&Vec::new()].children;
    let rank = |module: &[String]| order.iter().position(|name| module.first() == Some(name));
    let mut upward = BTreeSet::new();
    for (module, targets) in source.imports() {
        for target in targets {
            if let (Some(from), Some(to)) = (rank(module), rank(&target))
                && to < from
            {
                upward.insert(format!("{} imports {}", path_of(module), path_of(&target)));
            }
        }
    }
    assert!(upward.is_empty(), "imports against the order of src/lib.rs: {upward:#?}");
}

#[test]
fn http1_imports_no_socket_and_no_thread() {
    const SOCKETS: [&str; 5] = ["mio", "polling", "rustix", "rustls", "socket2"];
    const DRIVERS: [&str; 9] = [
        "acceptor",
        "listener",
        "reaper",
        "scheduler",
        "session",
        "shared",
        "socket",
        "transport",
        "worker",
    ];
    let source = Source::engine();
    let is_http1 = |path: &[String]| path.first().is_some_and(|name| name == "http1");
    let mut forbidden = BTreeSet::new();
    for (module, targets) in source.imports().into_iter().filter(|(path, _)| is_http1(path)) {
        let drivers =
            targets.iter().filter(|to| to.first().is_some_and(|name| DRIVERS.contains(&&**name)));
        forbidden.extend(drivers.map(|to| format!("{} imports {}", path_of(module), path_of(to))));
        let sockets = source.0[module].uses.iter().filter(|used| SOCKETS.contains(&&*used[0]));
        forbidden
            .extend(sockets.map(|used| format!("{} uses {}", path_of(module), used.join("::"))));
    }
    assert!(source.0.keys().any(|path| is_http1(path)), "there is such a module");
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

#[test]
fn imports_are_read_from_use_trees_paths_and_macros() {
    let mut module = Module::default();
    let text = "use crate::a::{self, B, c::{D as E, *}}; pub use f::G; mod h; #[cfg(test)] mod i;
        fn x() { y!(super::J::new()); let z: crate::k::L = h::m(); }";
    module.scan(text.parse().unwrap());
    let used: BTreeSet<String> = module.uses.iter().map(|path| path.join("::")).collect();
    for path in ["crate::a", "crate::a::B", "crate::a::c::D", "crate::a::c::*", "h::m"] {
        assert!(used.contains(path), "{path} is not in {used:?}");
    }
    for path in ["super::J::new", "crate::k::L"] {
        assert!(used.contains(path), "{path} is not in {used:?}");
    }
    assert!(!used.contains("f::G"), "a re-export is not an import");
    assert_eq!(module.names["E"].join("::"), "crate::a::c::D");
    assert_eq!(module.children, ["h"]);
}
