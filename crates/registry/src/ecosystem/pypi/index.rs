//! A project's files: as a page, as JSON, or in the older JSON that tells of one release.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use model::{Algorithm, Digest, DigestError, DigestSet, ObjectUrl};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::html::{self, Anchor, Attributes};
use super::name::{self, METADATA};
use super::{PUBLIC, coordinate, registry_of};
use crate::class::IndexRequest;
use crate::index::{INDEX_BYTES_MAX, IndexError, IndexFacts, Vouched};

/// Digests by the name of their algorithm.
type Hashes<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

#[derive(Deserialize)]
struct Simple<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    files: &'a RawValue,
    #[serde(borrow, default)]
    meta: Meta<'a>,
}

#[derive(Deserialize, Default)]
struct Meta<'a> {
    #[serde(borrow, rename = "_last-serial")]
    last_serial: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    filename: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    /// `hashes` today, `digests` in the older form.
    #[serde(borrow, alias = "digests", default)]
    hashes: Hashes<'a>,
    /// PEP 714: the name it has, and the one it was given by mistake.
    #[serde(borrow, rename = "core-metadata")]
    core_metadata: Option<&'a RawValue>,
    #[serde(borrow, rename = "dist-info-metadata")]
    dist_info_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Legacy<'a> {
    #[serde(borrow)]
    info: Info<'a>,
    #[serde(borrow)]
    urls: &'a RawValue,
    #[serde(borrow, default)]
    releases: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow)]
    last_serial: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Reads an index in whichever form it came: a server that does not know JSON answers with a page.
pub(super) fn read(request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
    if body.len() > INDEX_BYTES_MAX {
        return Err(IndexError::TooLarge { size_bytes: body.len() });
    }
    if body.trim_ascii().is_empty() {
        return Err(IndexError::Empty);
    }
    let mut reader = Reader::new(request);
    if request.variant.is_empty() {
        let legacy: Legacy<'_> = serde_json::from_slice(body).map_err(syntax)?;
        reader.check(&legacy.info.name)?;
        reader.add_files(legacy.urls).map_err(syntax)?;
        legacy.releases.values().try_for_each(|files| reader.add_files(files)).map_err(syntax)?;
        reader.facts.serial = serial(legacy.last_serial);
    } else if body.trim_ascii_start().starts_with(b"{") {
        let simple: Simple<'_> = serde_json::from_slice(body).map_err(syntax)?;
        reader.check(&simple.name)?;
        reader.add_files(simple.files).map_err(syntax)?;
        reader.facts.serial = serial(simple.meta.last_serial);
    } else {
        let page = std::str::from_utf8(body).map_err(|error| syntax(serde_json::Error::custom(error)))?;
        reader.read_page(page)?;
    }
    match reader.broken {
        Some(error) => Err(error),
        None => Ok(reader.facts),
    }
}

fn syntax(source: serde_json::Error) -> IndexError {
    IndexError::Syntax { source }
}

/// Numbers, and the texts that some mirrors make of them.
fn serial(value: Option<&RawValue>) -> Option<u64> {
    value?.get().trim_matches('"').parse().ok()
}

struct Reader<'a> {
    request: &'a IndexRequest,
    registry: String,
    facts: IndexFacts,
    /// The first of its digests that cannot be read.
    broken: Option<IndexError>,
    files: HashSet<String>,
    versions: HashSet<String>,
}

impl<'a> Reader<'a> {
    fn new(request: &'a IndexRequest) -> Self {
        let path = request.url.path();
        let base = path.trim_end_matches('/').rsplit_once('/').map_or("", |(base, _)| base);
        let registry = registry_of(&request.url, base);
        Self {
            request,
            registry,
            facts: IndexFacts::default(),
            broken: None,
            files: HashSet::new(),
            versions: HashSet::new(),
        }
    }

    fn check(&self, name: &str) -> Result<(), IndexError> {
        if name::normalized(name).as_deref() == Some(&*self.request.subject) {
            return Ok(());
        }
        Err(IndexError::OtherSubject { wanted: self.request.subject.clone(), got: name.to_owned() })
    }

    /// Adds the files of a JSON list, one after the other: a hostile one may have millions.
    fn add_files(&mut self, list: &RawValue) -> Result<(), serde_json::Error> {
        serde_json::Deserializer::from_str(list.get()).deserialize_seq(EachFile(self))
    }

