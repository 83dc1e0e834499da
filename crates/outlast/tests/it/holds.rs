//! What waits for a person, what they decide about it, and what is followed no longer.

use std::fs;

use fakes::Fault;
use serde_json::json;

use crate::repositories::{ADDRESS, HOST, Kept};

#[test]
fn what_a_person_decided_is_shown_and_can_be_taken_back() {
    let kept = Kept::new();
    let before = kept.refs(&[]);
    kept.moves(&["update-ref", "refs/heads/main", "main~2"]);
    kept.moves(&["tag", "-f", "v1", "main"]);
    kept.world.outlast(&["sync"]).expect(0);
    let holds = kept.json(&["holds"]);
    let [main, tag] = [0, 1].map(|n| holds[n]["id"].as_str().unwrap());

    // Rejected, it waits no longer, and is not forgotten.
    let done = kept.world.outlast(&["holds", "decide", main, "reject"]).expect(0);
    done.says("`outlast holds decided` shows it");
    kept.world.outlast(&["sync"]).expect(0).says("1 unchanged");
    let decided = kept.json(&["holds", "decided"]);
    let rejected = &decided["rejected"][0];
    assert_eq!((&rejected["id"], &rejected["class"]), (&json!(main), &json!("force")), "{decided}");
    kept.world.outlast(&["rebuild-index"]).expect(0);
    assert_eq!(kept.json(&["holds", "decided"]), decided);
    kept.world.outlast(&["holds"]).expect(0).says("1 ref rejected");
    // And is followed after all.
    kept.world.outlast(&["holds", "decide", main, "apply"]).expect(0);
    assert_ne!(kept.refs(&[])["refs/heads/main"], before["refs/heads/main"]);
    assert_eq!(kept.json(&["holds", "decided"])["rejected"], json!([]));

    // A pattern that takes in more than was meant is said to, and is taken back.
    kept.world.outlast(&["holds", "decide", tag, "always", "refs/heads/*"]).expect(2);
    let done = kept.world.outlast(&["holds", "decide", tag, "always", "refs/*"]).expect(0);
    done.says("warning: `refs/*` takes in 2 refs, `refs/heads/main` among them");
    assert_eq!(kept.json(&["holds", "decided"])["rules"][0]["pattern"], "refs/*");
    kept.moves(&["tag", "-f", "v1", "main~1"]);
    kept.world.outlast(&["sync"]).expect(0);
    assert_eq!(kept.json(&["holds"]), json!([]), "the control: nobody is asked");
    kept.world.outlast(&["holds", "revoke", "acme/app", "refs/*"]).expect(0);
    kept.world.outlast(&["holds", "revoke", "acme/app", "refs/*"]).expect(1).says("is not followed always");
    kept.moves(&["tag", "-f", "v1", "main"]);
    kept.world.outlast(&["sync"]).expect(0);
    assert_eq!(kept.json(&["holds"]).as_array().unwrap().len(), 1);
    assert_eq!(kept.json(&["holds", "decided"])["rules"], json!([]));
}

#[test]
fn a_ref_does_not_take_the_place_of_one_that_is_in_its_way() {
    let kept = Kept::new();
    kept.repository.commit("dir", "one", &[("d.txt", "d\n")]);
    kept.repository.commit("other", "one", &[("d.txt", "d\n")]);
    kept.world.configure_more("[[tripwires]]\nrepositories = [\"*\"]\nprotected = [\"main\", \"dir\"]\n");
    kept.world.outlast(&["sync"]).expect(0);
    kept.moves(&["update-ref", "-d", "refs/heads/dir"]);
    kept.moves(&["update-ref", "refs/heads/dir/sub", "main"]);
    kept.world.outlast(&["sync"]).expect(0);
    let holds = kept.json(&["holds"]);
    let [dir, sub] = [0, 1].map(|n| holds[n]["id"].as_str().unwrap());
    let apply = |id: &str| kept.world.outlast(&["holds", "decide", id, "apply"]);
    let done = apply(sub).expect(1).says("`dir` is in the way, and is kept");
    done.says("decide about that one first");
    assert!(kept.refs(&[])["refs/heads/dir/sub"].is_null());
    apply(dir).expect(0);
    apply(sub).expect(0);
    let refs = kept.refs(&[]);
    assert!(refs["refs/heads/dir"].is_null() && refs["refs/heads/dir/sub"].is_string(), "{refs}");
    kept.world.outlast(&["restore", "acme/app", "--mirror", "all.git"]).expect(0);
}

