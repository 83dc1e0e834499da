//! Arrows between crates go down the table in docs/ARCHITECTURE.md, never up or sideways; the table has every crate.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Complaint;

const DOCUMENT: &str = "docs/ARCHITECTURE.md";
const FENCE: &str = "```text layers";
const BESIDE: &str = "beside";
const LATER: &str = "(later)";

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Layer(u32),
    /// No part of the product: a dev-dependency of anybody, with no dependency on the product.
    Beside,
}

#[derive(Debug)]
struct Row {
    standing: Standing,
    is_later: bool,
}

/// Checks the table against the workspace and every arrow against the table.
pub(crate) fn check(document: &str, metadata: &Value) -> Vec<Complaint> {
    let table = match read(document) {
        Ok(table) => table,
        Err(what) => return vec![Complaint::new(DOCUMENT, what)],
    };
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let mut complaints = Vec::new();
    for package in &packages {
        let name = text(package, "name");
        match table.get(name) {
            None => complaints.push(Complaint::new(
                DOCUMENT,
                format!("crate `{name}` has no layer; hint: add it to the table"),
            )),
            Some(row) if row.is_later => complaints.push(Complaint::new(
                DOCUMENT,
                format!("crate `{name}` exists; hint: take its {LATER} away"),
            )),
            Some(row) => complaints.extend(arrows(package, row.standing, &table)),
        }
    }
    for (name, row) in &table {
        let exists = packages.iter().any(|package| text(package, "name") == *name);
        if !exists && !row.is_later {
            complaints
                .push(Complaint::new(DOCUMENT, format!("there is no crate `{name}`; hint: mark it {LATER}")));
        }
    }
    complaints
}

fn arrows(package: &Value, from: Standing, table: &BTreeMap<&str, Row>) -> Vec<Complaint> {
    let name = text(package, "name");
    let mut complaints = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let (target, kind) = (text(dependency, "name"), text(dependency, "kind"));
        let Some(row) = table.get(target) else { continue };
        let what = match (from, row.standing) {
            (Standing::Layer(_), Standing::Beside) if kind == "dev" => continue,
            (Standing::Layer(from), Standing::Layer(to)) if from > to => continue,
            (Standing::Layer(from), Standing::Layer(to)) if from == to => "goes sideways",
            (Standing::Layer(_), Standing::Layer(_)) => "goes up",
            (Standing::Layer(_), Standing::Beside) => "may be a dev-dependency only",
            (Standing::Beside, _) => "leads from beside the layers into them",
        };
        let place = format!("{}/Cargo.toml", folder_of(name));
        complaints.push(Complaint::new(
            place,
            format!("`{name}` -> `{target}` {what}; hint: move what both need to a lower layer"),
        ));
    }
    complaints
}

fn folder_of(name: &str) -> String {
    match name {
        "fakes" => "testing/fakes".to_owned(),
        "xtask" => "xtask".to_owned(),
        _ => format!("crates/{name}"),
    }
}

/// Reads lines such as `4 duties  proxy  mirror (later)` and `beside  fakes xtask`.
fn read(document: &str) -> Result<BTreeMap<&str, Row>, String> {
    let mut lines = document.lines().skip_while(|line| line.trim() != FENCE).skip(1).peekable();
    if lines.peek().is_none() {
        return Err(format!("no block that begins with `{FENCE}`"));
    }
    let mut table = BTreeMap::new();
    for line in lines.take_while(|line| line.trim() != "```") {
        let mut words = line.split_whitespace();
        let standing = match words.next() {
            None => continue,
            Some(BESIDE) => Standing::Beside,
            Some(number) => {
                let number = number.parse().map_err(|_| format!("`{number}` is no layer in the table"))?;
                // The layer's name is for people.
                words.next();
                Standing::Layer(number)
            }
        };
        let mut last = None;
        for word in words {
            if word == LATER {
                let row = last.and_then(|name| table.get_mut(name));
                let row: &mut Row = row.ok_or_else(|| format!("{LATER} follows no crate in the table"))?;
                row.is_later = true;
                continue;
            }
            if table.insert(word, Row { standing, is_later: false }).is_some() {
                return Err(format!("crate `{word}` is in the table twice"));
            }
            last = Some(word);
        }
    }
    Ok(table)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str =
        "# A\n```text layers\n2 upper  a  b  c (later)\n\n1 lower  d\nbeside   fakes\n```\nend x\n";

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let list = dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind }));
        json!({ "name": name, "dependencies": list.collect::<Vec<_>>() })
    }

    fn check(document: &str, packages: &[Value], expected: &[&str]) {
        let mut all = packages.to_vec();
        for name in ["a", "b", "d", "fakes"] {
            if !all.iter().any(|package| package["name"] == name) {
                all.push(package(name, &[]));
            }
        }
        let said: Vec<String> =
            super::check(document, &json!({ "packages": all })).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn arrows_that_go_down_and_fakes_in_tests_are_good() {
        check(TABLE, &[package("a", &[("d", None), ("serde", None), ("fakes", Some("dev"))])], &[]);
    }

    #[test]
    fn arrows_that_go_elsewhere_are_found() {
        check(TABLE, &[package("d", &[("a", None)])], &["crates/d/Cargo.toml: `d` -> `a` goes up"]);
        check(TABLE, &[package("a", &[("b", None)])], &["goes sideways"]);
        check(TABLE, &[package("a", &[("b", Some("dev"))])], &["goes sideways"]);
        check(TABLE, &[package("a", &[("fakes", None)])], &["dev-dependency only"]);
        check(
            TABLE,
            &[package("fakes", &[("d", None)])],
            &["testing/fakes/Cargo.toml: `fakes` -> `d` leads"],
        );
    }

    #[test]
    fn document_and_workspace_have_the_same_crates() {
        check(TABLE, &[package("new", &[])], &["`new` has no layer"]);
        check(TABLE, &[package("c", &[])], &["`c` exists"]);
        check(&TABLE.replace("d\n", "d e\n"), &[], &["no crate `e`"]);
        check(&TABLE.replace("d\n", "d a\n"), &[], &["`a` is in the table twice"]);
        check("# nothing", &[], &["no block"]);
    }
}
