//! PyPI: indexes at pypi.org, files at files.pythonhosted.org.

use std::collections::BTreeMap;

use serde_json::json;

use super::project::{Metadata, Project};
use super::{HOSTS, normalized};
use crate::npm::tagged;
use crate::{Answer, Asked, Upstream};

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const HTML: &str = "application/vnd.pypi.simple.v1+html";

/// The projects that PyPI lists, by their one name.
pub(crate) type Listed = BTreeMap<String, Project>;

impl Upstream {
    /// Puts projects where a real pip, uv and Poetry look for them.
    ///
    /// Projects put before stay; one of the same name is replaced, and its files stay where they are.
    pub fn serve_pypi(&self, projects: &[Project]) {
        let mut listed = self.projects();
        for project in projects {
            if let Some(before) = listed.insert(normalized(project.name()), project.clone()) {
                self.remove_indexes(&before);
            }
            self.put_indexes(project);
            self.put_files(project);
        }
        self.put_list(&listed);
    }

    /// Lets PyPI forget a project; its files stay where they are.
    pub fn remove_pypi(&self, project: &Project) {
        let mut listed = self.projects();
        listed.remove(&normalized(project.name()));
        self.remove_indexes(project);
        self.put_list(&listed);
    }

    fn put_indexes(&self, project: &Project) {
        let (name, serial) = (normalized(project.name()), project.serial());
        self.put_simple(&format!("/simple/{name}/"), serial, project.json().to_string(), project.html());
        let put = |path: &str, version| {
            let answer = Answer::json(project.legacy(version).to_string());
            self.put(HOSTS[0], path, dated(answer, serial));
        };
        put(&format!("/pypi/{name}/json"), None);
        for version in project.versions() {
            put(&format!("/pypi/{name}/{version}/json"), Some(version));
        }
    }

    fn put_files(&self, project: &Project) {
        for file in project.files() {
            let path = file.path();
            let answer = tagged(Answer::file(file.bytes().clone()));
            self.put(HOSTS[1], &path, answer.header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"));
            let path = format!("{path}.metadata");
            match file.metadata().filter(|_| project.metadata() == Metadata::Offered) {
                Some(text) => self.put(HOSTS[1], &path, tagged(Answer::file(text))),
                None => self.remove(HOSTS[1], &path),
            }
        }
    }

    fn remove_indexes(&self, project: &Project) {
        let name = normalized(project.name());
        self.remove(HOSTS[0], &format!("/simple/{name}/"));
        self.remove(HOSTS[0], &format!("/pypi/{name}/json"));
        for version in project.versions() {
            self.remove(HOSTS[0], &format!("/pypi/{name}/{version}/json"));
        }
    }

    /// Puts what is of all projects: their list, and the way from other spellings of a name to its one form.
    fn put_list(&self, listed: &Listed) {
        let serial = listed.values().map(Project::serial).max().unwrap_or_default();
        let names: Vec<_> =
            listed.values().map(|one| json!({ "name": one.name(), "_last-serial": one.serial() })).collect();
        let list = json!({ "meta": { "_last-serial": serial, "api-version": "1.3" }, "projects": names });
        let links: String = listed
            .iter()
            .map(|(name, one)| format!("<a href=\"/simple/{name}/\">{}</a><br />\n", one.name()))
            .collect();
        let page = format!(
            "<!DOCTYPE html>\n<html>\n  <head>\n    <title>Simple index</title>\n  </head>\n  <body>\n\
             {links}  </body>\n</html>\n<!--SERIAL {serial}-->"
        );
        self.put_simple("/simple/", serial, list.to_string(), page);
        for (prefix, suffix) in [("/simple/", "/"), ("/pypi/", "/json")] {
            let names: Vec<String> = listed.keys().cloned().collect();
            self.handle(HOSTS[0], prefix, move |asked| moved(&names, asked, prefix, suffix));
        }
    }

    /// Puts a document in all forms; which one a client gets is for its Accept to say.
    fn put_simple(&self, path: &str, serial: u64, json: String, html: String) {
        for answer in [
            Answer::bytes(JSON, json).when_accepts(JSON),
            Answer::bytes(HTML, html.clone()).when_accepts(HTML),
            Answer::bytes("text/html; charset=utf-8", html).header("vary", "accept"),
        ] {
            self.put(HOSTS[0], path, dated(answer, serial));
        }
    }
}

/// Redirects other spellings of a name, and an address without its last slash.
fn moved(names: &[String], asked: &Asked, prefix: &str, suffix: &str) -> Option<Answer> {
    let rest = asked.path.strip_prefix(prefix)?;
    let (spelt, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let name = normalized(spelt);
    let is_known = names.contains(&name);
    let is_right = spelt == name && !rest.is_empty();
    let rest = if rest.is_empty() { suffix.to_owned() } else { format!("/{rest}") };
    (is_known && !is_right).then(|| Answer::status(301).header("location", &format!("{prefix}{name}{rest}")))
}

fn dated(answer: Answer, serial: u64) -> Answer {
    tagged(answer)
        .header("x-pypi-last-serial", &serial.to_string())
        .header("cache-control", "max-age=600, public")
}
