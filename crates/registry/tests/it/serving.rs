//! One test for each sentence of the trait that is about servers, and about what they have to have.

use std::collections::BTreeSet;

use http::Method;
use model::ObjectUrl;
use registry::{ALL, Class, Coordinate, Head, IndexFacts, Place, Site, Target, classify};

use crate::ask;
use crate::conformance::{Recorded, recorded};

#[test]
fn what_clients_need_of_a_version_is_its_index_and_its_file() {
    let (mut n_indexes, mut n_files, mut n_placed) = (0, 0, 0);
    let recorded = recorded();
    let known: BTreeSet<&str> = recorded.iter().map(|it| it.request.url.as_str()).collect();
    for Recorded { ecosystem, request, body } in &recorded {
        for vouched in ecosystem.read_index(request, body).unwrap().vouched {
            let Some(coordinate) = &vouched.coordinate else { continue };
            let needs = ecosystem.needs(coordinate);
            let mut is_listed = false;
            for ask in &needs.indexes {
                let (method, headers) = (&Method::GET, &ask.headers());
                let (got, class) = classify(&Head { method, url: &ask.url, headers });
                let Class::Index(index) = class else { panic!("{} is {class:?}", ask.url) };
                assert_eq!(got.name(), ecosystem.name(), "{}", ask.url);
                is_listed |= known.contains(index.url.as_str());
                n_indexes += 1;
            }
            assert!(is_listed, "no index of {coordinate} is among what is needed");
            for url in &needs.files {
                let (_, Class::File(file)) = ask(&Method::GET, url.as_str()) else { panic!("{url}") };
                assert_eq!(file.coordinate.as_ref(), Some(coordinate), "{url}");
                n_files += 1;
            }
            for settings in recorded
                .iter()
                .filter(|it| it.ecosystem.name() == ecosystem.name() && it.request.subject.is_empty())
            {
                let Some(url) = ecosystem.placed(&settings.body, coordinate) else { continue };
                let (_, Class::File(file)) = ask(&Method::GET, url.as_str()) else { panic!("{url}") };
                assert_eq!(file.coordinate.as_ref(), Some(coordinate), "{url}");
                n_placed += 1;
            }
            // A registry that is not public may be anywhere.
            let elsewhere = Coordinate { registry: "registry.example".to_owned(), ..coordinate.clone() };
            let needs = ecosystem.needs(&elsewhere);
            assert!(needs.indexes.is_empty() && needs.files.is_empty(), "{elsewhere}");
        }
    }
    assert!(n_indexes > 100 && n_files > 50 && n_placed > 10, "only {n_indexes}, {n_files}, {n_placed}");
}

#[test]
fn each_twin_of_a_file_is_the_same_file() {
    let mut n_twins = 0;
    for (ecosystem, url) in ALL.iter().flat_map(|it| it.examples().files.iter().map(move |url| (it, url))) {
        let (_, Class::File(file)) = ask(&Method::GET, url) else { panic!("{url}") };
        for twin in ecosystem.twins(&ObjectUrl::parse(url).unwrap()) {
            let (_, Class::File(other)) = ask(&Method::GET, twin.as_str()) else { panic!("{twin}") };
            assert_eq!(file.coordinate, other.coordinate);
            assert_ne!(twin.as_str(), *url);
            n_twins += 1;
        }
        assert!(
            ecosystem.twins(&ObjectUrl::parse("https://npm.example/x/-/x-1.0.0.tgz").unwrap()).is_empty()
        );
    }
    assert!(n_twins > 0);
}

#[test]
fn no_place_is_inside_another_and_both_addresses_end_with_a_slash() {
    let places: Vec<_> = ALL.iter().filter_map(|ecosystem| ecosystem.place()).collect();
    assert!(places.len() > 2, "hardly any ecosystem has a place");
    for place in &places {
        assert!(place.path.starts_with('/') && place.path.ends_with('/'), "{place:?}");
        assert!(place.registry.starts_with("https://") && place.registry.ends_with('/'), "{place:?}");
        let is_apart = |other: &&_| {
            let Place { path, registry } = *other;
            place == *other || !(path.starts_with(place.path) || registry.starts_with(place.registry))
        };
        assert!(places.iter().filter(is_apart).count() == places.len(), "{place:?}");
    }
}

#[test]
fn whoever_has_a_place_has_settings_that_name_the_server() {
    for ecosystem in ALL {
        assert_eq!(ecosystem.place().is_some(), !ecosystem.settings().is_empty(), "{}", ecosystem.name());
        for settings in ecosystem.settings() {
            let path = ecosystem.place().unwrap().path;
            let names = |base: &str| settings.set.contains(&format!("{base}{}", path.trim_end_matches('/')));
            assert!(names("{base}") || names("{login}"), "{settings:?}");
            assert!(!settings.undo.is_empty() && !settings.client.is_empty(), "{settings:?}");
        }
    }
}

