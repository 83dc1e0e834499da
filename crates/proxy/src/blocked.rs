//! What is not given out, though it may be held: releases that a team has blocked, as those that are known to be hostile. Bytes stay
//! where they are, and whoever takes a block away gets them again.

use std::sync::Arc;

use http::{HeaderMap, Method};
use model::{Event, ObjectKey, ObjectUrl};
use registry::{Class, Coordinate, Ecosystem, FileRequest, Head, Vouched};

use crate::refusal::Refusal;
use crate::session::{Inner, lock};

/// A package, or some versions of it, of which no file is given out.
#[derive(Debug, Clone)]
pub struct Block {
    /// Whose it is.
    pub ecosystem: &'static dyn Ecosystem,
    /// Its name.
    pub name: String,
    /// Its versions, as an index lists them, or commits; all where there is none.
    pub versions: Vec<String>,
    /// Why, for whoever asks for it.
    pub reason: String,
}

impl Block {
    fn is_of(&self, coordinate: &Coordinate) -> bool {
        let folded = |name: &str| self.ecosystem.folded(name);
        self.ecosystem.name() == coordinate.ecosystem && folded(&self.name) == folded(&coordinate.name)
    }

    fn has(&self, version: &str) -> bool {
        self.versions.is_empty() || self.versions.iter().any(|blocked| bare(blocked) == bare(version))
    }
}

/// Returns a version without the letter that tags have before it.
fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

impl Inner {
    /// Returns what somebody is told who asks for a file that is blocked, and by whose clients it is read.
    pub(crate) async fn blocked(
        self: &Arc<Self>,
        file: &FileRequest,
        url: &ObjectUrl,
    ) -> Option<(Refusal, &'static dyn Ecosystem)> {
        let blocks = &self.engine.blocks;
        if blocks.is_empty() {
            return None;
        }
        let coordinate = file.coordinate.clone().or_else(|| self.vouchers.coordinate(url))?;
        // Whoever chooses among versions reads what describes them, and would find none.
        if coordinate.is_description() {
            return None;
        }
        let of_it: Vec<usize> =
            (0..blocks.len()).filter(|number| blocks[*number].is_of(&coordinate)).collect();
        let ecosystem = blocks[*of_it.first()?].ecosystem;
        let names = self.names_of(ecosystem, &coordinate, url).await;
        let is_it = |number: &usize| names.iter().any(|name| blocks[*number].has(name));
        let number = of_it.into_iter().find(is_it)?;
        let block = &blocks[number];
        let reason = format!("`{}` {} is blocked: {}", coordinate.name, names.join(", "), block.reason);
        if lock(&self.told_blocks).insert(number) {
            let event = Event::Rejected { key: ObjectKey::get(url.clone()), reason: reason.clone() };
            self.journal(url.host(), event);
        }
        Some((Refusal::blocked(ecosystem.blocked_status(), reason), ecosystem))
    }

    /// Returns how a version is called: in the file's address or lock, and in its indexes.
    async fn names_of(
        self: &Arc<Self>,
        ecosystem: &dyn Ecosystem,
        coordinate: &Coordinate,
        url: &ObjectUrl,
    ) -> Vec<String> {
        let mut names = vec![coordinate.version.clone()];
        if !ecosystem.has_files_anywhere() {
            return names;
        }
        for needed in ecosystem.needs(coordinate).indexes {
            let (method, headers) = (Method::GET, HeaderMap::new());
            let head = Head { method: &method, url: &needed.url, headers: &headers };
            if let (ecosystem, Class::Index(index)) = registry::classify(&head) {
                self.held_or_fetched(ecosystem, &index).await;
            }
        }
        // A lock does not say of which registry a package is, and the index does.
        let Some(coordinate) = self.vouchers.coordinate(url) else { return names };
        for (.., table) in self.vouchers.listing(&coordinate) {
            let is_it = |file: &&Vouched| file.coordinate.as_ref() == Some(&coordinate);
            names.extend(table.facts.vouched.iter().filter(is_it).map(|file| file.version.clone()));
        }
        names.dedup();
        names
    }
}
