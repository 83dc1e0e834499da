//! Seeded damage to every recorded document.

use registry::no_panic;

/// How often each document is damaged.
const N_MUTATIONS: usize = 2000;

const DOCUMENTS: [(&str, &[u8]); 14] = [
    ("config.json", include_bytes!("../../src/ecosystem/cargo/testdata/config.json")),
    ("itoa.jsonl", include_bytes!("../../src/ecosystem/cargo/testdata/itoa.jsonl")),
    ("serde.jsonl", include_bytes!("../../src/ecosystem/cargo/testdata/serde.jsonl")),
    ("Cargo.lock", include_bytes!("../../src/ecosystem/cargo/testdata/Cargo.lock")),
    ("is-number.json", include_bytes!("../../src/ecosystem/npm/testdata/is-number.json")),
    (
        "is-number-abbreviated.json",
        include_bytes!("../../src/ecosystem/npm/testdata/is-number-abbreviated.json"),
    ),
    ("left-pad.json", include_bytes!("../../src/ecosystem/npm/testdata/left-pad.json")),
    ("isaacs-cliui.json", include_bytes!("../../src/ecosystem/npm/testdata/isaacs-cliui.json")),
    ("package-lock-v1.json", include_bytes!("../../src/ecosystem/npm/testdata/package-lock-v1.json")),
    ("package-lock-v2.json", include_bytes!("../../src/ecosystem/npm/testdata/package-lock-v2.json")),
    ("package-lock-v3.json", include_bytes!("../../src/ecosystem/npm/testdata/package-lock-v3.json")),
    ("pnpm-lock.yaml", include_bytes!("../../src/ecosystem/npm/testdata/pnpm-lock.yaml")),
    ("yarn.lock", include_bytes!("../../src/ecosystem/npm/testdata/yarn.lock")),
    ("path", b"/api/npm/@isaacs%2fcliui/-/cliui-9.0.0.tgz?a=b&service=git-upload-pack#x"),
];

/// Bytes that parsers trip over.
const SPICE: [&[u8]; 12] =
    [b"\0", b"\xff", "é".as_bytes(), b"\"", b"\\", b"{", b"[", b"%2f", b"..", b"\n", b"(", b"\xf0\x9f"];

#[test]
fn no_damage_to_a_real_document_makes_a_parser_panic() {
    for (name, document) in DOCUMENTS {
        no_panic(document);
        let seed = fastrand::u64(..);
        println!("{name}: seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..N_MUTATIONS {
            no_panic(&damage(document, &mut random));
        }
    }
}

#[test]
fn every_recorded_document_is_damaged() {
    let mut n_files = 0;
    for folder in ["cargo", "npm"] {
        let folder = format!("{}/src/ecosystem/{folder}/testdata", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name != "README.md" {
                assert!(DOCUMENTS.iter().any(|(known, _)| *known == name), "{name} is not in the list");
                n_files += 1;
            }
        }
    }
    assert_eq!(n_files, DOCUMENTS.len() - 1);
}

/// One to four changes: a byte flipped, a piece cut out, doubled or moved, something spicy put in, the end cut off.
fn damage(document: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = document.to_vec();
    for _ in 0..random.usize(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.usize(..bytes.len());
        let end = at + random.usize(..=(bytes.len() - at).min(60));
        match random.u8(..6) {
            0 => bytes[at] ^= 1 << random.u8(..8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = random.usize(..=bytes.len());
                bytes.splice(to..to, piece);
            }
            3 => {
                let spice = SPICE[random.usize(..SPICE.len())];
                bytes.splice(at..end.min(at + spice.len()), spice.iter().copied());
            }
            4 => bytes[at] = random.u8(..),
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
    }
    bytes
}
