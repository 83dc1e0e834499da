//! Files stay under 400 lines and functions under 70. What was longer is in a list, and the list only shrinks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Complaint;
use super::code::{block, find_word, line_of};
use super::tree::Tree;

/// Lines of `<lines> <file>` and `<lines> <file>::<function>`.
pub(crate) const RATCHET: &str = "xtask/ratchet.txt";
const FILE_MAX_LINES: usize = 400;
const FUNCTION_MAX_LINES: usize = 70;

/// Checks sizes against the limits and the list.
pub(crate) fn check(tree: &Tree, ratchet: &str) -> Vec<Complaint> {
    let mut listed = read(ratchet);
    let mut complaints = Vec::new();
    for (thing, size) in measure(tree) {
        let limit = limit(&thing);
        match listed.remove(thing.as_str()) {
            None if size > limit => complaints.push(Complaint::new(
                thing,
                format!("{size} lines are more than {limit}; hint: find the second subject and move it out"),
            )),
            Some(was) if size > was => complaints.push(Complaint::new(
                thing,
                format!("grew from {was} to {size} lines; what is in {RATCHET} may only shrink"),
            )),
            Some(was) if size < was => complaints.push(Complaint::new(
                thing,
                format!("shrank from {was} to {size} lines; hint: `cargo xtask tidy --write` notes it"),
            )),
            _ => {}
        }
    }
    for thing in listed.keys() {
        let what = format!("`{thing}` is gone; hint: `cargo xtask tidy --write` takes it off the list");
        complaints.push(Complaint::new(RATCHET, what));
    }
    complaints
}

/// Lowers the list to what is there today; nothing is ever added or raised by this.
pub(crate) fn lower(root: &Path, tree: &Tree) -> Result<()> {
    let sizes = measure(tree);
    let mut text = String::new();
    for (thing, was) in read(tree.text(RATCHET)) {
        let size = sizes.get(thing).copied().unwrap_or(0).min(was);
        if size > limit(thing) {
            text.push_str(&format!("{size} {thing}\n"));
        }
    }
    fs::write(root.join(RATCHET), text)?;
    Ok(())
}

fn limit(thing: &str) -> usize {
    if thing.contains("::") { FUNCTION_MAX_LINES } else { FILE_MAX_LINES }
}

fn read(ratchet: &str) -> BTreeMap<&str, usize> {
    let lines = ratchet.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(size, thing)| Some((thing, size.parse().ok()?))).collect()
}

/// Returns the lines of every file, and of the longest function of each name in it.
fn measure(tree: &Tree) -> BTreeMap<String, usize> {
    let mut sizes = BTreeMap::new();
    for (path, file) in tree.rust() {
        sizes.insert(path.to_owned(), file.text.lines().count());
        for (name, size) in functions(&file.code) {
            let size_of_name = sizes.entry(format!("{path}::{name}")).or_insert(0);
            *size_of_name = size.max(*size_of_name);
        }
    }
    sizes
}

fn functions(code: &str) -> Vec<(&str, usize)> {
    let mut functions = Vec::new();
    for at in find_word(code, "fn") {
        let rest = code[at + 2..].trim_start();
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(0);
        // `fn(` is a type, and a function without a body ends with `;`.
        let (Some(range), true) = (block(code, at), end > 0) else { continue };
        if body_is_missing(&code[at..range.start]) {
            continue;
        }
        functions.push((&rest[..end], line_of(code, range.end) - line_of(code, at) + 1));
    }
    functions
}

/// `[u8; 4]` in a signature has a `;` too, so brackets are counted.
fn body_is_missing(signature: &str) -> bool {
    let mut depth = 0_i32;
    signature.bytes().any(|byte| {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            _ => {}
        }
        byte == b';' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::super::made_up;
    use super::*;

    fn lines(n: usize) -> String {
        "// a\n".repeat(n)
    }

    fn check(text: &str, ratchet: &str, expected: &[&str]) {
        let said: Vec<String> = super::check(&made_up(&[("crates/a/src/x.rs", text)]), ratchet)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_new_file_is_short() {
        check(&lines(400), "", &[]);
        check(&lines(401), "", &["crates/a/src/x.rs: 401 lines are more than 400"]);
    }

    #[test]
    fn a_listed_file_only_shrinks_and_the_list_with_it() {
        check(&lines(450), "450 crates/a/src/x.rs\n", &[]);
        check(&lines(451), "450 crates/a/src/x.rs\n", &["grew from 450 to 451"]);
        check(&lines(449), "450 crates/a/src/x.rs\n", &["shrank from 450 to 449"]);
        check(&lines(1), "450 crates/a/src/y.rs\n", &["`crates/a/src/y.rs` is gone"]);
    }

    #[test]
    fn a_function_fits_a_screen() {
        let function =
            |n: usize| format!("trait A {{ fn none(a: [u8; 4]); }}\nfn long() {{\n{}}}\n", lines(n));
        check(&function(68), "", &[]);
        check(&function(69), "", &["x.rs::long: 71 lines are more than 70"]);
        check(&function(69), "71 crates/a/src/x.rs::long\n", &[]);
    }

    #[test]
    fn writing_lowers_and_never_raises() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("xtask")).unwrap();
        for (name, n) in [("grown.rs", 500), ("shrunk.rs", 410), ("short.rs", 10), ("new.rs", 500)] {
            fs::write(folder.path().join(name), lines(n)).unwrap();
        }
        let list = "450 grown.rs\n450 shrunk.rs\n450 short.rs\n450 gone.rs\n";
        fs::write(folder.path().join(RATCHET), list).unwrap();
        lower(folder.path(), &Tree::read(folder.path()).unwrap()).unwrap();
        let written = fs::read_to_string(folder.path().join(RATCHET)).unwrap();
        assert_eq!(written, "450 grown.rs\n410 shrunk.rs\n");
    }
}
