//! What a request to a Python package index wants.

use http::header;
use model::ObjectUrl;

use super::name::{self, METADATA};
use super::{PUBLIC, PYPI, coordinate, registry_of};
use crate::class::{Class, FileRequest, Form, Head, IndexRequest, Redirects};
use crate::coordinate::{ANY_REGISTRY, Coordinate};
use crate::needs::Needs;
use crate::path::{self, Hostile};
use crate::private::About;

const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// What a client calls it that reads it: PEP 691 has two names for the newest version.
const JSONS: [&str; 2] = [JSON, "application/vnd.pypi.simple.latest+json"];
/// Who asks indexes that are not PyPI.
const AGENTS: [&str; 5] = ["pip/", "uv/", "poetry/", "pdm/", "twine/"];

/// Returns what a request wants, `None` if it is not PyPI's.
pub(super) fn classify(head: &Head<'_>) -> Option<Class> {
    if !head.is_read() || !head.query().is_empty() {
        return None;
    }
    let is_public = PUBLIC.iter().any(|(host, _)| *host == head.url.host());
    let agent = head.header(&header::USER_AGENT);
    let is_client = AGENTS.iter().any(|client| agent.starts_with(client))
        || head.header(&header::ACCEPT).contains("application/vnd.pypi.simple");
    if !is_public && !is_client {
        return None;
    }
    let segments = path::segments(head.url.path())?;
    let names: Vec<&str> = segments.iter().map(|segment| &*segment.text).collect();
    if is_public && let Some(hostile) = hostile(&names) {
        return Some(Class::Refuse { status: hostile.status(), reason: hostile.to_string() });
    }
    match names.as_slice() {
        ["simple", project] if is_public => moved(head.url, project, "simple/", "/"),
        ["simple", project, ""] if is_public => {
            let normal = name::normalized(project)?;
            if normal == *project { simple(head, normal) } else { moved(head.url, project, "simple/", "/") }
        }
        [.., "simple" | "+simple", project, ""] if !is_public => simple(head, name::normalized(project)?),
        ["pypi", project, "json"] if is_public => legacy(head, project, "/json"),
        ["pypi", project, version, "json"] if is_public => legacy(head, project, &format!("/{version}/json")),
        [.., file] => self::file(head.url, file),
        [] => None,
    }
}

/// Returns what installers ask for that install a version from PyPI; only the page says where its files lie.
pub(super) fn needs(coordinate: &Coordinate) -> Needs {
    let Coordinate { registry, name, .. } = coordinate;
    if ![ANY_REGISTRY, PYPI].contains(&&**registry) || name::normalized(name).as_ref() != Some(name) {
        return Needs::default();
    }
    Needs::default().index(&format!("https://{PYPI}/simple/{name}/"), Some(JSON))
}

/// Returns which project an address of a public index is about; of other indexes only the list of files has the same place.
pub(super) fn about(url: &ObjectUrl) -> Option<About> {
    PUBLIC.iter().find(|(host, _)| *host == url.host())?;
    let segments = path::segments(url.path())?;
    let names: Vec<&str> =
        segments.iter().map(|segment| &*segment.text).filter(|text| !text.is_empty()).collect();
    match names.as_slice() {
        ["simple", project] => {
            let name = name::folded(project);
            let within = Some(format!("{name}/"));
            Some(About { name, within })
        }
        ["simple" | "pypi" | "project" | "integrity", project, ..] => {
            Some(About { name: name::folded(project), within: None })
        }
        [.., file] => {
            let (name, _) = name::of_file(file.strip_suffix(METADATA).unwrap_or(file))?;
            Some(About { name, within: None })
        }
        [] => None,
    }
}

/// A name that two servers could read differently, or that no project can have.
fn hostile(names: &[&str]) -> Option<Hostile> {
    if names.iter().any(|name| name.contains('/')) {
        return Some(Hostile::Slash);
    }
    match names {
        ["simple" | "pypi", project, ..] if project.len() > name::NAME_BYTES_MAX => {
            Some(Hostile::NameTooLong)
        }
        _ => None,
    }
}

fn simple(head: &Head<'_>, project: String) -> Option<Class> {
    let accept = head.header(&header::ACCEPT);
    let is_json = JSONS.iter().any(|json| accept.contains(json));
    Some(Class::Index(index(head.url.clone(), project, is_json)))
}

fn index(url: ObjectUrl, project: String, is_json: bool) -> IndexRequest {
    // Old clients take an HTML page only by its oldest name.
    let (variant, accept) = if is_json { ("json", JSON) } else { ("html", "text/html") };
    IndexRequest { url, variant: variant.to_owned(), accept: Some(accept), subject: project }
}

fn legacy(head: &Head<'_>, project: &str, rest: &str) -> Option<Class> {
    let normal = name::normalized(project)?;
    if normal != project {
        return moved(head.url, project, "pypi/", rest);
    }
    let url = head.url.clone();
    Some(Class::Index(IndexRequest { url, variant: String::new(), accept: None, subject: normal }))
}

/// Another spelling of a project's name, answered as PyPI answers it.
fn moved(url: &ObjectUrl, project: &str, before: &str, after: &str) -> Option<Class> {
    let normal = name::normalized(project)?;
    let address = format!("{}://{}/{before}{normal}{after}", url.scheme(), url.authority());
    Some(Class::Moved { to: ObjectUrl::parse(&address).ok()? })
}

fn file(url: &ObjectUrl, file: &str) -> Option<Class> {
    let (project, version) = name::of_file(file.strip_suffix(METADATA).unwrap_or(file))?;
    let registry = registry_of(url, "");
    let is_public = PUBLIC.iter().any(|(_, name)| *name == registry);
    let listed_at = || ObjectUrl::parse(&format!("https://{registry}/simple/{project}/")).ok();
    let index = if is_public { listed_at().map(|url| index(url, project.clone(), true)) } else { None };
    Some(Class::File(FileRequest {
        coordinate: Some(coordinate(&registry, &project, &version, Some(file))),
        index,
        variant: String::new(),
        form: Form::of_name(file),
        redirects: Redirects::HandedBack,
    }))
}
