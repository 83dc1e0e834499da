//! An index in which the files of some versions stand as they stood.

use std::collections::{BTreeMap, BTreeSet};

use super::html;
use super::name::version_in;
use super::version::canonical;
use crate::class::IndexRequest;
use crate::splice::{Items, Members, Splice};

/// Returns `new` with the files of these versions as `held` has them; a file of theirs that is only in `new` stays.
///
/// The older JSON is made by nobody but PyPI, and its clients have the other two forms: it is not mended.
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
    let mended = if is_page { page(new, held, wanted)? } else { json(new, held, wanted)? };
    let is_whole = mended.versions.iter().map(String::as_str).eq(versions.iter().copied());
    is_whole.then(|| mended.text.into_bytes())
}

/// A document, and the versions that it has as they stood.
struct Mended {
    text: String,
    versions: BTreeSet<String>,
}

/// The files of `held` that are wanted, by name, as they stand there.
struct Held<'a> {
    files: BTreeMap<String, &'a str>,
    versions: BTreeSet<String>,
    /// Those that the new document has too.
    seen: BTreeSet<String>,
}

impl<'a> Held<'a> {
    fn of(
        files: impl IntoIterator<Item = (String, &'a str)>,
        wanted: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let mut held = Self { files: BTreeMap::new(), versions: BTreeSet::new(), seen: BTreeSet::new() };
        for (name, text) in files {
            if let Some(version) = wanted(&name) {
                held.versions.insert(version);
                // Of two with one name the first counts, as where an index is read.
                held.files.entry(name).or_insert(text);
            }
        }
        held
    }

    /// Puts a file of the new document, and every other that claims its name, back to what it was.
    fn put_back(&mut self, name: String, whole: &str, splice: &mut Splice<'_>) {
        if let Some(text) = self.files.get(&name) {
            splice.replace(whole, (*text).to_owned());
            self.seen.insert(name);
        }
    }

    /// Returns the files that the new document lacks.
    fn lost(&self) -> impl Iterator<Item = &'a str> {
        self.files.iter().filter(|(name, _)| !self.seen.contains(*name)).map(|(_, text)| *text)
    }
}

fn page(new: &str, held: &str, wanted: impl Fn(&str) -> Option<String>) -> Option<Mended> {
    let anchors = |page| html::anchors(page).map(|link| (link.text.into_owned(), link.whole));
    let mut held = Held::of(anchors(held), wanted);
    let mut splice = Splice::of(new);
    let (mut last, mut n_links) = (None, 0);
    for (name, whole) in anchors(new) {
        held.put_back(name, whole, &mut splice);
        last = Some(whole);
        n_links += 1;
    }
    let lost: Vec<&str> = held.lost().collect();
    let added: String = lost.iter().map(|text| format!("<br/>\n{text}")).collect();
    match last {
        Some(last) => splice.insert_after(last, added),
        None => splice.insert_after(&new[..new.rfind("</body>").or_else(|| new.rfind("</html>"))?], added),
    }
    let text = splice.apply();
    // A comment may have swallowed them.
    let is_read = html::anchors(&text).count() == n_links + lost.len();
    is_read.then_some(Mended { text, versions: held.versions })
}

fn json(new: &str, held: &str, wanted: impl Fn(&str) -> Option<String>) -> Option<Mended> {
    let (new_top, held_top) = (Members::read(new)?, Members::read(held)?);
    let mut held = Held::of(files(held_top.get("files")?)?, wanted);
    let list = new_top.get("files")?;
    let mut splice = Splice::of(new);
    for (name, whole) in files(list)? {
        held.put_back(name, whole, &mut splice);
    }
    let lost: Vec<String> = held.lost().map(str::to_owned).collect();
    splice.append(list, &lost);
    if let Some(list) = new_top.get("versions") {
        splice.append(list, &lost_versions(list, held_top.get("versions"), &held.versions)?);
    }
    Some(Mended { text: splice.apply(), versions: held.versions })
}

/// Returns what the list of PEP 700 lacks, in the spelling that the list had before.
fn lost_versions(list: &str, before: Option<&str>, wanted: &BTreeSet<String>) -> Option<Vec<String>> {
    let read = |list: &str| serde_json::from_str::<Vec<String>>(list).ok();
    let listed: BTreeSet<String> = read(list)?.iter().map(|version| canonical(version)).collect();
    let mut spelled: BTreeMap<String, String> = wanted.iter().map(|it| (it.clone(), it.clone())).collect();
    for version in before.and_then(read).unwrap_or_default() {
        spelled.entry(canonical(&version)).and_modify(|spelling| *spelling = version);
    }
    let lost = spelled.into_iter().filter(|(version, _)| !listed.contains(version));
    Some(lost.map(|(_, spelling)| serde_json::Value::from(spelling).to_string()).collect())
}

/// Returns the files of a list with their names.
fn files(list: &str) -> Option<Vec<(String, &str)>> {
    let items: Items<'_> = serde_json::from_str(list).ok()?;
    let name = |item: &str| serde_json::from_str::<String>(Members::read(item)?.get("filename")?).ok();
    items.0.into_iter().map(|item| Some((name(item)?, item))).collect()
}
