//! The rim: configuration, help, errors and what scripts read.

use fakes::{Answer, Upstream};

use crate::world::{OUTLAST, World, entries, finish, places};

#[test]
fn a_broken_configuration_names_its_line_and_the_way_out() {
    let check_bytes = |bytes: &[u8], line: usize, what: &str| {
        let world = World::new();
        world.outlast(&["init", "-q"]).expect(0);
        world.write(&world.own().join("outlast.toml"), bytes);
        let commands: [&[&str]; 5] = [
            &["status"],
            &["exec", "--", "true"],
            &["drill", "--", "true"],
            &["store", "verify"],
            &["evidence", "list"],
        ];
        for command in commands {
            let done = world.outlast(command).expect(2);
            let place = format!("outlast.toml:{line}: {what}");
            assert!(done.stderr.contains(&place) && done.stderr.contains("; hint: "), "{}", done.stderr);
            assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        }
    };
    let check = |text: &str, line: usize| check_bytes(text.as_bytes(), line, "");
    check("[limits]\nindex_fresh_for = \"soon\"\n", 2);
    check("\n[network]\n\nallow = [\"300.0.0.0/8\"]\n", 4);
    check("[exec]\nunknown = 1\n", 2);
    check("[[upstream]]\nhost = \"a.example\"\nca_file = \"nowhere.pem\"\n", 3);
    check("[limits\n", 1);
    check("\n\nproved_for = [\n", 3);
    let way_out = "the byte 0xE9 is not UTF-8; hint: save the file as UTF-8";
    check_bytes(b"[limits]\n# caf\xe9\nproved_for = \"7d\"\n", 2, way_out);
    check_bytes(b"[limits]\nproved_for = \"7\xe9", 2, way_out);
    check_bytes(b"\xff\xfe[\0e\0x\0e\0c\0]\0\n\0", 1, "this is UTF-16; hint: save the file as UTF-8");
}

#[test]
fn an_upstream_is_where_the_configuration_says() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("by TLS\n"));
    world.place(&upstream, &["files.example.com"]);
    let fetch = ["exec", "-q", "--", "curl", "-fsS", "https://files.example.com/a.txt"];
    assert_eq!(world.outlast(&fetch).expect(0).stdout, "by TLS\n");

    let world = World::new();
    upstream.put("127.0.0.1", "/npm/a.txt", Answer::text("by another base\n"));
    let base = format!("http://{}/npm", upstream.plain_address());
    world.configure(&places(&["files.example.com"], &[("url", &base)]));
    assert_eq!(world.outlast(&fetch).expect(0).stdout, "by another base\n");
    let record = world.newest_record();
    assert_eq!(record["objects"][0]["url"], "https://files.example.com/a.txt");
    assert_eq!(record["hosts"][0]["kept"], true);

    // Without either, the certificate of nobody's CA is refused.
    let world = World::new();
    world.configure(&places(&["files.example.com"], &[("connect", &upstream.tls_address().to_string())]));
    assert_ne!(world.outlast(&fetch).code, 0);
}

#[test]
fn the_callers_own_authorities_are_trusted_upstream() {
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO"] {
        let upstream = Upstream::start_blocking();
        upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
        let folder = tempfile::tempdir().unwrap();
        let world = World::new().with(name, upstream.ca_file(folder.path()).to_str().unwrap());
        world.configure(&places(&["files.example.com"], &[("connect", &upstream.tls_address().to_string())]));
        let done = world.outlast(&["exec", "--", "curl", "-fsS", "https://files.example.com/a.txt"]);
        assert_eq!((done.code, done.stdout.as_str()), (0, "kept\n"), "{name}: {}", done.stderr);
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let done = world.outlast(&["completions", shell]).expect(0);
        assert!(done.stdout.contains("outlast") && done.stdout.contains("drill"), "{shell}");
    }
    let folder = world.path().join("man1");
    world.outlast(&["man", folder.to_str().unwrap()]).expect(0);
    let pages = entries(&folder);
    for page in ["outlast.1", "outlast-exec.1", "outlast-drill.1", "outlast-evidence-verify.1"] {
        assert!(pages.iter().any(|path| path.ends_with(page)), "{page}: {pages:?}");
    }
    assert!(!world.own().exists(), "neither needs a home");
}

