//! Requests that no upstream should see, and any other nonsense: there is always an answer.

use fakes::Answer;
use proxy::Ending;

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_paths_reach_no_upstream() {
    let world = World::new();
    let long = format!("https://{WEB}/{}", "a".repeat(5000));
    for (url, status) in [
        ("https://web.example/a%2f..%2fb", 400),
        ("https://web.example/a%00", 400),
        ("https://web.example/a%5cb", 400),
        ("https://web.example/a%0d%0aHost:%20evil", 400),
        ("https://registry.npmjs.org/left%2fpad", 400),
        (&long, 414),
    ] {
        let session = world.session();
        let got = get(&session, url).await;
        assert_eq!(got.status, status, "{url}");
        assert!(matches!(ending(&session).await, Ending::Refused { .. }), "{url}");
    }
    assert_eq!(world.upstream.log().len(), 0);
    assert_eq!(world.events(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_has_an_answer() {
    let seed = u64::from_be_bytes(host::random::bytes());
    println!("seed {seed}");
    let world = World::new();
    world.upstream.handle(WEB, "/", |asked| Some(Answer::text(asked.path.clone())));
    let session = world.session();
    let noise = noise(200 * 64, seed);
    let printable =
        |bytes: &[u8]| -> String { bytes.iter().map(|byte| char::from(33 + byte % 94)).collect() };
    let methods = ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "BREW", "PROPFIND"];
    let names =
        ["range", "if-none-match", "accept", "if-range", "cache-control", "te", "connection", "upgrade"];
    let mut n_asked = 0;
    for chunk in noise.chunks_exact(64) {
        let path: String = printable(&chunk[..20]).replace(['?', '#'], "%20");
        let Ok(url) = model::SafeUrl::parse(&format!("https://{WEB}/{path}")) else { continue };
        let value = match chunk[20] % 4 {
            0 => format!("bytes={}-{}", u64::from(chunk[21]) << (chunk[22] % 60), chunk[23]),
            1 => format!("bytes=-{}", u64::MAX),
            2 => "\"".repeat(usize::from(chunk[24])),
            _ => printable(&chunk[30..]),
        };
        let headers = [(names[usize::from(chunk[25]) % names.len()], value.as_str())];
        let method = methods[usize::from(chunk[26]) % methods.len()];
        let got = ask(&session, method, url.expose(), &headers, &chunk[..8]).await;
        assert!(got.status >= 200 && got.status < 600, "{method} {url} {headers:?}");
        n_asked += 1;
    }
    assert!(n_asked > 100, "{n_asked}");
    let exchanges = finish(&session).await.exchanges;
    assert_eq!(exchanges.len(), n_asked);
    assert!(exchanges.iter().all(|exchange| exchange.ending != Ending::Open));
}
