//! Several tokens at one host: a drill gives each what it got, and says what that does not prove.

use std::os::unix::fs::PermissionsExt as _;

use fakes::{Answer, Upstream};

use crate::world::World;

const HOST: &str = "private.example";

/// Asks as three people at once, in whatever order they get through; a wrong token gets nothing.
const COMMAND: &str = r#"
ask() { curl -s -o "$1" -w '%{http_code}' -H "Authorization: Bearer $1" https://private.example/me > "$1.status"; }
for who in alice bob mallory; do ask $who & done; wait
for who in alice bob; do test "$(cat $who)" = "you are Bearer $who" || exit 1; done
test "$(cat mallory.status)" = 401
"#;

#[test]
fn each_token_gets_in_a_drill_what_it_got() {
    let upstream = Upstream::start_blocking();
    upstream.handle(HOST, "/me", |asked| {
        let who = asked.headers.get("authorization")?.to_str().ok()?;
        Some(match who.ends_with("mallory") {
            true => Answer::status(401).header("www-authenticate", "Bearer"),
            false => Answer::text(format!("you are {who}")),
        })
    });
    let world = World::new();
    world.place(&upstream, &[HOST]);
    let command = ["sh", "-c", COMMAND];
    world.record(&command).expect(0);
    for _ in 0..3 {
        world.drill(&command).expect(0).says("PASS");
    }
    let not_tested = world.newest_report()["not_tested"].to_string();
    assert!(not_tested.contains("are still good, or were: private.example"), "{not_tested}");
    assert!(!not_tested.contains("what others had got"), "{not_tested}");
    let key = world.own().join("keys/credentials.hmac");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    // Without the key everybody is a stranger: who is whose cannot be told, and nobody claims it.
    std::fs::remove_file(&key).unwrap();
    world.drill(&command).expect(1).says("FAIL");
    let not_tested = world.newest_report()["not_tested"].to_string();
    assert!(not_tested.contains("what others had got, from private.example"), "{not_tested}");
}
