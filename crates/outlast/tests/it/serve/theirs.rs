//! Clients of the forward proxy who have credentials of their own, for hosts that let in nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use fakes::{Answer, Fault, Upstream};

use super::forward::{curl, start};
use super::{NPM, Served};
use crate::world::{World, places};

const SHUT: &str = "shut.example";
/// Answers 404 to whoever may not read, as GitHub does.
const SILENT: &str = "silent.example";
const OPEN: &str = "open.example";
const OWN: [&str; 2] = ["-H", "Authorization: Bearer S3CRET"];

fn upstream() -> Upstream {
    let upstream = Upstream::start_blocking();
    upstream.put(SHUT, "/file", Answer::text("theirs"));
    upstream.guard(SHUT, "Bearer S3CRET");
    upstream.handle(SILENT, "/", |asked| {
        (asked.header("authorization") == "Bearer S3CRET").then(|| Answer::text("theirs"))
    });
    upstream.put(OPEN, "/file", Answer::text("everybody's"));
    upstream
}

fn get(served: &Served, world: &World, arguments: &[&str], host: &str) -> (String, String) {
    let url = format!("https://{host}/file");
    let (status, body) = curl(served, world, &[arguments, &[&url]].concat());
    (status.split(' ').next().unwrap().to_owned(), body)
}

#[test]
fn what_a_host_gives_to_nobody_else_comes_to_its_client_and_is_kept_for_nobody() {
    let (upstream, world) = (upstream(), World::new());
    world.place(&upstream, &[SHUT, SILENT, OPEN]);
    let served = start(&world);
    for (host, shut) in [(SHUT, "401"), (SILENT, "404")] {
        for _ in 0..2 {
            assert_eq!(get(&served, &world, &[], host).0, shut, "{host}: without");
            assert_eq!(get(&served, &world, &OWN, host), ("200".to_owned(), "theirs".to_owned()), "{host}");
            let other = ["-H", "Authorization: Bearer another"];
            assert_eq!(get(&served, &world, &other, host).0, shut, "{host}: with others");
        }
        // At the other door nothing of who asks goes on.
        assert_eq!(served.get(&OWN, &format!("/files/{host}/file")).0, shut, "{host}");
        upstream.on(host, "*", Fault::Reset);
        let (status, body) = get(&served, &world, &OWN, host);
        assert!(status != "200" && !body.contains("theirs"), "{host}: it is kept: {status} {body}");
    }
    let kept = fs::read_to_string(world.own().join("journal/current.jsonl")).unwrap();
    assert!(!kept.contains("S3CRET"), "{kept}");
    served.end();
}

#[test]
fn credentials_that_open_nothing_more_go_nowhere() {
    let (upstream, world) = (upstream(), World::new());
    world.place(&upstream, &[SHUT, SILENT, OPEN]);
    let served = start(&world);
    assert_eq!(get(&served, &world, &OWN, OPEN), ("200".to_owned(), "everybody's".to_owned()));
    assert!(!format!("{:?}", upstream.log()).contains("S3CRET"), "{:?}", upstream.log());
    // What would change something is refused as ever.
    for method in ["PUT", "DELETE", "POST"] {
        get(&served, &world, &[&OWN[..], &["-X", method, "-d", "x"]].concat(), SILENT);
    }
    // What else a client may bring stays here.
    let cookie = ["-H", "Cookie: s=S3CRET", "-H", "X-Api-Key: S3CRET", "-H", "Private-Token: S3CRET"];
    assert_eq!(get(&served, &world, &cookie, SILENT).0, "404");
    assert!(!format!("{:?}", upstream.log()).contains("S3CRET"), "{:?}", upstream.log());
    // The control: they do where they open something.
    get(&served, &world, &OWN, SILENT);
    assert!(format!("{:?}", upstream.log()).contains("S3CRET"));
    served.end();
}

#[test]
fn a_servers_own_token_is_sent_to_no_host() {
    let (upstream, world) = (upstream(), World::new());
    world.place(&upstream, &[SHUT, SILENT, OPEN]);
    let token = world.outlast(&["token", "add", "kim", "--scope", "read"]).expect(0).stdout.trim().to_owned();
    let served = start(&world);
    let (user, own) = (format!("token:{token}"), format!("Authorization: Bearer {token}"));
    assert_eq!(get(&served, &world, &["-U", &user, "-H", &own], SHUT).0, "401");
    assert_eq!(get(&served, &world, &["-U", &user, "-u", &user], SHUT).0, "401");
    let log = upstream.log();
    assert!(!log.is_empty() && log.iter().all(|seen| !seen.headers.contains_key("authorization")), "{log:?}");
    // The control: another's is.
    assert_eq!(get(&served, &world, &[&["-U", &user], &OWN[..]].concat(), SHUT).0, "200");
    served.end();
}

#[test]
fn a_companys_host_hears_outlasts_own_credentials_alone() {
    let (upstream, world) = (upstream(), World::new());
    let file = world.own().join("shut.credentials");
    world.write(&file, "outlasts\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (address, ca) = (upstream.tls_address().to_string(), upstream.ca_file(world.path()));
    let keys = [("connect", &*address), ("ca_file", ca.to_str().unwrap())];
    let keys = [&keys[..], &[("credentials_file", file.to_str().unwrap())]].concat();
    world.configure(&places(&[SHUT], &keys));
    let served = start(&world);
    assert_ne!(get(&served, &world, &OWN, SHUT).0, "200");
    let log = upstream.log();
    assert!(log.iter().any(|seen| seen.headers["authorization"] == "Bearer outlasts"), "{log:?}");
    assert!(!format!("{log:?}").contains("S3CRET"), "{log:?}");
    served.end();
}

#[test]
fn what_is_blocked_is_opened_by_no_login() {
    let (upstream, world) = (super::upstream(), World::new());
    world.place(&upstream, &[NPM]);
    world.configure_more("[[block]]\necosystem = \"npm\"\nname = \"left-pad\"\nreason = \"hostile\"\n");
    let served = start(&world);
    let url = "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz";
    let (status, body) = curl(&served, &world, &[&OWN[..], &[url]].concat());
    assert!(status.starts_with('4') && body.contains("hostile"), "{status}: {body}");
    assert!(!format!("{:?}", upstream.log()).contains("S3CRET"), "{:?}", upstream.log());
    served.end();
}
