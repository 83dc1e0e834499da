//! An index in the other of its two forms: PEP 691 as a page of PEP 503, for clients that read nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::class::IndexRequest;

const HTML: &str = "text/html; charset=utf-8";

#[derive(Deserialize)]
struct Simple {
    name: String,
    files: Vec<File>,
    #[serde(default)]
    meta: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    requires_python: Option<String>,
    /// A reason, or whether there is one.
    #[serde(default)]
    yanked: Value,
    /// Digests, or whether it is there: PEP 714.
    #[serde(default)]
    core_metadata: Value,
    #[serde(default)]
    dist_info_metadata: Value,
    gpg_sig: Option<bool>,
}

/// Returns an index as a request wants it, made from what another request for it got.
pub(super) fn in_form(request: &IndexRequest, body: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let is_json = body.trim_ascii_start().starts_with(b"{");
    match (&*request.variant, is_json) {
        ("html", true) => Some((HTML, page(&serde_json::from_slice(body).ok()?).into_bytes())),
        // A page lacks what JSON has; clients that read JSON read pages as well, as PEP 691 tells them to.
        ("html" | "json", false) => Some((HTML, body.to_vec())),
        _ => None,
    }
}

fn page(simple: &Simple) -> String {
    let name = escaped(&simple.name);
    let version = simple.meta.get("api-version").and_then(Value::as_str).unwrap_or("1.0");
    let mut page = format!(
        "<!DOCTYPE html>\n<html>\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"{}\">\n    \
         <title>Links for {name}</title>\n  </head>\n  <body>\n    <h1>Links for {name}</h1>\n",
        escaped(version)
    );
    simple.files.iter().for_each(|file| add_link(&mut page, file));
    page.push_str("</body>\n</html>\n");
    // Some write the number as text.
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    if let Some(serial) = simple.meta.get("_last-serial").and_then(number) {
        let _ = write!(page, "<!--SERIAL {serial}-->");
    }
    page
}

fn add_link(page: &mut String, file: &File) {
    // A page names one digest, the best that is known to every client.
    let digest = ["sha256", "sha512", "sha384", "sha1", "md5"].into_iter();
    let digest = digest.filter_map(|kind| Some((kind, file.hashes.get(kind)?))).next();
    let digest = digest.map(|(kind, hex)| format!("#{kind}={hex}")).unwrap_or_default();
    let _ = write!(page, "<a href=\"{}{}\"", escaped(&file.url), escaped(&digest));
    let mut add = |name: &str, value: &str| {
        let _ = write!(page, " {name}=\"{}\"", escaped(value));
    };
    if let Some(python) = &file.requires_python {
        add("data-requires-python", python);
    }
    match &file.yanked {
        Value::String(reason) => add("data-yanked", reason),
        Value::Bool(true) => add("data-yanked", ""),
        _ => {}
    }
    for (name, metadata) in
        [("data-dist-info-metadata", &file.dist_info_metadata), ("data-core-metadata", &file.core_metadata)]
    {
        let sha256 = metadata.get("sha256").and_then(Value::as_str);
        match (sha256, metadata) {
            (Some(sha256), _) => add(name, &format!("sha256={sha256}")),
            (None, Value::Bool(true) | Value::Object(_)) => add(name, "true"),
            _ => {}
        }
    }
    if let Some(is_signed) = file.gpg_sig {
        add("data-gpg-sig", if is_signed { "true" } else { "false" });
    }
    let _ = writeln!(page, ">{}</a><br />", escaped(&file.filename));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
