//! What a request to an npm registry wants.
//!
//! A packument has one canonical address: the registry's base, then the name, a scope's slash written as `%2f`.

use http::{Method, header};
use model::ObjectUrl;

use super::{NPMJS, NPMJS_HOSTS, coordinate, registry_of};
use crate::class;
use crate::class::{Class, FileRequest, Head, IndexRequest, Redirects};
use crate::coordinate::{ANY_REGISTRY, Coordinate, is_version};
use crate::needs::Needs;
use crate::path::{self, Hostile, Segment};
use crate::private::About;

/// The longest name of a package, scope included, by the rules of npm.
const NAME_BYTES_MAX: usize = 214;

const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// Paths under a registry's base whose POST only asks. `audits` is Yarn 1's and npm 6's.
const QUESTIONS: [&[&str]; 3] = [
    &["-", "npm", "v1", "security", "advisories", "bulk"],
    &["-", "npm", "v1", "security", "audits", "quick"],
    &["-", "npm", "v1", "security", "audits"],
];

/// Returns what a request wants, `None` if it is not npm's.
pub(super) fn classify(head: &Head<'_>) -> Option<Class> {
    let segments = path::segments(head.url.path())?;
    if *head.method == Method::POST {
        return QUESTIONS.iter().any(|question| ends_with(&segments, question)).then_some(Class::Question);
    }
    if !head.is_read() {
        return None;
    }
    let asked = Asked::of(head);
    if asked == Asked::Public && segments.iter().any(hides_slash) {
        return Some(refuse(Hostile::Slash));
    }
    if let Some(tarball) = tarball(head.url, &segments, asked) {
        return Some(Class::File(tarball));
    }
    if asked == Asked::Unknown {
        return None;
    }
    if is_personal(&segments) {
        return Some(Class::Live { reason: "the answer depends on who asks".to_owned() });
    }
    packument_request(head, &segments, asked)
}

/// A file's place in a registry, read from its address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tarball {
    /// The registry's base path.
    pub(super) base: String,
    /// The package.
    pub(super) name: String,
    /// The version, if the file is named as usual.
    pub(super) version: Option<String>,
}

/// Reads `…/{name}/-/{file}-{version}.tgz`, scoped names in either spelling.
pub(super) fn read_tarball(segments: &[Segment<'_>]) -> Option<Tarball> {
    let [front @ .., dash, file] = segments else {
        return None;
    };
    let stem = file.text.strip_suffix(".tgz")?;
    if dash.text != "-" {
        return None;
    }
    let (name, n_base) = trailing_name(front)?;
    if !is_name(&name) {
        return None;
    }
    let bare = name.rsplit('/').next().unwrap_or(&name);
    let version = stem
        .strip_prefix(bare)
        .and_then(|rest| rest.strip_prefix('-'))
        .filter(|version| is_version(version))
        .map(str::to_owned);
    Some(Tarball { base: path::base(&front[..n_base]), name, version })
}

/// Returns the coordinate of a tarball's address, if it has the usual form.
pub(super) fn tarball_coordinate(url: &ObjectUrl) -> Option<Coordinate> {
    let tarball = read_tarball(&path::segments(url.path())?)?;
    Some(coordinate(&registry_of(url, &tarball.base), &tarball.name, &tarball.version?))
}

/// Returns what npm's clients ask for that install a package of the public registry.
pub(super) fn needs(coordinate: &Coordinate) -> Needs {
    let Coordinate { registry, name, version, .. } = coordinate;
    if ![ANY_REGISTRY, NPMJS].contains(&&**registry) || !is_name(name) || !is_version(version) {
        return Needs::default();
    }
    let bare = name.rsplit('/').next().unwrap_or(name);
    Needs::default()
        .index(&format!("https://{NPMJS}/{}", escape(name)), Some(ABBREVIATED))
        // pnpm 12 looks into the whole one before it trusts a lock.
        .index(&format!("https://{NPMJS}/{}", escape(name)), Some("application/json"))
        // pnpm 12 asks three times for it, and waits 70 s in all.
        .document(&format!("https://{NPMJS}/-/npm/v1/attestations/{}@{version}", escape(name)))
        .file(&format!("https://{NPMJS}/{name}/-/{bare}-{version}.tgz"))
}

/// Returns which package an address of the public registry is about.
pub(super) fn about(url: &ObjectUrl) -> Option<About> {
    if !NPMJS_HOSTS.contains(&url.host()) {
        return None;
    }
    let within = url.path_and_query().trim_start_matches('/');
    let segments = path::segments(url.path())?;
    let names: Vec<&str> =
        segments.iter().map(|segment| &*segment.text).skip_while(|text| text.is_empty()).collect();
    let name = match names.as_slice() {
        // What is said of one version, its name before the last `@`.
        ["-", "npm", "v1", "attestations", name @ ..] => name.join("/").rsplit_once('@')?.0.to_owned(),
        ["-", "package", name @ ..] => leading_name(name)?,
        ["-", ..] => return None,
        name => leading_name(name)?,
    };
    Some(About { name: name.to_ascii_lowercase(), within: Some(within.to_owned()) })
}

/// Returns the name with which a path begins.
fn leading_name(names: &[&str]) -> Option<String> {
    match names {
        [scope, name, ..] if scope.starts_with('@') && !scope.contains('/') => {
            Some(format!("{scope}/{name}"))
        }
        [name, ..] => Some((*name).to_owned()),
        [] => None,
    }
}

/// Returns the base path of a packument's canonical address.
pub(super) fn packument_base<'a>(url: &'a ObjectUrl, name: &str) -> &'a str {
    let path = url.path();
    path.strip_suffix(&*escape(name)).and_then(|base| base.strip_suffix('/')).unwrap_or(path)
}