#[test]
fn settings_for_the_forward_proxy_name_it_and_what_is_trusted() {
    let all: Vec<_> = ALL.iter().flat_map(|ecosystem| ecosystem.proxy_settings()).collect();
    assert!(all.len() >= 4, "{all:?}");
    for settings in all {
        assert!(settings.set.contains("{proxy}"), "{settings:?}");
        assert!(settings.set.contains("=\"$HOME/.outlast/bundle.pem\""), "{settings:?}");
        assert!(!settings.undo.is_empty() && !settings.client.is_empty(), "{settings:?}");
    }
}

#[test]
fn an_index_on_a_server_lists_the_same_and_links_to_the_server() {
    let site = Site::new(&ObjectUrl::parse("http://127.0.0.1:8080").unwrap());
    let mut changed = BTreeSet::new();
    for Recorded { ecosystem, request, body } in recorded() {
        let Some(relinked) = ecosystem.relinked(&request, &body, &site) else { continue };
        changed.insert(ecosystem.name());
        let (before, after) = (
            ecosystem.read_index(&request, &body).unwrap(),
            ecosystem.read_index(&request, &relinked).unwrap(),
        );
        assert_eq!(before.versions, after.versions, "{}", request.url);
        let digests =
            |facts: &IndexFacts| facts.vouched.iter().map(|it| it.digests.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&before), digests(&after), "{}", request.url);
        let linked = String::from_utf8(relinked.clone()).unwrap().replace("\\/", "/");
        assert!(linked.contains("http://127.0.0.1:8080/"), "{}", request.url);
        for vouched in after.vouched.iter().filter_map(|vouched| vouched.url.as_ref()) {
            assert_eq!(vouched.host(), "127.0.0.1", "{}: {vouched}", request.url);
            let target = Site::target(vouched.path_and_query());
            let is_listed = |target| matches!(target, Target::At(url) if before.vouched.iter().any(|it| it.url.as_ref().is_some_and(|it| it.as_str() == url)));
            assert!(target.is_some_and(is_listed), "{vouched}");
        }
        for broken in [&b""[..], b"{", b"[]", b"\xff"] {
            assert_eq!(ecosystem.relinked(&request, broken, &site), None, "{}", request.url);
        }
    }
    let places: BTreeSet<_> =
        ALL.iter().filter(|it| it.place().is_some()).map(|ecosystem| ecosystem.name()).collect();
    assert_eq!(changed, places);
}

#[test]
fn whoever_knows_a_name_says_of_an_address_which_one_it_is_about() {
    let knows = |it: &&&dyn registry::Ecosystem| it.is_name("a") || it.is_name("a/a");
    let knowing: BTreeSet<&str> = ALL.iter().filter(knows).map(|ecosystem| ecosystem.name()).collect();
    let mut telling = BTreeSet::new();
    for Recorded { ecosystem, request, .. } in recorded() {
        // Settings of a registry, and pages of no registry, are about no package.
        let about = ecosystem.about(&request.url).map(|about| about.name);
        let subject = (!request.subject.is_empty() && knowing.contains(ecosystem.name()))
            .then(|| ecosystem.folded(&request.subject));
        assert_eq!(about, subject, "{}", request.url);
        telling.extend(about.map(|_| ecosystem.name()));
    }
    assert_eq!(telling, knowing);
    for (ecosystem, url) in ALL.iter().flat_map(|it| it.examples().files.iter().map(move |url| (it, url))) {
        let (_, Class::File(file)) = ask(&Method::GET, url) else { panic!("{url}") };
        let about = ecosystem.about(&ObjectUrl::parse(url).unwrap()).map(|about| about.name);
        let name = file.coordinate.map(|coordinate| ecosystem.folded(&coordinate.name));
        assert_eq!(about, name.filter(|_| knowing.contains(ecosystem.name())), "{url}");
    }
}

#[test]
fn folded_twice_a_name_is_what_it_was() {
    for ecosystem in ALL {
        for name in ["Acme.Lib__x", "@Acme/Lib", "acme/Lib-", "a-", "-._a", ""] {
            let folded = ecosystem.folded(name);
            assert_eq!(ecosystem.folded(&folded), folded, "{} {name}", ecosystem.name());
            assert_eq!(ecosystem.folded(&name.to_ascii_uppercase()), folded, "{} {name}", ecosystem.name());
        }
    }
}
