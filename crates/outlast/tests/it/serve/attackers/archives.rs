//! Upstreams that are hostile: what they say is in an index, and what is in an archive.

use fakes::{Answer, tar_gz, zip};

use super::{CARGO, NPM, PYPI, Siege};

/// Deep enough to end the stack of whoever reads it by recursion.
const DEPTH: usize = 200_000;

#[test]
fn an_index_made_to_hurt_is_refused_and_a_held_one_stays() {
    let siege = Siege::with("[limits]\nindex_fresh_for = \"0s\"\n");
    let held = siege.get("/npm/left-pad");
    // The control: what is well made is taken, at the same doors.
    siege.upstream.serve_npm(NPM, &[fakes::npm::package("good", &[("1.0.0", &[])])]);
    let entry = format!(
        "{{\"name\":\"good\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"{:064}\",\"features\":{{}},\"yanked\":false}}\n",
        0
    );
    siege.upstream.put(CARGO[0], "/go/od/good", Answer::text(entry));
    let page = fakes::pypi::project("good").release("1.0", &[]).html();
    siege.upstream.put(PYPI[0], "/simple/good/", Answer::bytes("text/html", page));
    let versions = r#"{"packages":{"good/good":[{"name":"good/good","version":"1.0.0","version_normalized":"1.0.0.0"}]}}"#;
    siege.upstream.put(fakes::composer::HOSTS[0], "/p2/good/good.json", Answer::json(versions));
    for path in ["/npm/good", "/cargo/go/od/good", "/pypi/simple/good/", "/composer/p2/good/good.json"] {
        let got = siege.get(path);
        assert_eq!(got.status, 200, "{path}: {} {}", got.head, got.text());
    }
    let deep = |open: &str, start: &str| Answer::json(format!("{start}{}", open.repeat(DEPTH)));
    let blanks = Answer::json(
        [b"{\"name\":\"left-pad\",\"versions\":{}".to_vec(), vec![b' '; 70 << 20], b"}".to_vec()].concat(),
    );
    let hostile = [
        ("deep lists", deep("[", "{\"name\":\"left-pad\",\"versions\":")),
        ("deep objects", deep("{\"a\":", "")),
        ("huge", blanks),
        ("another's", Answer::json("{\"name\":\"right-pad\",\"versions\":{\"1.3.0\":{}}}")),
        ("no text", Answer::json(b"{\"name\":\"left-pad\",\xff\xfe\x00}".to_vec())),
        ("a name twice", Answer::json("{\"name\":\"left-pad\",\"name\":\"x\",\"versions\":1}")),
        ("a number for all", Answer::json(format!("1{}", "0".repeat(1 << 20)))),
        ("HTML", Answer::bytes("text/html", "<a href=\"file:///etc/passwd\">x</a>".repeat(1000))),
    ];
    for (what, answer) in hostile {
        for path in ["/left-pad", "/new"] {
            siege.upstream.put(NPM, path, answer.clone().when_accepts(""));
            siege.upstream.put(NPM, path, answer.clone());
        }
        siege.upstream.put(CARGO[0], "/ne/w-/new-", answer.clone());
        siege.upstream.put(PYPI[0], "/simple/new/", answer.clone());
        siege.upstream.put(fakes::composer::HOSTS[0], "/p2/new/new.json", answer);
        let got = siege.get("/npm/left-pad");
        assert!(got.is(&held.body) && got.state() == "stale", "{what}: {} {}", got.head, got.body.len());
        for path in ["/npm/new", "/cargo/ne/w-/new-", "/composer/p2/new/new.json"] {
            let got = siege.get(path);
            assert_eq!(got.status, 503, "{what} {path}: {} {}", got.head, got.body.len());
        }
        let pypi = siege.get("/pypi/simple/new/").status;
        assert!(pypi == 503 || what == "HTML", "{what}: {pypi}: any page of links is one of PyPI's");
        siege.assert_others_are_served(what);
    }
    siege.assert_unharmed();
}

/// Returns a gzip file of a few kilobytes for each of which come ten megabytes.
fn bomb(n_members: usize) -> Vec<u8> {
    let mut gzip = std::process::Command::new("sh");
    gzip.args(["-c", "head -c 10485760 /dev/zero | gzip -1"]);
    gzip.output().unwrap().stdout.repeat(n_members)
}

#[test]
fn an_archive_is_bytes_whatever_is_in_it() {
    let siege = Siege::new();
    let climbing = [
        ("../../../../../../../../tmp/outlast-was-here", "x"),
        ("/tmp/outlast-was-here", "x"),
        ("a/../../b", "x"),
    ];
    let hostile = [
        ("tgz", tar_gz("../..", &climbing)),
        ("zip", zip(&climbing.map(|(name, text)| (name, text.as_bytes())))),
        ("tgz", bomb(200)),
        ("zip", b"PK\x05\x06".repeat(50_000)),
        ("tgz", b"\x1f\x8b\x08\xff\xff\xff".repeat(1000)),
    ];
    // The control: one that means well is given as it is, and kept.
    let good = tar_gz("good", &[("a", "x")]);
    siege.upstream.put("github.com", "/a/b/releases/download/v/c.tgz", Answer::file(good.clone()));
    assert!(siege.get("/files/github.com/a/b/releases/download/v/c.tgz").is(&good));
    for (n, (kind, bytes)) in hostile.into_iter().enumerate() {
        for path in
            [format!("/a/b/releases/download/v{n}/c.{kind}"), format!("/a/b/archive/refs/tags/v{n}.{kind}")]
        {
            siege.upstream.put("github.com", &path, Answer::file(bytes.clone()));
            let got = siege.get(&format!("/files/github.com{path}"));
            assert!(got.is(&bytes) || got.is_refused(), "{n} {path}: {} {}", got.head, got.body.len());
        }
        siege.assert_others_are_served(kind);
    }
    assert!(!std::path::Path::new("/tmp/outlast-was-here").exists());
    siege.assert_unharmed();
}
