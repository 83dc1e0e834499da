//! One test for each sentence of the trait.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::ObjectUrl;
use registry::{
    ALL, Class, Ecosystem, Head, INDEX_BYTES_MAX, IndexError, IndexFacts, IndexRequest, Listed, Redirects,
    ecosystem, read_locks,
};

use crate::{ask, testdata};

/// An index of the list, and what was recorded for it.
pub(crate) struct Recorded {
    pub(crate) ecosystem: &'static dyn Ecosystem,
    pub(crate) request: IndexRequest,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn recorded() -> Vec<Recorded> {
    let mut recorded = Vec::new();
    for ecosystem in ALL {
        for (url, document) in ecosystem.examples().indexes {
            let body = std::fs::read(testdata(*ecosystem).join(document)).expect("recorded");
            match ask(&Method::GET, url) {
                (got, Class::Index(request)) if got.name() == ecosystem.name() => {
                    assert_eq!(request.url.as_str(), *url, "the example is not in its canonical spelling");
                    recorded.push(Recorded { ecosystem: *ecosystem, request, body });
                }
                other => panic!("{url} is {other:?}"),
            }
        }
    }
    assert!(recorded.len() > 5, "the list has hardly any example");
    recorded
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
        "https://github.com/a/b/releases",
        "https://example.com/packages.json",
        "https://example.com/p2/a/b.json",
        "https://example.com/dists/stable/notes.html",
        "https://pypi.org/project/six/",
        "https://example.com/simple/six/",
    ] {
        let (ecosystem, class) = ask(&Method::GET, url);
        assert_eq!(
            (ecosystem.name(), class),
            (last, Class::Document { variant: String::new(), redirects: Redirects::HandedBack }),
            "{url}"
        );
    }
}

#[test]
fn by_its_clients_headers_the_path_of_an_index_is_one_at_any_host() {
    let mut n_told = 0;
    for Recorded { ecosystem, request, .. } in recorded() {
        // Of PyPI's own API, no other index has anything.
        if ecosystem.client().is_empty() || request.url.path().starts_with("/pypi/") {
            continue;
        }
        assert_eq!(ecosystem.client()[0].0, "user-agent");
        let url = ObjectUrl::parse(&format!("https://example.com{}", request.url.path_and_query())).unwrap();
        let own = ecosystem.client().iter();
        let headers: HeaderMap = own
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let class = ecosystem.classify(&Head { method: &Method::GET, url: &url, headers: &headers });
        assert!(matches!(class, Some(Class::Index(index)) if index.url == url), "{url}");
        n_told += 1;
    }
    assert!(n_told > 3, "only {n_told}");
}

#[test]
fn classifying_the_canonical_address_gives_the_same_request_again() {
    for Recorded { request, .. } in recorded() {
        assert_eq!(ask(&Method::GET, request.url.as_str()).1, Class::Index(request));
    }
}

#[test]
fn a_head_is_classified_as_the_get_of_the_same_address() {
    for Recorded { request, .. } in recorded() {
        assert_eq!(ask(&Method::HEAD, request.url.as_str()).1, Class::Index(request));
    }
}

#[test]
fn a_request_that_would_change_something_is_never_anything_but_live() {
    for Recorded { request, .. } in recorded() {
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::POST] {
            let (_, class) = ask(&method, request.url.as_str());
            assert!(matches!(class, Class::Live { .. }), "{method} {} is {class:?}", request.url);
        }
    }
}

#[test]
fn what_is_not_the_index_is_an_error() {
    for Recorded { ecosystem, request, .. } in recorded() {
        let bodies: [&[u8]; 6] =
            [b"", b"{}", b"[]", b"null", b"<!doctype html><title>Sign in</title>", b"\xff\xfe\x00"];
        for body in bodies {
            assert!(ecosystem.read_index(&request, body).is_err(), "{} {body:?}", request.url);
        }
        for other in recorded() {
            let is_own = other.request.url == request.url;
            let is_read = ecosystem.read_index(&request, &other.body).is_ok();
            assert_eq!(is_read, is_own, "{} reads {}", request.url, other.request.url);
        }
    }
}

#[test]
fn a_cut_index_is_an_error() {
    for Recorded { ecosystem, request, body } in recorded() {
        let mut n_cuts = 0;
        for cut in body.len().saturating_sub(400)..body.trim_ascii_end().len() {
            // An index of lines that lost whole lines reads well; it is `judge` that sees it.
            let is_at_a_line = body[..cut].ends_with(b"\n") || body[cut] == b'\n';
            if is_at_a_line
                && !body[..cut].trim_ascii().is_empty()
                && body[..cut].trim_ascii_end().ends_with(b"}")
            {
                continue;
            }
            assert!(ecosystem.read_index(&request, &body[..cut]).is_err(), "{} cut at {cut}", request.url);
            n_cuts += 1;
        }
        assert!(n_cuts > 50, "{} was cut {n_cuts} times", request.url);
    }
}

