//! An index in which the files of some versions stand as they stood.

use std::collections::{BTreeMap, BTreeSet};

use super::html;
use super::name::version_in;
use crate::class::IndexRequest;
use crate::splice::{Items, Members, Splice};

/// Returns `new` with the files of these versions as `held` has them; a file of theirs that is only in `new` stays.
pub(super) fn with_versions(
    request: &IndexRequest,
    new: &[u8],
    held: &[u8],
    versions: &BTreeSet<&str>,
) -> Option<Vec<u8>> {
    if versions.is_empty() {
        return Some(new.to_vec());
    }
    let (new, held) = (std::str::from_utf8(new).ok()?, std::str::from_utf8(held).ok()?);
    let is_page = !new.trim_start().starts_with('{');
    if request.variant.is_empty() || is_page == held.trim_start().starts_with('{') {
        return None;
    }
    let wanted = |file: &str| version_in(&request.subject, file).filter(|it| versions.contains(it.as_str()));
    let mended = if is_page { page(new, held, wanted) } else { json(new, held, wanted) };
    mended.map(String::into_bytes)
}

/// The files of `held` that are wanted, by name, as they stand there.
struct Held<'a> {
    files: BTreeMap<String, &'a str>,
    versions: BTreeSet<String>,
}

impl<'a> Held<'a> {
    fn of(files: Vec<(String, &'a str)>, wanted: impl Fn(&str) -> Option<String>) -> Self {
        let mut held = Self { files: BTreeMap::new(), versions: BTreeSet::new() };
        for (name, text) in files {
            if let Some(version) = wanted(&name) {
                held.versions.insert(version);
                held.files.insert(name, text);
            }
        }
        held
    }
}

fn page(new: &str, held: &str, wanted: impl Fn(&str) -> Option<String>) -> Option<String> {
    let anchors = |page| html::anchors(page).into_iter().map(|link| (link.text.into_owned(), link.whole));
    let mut held = Held::of(anchors(held).collect(), wanted);
    if held.files.is_empty() {
        return None;
    }
    let mut splice = Splice::of(new);
    for (name, whole) in anchors(new) {
        if let Some(text) = held.files.remove(&name) {
            splice.replace(whole, text.to_owned());
        }
    }
    let added: Vec<String> = held.files.values().map(|text| format!("{text}<br/>\n")).collect();
    let end = new.rfind("</body>").or_else(|| new.rfind("</html>")).unwrap_or(new.len());
    splice.replace(&new[end..end], added.concat());
    Some(splice.apply())
}

fn json(new: &str, held: &str, wanted: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (new_top, held_top) = (Members::read(new)?, Members::read(held)?);
    let mut held = Held::of(files(held_top.get("files")?)?, wanted);
    if held.files.is_empty() {
        return None;
    }
    let list = new_top.get("files")?;
    let mut splice = Splice::of(new);
    for (name, whole) in files(list)? {
        if let Some(text) = held.files.remove(&name) {
            splice.replace(whole, text.to_owned());
        }
    }
    let added: Vec<String> = held.files.values().map(|text| (*text).to_owned()).collect();
    splice.append(list, &added);
    // PEP 700 lists the versions too, in the spelling of their files; a version that is there already stays as it is.
    if let Some(list) = new_top.get("versions").filter(|_| !added.is_empty()) {
        let listed: Vec<String> = serde_json::from_str(list).ok()?;
        let listed: BTreeSet<String> = listed.iter().map(|version| super::name::canonical(version)).collect();
        let missing = held.versions.iter().filter(|version| !listed.contains(*version));
        splice.append(
            list,
            &missing.map(|version| serde_json::Value::from(version.as_str()).to_string()).collect::<Vec<_>>(),
        );
    }
    Some(splice.apply())
}

/// Returns the files of a list with their names.
fn files(list: &str) -> Option<Vec<(String, &str)>> {
    let items: Items<'_> = serde_json::from_str(list).ok()?;
    let name = |item: &str| serde_json::from_str::<String>(Members::read(item)?.get("filename")?).ok();
    items.0.into_iter().map(|item| Some((name(item)?, item))).collect()
}
