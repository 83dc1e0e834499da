//! Seeded damage to every recorded document.

use std::collections::BTreeSet;

use fakes::damage::{self, damaged, n_damaged, survives};
use http::Method;
use registry::{ALL, Class, no_panic, read_locks};

use crate::{ask, testdata};

/// Every file in every `testdata/`, and every example as a path.
fn documents() -> Vec<(String, Vec<u8>)> {
    let mut documents = Vec::new();
    for ecosystem in ALL {
        let examples = ecosystem.examples();
        let indexes = examples.indexes.iter().map(|(url, _)| url);
        for url in indexes.chain(examples.files) {
            documents.push(((*url).to_owned(), url.as_bytes()["https://".len()..].to_vec()));
        }
        // An ecosystem without indexes and locks has nothing recorded.
        let Ok(folder) = std::fs::read_dir(testdata(*ecosystem)) else {
            assert!(
                examples.indexes.is_empty() && ecosystem.locks().is_empty(),
                "{} has no testdata",
                ecosystem.name()
            );
            continue;
        };
        for file in folder {
            let path = file.expect("folder is read").path();
            let name = path.file_name().unwrap_or_default().display().to_string();
            if name != "README.md" {
                documents.push((name, std::fs::read(path).expect("recorded")));
            }
        }
    }
    documents
}

#[test]
fn no_damage_to_a_real_document_makes_a_parser_panic() {
    let documents = documents();
    assert!(documents.len() > 20, "{} documents", documents.len());
    let named: Vec<(&str, &[u8])> =
        documents.iter().map(|(name, document)| (name.as_str(), document.as_slice())).collect();
    survives(&named, no_panic);
}

#[test]
fn no_damage_to_an_index_makes_mending_it_panic() {
    let seed = damage::seed();
    println!("OUTLAST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut n_mended = 0;
    for (ecosystem, url, document) in ALL.iter().flat_map(|it| {
        let indexes = it.examples().indexes.iter();
        indexes.map(move |(url, name)| (*it, url, std::fs::read(testdata(*it).join(name)).unwrap()))
    }) {
        let (_, Class::Index(request)) = ask(&Method::GET, url) else { panic!("{url} is no index") };
        let held = ecosystem.read_index(&request, &document).unwrap();
        for _ in 0..n_damaged(&document) {
            let new = damaged(&document, &[], &mut random);
            let versions: BTreeSet<&str> =
                held.versions.iter().filter(|_| random.u8(..8) == 0).map(String::as_str).collect();
            for (new, held) in [(&new, &document), (&document, &new)] {
                n_mended += usize::from(ecosystem.with_versions(&request, new, held, &versions).is_some());
            }
        }
    }
    assert!(n_mended > 100, "only {n_mended}");
}

#[test]
fn damage_is_repeatable_and_some_of_it_is_survived() {
    for lock in ALL.iter().flat_map(|ecosystem| ecosystem.locks().iter().map(move |lock| (*ecosystem, lock)))
    {
        let (ecosystem, file_name) = (lock.0, lock.1.file_name);
        let Some(document) = std::fs::read_dir(testdata(ecosystem))
            .unwrap()
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .find(|document| {
                read_locks(file_name, document).unwrap().is_ok_and(|locked| !locked.pins.is_empty())
            })
        else {
            panic!("no recorded {file_name}");
        };
        let outcomes = |seed: u64| -> Vec<bool> {
            let mut random = fastrand::Rng::with_seed(seed);
            (0..200)
                .map(|_| read_locks(file_name, &damaged(&document, &[], &mut random)).unwrap().is_ok())
                .collect()
        };
        assert_eq!(outcomes(1), outcomes(1));
        assert_eq!(
            outcomes(1).into_iter().collect::<BTreeSet<_>>().len(),
            2,
            "{file_name} is never or always read"
        );
    }
}
