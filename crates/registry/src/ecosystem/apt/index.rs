//! `InRelease` and `Release`: which documents a suite has now, and until when that is to be believed; and `Release.gpg`.

use std::collections::BTreeMap;

use model::{Algorithm, Digest, DigestSet, ObjectUrl, Timestamp};

use super::route::{ALGORITHMS, BY_HASH, IN_RELEASE, SIGNATURE};
use crate::class::IndexRequest;
use crate::index::{INDEX_BYTES_MAX, IndexError, IndexFacts, Listed};
use crate::path::check_path;

/// The most documents of a list that is read; the largest known, of Debian's and Ubuntu's archives, have a few thousand.
const N_DOCUMENTS_MAX: usize = 100_000;

const SIGNED: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE_BEGIN: &str = "-----BEGIN PGP SIGNATURE-----";
const SIGNATURE_END: &str = "-----END PGP SIGNATURE-----";

/// Reads the list of a suite, or its signature. Whether the signature is right is for apt, which has the keys.
pub(super) fn read(request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
    if body.len() > INDEX_BYTES_MAX {
        return Err(IndexError::TooLarge { size_bytes: body.len() });
    }
    // A description in another encoding is no reason to refuse an archive.
    let text = &*String::from_utf8_lossy(body);
    if text.trim().is_empty() {
        return Err(IndexError::Empty);
    }
    let facts = IndexFacts { versions: vec![request.subject.clone()], ..IndexFacts::default() };
    let url = request.url.as_str();
    if url.ends_with(SIGNATURE) {
        return signature(text).map(|()| facts);
    }
    let list = if url.ends_with(IN_RELEASE) { signed(text)? } else { text };
    let suite = Suite::read(list)?;
    let base = &url[..=url.rfind('/').unwrap_or(url.len() - 1)];
    let (modified, valid_until) = (suite.time("date"), suite.time("valid-until"));
    let leads_to =
        if suite.is_named(&request.subject) { vec!["the suite of its address"] } else { Vec::new() };
    let documents = suite.documents.into_iter().filter_map(|(path, digests)| listed(base, path, digests));
    Ok(IndexFacts {
        documents: documents.collect(),
        modified: modified.map(|date| date.to_string()),
        valid_until,
        leads_to,
        ..facts
    })
}

/// Checks that a text is nothing but whole signatures.
fn signature(text: &str) -> Result<(), IndexError> {
    let text = text.trim();
    let n_begun = text.matches(SIGNATURE_BEGIN).count();
    let is_whole = text.starts_with(SIGNATURE_BEGIN)
        && text.ends_with(SIGNATURE_END)
        && n_begun == text.matches(SIGNATURE_END).count();
    is_whole.then_some(()).ok_or_else(|| text_error("it is no whole signature"))
}

/// Returns what is signed in a signed message: RFC 9580 §7.
fn signed(text: &str) -> Result<&str, IndexError> {
    let (head, signatures) =
        text.split_once(SIGNATURE_BEGIN).ok_or_else(|| text_error("it is no signed message"))?;
    signature(&text[text.len() - signatures.len() - SIGNATURE_BEGIN.len()..])?;
    let head = head.strip_prefix(SIGNED).ok_or_else(|| text_error("it is no signed message"))?;
    // Headers of the armor end with an empty line.
    let end = ["\n\n", "\r\n\r\n"].iter().filter_map(|end| Some(head.find(end)? + end.len())).min();
    Ok(&head[end.ok_or_else(|| text_error("it is no signed message"))?..])
}

/// The one paragraph of a `Release`.
#[derive(Debug, Default)]
struct Suite<'a> {
    /// The fields of one line, by their names in lower case.
    fields: BTreeMap<String, &'a str>,
    /// What lies below the suite's folder, by its path.
    documents: BTreeMap<&'a str, DigestSet>,
}

impl<'a> Suite<'a> {
    fn read(text: &'a str) -> Result<Self, IndexError> {
        let mut suite = Self::default();
        let mut n_lists = 0;
        let mut algorithm = None;
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                if let Some(algorithm) = algorithm {
                    suite.add(algorithm, line)?;
                }
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| text_error("a line of it is no field"))?;
            if name.is_empty() || name.contains([' ', '<', '{', '"']) {
                return Err(text_error("a line of it is no field"));
            }
            let name = name.to_ascii_lowercase();
            algorithm = ALGORITHMS.iter().find(|(_, field)| field.eq_ignore_ascii_case(&name)).map(|it| it.0);
            n_lists += usize::from(algorithm.is_some() || name == "md5sum" || name == "sha1");
            suite.fields.insert(name, value.trim());
        }
        if n_lists == 0 {
            return Err(text_error("it lists no documents"));
        }
        Ok(suite)
    }

    fn time(&self, field: &str) -> Option<Timestamp> {
        self.fields.get(field).and_then(|text| time(text))
    }

    /// Takes a line ` digest size path`.
    fn add(&mut self, algorithm: Algorithm, line: &'a str) -> Result<(), IndexError> {
        let mut words = line.split_ascii_whitespace();
        let (Some(digest), Some(_), Some(path), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(text_error("a line of its list is none"));
        };
        let digest = Digest::from_hex(algorithm, digest)
            .map_err(|source| IndexError::Digest { version: path.to_owned(), source })?;
        self.documents.entry(path).or_default().insert(digest);
        if self.documents.len() > N_DOCUMENTS_MAX {
            return Err(text_error("it lists more documents than any archive has"));
        }
        Ok(())
    }

    /// Returns whether it is about the suite that was asked for, as far as it says.
    ///
    /// Archives have other names for their suites, of which apt only warns; what is called `devel` at Ubuntu is another one every
    /// half a year.
    fn is_named(&self, wanted: &str) -> bool {
        let names = ["suite", "codename"].map(|field| self.fields.get(field).copied().unwrap_or_default());
        let first = wanted.split('/').next().unwrap_or_default();
        let is_wanted = |name: &&str| *name == wanted || *name == first;
        first.starts_with("devel") || names.iter().all(|name| name.is_empty()) || names.iter().any(is_wanted)
    }
}

/// Returns where a document lies, by its name and by its digests; nothing where its path leads out of the folder.
fn listed(base: &str, path: &str, digests: DigestSet) -> Option<Listed> {
    check_path(path).ok()?;
    let url = ObjectUrl::parse(&format!("{base}{path}")).ok()?;
    if !url.as_str().starts_with(base) {
        return None;
    }
    let folder = path.rfind('/').map_or("", |end| &path[..=end]);
    let by_digest = digests.iter().filter_map(|digest| {
        let (_, name) = ALGORITHMS.iter().find(|(algorithm, _)| *algorithm == digest.algorithm())?;
        let text = digest.to_string();
        let hex = text.rsplit(':').next()?;
        ObjectUrl::parse(&format!("{base}{folder}{BY_HASH}/{name}/{hex}")).ok()
    });
    let by_digest = by_digest.collect();
    Some(Listed { url, digests, by_digest })
}

/// Reads `Sat, 05 Dec 2026 14:09:31 UTC`.
fn time(text: &str) -> Option<Timestamp> {
    let date = text.trim().strip_suffix("UTC").or_else(|| text.trim().strip_suffix("GMT"));
    let text = date.map_or_else(|| text.to_owned(), |date| format!("{date}+0000"));
    Timestamp::strptime("%a, %d %b %Y %H:%M:%S %z", text.trim()).ok()
}

fn text_error(reason: &'static str) -> IndexError {
    IndexError::Text { reason }
}
