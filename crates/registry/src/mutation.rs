//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use http::{HeaderMap, Method, header};
use model::ObjectUrl;

use crate::class::{Class, Head, IndexRequest, classify};
use crate::ecosystem::{ALL, Ecosystem};
use crate::lock::read_locks;
use crate::path::check_path;

/// The most bytes that are tried as a path; longer ones are refused by their length alone.
const PATH_BYTES_TRIED: usize = 5 * 1024;

/// Feeds bytes to every parser: each index reader and what changes an index, each lock reader, and the classification of a path.
pub fn no_panic(bytes: &[u8]) {
    for ecosystem in ALL {
        for (example, _) in ecosystem.examples().indexes {
            let Ok(url) = ObjectUrl::parse(example) else {
                continue;
            };
            let head = Head { method: &Method::GET, url: &url, headers: &HeaderMap::new() };
            if let (ecosystem, Class::Index(request)) = classify(&head) {
                index(ecosystem, &request, bytes);
            }
            classify_path(&url, bytes);
        }
        for lock in ecosystem.locks() {
            drop(read_locks(lock.file_name, bytes));
        }
    }
}

/// Reads an index; what reads well is also changed, as the engine does it.
fn index(ecosystem: &dyn Ecosystem, request: &IndexRequest, bytes: &[u8]) {
    drop(ecosystem.with_message(&request.url, bytes, "a \"message\""));
    if let Ok(facts) = ecosystem.read_index(request, bytes) {
        let some = facts.versions.iter().step_by(3).map(String::as_str).collect();
        drop(ecosystem.with_versions(request, bytes, bytes, &some));
        drop(ecosystem.judge(&facts, &facts));
        drop(ecosystem.leader(request));
    }
}

fn classify_path(origin: &ObjectUrl, bytes: &[u8]) {
    let path = String::from_utf8_lossy(&bytes[..bytes.len().min(PATH_BYTES_TRIED)]);
    let _ = check_path(&path);
    let Ok(url) = ObjectUrl::parse(&format!("https://{}/{path}", origin.authority())) else {
        return;
    };
    let mut headers = HeaderMap::new();
    if let Ok(value) = header::HeaderValue::from_bytes(&bytes[..bytes.len().min(200)]) {
        headers.insert(header::ACCEPT, value.clone());
        headers.insert(header::USER_AGENT, value);
    }
    for ecosystem in ALL {
        drop((ecosystem.named_digest(&url), ecosystem.listings(&url)));
    }
    for method in [Method::GET, Method::POST, Method::PUT] {
        drop(classify(&Head { method: &method, url: &url, headers: &headers }));
    }
}
