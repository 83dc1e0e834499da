//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use std::path::{Path, PathBuf};

use fakes::damage::survives;

use crate::{Place, PublicKey, Report, Scenario, attest, mask, masks, parse_duration};

/// A key with which nothing was signed.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

/// Feeds bytes to every parser: as a scenario, a key, an attestation, a report, a client's settings, and a command.
fn no_panic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = Scenario::parse(&text, "x.toml") {
        assert!((1..=text.lines().count().max(1) + 1).contains(&error.line), "{error}\n{text}");
    }
    drop((parse_duration(&text), PublicKey::from_pem(&text)));
    drop(attest::unseal(bytes, &PublicKey::from_pem(KEY).expect("a key")));
    drop(serde_json::from_slice::<Report>(bytes));
    masked(&text);
}

fn masked(text: &str) {
    let homes = [PathBuf::from("/home/kim")];
    let project = Path::new("/home/kim/work/shop");
    let command: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let files = [PathBuf::from(".npmrc"), PathBuf::from("pom.xml")];
    let place = Place { homes: &homes, project, files: &files, directory: project, command: &command };
    let lookup = |name: &str| (name == "FAST").then(|| text.into());
    let found = masks(&place, &lookup, &|_| Some(text.to_owned()));
    assert!(found.iter().all(|mask| mask.path.is_absolute()), "{text}");
    drop(mask::unhidden(&place, &found, &lookup, &|_| true));
}

#[test]
fn no_damage_makes_a_parser_panic() {
    const SCENARIO: &str = "# a comment
name = \"github-gone\"
cut = [\"GitHub.com\", \"api.github.com=hang\", \"codeload.github.com=502\"]
run = [\"composer\", \"install\"]
objective = \"15m\"
output = [\"vendor\"]
";
    const SETTINGS: &str = "cache = \"${FAST}/a\" # b
-Dmaven.repo.local=~/c
store-dir=${env.FAST:-/d}
<localRepository>d</localRepository><!-- -->";
    const ENVELOPE: &str = r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"a","sig":"AA=="}]}
"#;
    const COMMAND: &str = "env PIP_CACHE_DIR=$FAST/p sh -c 'npm ci --cache ~/x && mvn -Dmaven.repo.local=/y'";
    let documents = [
        ("scenario", SCENARIO),
        ("settings", SETTINGS),
        ("envelope", ENVELOPE),
        ("command", COMMAND),
        ("duration", "15m"),
        ("key", KEY),
    ];
    survives(&documents.map(|(name, document)| (name, document.as_bytes())), no_panic);
}
