//! Each kind of adapter has one list, in the mod.rs of its folder, and no other file names an adapter.

use std::collections::BTreeSet;

use super::Complaint;
use super::code::{find_word, line_of};
use super::tree::Tree;

/// A folder of adapters.
struct Kind {
    folder: &'static str,
    /// What the file of an adapter has and a file that serves them all has not; `None`: every folder is an adapter.
    mark: Option<&'static str>,
    names: Names,
}

/// Who may name an adapter.
#[derive(PartialEq)]
enum Names {
    OnlyTheList,
    Anybody,
}

const KINDS: &[Kind] = &[
    Kind { folder: "crates/registry/src/ecosystem/", mark: None, names: Names::OnlyTheList },
    Kind { folder: "crates/sandbox/src/tier/", mark: None, names: Names::Anybody },
    Kind { folder: "crates/intercept/src/clients/", mark: Some("const CLIENT"), names: Names::OnlyTheList },
];

/// Checks every kind that exists.
pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    KINDS.iter().flat_map(|kind| check_kind(tree, kind)).collect()
}

fn check_kind(tree: &Tree, kind: &Kind) -> Vec<Complaint> {
    let list = format!("{}mod.rs", kind.folder);
    let Some(file) = tree.files.get(&list) else { return Vec::new() };
    let found = modules(tree, kind.folder);
    let declared: BTreeSet<&str> = file
        .code
        .lines()
        .filter_map(|line| {
            let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            line.strip_prefix("mod ")?.strip_suffix(';')
        })
        .filter(|name| *name != "tests" && *name != "conformance")
        .collect();
    let mut complaints = Vec::new();
    for name in found.difference(&declared) {
        complaints.push(Complaint::new(&list, format!("`{name}` lies in the folder and is no module")));
    }
    for name in declared.difference(&found) {
        complaints.push(Complaint::new(&list, format!("module `{name}` is not in the folder")));
    }
    let adapters: BTreeSet<&str> =
        found.iter().copied().filter(|name| is_adapter(tree, kind, name)).collect();
    if let Some(at) = find_word(&file.code, "ALL").first() {
        // The list's type has a `;` too, if it is an array, so the value is what follows the `=`.
        let value = file.code[*at..].split_once('=').map_or("", |(_, rest)| rest);
        let value = value.split(';').next().unwrap_or_default();
        for name in &adapters {
            if !names(value, name) && !is_listed_by_name(&file.code, value, name) {
                complaints.push(Complaint::new(&list, format!("`{name}` is not in `ALL`")));
            }
        }
    }
    if kind.names == Names::OnlyTheList {
        complaints.extend(strangers(tree, kind.folder, &adapters));
    }
    complaints
}

fn names(value: &str, name: &str) -> bool {
    value.contains(&format!("{name}::"))
}

/// `ALL` may name a constant that is the adapter: `static GENERIC: &dyn Ecosystem = &generic::Generic;`.
fn is_listed_by_name(code: &str, value: &str, name: &str) -> bool {
    code.split(';').any(|item| {
        let Some((left, right)) = item.split_once('=') else { return false };
        let constant =
            left.split("static ").nth(1).or_else(|| left.split("const ").nth(1)).unwrap_or_default();
        let constant = constant.split(':').next().unwrap_or_default().trim();
        names(right, name) && !constant.is_empty() && !find_word(value, constant).is_empty()
    })
}

fn modules<'a>(tree: &'a Tree, folder: &str) -> BTreeSet<&'a str> {
    let inside = tree.files.keys().filter_map(|path| path.strip_prefix(folder));
    inside
        .filter_map(|rest| match rest.split_once('/') {
            Some((name, "mod.rs")) => Some(name),
            Some(_) => None,
            None => rest.strip_suffix(".rs"),
        })
        .filter(|name| !["mod", "tests", "conformance"].contains(name))
        .collect()
}

fn is_adapter(tree: &Tree, kind: &Kind, name: &str) -> bool {
    let folder = tree.files.get(&format!("{}{name}/mod.rs", kind.folder));
    match kind.mark {
        None => folder.is_some(),
        Some(mark) => {
            let file = folder.or_else(|| tree.files.get(&format!("{}{name}.rs", kind.folder)));
            file.is_some_and(|file| file.code.contains(mark))
        }
    }
}