    fn add_json(&mut self, file: &File<'_>) {
        let mut digests = DigestSet::default();
        for (algorithm, hex) in &file.hashes {
            digests.merge(&self.digest(&file.filename, algorithm, hex));
        }
        let metadata = file.core_metadata.or(file.dist_info_metadata);
        // Else it is `true` or `false`.
        let hashes = metadata.and_then(|hashes| serde_json::from_str::<Hashes<'_>>(hashes.get()).ok());
        let sha256 = hashes.as_ref().and_then(|hashes| hashes.get("sha256"));
        let metadata = sha256.map(|hex| self.digest(&file.filename, "sha256", hex));
        self.add(&file.filename, &file.url, digests, metadata.unwrap_or_default());
    }

    fn add_link(&mut self, link: &Anchor<'_>) {
        let Attributes { href: Some(href), core_metadata, dist_info_metadata } = &link.attributes else {
            return;
        };
        let (url, fragment) = href.split_once('#').unwrap_or((href, ""));
        let mut of = |text: &str| {
            let mut digests = DigestSet::default();
            for (name, hex) in text.split('&').filter_map(|part| part.split_once('=')) {
                digests.merge(&self.digest(&link.text, name, hex));
            }
            digests
        };
        let metadata = core_metadata.as_deref().or(dist_info_metadata.as_deref());
        let (digests, metadata) = (of(fragment), metadata.map(of).unwrap_or_default());
        self.add(&link.text, url, digests, metadata);
    }

    /// Reads a digest of a file; the first that is none makes the whole index an error.
    fn digest(&mut self, file: &str, algorithm: &str, hex: &str) -> DigestSet {
        digest(algorithm, hex).unwrap_or_else(|source| {
            self.broken.get_or_insert_with(|| IndexError::Digest { version: file.to_owned(), source });
            DigestSet::default()
        })
    }

    fn add(&mut self, file: &str, url: &str, digests: DigestSet, metadata: DigestSet) {
        let Some(version) = name::version_in(&self.request.subject, file) else {
            return;
        };
        let Ok(url) = self.request.url.join(url).map(|url| url.object().clone()) else {
            return;
        };
        if !self.files.insert(file.to_owned()) {
            return;
        }
        if self.versions.insert(version.clone()) {
            self.facts.versions.push(version.clone());
        }
        if !metadata.is_empty() {
            let beside = ObjectUrl::parse(&format!("{url}{METADATA}")).ok();
            self.vouch(&version, &format!("{file}{METADATA}"), beside, metadata);
        }
        self.vouch(&version, file, Some(url), digests);
    }

    fn vouch(&mut self, version: &str, file: &str, url: Option<ObjectUrl>, digests: DigestSet) {
        self.facts.vouched.push(Vouched {
            version: version.to_owned(),
            coordinate: Some(coordinate(&self.registry, &self.request.subject, version, Some(file))),
            url,
            digests,
        });
    }

    /// A page is the index if its title says so, or if it has files of the project.
    fn read_page(&mut self, page: &str) -> Result<(), IndexError> {
        let is_public = PUBLIC.iter().any(|(_, name)| *name == self.registry);
        let (body, comment) = page.rsplit_once("</html>").unwrap_or((page, ""));
        // PyPI closes its pages, and a cut one would have lost files.
        if is_public && (body.len() == page.len() || !is_end(comment)) {
            return Err(syntax(serde_json::Error::custom("the page is not whole")));
        }
        html::anchors(page).for_each(|link| self.add_link(&link));
        if self.facts.vouched.is_empty() {
            let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
            let named = title.and_then(|(title, _)| title.trim().strip_prefix("Links for "));
            self.check(named.unwrap_or("nothing that is known here"))?;
        }
        let number = page.rsplit_once("<!--SERIAL ").and_then(|(_, rest)| rest.split_once("-->"));
        self.facts.serial = number.and_then(|(number, _)| number.trim().parse().ok());
        Ok(())
    }
}

struct EachFile<'r, 'a>(&'r mut Reader<'a>);

impl<'de> Visitor<'de> for EachFile<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(file) = list.next_element::<File<'de>>()? {
            self.0.add_json(&file);
        }
        Ok(())
    }
}

/// Returns whether nothing but a whole comment follows the page.
fn is_end(rest: &str) -> bool {
    let rest = rest.trim();
    rest.is_empty() || (rest.starts_with("<!--") && rest.ends_with("-->"))
}

/// Returns a digest by the name that Python gives its algorithm; others vouch for nothing here.
pub(super) fn digest(algorithm: &str, hex: &str) -> Result<DigestSet, DigestError> {
    let algorithm = match algorithm {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        "sha384" => Algorithm::Sha384,
        "sha1" => Algorithm::Sha1,
        _ => return Ok(DigestSet::default()),
    };
    Digest::from_hex(algorithm, hex).map(DigestSet::from)
}