#[test]
fn what_a_person_is_asked_about_is_said_for_each_repository() {
    let kept = Kept::new();
    let settings = fs::read_to_string(kept.world.own().join("outlast.toml")).unwrap();
    kept.repository.commit("release/1", "one", &[("a.txt", "1\n")]);
    kept.world.outlast(&["sync"]).expect(0);
    for (name, n_held) in [("forge.example/other/*", 0), ("forge.example/acme/*", 1)] {
        let tripwires = format!("[[tripwires]]\nrepositories = [\"{name}\"]\nprotected = [\"release/*\"]\n");
        kept.world.configure(&format!("{settings}{tripwires}"));
        // It goes on, and then in another way.
        kept.repository.commit("release/1", name, &[("a.txt", name)]);
        kept.world.outlast(&["sync"]).expect(0);
        kept.moves(&["update-ref", "refs/heads/release/1", "release/1~1"]);
        kept.repository.commit("release/1", "instead", &[("a.txt", "instead\n")]);
        kept.world.outlast(&["sync"]).expect(0);
        assert_eq!(kept.json(&["holds"]).as_array().unwrap().len(), n_held, "{name}");
    }
}

#[test]
fn a_repository_that_is_followed_no_longer_is_kept_and_asked_no_more() {
    let kept = Kept::new();
    kept.repository.commit("main", "more", &[("b.txt", "more\n")]);
    kept.upstream.on(HOST, "*", Fault::Status(404));
    kept.world.outlast(&["sync"]).expect(1);
    kept.world.outlast(&["unfollow", "acme/app"]).expect(0);
    kept.upstream.clear_faults();
    kept.upstream.clear_log();
    kept.world.outlast(&["sync"]).expect(1).says("no repository is kept yet");
    assert!(kept.upstream.log().is_empty());
    let status = kept.world.outlast(&["status"]).expect(0).stdout;
    assert!(status.contains("followed no longer") && !status.contains("no such repository"), "{status}");
    kept.world.outlast(&["restore", "acme/app", "back"]).expect(0);
    // A run that uses it asks for what is new; what it does is not to follow it again.
    kept.world.outlast(&["exec", "--", "git", "clone", "-q", ADDRESS, "cloned"]).expect(0);
    assert!(kept.world.project().join("cloned/b.txt").exists());
    kept.world.outlast(&["sync"]).expect(1).says("no repository is kept yet");
    kept.world.outlast(&["adopt", ADDRESS]).expect(0);
    kept.world.outlast(&["sync"]).expect(0).says("1 unchanged");
}

#[test]
fn an_account_that_is_gone_is_told_as_one() {
    let kept = Kept::not_yet();
    let addresses: Vec<String> = (0..4).map(|n| format!("https://{HOST}/acme/app-{n}.git")).collect();
    for n in 0..4 {
        kept.upstream.serve_git(HOST, &format!("/acme/app-{n}.git"), &kept.repository);
    }
    let adopt: Vec<&str> = ["adopt"].into_iter().chain(addresses.iter().map(String::as_str)).collect();
    kept.world.outlast(&adopt).expect(0);
    let told = || {
        let sync = kept.world.outlast(&["sync"]).stderr;
        [sync, kept.json(&["doctor"]).to_string(), kept.json(&["status"])["events"].to_string()]
    };
    let says = |told: [String; 3], n: usize| {
        let said = format!("{n} of the 4 repositories of `{HOST}/acme` are not there any more");
        told.map(|text| text.contains(&said))
    };
    kept.upstream.on(HOST, "/acme/app-0*", Fault::Status(404));
    assert_eq!(says(told(), 1), [false; 3], "one may be given up");
    kept.upstream.on(HOST, "/acme/app-1*", Fault::Status(403));
    assert_eq!(says(told(), 2), [true; 3]);
    kept.upstream.clear_faults();
    kept.upstream.on(HOST, "*", Fault::Status(502));
    assert_eq!(says(told(), 4), [false; 3], "a host that is down is another matter");
    kept.upstream.clear_faults();
    assert!(!told().concat().contains("not there any more"));
}
