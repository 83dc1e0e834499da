//! What is kept of a server nobody knows, and what is not.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::ObjectUrl;

use super::Generic;
use crate::class::{Class, Head, Redirects};
use crate::ecosystem::Ecosystem;

fn ask(request: &str, headers: &[(&'static str, &str)]) -> Class {
    let (method, url) = request.split_once(' ').unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let url = ObjectUrl::parse(url).unwrap();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    Generic.classify(&Head { method: &method, url: &url, headers: &map }).unwrap()
}

#[test]
fn what_is_read_is_a_document_in_the_form_that_was_asked_for() {
    let check = |request: &str, accept: &str, variant: &str| {
        assert_eq!(
            ask(request, &[("accept", accept)]),
            Class::Document { variant: variant.to_owned(), redirects: Redirects::HandedBack },
            "{request}"
        );
    };
    check("GET https://pypi.org/simple/six/", "*/*", "");
    check(
        "GET https://pypi.org/simple/six/",
        "application/vnd.pypi.simple.v1+json, text/html; q=0.01",
        "application/vnd.pypi.simple.v1+json",
    );
    check("HEAD https://files.pythonhosted.org/packages/a/b/c.whl", "*/*", "");
    check("GET https://example.com/group%2Fproject/info/refs", "*/*", "");
    check("GET https://example.com/info/refs?service=other", "*/*", "");
}

#[test]
fn what_is_not_kept_says_why() {
    let check = |request: &str, headers: &[(&'static str, &str)], expected: &str| match ask(request, headers)
    {
        Class::Live { reason } => assert_eq!(reason, expected, "{request}"),
        other => panic!("{request} is {other:?}"),
    };
    let push = "a push changes something upstream";
    check("GET https://github.com/a/b.git/info/refs?x=1&service=git-receive-pack", &[], push);
    check("POST https://github.com/a/b.git/git-receive-pack", &[], push);
    for fetch in [
        "GET https://github.com/a/b.git/info/refs?service=git-upload-pack",
        "POST https://github.com/a/b.git/git-upload-pack",
    ] {
        assert!(matches!(ask(fetch, &[]), Class::Repository { .. }), "{fetch}");
    }
    check("POST https://github.com/a/b.git/info/lfs/objects/batch", &[], "git LFS is not kept yet");
    check("PUT https://registry.npmjs.org/left-pad", &[], "a PUT may change something upstream");
    check("DELETE https://example.com/a", &[], "a DELETE may change something upstream");
    check("PATCH https://example.com/a", &[], "a PATCH may change something upstream");
    check("OPTIONS https://example.com/a", &[], "answers to OPTIONS are not kept");
    let post = "the answer to this POST may depend on more than its body";
    check("POST https://example.com/graphql", &[], post);
    check("POST https://api.osv.dev/v1/other", &[], post);
    let socket = "a WebSocket is a conversation, not a document";
    check("GET https://example.com/live", &[("upgrade", "WebSocket")], socket);
    let upgrade = [("upgrade", "h2c")];
    assert_eq!(
        ask("GET https://example.com/a", &upgrade),
        Class::Document { variant: String::new(), redirects: Redirects::HandedBack }
    );
    check("GET https://example.com/events", &[("accept", "text/event-stream")], "an event stream has no end");
}

#[test]
fn known_services_are_only_asked() {
    for url in ["https://api.osv.dev/v1/query", "https://api.osv.dev/v1/querybatch"] {
        assert_eq!(ask(&format!("POST {url}"), &[]), Class::Question, "{url}");
    }
}
