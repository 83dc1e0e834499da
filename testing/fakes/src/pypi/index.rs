//! The documents of an index: a project's files as HTML (PEP 503) and JSON (PEP 691), and the older API.

use serde_json::{Map, Value, json};

use super::normalized;
use super::project::{File, Kind, Metadata, Project, sha256};

const REPOSITORY_VERSION: &str = "1.3";

impl Project {
    /// Returns the list of its files in JSON.
    pub fn json(&self) -> Value {
        let files: Vec<Value> = self.files().iter().map(|file| self.entry(file)).collect();
        json!({
            "alternate-locations": [],
            "files": files,
            "meta": { "_last-serial": self.serial(), "api-version": REPOSITORY_VERSION },
            "name": normalized(self.name()),
            "project-status": { "status": "active" },
            "versions": self.versions(),
        })
    }

    /// Returns the list of its files in HTML.
    pub fn html(&self) -> String {
        let name = normalized(self.name());
        let links: String = self.files().iter().map(|file| self.link(file)).collect();
        format!(
            "<!DOCTYPE html>\n<html>\n  <head>\n    \
             <meta name=\"pypi:repository-version\" content=\"{REPOSITORY_VERSION}\">\n    \
             <title>Links for {name}</title>\n  </head>\n  <body>\n    <h1>Links for {name}</h1>\n\
             {links}  </body>\n</html>\n<!--SERIAL {}-->",
            self.serial()
        )
    }

    /// Returns the answer of the older API for a version, or for the newest with all others beside it.
    pub(super) fn legacy(&self, version: Option<&str>) -> Value {
        let wanted = version.or_else(|| self.versions().last().copied()).unwrap_or_default();
        let of = |version: &str| {
            self.files()
                .iter()
                .filter(|file| file.release.version == version)
                .map(|file| self.legacy_entry(file))
                .collect::<Vec<_>>()
        };
        let release = self.files().iter().find(|file| file.release.version == wanted);
        let mut document = json!({
            "info": {
                "name": self.name(), "version": wanted, "summary": "Made to test",
                "package_url": format!("https://pypi.org/project/{}/", normalized(self.name())),
                "requires_dist": release.map(|file| &file.release.requires),
                "requires_python": release.and_then(|file| file.release.python.as_ref()),
                "yanked": release.is_some_and(|file| file.yanked().is_some()),
                "yanked_reason": release.and_then(|file| file.yanked()),
            },
            "last_serial": self.serial(),
            "urls": of(wanted),
            "vulnerabilities": [],
        });
        if version.is_none() {
            let all: Map<String, Value> =
                self.versions().into_iter().map(|version| (version.to_owned(), of(version).into())).collect();
            document["releases"] = Value::Object(all);
        }
        document
    }

    /// Returns the digest of the metadata beside a file, if that is offered.
    fn offered(&self, file: &File) -> Option<String> {
        let text = file.metadata().filter(|_| self.metadata() == Metadata::Offered)?;
        Some(sha256(text.as_bytes()))
    }

    fn entry(&self, file: &File) -> Value {
        let metadata = self.offered(file).map_or(json!(false), |sum| json!({ "sha256": sum }));
        json!({
            "core-metadata": metadata,
            "data-dist-info-metadata": metadata,
            "filename": file.name(),
            "hashes": { "sha256": file.sha256() },
            "provenance": null,
            "requires-python": file.release.python,
            "size": file.bytes().len(),
            "upload-time": "2026-01-01T00:00:00.000000Z",
            "url": file.url(),
            "yanked": file.yanked().map_or(json!(false), |reason| json!(reason)),
        })
    }

    fn link(&self, file: &File) -> String {
        let mut more = String::new();
        for (name, value) in [("requires-python", file.release.python.as_deref()), ("yanked", file.yanked())]
        {
            if let Some(value) = value {
                more.push_str(&format!(" data-{name}=\"{}\"", escaped(value)));
            }
        }
        if let Some(sum) = self.offered(file) {
            more.push_str(&format!(
                " data-dist-info-metadata=\"sha256={sum}\" data-core-metadata=\"sha256={sum}\""
            ));
        }
        let (url, name) = (file.url(), file.name());
        format!("<a href=\"{url}#sha256={}\"{more}>{name}</a><br />\n", file.sha256())
    }

    fn legacy_entry(&self, file: &File) -> Value {
        let kind = if file.kind == Kind::Wheel { "bdist_wheel" } else { "sdist" };
        json!({
            "core-metadata": self.offered(file).map_or(json!(false), |sum| json!({ "sha256": sum })),
            "digests": { "sha256": file.sha256() },
            "filename": file.name(),
            "packagetype": kind,
            "python_version": if file.kind == Kind::Wheel { "py3" } else { "source" },
            "requires_python": file.release.python,
            "size": file.bytes().len(),
            "upload_time_iso_8601": "2026-01-01T00:00:00.000000Z",
            "url": file.url(),
            "yanked": file.yanked().is_some(),
            "yanked_reason": file.yanked(),
        })
    }
}

/// Writes what means something in HTML in another way.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
