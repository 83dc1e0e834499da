//! One test for each sentence of the trait.

use std::collections::BTreeSet;

use http::Method;
use registry::{
    ALL, Class, Ecosystem, INDEX_BYTES_MAX, IndexError, IndexFacts, IndexRequest, ecosystem, read_locks,
};

use crate::ask;

/// Real indexes, each with the address it was recorded from.
const RECORDED: [(&str, &[u8]); 6] = [
    ("https://index.crates.io/config.json", include_bytes!("../../src/ecosystem/cargo/testdata/config.json")),
    ("https://index.crates.io/it/oa/itoa", include_bytes!("../../src/ecosystem/cargo/testdata/itoa.jsonl")),
    ("https://index.crates.io/se/rd/serde", include_bytes!("../../src/ecosystem/cargo/testdata/serde.jsonl")),
    (
        "https://registry.npmjs.org/is-number",
        include_bytes!("../../src/ecosystem/npm/testdata/is-number.json"),
    ),
    ("https://registry.npmjs.org/left-pad", include_bytes!("../../src/ecosystem/npm/testdata/left-pad.json")),
    (
        "https://registry.npmjs.org/@isaacs%2fcliui",
        include_bytes!("../../src/ecosystem/npm/testdata/isaacs-cliui.json"),
    ),
];

fn examples() -> Vec<(&'static dyn Ecosystem, IndexRequest)> {
    let mut examples = Vec::new();
    for ecosystem in ALL {
        for url in ecosystem.index_examples() {
            match ask(&Method::GET, url) {
                (got, Class::Index(request)) if got.name() == ecosystem.name() => {
                    examples.push((*ecosystem, request))
                }
                other => panic!("{url} is {other:?}"),
            }
        }
    }
    assert_eq!(examples.len(), RECORDED.len(), "every example has its recorded document");
    examples
}

fn recorded() -> Vec<(&'static dyn Ecosystem, IndexRequest, &'static [u8])> {
    let find = |request: &IndexRequest| {
        let (_, body) =
            RECORDED.iter().find(|(url, _)| *url == request.url.as_str()).expect("every example is recorded");
        *body
    };
    examples().into_iter().map(|(ecosystem, request)| (ecosystem, request.clone(), find(&request))).collect()
}

#[test]
fn names_are_lower_case_letters_and_nobody_elses() {
    let mut names = BTreeSet::new();
    for it in ALL {
        assert!(it.name().bytes().all(|byte| byte.is_ascii_lowercase()), "{}", it.name());
        assert!(names.insert(it.name()), "{} twice", it.name());
        assert_eq!(ecosystem(it.name()).map(Ecosystem::name), Some(it.name()));
    }
    assert!(ecosystem("nothing").is_none());
}

#[test]
fn an_ordinary_web_page_is_never_claimed() {
    let last = ALL.last().unwrap().name();
    for url in [
        "https://example.com/",
        "https://example.com/left-pad",
        "https://example.com/config.json",
        "https://example.com/se/rd/serde",
        "https://example.com/files/tool/1.0.0/download",
        "https://example.com/a/-/b",
        "https://github.com/a/b/archive/refs/tags/v1.0.0.tar.gz",
        "https://deb.debian.org/debian/dists/stable/InRelease",
        "https://pypi.org/simple/six/",
    ] {
        let (ecosystem, class) = ask(&Method::GET, url);
        assert_eq!((ecosystem.name(), class), (last, Class::Document { variant: String::new() }), "{url}");
    }
}

#[test]
fn classifying_the_canonical_address_gives_the_same_request_again() {
    for (_, request) in examples() {
        assert_eq!(ask(&Method::GET, request.url.as_str()).1, Class::Index(request));
    }
}

#[test]
fn a_head_is_classified_as_the_get_of_the_same_address() {
    for (_, request) in examples() {
        assert_eq!(ask(&Method::HEAD, request.url.as_str()).1, Class::Index(request));
    }
}

#[test]
fn a_request_that_would_change_something_is_never_anything_but_live() {
    for (_, request) in examples() {
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::POST] {
            let (_, class) = ask(&method, request.url.as_str());
            assert!(matches!(class, Class::Live { .. }), "{method} {} is {class:?}", request.url);
        }
    }
}

