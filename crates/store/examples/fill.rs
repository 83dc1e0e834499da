//! Fills a home as years of use would. `cargo xtask bench scale` measures with it.
//!
//! `fill HOME N_OBJECTS N_BLOBS BLOB_BYTES PACKUMENT_BYTES`: tarballs `https://registry.npmjs.org/p<n>/-/p<n>-1.0.0.tgz` that share so many
//! blobs, and a packument of about that size, `https://registry.npmjs.org/large`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use model::{Event, Held, ObjectKey, ObjectUrl, Proof, SavedHeader, Timestamp};
use store::{Blob, Store};

/// Events that are handed over at once.
const N_AT_ONCE: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [home, numbers @ ..] = arguments.as_slice() else { return Err("no home".into()) };
    let numbers: Vec<usize> = numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
    let [n_objects, n_blobs, blob_bytes, packument_bytes] = numbers[..] else {
        return Err("four numbers are missing".into());
    };
    let clock = host::Clock::real();
    let store = Store::open(Path::new(home), clock.clone())?;
    let mut random = fastrand::Rng::with_seed(7);
    let blobs: Vec<Blob> = (0..n_blobs)
        .map(|_| {
            let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(blob_bytes).collect();
            store.put(&bytes)
        })
        .collect::<Result<_, _>>()?;
    for first in (0..n_objects).step_by(N_AT_ONCE) {
        let event = |number: usize| {
            let url = format!("https://registry.npmjs.org/p{number}/-/p{number}-1.0.0.tgz");
            let held = held(&blobs[number % n_blobs], "application/octet-stream", clock.now());
            Ok(Event::Kept {
                key: ObjectKey::get(ObjectUrl::parse(&url)?),
                held: Held { immutable: true, ..held },
            })
        };
        let last = n_objects.min(first + N_AT_ONCE);
        store.record((first..last).map(event).collect::<Result<_, Box<dyn Error>>>()?)?;
    }
    if packument_bytes > 0 {
        let blob = store.put(packument(packument_bytes, &mut random)?.as_bytes())?;
        // The full form, as a client gets it that does not ask for the abbreviated one.
        let url = ObjectUrl::parse("https://registry.npmjs.org/large")?;
        let key = ObjectKey { variant: "full".to_owned(), ..ObjectKey::get(url) };
        store.record(vec![Event::Kept { key, held: held(&blob, "application/json", clock.now()) }])?;
    }
    store.flush()?;
    Ok(())
}

fn held(blob: &Blob, content_type: &str, confirmed_at: Timestamp) -> Held {
    Held {
        status: 200,
        headers: vec![SavedHeader("content-type".to_owned(), content_type.to_owned())],
        sha256: blob.sha256,
        size_bytes: blob.size_bytes,
        ecosystem: "npm".to_owned(),
        proof: Proof::FirstSeen,
        immutable: false,
        confirmed_at,
        gone_since: None,
    }
}

/// Returns a document as large ones of npm are: many versions, each with a digest that does not compress.
fn packument(size_bytes: usize, random: &mut fastrand::Rng) -> Result<String, std::fmt::Error> {
    let mut text = String::from("{\"name\":\"large\",\"dist-tags\":{\"latest\":\"1.0.0\"},\"versions\":{");
    let words = "\"license\":\"MIT\",\"scripts\":{\"test\":\"jest\",\"build\":\"tsc -b\"},".repeat(24);
    for number in 0.. {
        let separator = if number == 0 { "" } else { "," };
        let digest: String = std::iter::repeat_with(|| random.alphanumeric()).take(86).collect();
        write!(
            text,
            "{separator}\"1.{number}.0\":{{\"name\":\"large\",\"version\":\"1.{number}.0\",{words}\"dist\":{{\"integrity\":\
             \"sha512-{digest}==\",\"tarball\":\"https://registry.npmjs.org/large/-/large-1.{number}.0.tgz\"}}}}"
        )?;
        if text.len() > size_bytes {
            break;
        }
    }
    text.push_str("}}");
    Ok(text)
}
