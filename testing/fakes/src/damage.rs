//! Damaged documents, from a seed: whatever the bytes are, no parser may panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;

/// How often each document is damaged, at most and at least; between them all damaged bytes count.
const N_DAMAGED_MAX: usize = 1000;
const N_DAMAGED_MIN: usize = 40;
const DAMAGED_BYTES: usize = 1 << 19;
/// The longest piece that is cut out, repeated or taken from another document.
const PIECE_BYTES_MAX: usize = 60;

/// Bytes that parsers trip over.
const DICTIONARY: [&[u8]; 20] = [
    b"\0",
    b"\xff",
    "é".as_bytes(),
    b"\xf0\x9f",
    "İ".as_bytes(),
    b"\"",
    b"\\",
    b"'",
    b"{",
    b"[",
    b"(",
    b"=",
    b":",
    b"%2f",
    b"%",
    b"..",
    b"\n",
    b" ",
    b"-1",
    b"18446744073709551616",
];

/// Returns the seed of this run: a new one, or that of `OUTLAST_SEED`, which repeats a run. Whoever uses it prints it.
pub fn seed() -> u64 {
    let told = std::env::var("OUTLAST_SEED").ok().and_then(|seed| seed.parse().ok());
    told.unwrap_or_else(|| fastrand::u64(..))
}

/// Returns how often a document is to be damaged.
pub fn n_damaged(document: &[u8]) -> usize {
    (DAMAGED_BYTES / document.len().max(1)).clamp(N_DAMAGED_MIN, N_DAMAGED_MAX)
}

/// Feeds a parser with named documents as they are, and then damaged.
///
/// # Panics
/// If the parser does, with the seed, the document and the bytes.
pub fn survives(documents: &[(&str, &[u8])], parse: impl Fn(&[u8])) {
    let seed = seed();
    let all: Vec<&[u8]> = documents.iter().map(|(_, document)| *document).collect();
    let try_one = |name: &str, bytes: &[u8]| {
        let outcome = catch_unwind(AssertUnwindSafe(|| parse(bytes)));
        assert!(outcome.is_ok(), "OUTLAST_SEED={seed}: {name}, damaged: {}", bytes.escape_ascii());
    };
    for (name, document) in documents {
        try_one(name, document);
        let mut random = Rng::with_seed(seed);
        for _ in 0..n_damaged(document) {
            try_one(name, &damaged(document, &all, &mut random));
        }
    }
}

/// Returns a document after one to four changes: a bit or byte flipped, a piece cut out, repeated, or taken from one of
/// `others`, a word of a dictionary put in, the end cut off.
pub fn damaged(document: &[u8], others: &[&[u8]], random: &mut Rng) -> Vec<u8> {
    let mut bytes = document.to_vec();
    for _ in 0..random.usize(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.usize(..bytes.len());
        match random.u8(..7) {
            0 => bytes[at] ^= 1 << random.u8(..8),
            1 => bytes[at] = random.u8(..),
            2 => drop(bytes.drain(piece(&bytes, at, random))),
            3 => {
                let repeated = bytes[piece(&bytes, at, random)].to_vec();
                let to = random.usize(..=bytes.len());
                bytes.splice(to..to, repeated);
            }
            4 => {
                let other = random.choice(others).filter(|other| !other.is_empty()).unwrap_or(&document);
                let from = random.usize(..other.len());
                bytes.splice(at..at, other[piece(other, from, random)].iter().copied());
            }
            5 => {
                let word = random.choice(DICTIONARY).unwrap_or_default();
                let end = piece(&bytes, at, random).end.min(at + word.len());
                bytes.splice(at..end, word.iter().copied());
            }
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
    }
    bytes
}

/// Returns a piece that begins at a place, and may be empty.
fn piece(bytes: &[u8], at: usize, random: &mut Rng) -> std::ops::Range<usize> {
    at..at + random.usize(..=(bytes.len() - at).min(PIECE_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    type IsFatal<'a> = &'a dyn Fn(&[u8]) -> bool;

    const DOCUMENTS: [(&str, &[u8]); 2] = [("first", b"name = one\nsize = 12\n"), ("second", b"zebra")];

    fn has(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_panic_that_any_kind_of_damage_causes_is_found_and_told() {
        let first = DOCUMENTS[0].1;
        let is_flipped = |bytes: &[u8]| bytes.len() == first.len() && bytes != first;
        let is_cut_out =
            |bytes: &[u8]| bytes.starts_with(b"name") && bytes.ends_with(b"12\n") && bytes.len() < 15;
        let is_repeated = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'=').count() > 3;
        let is_spliced = |bytes: &[u8]| has(bytes, b"name") && has(bytes, b"zeb");
        let is_spiced = |bytes: &[u8]| has(bytes, b"%2f");
        let is_cut_off = |bytes: &[u8]| bytes.len() > 11 && first.starts_with(bytes) && bytes != first;
        let planted: [(&str, IsFatal<'_>); 6] = [
            ("flipped", &is_flipped),
            ("cut out", &is_cut_out),
            ("repeated", &is_repeated),
            ("spliced", &is_spliced),
            ("spiced", &is_spiced),
            ("cut off", &is_cut_off),
        ];
        for (kind, is_fatal) in planted {
            let search = || survives(&DOCUMENTS, |bytes| assert!(!is_fatal(bytes), "planted"));
            let found = catch_unwind(AssertUnwindSafe(search)).expect_err(kind);
            let told = found.downcast_ref::<String>().expect("a message");
            assert!(told.contains("OUTLAST_SEED=") && told.contains(": first, damaged: "), "{kind}: {told}");
        }
        survives(&DOCUMENTS, |bytes| assert!(bytes.len() < 1000, "the control: no damage is as large"));
    }

    #[test]
    fn damage_is_repeatable() {
        let all = DOCUMENTS.map(|(_, document)| document);
        let some = |seed| {
            let mut random = Rng::with_seed(seed);
            (0..50).map(|_| damaged(all[0], &all, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }
}
