//! What a request to a Cargo registry wants.

use http::header;
use model::ObjectUrl;

use super::{CRATES_IO, CRATES_IO_HOSTS, FILES_HOST, NAME, registry_of};
use crate::class::{Class, FileRequest, Form, Head, IndexRequest, Redirects};
use crate::coordinate::{Coordinate, is_version};
use crate::needs::Needs;
use crate::path::{self, Hostile, Segment};

/// The longest name of a crate, by the rules of crates.io.
const NAME_BYTES_MAX: usize = 64;

/// The longest `dl`; those that are known have under 100 bytes.
const DL_BYTES_MAX: usize = 2 * 1024;

/// Where crates.io has its index.
const INDEX_HOST: &str = "index.crates.io";

/// Returns what a request wants, `None` if it is not Cargo's.
pub(super) fn classify(head: &Head<'_>) -> Option<Class> {
    if !head.is_read() {
        return None;
    }
    let segments = path::segments(head.url.path())?;
    let is_ours = CRATES_IO_HOSTS.contains(&head.url.host());
    if is_ours && segments.iter().any(|segment| segment.text.contains('/')) {
        return Some(refuse(Hostile::Slash));
    }
    let asker = Asker::of(head);
    if let Some((name, version)) = download(&segments, asker) {
        return Some(file(head.url, name, version));
    }
    if !head.query().is_empty() {
        return None;
    }
    index(head.url, &segments, asker)
}

/// What, besides the path, says that a request is Cargo's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// The client is Cargo, or the host is the index of crates.io.
    Cargo,
    /// The host is named like a sparse index.
    IndexHost,
    /// Nothing does.
    Anybody,
}

impl Asker {
    fn of(head: &Head<'_>) -> Self {
        if head.url.host() == INDEX_HOST || head.header(&header::USER_AGENT).starts_with("cargo") {
            Self::Cargo
        } else if head.url.host().starts_with("index.") {
            Self::IndexHost
        } else {
            Self::Anybody
        }
    }
}

/// Recognises a download by its path alone: `dl` of a config.json may point anywhere.
///
/// The form without `/crates/` also fits pages of ordinary sites (`/files/tool/1.0.0/download`), so it must be Cargo
/// that asks, or a host named like an index that is asked.
fn download<'a>(segments: &'a [Segment<'_>], asker: Asker) -> Option<(&'a str, &'a str)> {
    let (name, version) = match segments {
        [.., folder, name, version, last] if last.text == "download" => {
            if folder.text != "crates" && asker == Asker::Anybody {
                return None;
            }
            (&*name.text, &*version.text)
        }
        [name, version, last] if last.text == "download" && asker != Asker::Anybody => {
            (&*name.text, &*version.text)
        }
        [.., last] => crate_file(&last.text)?,
        [] => return None,
    };
    (is_name(name) && is_version(version)).then_some((name, version))
}

/// Splits `serde-1.0.0.crate`; a name may have dashes and digits, a version begins with three numbers.
fn crate_file(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".crate")?;
    stem.match_indices('-')
        .map(|(dash, _)| (&stem[..dash], &stem[dash + 1..]))
        .find(|(_, version)| is_version(version))
}

/// Returns what Cargo asks for that builds with a crate. Where another registry has its index, no lock says. Where crates.io has
/// its files is in its config.json, and this is what stands there; a company's mirror writes another place.
pub(super) fn needs(coordinate: &Coordinate) -> Needs {
    let Coordinate { registry, name, version, .. } = coordinate;
    if registry != CRATES_IO || !is_name(name) || !is_version(version) {
        return Needs::default();
    }
    Needs::default()
        .index(&format!("https://{INDEX_HOST}/config.json"), None)
        .index(&format!("https://{INDEX_HOST}/{}", entry_path(&name.to_ascii_lowercase())), None)
        .file(&format!("https://{FILES_HOST}/crates/{name}/{version}/download"))
}

/// Returns where `dl` of a config.json says that an archive lies.
///
/// <https://doc.rust-lang.org/cargo/reference/registry-index.html> (read 2026-11): with `/{crate}/{version}/download` behind it where it
/// has no placeholders.
pub(super) fn placed(config: &[u8], coordinate: &Coordinate) -> Option<ObjectUrl> {
    #[derive(serde::Deserialize)]
    struct Config {
        dl: String,
    }

    let Coordinate { name, version, .. } = coordinate;
    let Config { dl } = serde_json::from_slice(config).ok()?;
    // What only the index has, a checksum, is in no lock's name of a crate.
    if !is_name(name) || !is_version(version) || dl.len() > DL_BYTES_MAX || dl.contains("{sha256-checksum}") {
        return None;
    }
    let path = entry_path(name);
    let prefix = path.rsplit_once('/').map_or("", |(prefix, _)| prefix);
    let filled = dl
        .replace("{crate}", name)
        .replace("{version}", version)
        .replace("{prefix}", prefix)
        .replace("{lowerprefix}", &prefix.to_ascii_lowercase());
    let whole =
        if filled == dl { format!("{}/{name}/{version}/download", dl.trim_end_matches('/')) } else { filled };
    ObjectUrl::parse(&whole).ok()
}

fn file(url: &ObjectUrl, name: &str, version: &str) -> Class {
    let registry = registry_of(url.authority());
    // Where another registry has its index, only its config.json knows, and that does not say it either.
    let index = if registry == CRATES_IO { entry(&format!("https://{INDEX_HOST}"), name) } else { None };
    let coordinate = Coordinate {
        ecosystem: NAME,
        registry,
        name: name.to_owned(),
        version: version.to_owned(),
        file: None,
    };
    Class::File(FileRequest {
        coordinate: Some(coordinate),
        index,
        variant: String::new(),
        form: Form::Archive,
        redirects: Redirects::HandedBack,
    })
}

fn index(url: &ObjectUrl, segments: &[Segment<'_>], asker: Asker) -> Option<Class> {
    let name = &*segments.last()?.text;
    if asker == Asker::Anybody {
        return None;
    }
    if name == "config.json" {
        // A name that many sites use.
        if asker != Asker::Cargo {
            return None;
        }
        return Some(Class::Index(IndexRequest {
            url: url.clone(),
            variant: String::new(),
            accept: None,
            subject: String::new(),
        }));
    }
    if name.len() > NAME_BYTES_MAX && url.host() == INDEX_HOST {
        return Some(refuse(Hostile::NameTooLong));
    }
    // Cargo asks in lower case only; another spelling is another address, and not an index.
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_name(name) || !is_lower || !url.path().ends_with(&format!("/{}", entry_path(name))) {
        return None;
    }
    Some(Class::Index(IndexRequest {
        url: url.clone(),
        variant: String::new(),
        accept: None,
        subject: name.to_owned(),
    }))
}

fn entry(base: &str, name: &str) -> Option<IndexRequest> {
    let name = name.to_ascii_lowercase();
    let url = ObjectUrl::parse(&format!("{base}/{}", entry_path(&name))).ok()?;
    Some(IndexRequest { url, variant: String::new(), accept: None, subject: name })
}

/// Returns where the entry of a crate lies in an index; the name is ASCII, see [`is_name`].
fn entry_path(name: &str) -> String {
    match name.len() {
        0..=2 => format!("{}/{name}", name.len()),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn refuse(hostile: Hostile) -> Class {
    Class::Refuse { status: hostile.status(), reason: hostile.to_string() }
}