/// What, besides the path, says that a request is npm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The host is one of the public registry.
    Public,
    /// The client says that it wants a packument, of whatever host.
    Private,
    /// Nothing does.
    Unknown,
}

impl Asked {
    fn of(head: &Head<'_>) -> Self {
        if NPMJS_HOSTS.contains(&head.url.host()) {
            return Self::Public;
        }
        let accept = head.header(&header::ACCEPT);
        let agent = head.header(&header::USER_AGENT);
        let is_client = ["npm/", "pnpm/", "yarn/"].iter().any(|client| agent.starts_with(client));
        // The clients also fetch archives from anywhere under their own name, but not as JSON.
        if accept.contains(ABBREVIATED) || (is_client && accept.contains("application/json")) {
            Self::Private
        } else {
            Self::Unknown
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Abbreviated,
    Full,
}

fn tarball(url: &ObjectUrl, segments: &[Segment<'_>], asked: Asked) -> Option<FileRequest> {
    let tarball = read_tarball(segments)?;
    if tarball.version.is_none() && asked != Asked::Public {
        return None;
    }
    let registry = registry_of(url, &tarball.base);
    let coordinate = tarball.version.map(|version| coordinate(&registry, &tarball.name, &version));
    let index = packument(url, &tarball.base, tarball.name, Form::Abbreviated);
    Some(FileRequest {
        coordinate,
        index,
        variant: String::new(),
        form: class::Form::of_name(url.path()),
        redirects: Redirects::HandedBack,
    })
}

fn packument_request(head: &Head<'_>, segments: &[Segment<'_>], asked: Asked) -> Option<Class> {
    if segments.iter().any(|segment| segment.text == "-") {
        return None;
    }
    let (name, n_base) = trailing_name(segments)?;
    match asked {
        // More than a name: a version or a tag, a document of its own.
        Asked::Public if n_base > 0 => return None,
        Asked::Public => {}
        // Here what comes before may be the base of the registry, or the name before a version or a tag.
        Asked::Private | Asked::Unknown if is_version(&name) || name == "latest" => return None,
        Asked::Private | Asked::Unknown => {}
    }
    if name.len() > NAME_BYTES_MAX {
        return Some(refuse(Hostile::NameTooLong));
    }
    if !is_name(&name) {
        return None;
    }
    if head.query().split('&').any(|pair| pair == "write=true") {
        return Some(Class::Live { reason: "asked for in order to publish".to_owned() });
    }
    if !head.query().is_empty() {
        return None;
    }
    let form =
        if head.header(&header::ACCEPT).contains(ABBREVIATED) { Form::Abbreviated } else { Form::Full };
    packument(head.url, &path::base(&segments[..n_base]), name, form).map(Class::Index)
}

fn packument(url: &ObjectUrl, base: &str, name: String, form: Form) -> Option<IndexRequest> {
    let address = format!("{}://{}{base}/{}", url.scheme(), url.authority(), escape(&name));
    let (variant, accept) = match form {
        // The same list npm sends: registries that know only the full form still answer.
        Form::Abbreviated => {
            ("abbreviated", "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*")
        }
        Form::Full => ("full", "application/json"),
    };
    Some(IndexRequest {
        url: ObjectUrl::parse(&address).ok()?,
        variant: variant.to_owned(),
        accept: Some(accept),
        subject: name,
    })
}

/// Returns the name at the end of a path and how many segments come before it.
fn trailing_name(segments: &[Segment<'_>]) -> Option<(String, usize)> {
    match segments {
        [base @ .., scope, name] if scope.text.starts_with('@') && !scope.text.contains('/') => {
            Some((format!("{}/{}", scope.text, name.text), base.len()))
        }
        [base @ .., name] => Some((name.text.clone().into_owned(), base.len())),
        [] => None,
    }
}

fn escape(name: &str) -> String {
    name.replacen('/', "%2f", 1)
}

/// Names as npm gives them out, and the upper-case and punctuated ones from before 2017 that still exist.
pub(super) fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '_'])
            && part != "-"
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~!()*".contains(&byte))
    };
    name.len() <= NAME_BYTES_MAX
        && match name.strip_prefix('@') {
            Some(scoped) => {
                scoped.split_once('/').is_some_and(|(scope, bare)| is_part(scope) && is_part(bare))
            }
            None => is_part(name),
        }
}

/// An escaped slash may stand only between a scope and a name.
fn hides_slash(segment: &Segment<'_>) -> bool {
    segment.text.contains('/') && !(segment.text.starts_with('@') && segment.text.matches('/').count() == 1)
}

/// Who am I, my profile, my tokens.
fn is_personal(segments: &[Segment<'_>]) -> bool {
    let [.., last] = segments else {
        return false;
    };
    ends_with(segments, &["-", "whoami"])
        || (["user", "tokens", "profile"].contains(&&*last.text)
            && ends_with(&segments[..segments.len() - 1], &["-", "npm", "v1"]))
}

fn ends_with(segments: &[Segment<'_>], tail: &[&str]) -> bool {
    segments.len() >= tail.len()
        && segments[segments.len() - tail.len()..]
            .iter()
            .zip(tail)
            .all(|(segment, text)| segment.text == *text)
}

fn refuse(hostile: Hostile) -> Class {
    Class::Refuse { status: hostile.status(), reason: hostile.to_string() }
}
