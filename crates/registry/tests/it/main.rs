//! Every ecosystem of the list, held to the sentences of its trait; and hostile bytes.

mod conformance;
mod hostile;
mod mutation;
mod repositories;
mod serving;

use std::path::PathBuf;

use http::{HeaderMap, Method};
use model::ObjectUrl;
use registry::{Class, Ecosystem, Head, classify};

fn ask(method: &Method, url: &str) -> (&'static dyn Ecosystem, Class) {
    let url = ObjectUrl::parse(url).expect("an address");
    classify(&Head { method, url: &url, headers: &HeaderMap::new() })
}

/// Where an ecosystem's recorded documents lie.
fn testdata(ecosystem: &dyn Ecosystem) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src/ecosystem", ecosystem.name(), "testdata"].iter().collect()
}
