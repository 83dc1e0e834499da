//! Every ecosystem of the list, held to the sentences of its trait; and hostile bytes.

mod conformance;
mod hostile;
mod mutation;

use http::{HeaderMap, Method};
use model::ObjectUrl;
use registry::{Class, Ecosystem, Head, classify};

fn ask(method: &Method, url: &str) -> (&'static dyn Ecosystem, Class) {
    let url = ObjectUrl::parse(url).unwrap();
    classify(&Head { method, url: &url, headers: &HeaderMap::new() })
}