#[test]
fn every_error_has_a_hint() {
    let check = |command: &[&str], code: i32| {
        let world = World::new();
        let done = world.outlast(command);
        assert_eq!(done.code, code, "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("hint: "), "{command:?}: {}", done.stderr);
        assert_eq!(done.stdout, "", "{command:?}");
    };
    check(&["status"], 1);
    check(&["store", "verify"], 1);
    check(&["store", "stat"], 1);
    check(&["rebuild-index"], 1);
    check(&["evidence", "list"], 1);
    check(&["evidence", "key"], 1);
    check(&["evidence", "verify", "."], 1);
    check(&["evidence", "verify", ".", "--key", "nowhere.pem"], 2);
    check(&["drill"], 2);
    check(&["drill", "nowhere.toml"], 2);
    check(&["drill", "nowhere.toml", "--", "true"], 2);
    check(&["drill", "--", "true"], 3);
    check(&["drill", "--run", "20260521T100005Z-00000000", "--", "true"], 3);
    check(&["exec", "--config", "nowhere.toml", "--", "true"], 2);
    check(&["exec", "--", "./nowhere"], 127);
    check(&["exec", "--", "/etc/passwd"], 126);
    check(&["exec", "--", ""], 127);
    check(&["exec", "--via", "127.0.0.1:9", "--", "true"], 2);
    check(&["adopt", "nowhere"], 2);
    check(&["exec", "--home", "/proc/nowhere", "--", "true"], 125);
    check(&["init", "--home", "/proc/nowhere"], 1);
    check(&["man", "/proc/nowhere"], 1);
}

#[test]
fn a_folder_that_is_gone_is_no_fault_of_the_home() {
    let world = World::new();
    world.outlast(&["init", "-q"]).expect(0);
    for (command, code) in [("exec -- true", 125), ("exec --fresh -- true", 125), ("drill -- true", 3)] {
        let script = format!("mkdir ../gone && cd ../gone && rmdir ../gone && exec \"$0\" {command}");
        let done = finish(world.command("sh").args(["-c", &script, OUTLAST]), b"").expect(code);
        let done =
            done.says("error: the current folder is gone").says("hint: change into a folder that is there");
        assert!(!done.stderr.contains("home folder"), "{command}: {}", done.stderr);
    }
}

#[test]
fn a_home_that_cannot_be_found_is_told_as_it_is() {
    let world = World::new();
    let check = |variables: &[(&str, &str)], said: &str| {
        let mut command = world.command(OUTLAST);
        command.env_remove("OUTLAST_HOME").env_remove("HOME").envs(variables.iter().copied());
        let done = finish(command.arg("status"), b"").expect(2);
        done.says(&format!("error: no home folder: {said}\n")).says("hint: name one with --home DIR");
    };
    check(&[], "HOME is not set");
    check(&[("HOME", "")], "HOME is empty");
    check(&[("HOME", "kim/here")], "HOME is `kim/here`, which is not absolute");
    check(&[("HOME", "."), ("XDG_DATA_HOME", "data")], "HOME is `.`, which is not absolute");
}

#[test]
fn the_server_in_the_environment_is_asked_by_exec_alone() {
    let world = World::new().with("OUTLAST_SERVER", "http://127.0.0.1:9");
    world.outlast(&["exec", "-q", "--fresh", "--", "true"]).expect(0);
    assert_eq!(world.newest_record()["via"], "http://127.0.0.1:9");
    // The others speak of this home alone, with a server or without.
    world.outlast(&["status"]).expect(0);
    world.outlast(&["drill", "--", "true"]);
    assert_eq!(world.newest_report()["via"], serde_json::Value::Null);
    let world = World::new().with("OUTLAST_SERVER", "nowhere");
    world.outlast(&["exec", "--", "true"]).expect(2).says("no address of a server").says("hint: ");
    // As a shell unsets it.
    let world = World::new().with("OUTLAST_SERVER", "");
    world.outlast(&["exec", "-q", "--", "true"]).expect(0);
}

#[test]
fn usage_mistakes_end_with_2_on_stderr() {
    let world = World::new();
    let commands: [&[&str]; 9] = [
        &["fly"],
        &["exec"],
        &["exec", "make"],
        &["drill", "--cut", "a=b", "--", "x"],
        &["store"],
        &["evidence"],
        &["status", "--fly"],
        &["init", "here"],
        &[],
    ];
    for command in commands {
        let done = world.outlast(command).expect(2);
        assert!(done.stdout.is_empty(), "{command:?}");
        let hints: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("hint: ")).collect();
        assert_eq!(hints.len(), 1, "{command:?}: {}", done.stderr);
        let verb = command.first().copied().filter(|verb| *verb != "fly").unwrap_or_default();
        assert!(hints[0].contains(&format!("`outlast {verb} --help`").replace("  ", " ")), "{hints:?}");
    }
    // What is asked for is no mistake.
    for asked in [&["--help"][..], &["exec", "--help"], &["help", "drill"], &["--version"]] {
        let done = world.outlast(asked).expect(0);
        assert!(done.stderr.is_empty() && done.stdout.contains("outlast"), "{asked:?}");
    }
    assert!(world.outlast(&["--help"]).expect(0).stdout.contains("drill"));
}

