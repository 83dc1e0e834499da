//! A project's files: as a page, as JSON, or in the older JSON that tells of one release.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use model::{Algorithm, Digest, DigestSet, ObjectUrl};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

use super::html::{self, Anchor};
use super::name::{self, METADATA};
use super::{PUBLIC, coordinate, registry_of};
use crate::class::IndexRequest;
use crate::index::{INDEX_BYTES_MAX, IndexError, IndexFacts, Vouched};

#[derive(Deserialize)]
struct Simple<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    files: Vec<File<'a>>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(rename = "_last-serial")]
    last_serial: Option<Value>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    filename: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    /// `hashes` today, `digests` in the older form.
    #[serde(borrow, alias = "digests", default)]
    hashes: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// PEP 714: the name it has, and the one it was given by mistake.
    #[serde(rename = "core-metadata")]
    core_metadata: Option<Value>,
    #[serde(rename = "dist-info-metadata")]
    dist_info_metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Legacy<'a> {
    #[serde(borrow)]
    info: Info<'a>,
    #[serde(borrow)]
    urls: Vec<File<'a>>,
    #[serde(borrow, default)]
    releases: BTreeMap<Cow<'a, str>, Vec<File<'a>>>,
    last_serial: Option<Value>,
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
        legacy.urls.iter().chain(legacy.releases.values().flatten()).for_each(|file| reader.add_json(file));
        reader.facts.serial = serial(legacy.last_serial.as_ref());
    } else if body.trim_ascii_start().starts_with(b"{") {
        let simple: Simple<'_> = serde_json::from_slice(body).map_err(syntax)?;
        reader.check(&simple.name)?;
        simple.files.iter().for_each(|file| reader.add_json(file));
        reader.facts.serial = serial(simple.meta.last_serial.as_ref());
    } else {
        let page = std::str::from_utf8(body).map_err(|error| syntax(serde_json::Error::custom(error)))?;
        reader.read_page(page)?;
    }
    Ok(reader.facts)
}

fn syntax(source: serde_json::Error) -> IndexError {
    IndexError::Syntax { source }
}

/// Numbers, and the texts that some mirrors make of them.
fn serial(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

struct Reader<'a> {
    request: &'a IndexRequest,
    registry: String,
    facts: IndexFacts,
    files: HashSet<String>,
    versions: HashSet<String>,
}

impl<'a> Reader<'a> {
    fn new(request: &'a IndexRequest) -> Self {
        let path = request.url.path();
        let base = path.rfind("/simple/").map_or("", |at| &path[..at]);
        let registry = registry_of(&request.url, base);
        Self {
            request,
            registry,
            facts: IndexFacts::default(),
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

    fn add_json(&mut self, file: &File<'_>) {
        let mut digests = DigestSet::default();
        for (algorithm, hex) in &file.hashes {
            digests.merge(&digest(algorithm, hex));
        }
        let metadata = file.core_metadata.as_ref().or(file.dist_info_metadata.as_ref());
        let sha256 = metadata.and_then(|hashes| hashes.get("sha256")?.as_str());
        let metadata = sha256.map(|hex| digest("sha256", hex)).unwrap_or_default();
        self.add(&file.filename, &file.url, digests, metadata);
    }

    fn add_link(&mut self, link: &Anchor<'_>) {
        let Some((url, fragment)) = link.get("href").map(|href| href.split_once('#').unwrap_or((href, "")))
        else {
            return;
        };
        let of = |text: &str| text.split_once('=').map(|(name, hex)| digest(name, hex)).unwrap_or_default();
        let metadata = link.get("data-core-metadata").or_else(|| link.get("data-dist-info-metadata"));
        self.add(&link.text, url, of(fragment), metadata.map(of).unwrap_or_default());
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
        html::anchors(page).iter().for_each(|link| self.add_link(link));
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

/// Returns whether nothing but a whole comment follows the page.
fn is_end(rest: &str) -> bool {
    let rest = rest.trim();
    rest.is_empty() || (rest.starts_with("<!--") && rest.ends_with("-->"))
}

/// Returns a digest by the name that Python gives its algorithm; others vouch for nothing here.
pub(super) fn digest(algorithm: &str, hex: &str) -> DigestSet {
    let algorithm = match algorithm {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        "sha384" => Algorithm::Sha384,
        "sha1" => Algorithm::Sha1,
        _ => return DigestSet::default(),
    };
    Digest::from_hex(algorithm, hex).map(DigestSet::from).unwrap_or_default()
}