#[test]
fn what_is_not_the_index_is_an_error() {
    for (ecosystem, request) in examples() {
        let bodies: [&[u8]; 6] =
            [b"", b"{}", b"[]", b"null", b"<!doctype html><title>Sign in</title>", b"\xff\xfe\x00"];
        for body in bodies {
            assert!(ecosystem.read_index(&request, body).is_err(), "{} {body:?}", request.url);
        }
        for (url, body) in RECORDED {
            let is_own = url == request.url.as_str();
            assert_eq!(ecosystem.read_index(&request, body).is_ok(), is_own, "{} reads {url}", request.url);
        }
    }
}

#[test]
fn a_cut_index_is_an_error() {
    for (ecosystem, request, body) in recorded() {
        // Whole lines can be missing from an index of lines; then it is `judge` that sees it.
        let cuts = (1..body.len().min(400))
            .map(|n| body.len() - n)
            .filter(|&n| body[n - 1..].trim_ascii().len() > 1);
        for cut in cuts {
            let text = body[..cut].trim_ascii_end();
            if text.last() == Some(&b'}') && body[cut..].trim_ascii().is_empty() {
                continue;
            }
            let is_whole_lines = body[..cut].ends_with(b"\n") || body[cut..].starts_with(b"\n");
            if is_whole_lines && !request.subject.is_empty() {
                continue;
            }
            assert!(ecosystem.read_index(&request, &body[..cut]).is_err(), "{} cut at {cut}", request.url);
        }
    }
}

#[test]
fn a_body_above_the_limit_is_an_error() {
    let body = vec![b' '; INDEX_BYTES_MAX + 1];
    for (ecosystem, request) in examples() {
        let error = ecosystem.read_index(&request, &body).unwrap_err();
        assert!(matches!(error, IndexError::TooLarge { .. }), "{} {error}", request.url);
    }
}

#[test]
fn everything_vouched_for_has_a_digest_and_a_name() {
    for (ecosystem, request, body) in recorded() {
        let facts = ecosystem.read_index(&request, body).unwrap();
        assert_eq!(facts.vouched.is_empty(), request.subject.is_empty(), "{}", request.url);
        for vouched in &facts.vouched {
            assert!(!vouched.digests.is_empty(), "{vouched:?}");
            assert!(vouched.coordinate.is_some() || vouched.url.is_some(), "{vouched:?}");
        }
    }
}

#[test]
fn a_file_and_the_index_that_vouches_for_it_agree_on_its_name() {
    let mut n_checked = 0;
    for (ecosystem, request, body) in recorded() {
        let facts = ecosystem.read_index(&request, body).unwrap();
        for vouched in facts.vouched {
            let coordinate = vouched.coordinate.unwrap();
            let url = vouched.url.map_or_else(
                || {
                    format!(
                        "https://static.crates.io/crates/{0}/{0}-{1}.crate",
                        coordinate.name, coordinate.version
                    )
                },
                |url| url.to_string(),
            );
            let Class::File(file) = ask(&Method::GET, &url).1 else {
                panic!("{url} is no file");
            };
            assert_eq!(file.coordinate, Some(coordinate));
            let index = file.index.unwrap();
            assert_eq!((&index.url, &index.subject), (&request.url, &request.subject));
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, 82);
}

#[test]
fn an_index_is_never_worse_than_itself_nor_than_nothing() {
    for (ecosystem, request, body) in recorded() {
        let facts = ecosystem.read_index(&request, body).unwrap();
        assert_eq!(ecosystem.judge(&facts, &facts), None, "{}", request.url);
        assert_eq!(ecosystem.judge(&IndexFacts::default(), &facts), None, "{}", request.url);
        let is_worse = ecosystem.judge(&facts, &IndexFacts::default()).is_some();
        assert_eq!(is_worse, !request.subject.is_empty(), "{}", request.url);
    }
}

#[test]
fn no_two_ecosystems_have_a_lock_of_one_name() {
    let mut names = BTreeSet::new();
    for lock in ALL.iter().flat_map(|ecosystem| ecosystem.locks()) {
        assert!(names.insert(lock.file_name), "{} twice", lock.file_name);
        assert!(read_locks(lock.file_name, b"\xff").unwrap().is_err(), "{}", lock.file_name);
    }
    assert!(names.contains("Cargo.lock") && names.contains("package-lock.json"));
}