#[test]
fn a_body_above_the_limit_is_an_error() {
    let body = vec![b' '; INDEX_BYTES_MAX + 1];
    for Recorded { ecosystem, request, .. } in recorded() {
        let error = ecosystem.read_index(&request, &body).unwrap_err();
        assert!(matches!(error, IndexError::TooLarge { .. }), "{} {error}", request.url);
    }
}

#[test]
fn every_file_is_of_a_listed_version_and_has_a_name() {
    for Recorded { ecosystem, request, body } in recorded() {
        let facts = ecosystem.read_index(&request, &body).unwrap();
        let versions: BTreeSet<&str> = facts.versions.iter().map(String::as_str).collect();
        for vouched in &facts.vouched {
            assert!(versions.contains(vouched.version.as_str()), "{vouched:?}");
            assert!(vouched.coordinate.is_some() || vouched.url.is_some(), "{vouched:?}");
        }
    }
}

#[test]
fn a_file_and_the_index_that_vouches_for_it_agree_on_its_name() {
    let recorded = recorded();
    for (ecosystem, url) in ALL.iter().flat_map(|it| it.examples().files.iter().map(move |url| (it, url))) {
        let (got, Class::File(file)) = ask(&Method::GET, url) else {
            panic!("{url} is no file");
        };
        assert_eq!(got.name(), ecosystem.name(), "{url}");
        let index = file.index.expect("the index is known");
        let found = recorded.iter().find(|it| it.request.url == index.url).expect("its index is an example");
        let facts = ecosystem.read_index(&index, &found.body).unwrap();
        let n_vouched = facts.vouched.iter().filter(|it| it.coordinate == file.coordinate).count();
        assert_eq!(n_vouched, 1, "{url}");
    }
}

#[test]
fn the_address_in_an_index_is_the_file_it_vouches_for() {
    let mut n_addresses = 0;
    for Recorded { ecosystem, request, body } in recorded() {
        for vouched in ecosystem.read_index(&request, &body).unwrap().vouched {
            let Some(url) = vouched.url else {
                continue;
            };
            let (host, Class::File(file)) = ask(&Method::GET, url.as_str()) else {
                panic!("{url} is no file");
            };
            // Where another service has the files, only the index says what they are.
            if host.name() == ecosystem.name() {
                assert_eq!(file.coordinate, vouched.coordinate, "{url}");
            } else {
                assert_eq!(file.coordinate, None, "{url}");
            }
            n_addresses += 1;
        }
    }
    assert!(n_addresses > 30, "only {n_addresses} addresses");
}

#[test]
fn each_document_of_an_index_is_one_of_which_that_index_is_a_listing() {
    let mut n_documents = 0;
    for Recorded { ecosystem, request, body } in recorded() {
        let documents = ecosystem.read_index(&request, &body).unwrap().documents;
        for Listed { url, digests, by_digest } in documents {
            // What no client of the ecosystem asks for is left to the last one.
            if !matches!(ask(&Method::GET, url.as_str()), (found, Class::Document { .. }) if found.name() == ecosystem.name())
            {
                continue;
            }
            assert!(ecosystem.listings(&url).contains(&request), "{url}");
            assert_eq!(ecosystem.named_digest(&url), None, "{url}");
            for named in by_digest {
                let (found, Class::File(_)) = ask(&Method::GET, named.as_str()) else { panic!("{named}") };
                assert_eq!(found.name(), ecosystem.name());
                let digest = ecosystem.named_digest(&named).unwrap();
                assert!(digests.iter().any(|it| *it == digest), "{named}");
                n_documents += 1;
            }
        }
    }
    assert!(n_documents > 100, "only {n_documents}");
}

#[test]
fn only_an_index_with_a_leader_lists_documents_and_a_leader_is_its_own() {
    let mut n_led = 0;
    for Recorded { ecosystem, request, body } in recorded() {
        let has_documents = !ecosystem.read_index(&request, &body).unwrap().documents.is_empty();
        let Some(leader) = ecosystem.leader(&request) else {
            assert!(!has_documents, "{}", request.url);
            continue;
        };
        assert_eq!(ecosystem.leader(&leader), Some(leader.clone()), "{}", request.url);
        assert_eq!(ask(&Method::GET, leader.url.as_str()).1, Class::Index(leader));
        n_led += 1;
    }
    assert!(n_led > 1, "only {n_led}");
}

#[test]
fn files_that_may_lie_anywhere_are_kept_apart_by_their_coordinates() {
    let mut n_variants = 0;
    for Recorded { ecosystem, request, body } in recorded() {
        let vouched = ecosystem.read_index(&request, &body).unwrap().vouched;
        let coordinates: BTreeSet<_> = vouched.into_iter().filter_map(|file| file.coordinate).collect();
        let named = coordinates.iter().filter_map(|coordinate| ecosystem.variant_of(coordinate));
        let n_named = named.clone().count();
        assert_eq!(named.collect::<BTreeSet<_>>().len(), n_named, "{}: one variant twice", request.url);
        assert!(ecosystem.has_files_anywhere() || n_named == 0, "{}", request.url);
        n_variants += n_named;
    }
    assert!(n_variants >= 10, "only {n_variants} variants");
}

