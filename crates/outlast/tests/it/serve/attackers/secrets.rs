//! Tokens that are guessed, sent elsewhere, or put where they do not belong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Siege, start};
use crate::raw;

#[test]
fn no_token_is_guessed_and_none_reaches_an_upstream_or_a_log() {
    let mut siege = Siege::new();
    let made = siege.world.outlast(&["token", "add", "ci", "--scope", "read"]).expect(0);
    let token = made.stdout.trim().to_owned();
    siege.served = start(&siege.world);
    siege.upstream.put("files.example", "/page", fakes::Answer::text("page"));
    let ask = |path: &str, headers: &[&str]| raw::get(&siege.served.base, path, headers);
    let guesses = [
        format!("outlast_{}", "A".repeat(43)),
        token[..token.len() - 1].to_owned(),
        format!("{token}x"),
        token.to_uppercase(),
        String::new(),
        "*".to_owned(),
        "\u{e9}".repeat(100),
        "A".repeat(10_000),
    ];
    for guess in &guesses {
        let basic = STANDARD.encode(format!("token:{guess}"));
        for header in [format!("Authorization: Bearer {guess}"), format!("Authorization: Basic {basic}")] {
            let got = ask("/npm/left-pad", &[&header]);
            assert!([401, 400].contains(&got.status), "{header}: {got:?}");
            assert!(got.status != 401 || got.field("www-authenticate").starts_with("Basic"), "{}", got.head);
        }
    }
    for path in ["/metrics", "/files/files.example/page", "/copies/x/", "/nothing", "/npm/../x"] {
        assert_eq!(ask(path, &[]).status, 401, "{path}: who may not ask learns nothing");
    }
    assert_eq!(siege.upstream.log().len(), 0, "nobody asked on behalf of somebody unknown");

    let bearer = format!("Authorization: Bearer {token}");
    let elsewhere = [
        "Cookie: t=",
        "X-Api-Key: ",
        "Private-Token: ",
        "npm-otp: ",
        "Referer: https://x/?",
        "X-Auth-Token: ",
    ];
    let elsewhere: Vec<String> = elsewhere.iter().map(|name| format!("{name}{token}")).collect();
    let headers: Vec<&str> = elsewhere.iter().map(String::as_str).chain([bearer.as_str()]).collect();
    let got = ask("/files/files.example/page", &headers);
    assert!(got.is(b"page"), "{got:?}");
    for path in [format!("/npm/left-pad?token={token}"), format!("/files/files.example/{token}/page")] {
        let got = ask(&path, &[&bearer]);
        assert_eq!(got.status, 400, "{path}: {got:?}");
        assert!(!got.text().contains(&token), "{}", got.text());
    }
    let asked = format!("{:?}", siege.upstream.log());
    assert!(asked.contains("/page") && !asked.contains(&token), "{asked}");
    siege.served.get(&["-X", "POST", "-d", "{}", "-H", &bearer], "/npm/-/npm/v1/security/advisories/bulk");
    let asked = format!("{:?}", siege.upstream.log());
    assert!(!asked.contains(&token), "{asked}");

    let log = siege.log();
    assert!(log.contains("without a valid token"), "the control: it says a lot: {log}");
    let basic = STANDARD.encode(format!("token:{token}"));
    for secret in [&token, &basic, &token["outlast_".len()..].to_owned(), &guesses[0]] {
        assert!(!log.contains(secret.as_str()), "{secret} in {log}");
    }
    let found =
        std::process::Command::new("grep").args(["-rlF", &token]).arg(siege.world.own()).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}