#[test]
fn what_reads_speaks_json() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    let fetch = ["curl", "-fsSo", "a.txt", "https://files.example.com/a.txt"];
    world.record(&fetch).expect(0);
    let report = world.outlast(&[&["drill", "--json", "--"], &fetch[..]].concat()).expect(0).json();
    assert_eq!(report["verdict"], "pass");

    let status = world.outlast(&["status", "--json"]).expect(0).json();
    let cells = status["cells"].as_array().unwrap();
    let thing = world.project().canonicalize().unwrap();
    let is_proved = |cell: &&serde_json::Value| cell["state"] == "proved" && cell["vanished"] == "all";
    let proved = cells.iter().find(is_proved).unwrap_or_else(|| panic!("{status:#}"));
    assert_eq!(proved["thing"], thing.to_str().unwrap());
    assert!(proved["proved_at"].is_string() && proved["recovered_ms"].is_u64() && proved["what"].is_string());
    assert!(status["events"].is_array());
    let shown = world.outlast(&["status"]).expect(0).stdout;
    assert!(shown.contains("proved") && shown.contains("files.example.com"), "{shown}");

    let verified = world.outlast(&["store", "verify", "--json"]).expect(0).json();
    assert!(verified["checked"].as_u64() > Some(0) && verified["n_damaged"] == 0, "{verified}");
    assert_eq!(verified["damaged"], serde_json::json!([]));
    let stat = world.outlast(&["store", "stat", "--json"]).expect(0).json();
    assert!(stat["n_blobs"].as_u64() > Some(0) && stat["n_runs"].as_u64() > Some(0), "{stat}");
    let list = world.outlast(&["evidence", "list", "--json"]).expect(0).json();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["verdict"]), (1, &serde_json::json!("pass")));
    let folder = world.evidence().pop().unwrap();
    let genuine = world.outlast(&["evidence", "verify", folder.to_str().unwrap(), "--json"]).expect(0).json();
    assert_eq!(genuine["genuine"], true);

    let before = (status, stat);
    std::fs::remove_file(world.own().join("index.db")).unwrap();
    world.outlast(&["rebuild-index", "--json"]).expect(0).json();
    let after = |command: &[&str]| world.outlast(command).expect(0).json();
    assert_eq!((after(&["status", "--json"]), after(&["store", "stat", "--json"])), before);
}

#[test]
fn init_never_overwrites() {
    let world = World::new();
    world.outlast(&["init"]).expect(0).says("made").says("outlast exec --fresh -- make");
    world.configure("# mine\n");
    let keys = || entries(&world.own().join("keys")).iter().map(|key| std::fs::read(key).unwrap()).collect();
    let before: Vec<Vec<u8>> = keys();
    assert!(!before.is_empty());
    world.outlast(&["init"]).expect(0).says("was there already");
    let after: Vec<Vec<u8>> = keys();
    assert_eq!(after, before);
    let text = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    assert_eq!(text, "# mine\n");
}