#[test]
fn an_index_is_never_worse_than_itself_nor_than_nothing() {
    for Recorded { ecosystem, request, body } in recorded() {
        let facts = ecosystem.read_index(&request, &body).unwrap();
        assert_eq!(ecosystem.judge(&facts, &facts), None, "{}", request.url);
        assert_eq!(ecosystem.judge(&IndexFacts::default(), &facts), None, "{}", request.url);
        let is_worse = ecosystem.judge(&facts, &IndexFacts::default()).is_some();
        // Settings say nothing that could be lost, but where they lead.
        let has_something = !request.subject.is_empty() || !facts.leads_to.is_empty();
        assert_eq!(is_worse, has_something, "{}", request.url);
    }
}

/// Returns the files of some versions, or of all others, in an order that two documents share.
fn files(facts: &IndexFacts, versions: &BTreeSet<&str>, is_of_them: bool) -> Vec<String> {
    let mut files: Vec<String> = facts
        .vouched
        .iter()
        .filter(|file| versions.contains(file.version.as_str()) == is_of_them)
        .map(|file| format!("{file:?}"))
        .collect();
    files.sort();
    files
}

#[test]
fn versions_stand_as_they_stood_and_all_others_as_they_are() {
    let mut n_documents = 0;
    for Recorded { ecosystem, request, body } in recorded() {
        let held = ecosystem.read_index(&request, &body).unwrap();
        let all: Vec<&str> = held.versions.iter().map(String::as_str).collect();
        let some: BTreeSet<&str> = all.iter().step_by(3).copied().collect();
        let first: BTreeSet<&str> = all.iter().take(1).copied().collect();
        let last: BTreeSet<&str> = all.iter().rev().take(1).copied().collect();
        for versions in [&some, &first, &last] {
            let Some(same) = ecosystem.with_versions(&request, &body, &body, versions) else {
                continue;
            };
            n_documents += 1;
            let same = ecosystem.read_index(&request, &same).unwrap();
            assert_eq!(ecosystem.judge(&held, &same), None, "{}", request.url);
            assert_eq!(files(&same, versions, true), files(&held, versions, true), "{}", request.url);
            assert_eq!(files(&same, versions, false), files(&held, versions, false), "{}", request.url);
        }
        let nothing = ecosystem.with_versions(&request, &body, &body, &BTreeSet::new());
        assert!(nothing.is_none_or(|bytes| bytes == body), "{}: nothing was asked for", request.url);
        let unknown = BTreeSet::from(["no such version"]);
        assert_eq!(ecosystem.with_versions(&request, &body, &body, &unknown), None, "{}", request.url);
    }
    assert!(n_documents >= 5 * 3, "only {n_documents} documents");
}

#[test]
fn a_document_with_a_message_reads_as_an_index_with_the_same_files() {
    let mut n_told = 0;
    for Recorded { ecosystem, request, body } in recorded() {
        let message = "Outlast: \"down\" since 10:02 \\ é";
        let Some(told) = ecosystem.with_message(&request.url, &body, message) else {
            continue;
        };
        n_told += 1;
        assert_ne!(told, body, "{}", request.url);
        let facts = ecosystem.read_index(&request, &body).unwrap();
        assert_eq!(ecosystem.read_index(&request, &told).unwrap(), facts, "{}", request.url);
        for broken in [&b""[..], b"{", b"[]", b"\xff", &body[..body.len() / 2]] {
            assert_eq!(ecosystem.with_message(&request.url, broken, message), None, "{}", request.url);
        }
    }
    assert!(n_told > 0, "nobody shows a message");
}

#[test]
fn no_place_of_a_cache_or_a_project_is_outside_it() {
    let mut n_places = 0;
    for it in ALL {
        for name in
            ["left-pad", "@acme/lib", "acme/lib", "../../etc/passwd", "/etc/passwd", "a/../../b", "", "."]
        {
            let (name, version) = (name.to_owned(), "1.0.0".to_owned());
            let registry = registry::ANY_REGISTRY.to_owned();
            let coordinate =
                registry::Coordinate { ecosystem: it.name(), registry, name, version, file: None };
            let url = ObjectUrl::parse("https://example.com/a.zip").unwrap();
            let digests = model::DigestSet::from(model::Digest::from(model::Sha256::of(b"a")));
            let cached = it.cached(&coordinate, &digests, &[url]).into_iter().map(|cached| cached.path);
            let installed = it.installed(&coordinate).into_iter().map(|installed| installed.folder);
            for path in cached.chain(installed) {
                n_places += 1;
                assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{path}");
            }
        }
    }
    assert!(n_places > 10, "{n_places}");
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