/// Finds `ecosystem::npm`, and within one adapter the name of another.
fn strangers(tree: &Tree, folder: &str, adapters: &BTreeSet<&str>) -> Vec<Complaint> {
    let kind = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let mut complaints = Vec::new();
    for (path, file) in tree.rust() {
        if path.starts_with(folder) && path[folder.len()..] == *"mod.rs" {
            continue;
        }
        for name in adapters {
            let is_own =
                path.starts_with(&format!("{folder}{name}/")) || path == format!("{folder}{name}.rs");
            let is_inside = path.starts_with(folder);
            let mut ways = vec![format!("{kind}::{name}")];
            if is_inside {
                ways.push(format!("super::{name}"));
            }
            for at in ways.iter().flat_map(|way| find_word(&file.code, way)).filter(|_| !is_own) {
                complaints.push(Complaint::new(
                    format!("{path}:{}", line_of(&file.code, at)),
                    format!("names the adapter `{name}`; hint: ask the list in {folder}mod.rs"),
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::made_up;

    const LIST: &str = "mod npm;\npub(crate) mod generic;\n#[cfg(test)]\nmod tests;\n\
        pub static ALL: &[&dyn Ecosystem] = &[&npm::Npm, GENERIC];\nstatic GENERIC: &dyn Ecosystem = &generic::Generic;\n";

    fn check(list: &str, more: &[(&str, &str)], expected: &[&str]) {
        let mut files = vec![
            ("crates/registry/src/ecosystem/mod.rs", list),
            ("crates/registry/src/ecosystem/npm/mod.rs", "struct Npm;"),
            ("crates/registry/src/ecosystem/npm/index.rs", "use super::Npm; use crate::ecosystem::npm::X;"),
            ("crates/registry/src/ecosystem/generic/mod.rs", "struct Generic;"),
        ];
        files.extend(more);
        let said: Vec<String> = super::check(&made_up(&files)).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_folder_in_the_list_is_good() {
        check(LIST, &[("crates/proxy/src/a.rs", "use registry::ecosystem::ALL; // ecosystem::npm")], &[]);
    }

    #[test]
    fn a_folder_that_is_not_in_the_list_is_found() {
        check(
            LIST,
            &[("crates/registry/src/ecosystem/hex/mod.rs", "")],
            &["`hex` lies in", "`hex` is not in"],
        );
        check(&LIST.replace("&npm::Npm, ", ""), &[], &["`npm` is not in `ALL`"]);
        check(&LIST.replace("GENERIC]", "]"), &[], &["`generic` is not in `ALL`"]);
        check(&format!("mod go;\n{LIST}"), &[], &["module `go` is not in the folder"]);
    }

    #[test]
    fn who_names_an_adapter_elsewhere_is_found() {
        check(LIST, &[("crates/proxy/src/a.rs", "\nuse registry::ecosystem::npm::Npm;")], &["a.rs:2: names"]);
        let other = (
            "crates/registry/src/ecosystem/generic/lock.rs",
            "use super::super::npm; use crate::ecosystem::npm;",
        );
        check(LIST, &[other], &["lock.rs:1", "lock.rs:1"]);
    }

    #[test]
    fn a_file_that_serves_all_clients_is_no_client() {
        let client = "pub(super) const CLIENT: Client = PLAIN;";
        let check = |list: &str, expected: usize| {
            let tree = made_up(&[
                ("crates/intercept/src/clients/mod.rs", list),
                ("crates/intercept/src/clients/npm.rs", client),
                ("crates/intercept/src/clients/draft.rs", "struct Draft;"),
            ]);
            assert_eq!(super::check(&tree).len(), expected, "{list}");
        };
        check("mod npm;\nmod draft;\npub const ALL: [Client; 1] = [npm::CLIENT];", 0);
        check("mod npm;\nmod draft;\npub const ALL: [Client; 0] = [];", 1);
    }
}
