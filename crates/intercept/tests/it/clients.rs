//! Real clients against a real room on loopback: with our settings they trust it, without them they do not.

use std::path::Path;
use std::time::Duration;

use intercept::{Limits, Tier};

use crate::desk::{Desk, write};
use crate::room::Room;

/// Asserts that a client's request arrives with our settings, and is reported as refused without them.
///
/// What the client makes of the answer is not asked: the room's handler speaks no registry's language.
async fn check(room: &Room, desk: &Desk, program: &str, arguments: &[&str], variables: &[(&str, &str)]) {
    let (n_seen, n_refused) = (room.seen().len(), room.refused().len());
    let without = desk.run(program, arguments, variables).await;
    assert_eq!(room.seen().len(), n_seen, "{program} asked without trust: {without:?}");
    assert!(!without.status.success(), "{program} succeeds without trust: {without:?}");
    // Whether the last connection has ended yet is the client's affair; that one was refused is not.
    for _ in 0..200 {
        if room.refused().len() > n_refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(room.refused().len() > n_refused, "{program} was refused and not reported: {without:?}");
    assert_eq!(room.refused()[n_refused].0.host(), "localhost", "{program}");

    let with = desk.run_in_room(program, arguments, variables).await;
    assert!(room.seen().len() > n_seen, "{program} did not ask: {with:?}");
    assert_eq!(room.seen()[n_seen].origin.host, "localhost", "{program}");
}

/// A room that was asked for localhost: Java and others send no TLS name for a host without a dot.
async fn open() -> Room {
    Room::with(None, Some("localhost"), Limits::default()).await
}

fn url(room: &Room, path: &str) -> String {
    format!("https://localhost:{}{path}", room.address.port())
}

#[tokio::test]
async fn curl_trusts_the_room_whatever_its_own_file_says() {
    let room = open().await;
    let address = url(&room, "/curl");
    check(&room, &Desk::new(&room, &[]), "curl", &["-sS", &address], &[]).await;
    let own = "cacert = /etc/ssl/certs/ca-certificates.crt\nuser-agent = mine\n";
    check(&room, &Desk::new(&room, &[(".curlrc", own)]), "curl", &["-sS", &address], &[]).await;
}

#[tokio::test]
async fn wget_trusts_the_room_whatever_its_own_file_says() {
    let room = open().await;
    let desk = Desk::new(&room, &[(".wgetrc", "ca_certificate = /etc/ssl/certs/ca-certificates.crt\n")]);
    check(&room, &desk, "wget", &["-q", "-t1", "-O-", &url(&room, "/wget")], &[]).await;
}

#[tokio::test]
async fn git_trusts_the_room_whatever_its_own_file_says() {
    let room = open().await;
    let own = "[http]\n\tsslCAInfo = /etc/ssl/certs/ca-certificates.crt\n";
    let desk = Desk::new(&room, &[(".gitconfig", own)]);
    check(&room, &desk, "git", &["ls-remote", &url(&room, "/a.git")], &[("GIT_TERMINAL_PROMPT", "0")]).await;
}

#[tokio::test]
async fn node_trusts_the_room() {
    let room = open().await;
    let desk = Desk::new(&room, &[]);
    let script = format!("fetch('{}').then(r => r.text())", url(&room, "/fetch"));
    check(&room, &desk, "node", &["-e", &script], &[]).await;
    let script = format!("require('https').get('{}', r => r.resume())", url(&room, "/https"));
    check(&room, &desk, "node", &["-e", &script], &[]).await;
}

#[tokio::test]
async fn python_trusts_the_room() {
    let room = open().await;
    let desk = Desk::new(&room, &[]);
    let script = format!("import urllib.request as r; r.urlopen('{}').read()", url(&room, "/urllib"));
    check(&room, &desk, "python3", &["-c", &script], &[]).await;
    let port = room.address.port();
    let script = format!(
        "import http.client as h; c = h.HTTPSConnection('localhost', {port}); c.request('GET', '/'); c.getresponse().read()"
    );
    check(&room, &desk, "python3", &["-c", &script], &[]).await;
}

#[tokio::test]
async fn npm_trusts_the_room_whatever_its_own_file_says() {
    let room = open().await;
    let own = "cafile=/etc/ssl/certs/ca-certificates.crt\nfetch-retries=0\nupdate-notifier=false\n";
    let desk = Desk::new(&room, &[(".npmrc", own)]);
    let registry = url(&room, "/npm/");
    check(&room, &desk, "npm", &["view", "left-pad", "--registry", &registry], &[]).await;
}

#[tokio::test]
async fn pip_trusts_the_room() {
    let room = open().await;
    let desk = Desk::new(
        &room,
        &[(".config/pip/pip.conf", "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")],
    );
    let index = url(&room, "/simple");
    let arguments =
        ["download", "--retries=0", "--disable-pip-version-check", "--index-url", &index, "left-pad"];
    check(&room, &desk, "pip", &arguments, &[]).await;
}

#[tokio::test]
async fn cargo_trusts_the_room_whatever_the_project_says() {
    let room = open().await;
    let config = format!(
        "[http]\ncainfo = \"/etc/ssl/certs/ca-certificates.crt\"\n[net]\nretry = 0\n[source.crates-io]\n\
         replace-with = \"room\"\n[source.room]\nregistry = \"sparse+{}\"\n",
        url(&room, "/index/")
    );
    let manifest = "[package]\nname = \"a\"\nedition = \"2024\"\n[dependencies]\nleft-pad = \"1\"\n";
    let desk = Desk::new(
        &room,
        &[
            ("project/.cargo/config.toml", &config),
            ("project/Cargo.toml", manifest),
            ("project/src/lib.rs", ""),
        ],
    );
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    check(&room, &desk, env!("CARGO"), &["fetch"], &[("RUSTC", rustc.to_str().unwrap())]).await;
}

#[tokio::test]
async fn go_trusts_the_room() {
    let room = open().await;
    let desk = Desk::new(&room, &[("project/go.mod", "module a.test/a\n")]);
    let proxy = url(&room, "/go");
    let variables = [("GOPROXY", proxy.as_str()), ("GOFLAGS", "-mod=mod"), ("GOTOOLCHAIN", "local")];
    check(&room, &desk, "go", &["mod", "download", "b.test/b@v1.0.0"], &variables).await;
}

#[tokio::test]
async fn apt_trusts_the_room() {
    let room = open().await;
    let desk = Desk::new(&room, &[]);
    let state = desk.home.path().join("apt");
    let source = format!("deb [trusted=yes] {} ./\n", url(&room, "/apt"));
    write(&state.join("sources.list"), source.as_bytes());
    for directory in ["lists/partial", "cache/archives/partial", "parts"] {
        std::fs::create_dir_all(state.join(directory)).unwrap();
    }
    let set = |key: &str, path: &str| format!("-o{key}={}", state.join(path).display());
    let options = [
        set("Dir::Etc::sourcelist", "sources.list"),
        set("Dir::Etc::sourceparts", "parts"),
        set("Dir::State::lists", "lists"),
        set("Dir::Cache", "cache"),
        "-oAPT::Sandbox::User=root".to_owned(),
        "-oAcquire::Retries=0".to_owned(),
        // Failure to reach an index must show in the exit code.
        "-oAPT::Update::Error-Mode=any".to_owned(),
    ];
    let mut arguments: Vec<&str> = options.iter().map(String::as_str).collect();
    arguments.push("update");
    check(&room, &desk, "apt-get", &arguments, &[]).await;
}

#[tokio::test]
async fn java_reads_our_store_and_trusts_the_room() {
    let room = open().await;
    let source = "public class Ask { public static void main(String[] a) throws Exception {\
                  new java.net.URL(a[0]).openStream().readAllBytes(); } }";
    let desk = Desk::new(&room, &[("project/Ask.java", source)]);
    check(&room, &desk, "java", &["Ask.java", &url(&room, "/java")], &[]).await;

    // As a mount over `cacerts` would have it: neither type nor password is told.
    let store = format!("-Djavax.net.ssl.trustStore={}", desk.home.path().join("room/cacerts").display());
    let (mut n_tested, address) = (0, url(&room, "/covered"));
    for home in std::fs::read_dir("/usr/lib/jvm").unwrap() {
        let java = home.unwrap().path().join("bin/java");
        if java.exists() {
            let output = desk.run(java.to_str().unwrap(), &[&store, "Ask.java", &address], &[]).await;
            assert!(output.status.success(), "{}: {output:?}", java.display());
            n_tested += 1;
        }
    }
    assert!(n_tested > 0);

    let store = desk.home.path().join("room/cacerts");
    let listing = desk
        .run("keytool", &["-list", "-storepass", "changeit", "-keystore", store.to_str().unwrap()], &[])
        .await;
    let listing = String::from_utf8(listing.stdout).unwrap();
    assert!(listing.contains("outlast, ") && listing.contains("caller-10, "), "{listing}");
    assert!(!listing.contains("rror"), "{listing}");
}

#[tokio::test]
async fn a_name_outside_the_constraints_is_refused_by_every_kind_of_tls() {
    let permitted = ["other.test".to_owned()];
    let room = Room::with(Some(&permitted), Some("localhost"), Limits::default()).await;
    let source = "public class Ask { public static void main(String[] a) throws Exception {\
                  new java.net.URL(a[0]).openStream().readAllBytes(); } }";
    let desk = Desk::new(&room, &[("project/Ask.java", source)]);
    let address = url(&room, "/");
    let script = format!("fetch('{address}').then(r => r.text())");
    // OpenSSL, GnuTLS twice, Node's OpenSSL, Java.
    let clients: [(&str, &[&str]); 5] = [
        ("curl", &["-sS", &address]),
        ("wget", &["-q", "-t1", "-O-", &address]),
        ("git", &["ls-remote", &address]),
        ("node", &["-e", &script]),
        ("java", &["Ask.java", &address]),
    ];
    for (program, arguments) in clients {
        let n_refused = room.refused().len();
        let output = desk.run_in_room(program, arguments, &[]).await;
        assert!(!output.status.success(), "{program}: {output:?}");
        room.ended(1).await;
        assert!(room.refused().len() > n_refused, "{program}: {output:?}");
    }
    assert_eq!(room.seen(), []);
}

#[tokio::test]
async fn a_proxy_in_a_client_s_own_settings_does_not_keep_it_from_a_sealed_room() {
    let room = open().await;
    let cargo = format!(
        "[http]\nproxy = \"127.0.0.1:9\"\n[net]\nretry = 0\n[source.crates-io]\nreplace-with = \"room\"\n\
         [source.room]\nregistry = \"sparse+{}\"\n",
        url(&room, "/index/")
    );
    let manifest = "[package]\nname = \"a\"\nedition = \"2024\"\n[dependencies]\nleft-pad = \"1\"\n";
    let npm = "proxy=http://127.0.0.1:9/\nhttps-proxy=http://127.0.0.1:9/\nfetch-retries=0\nupdate-notifier=false\n";
    let files = [
        (".curlrc", "proxy = http://127.0.0.1:9\n"),
        (".wgetrc", "use_proxy = on\nhttps_proxy = http://127.0.0.1:9\n"),
        (".gitconfig", "[http]\n\tproxy = http://127.0.0.1:9\n"),
        (".npmrc", npm),
        ("project/.cargo/config.toml", cargo.as_str()),
        ("project/Cargo.toml", manifest),
        ("project/src/lib.rs", ""),
    ];
    let desk = Desk::of(&Tier::Sealed { forges: Vec::new() }, &room.authority, &files);
    let (address, registry) = (url(&room, "/"), url(&room, "/npm/"));
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let clients: [(&str, &[&str]); 5] = [
        ("curl", &["-sS", &address]),
        ("wget", &["-q", "-t1", "-O-", &address]),
        ("git", &["ls-remote", &address]),
        ("npm", &["view", "left-pad", "--registry", &registry]),
        (env!("CARGO"), &["fetch"]),
    ];
    for (program, arguments) in clients {
        let n_seen = room.seen().len();
        let variables = [("RUSTC", rustc.to_str().unwrap()), ("GIT_TERMINAL_PROMPT", "0")];
        let without = desk.run(program, arguments, &variables).await;
        assert!(!without.status.success() && room.seen().len() == n_seen, "{program}: {without:?}");
        let with = desk.run_in_room(program, arguments, &variables).await;
        assert!(room.seen().len() > n_seen, "{program}: {with:?}");
    }
}

#[tokio::test]
async fn a_whole_chain_is_strictly_valid_and_bound_to_its_names() {
    let permitted = ["localhost".to_owned()];
    let room = Room::with(Some(&permitted), None, Limits::default()).await;
    let desk = Desk::new(&room, &[]);
    let ca = desk.home.path().join("room/ca.pem");
    for (name, expected) in
        [("localhost", "Verify return code: 0 (ok)"), ("other.test", "permitted subtree violation")]
    {
        let target = format!("127.0.0.1:{}", room.address.port());
        let arguments = [
            "s_client",
            "-connect",
            &target,
            "-servername",
            name,
            "-verify_hostname",
            name,
            "-x509_strict",
            "-CAfile",
            ca.to_str().unwrap(),
        ];
        let output = desk.run("openssl", &arguments, &[]).await;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(expected), "{name}: {text}");
    }
}

/// The clients that a distribution seldom has.
#[tokio::test]
async fn clients_from_registries_trust_the_room() {
    let room = open().await;
    let registry = url(&room, "/npm/");
    let yarn4 = format!("npmRegistryServer: \"{registry}\"\nhttpRetry: 0\nenableTelemetry: false\n");
    let files = [
        ("project/package.json", "{\"name\":\"a\",\"dependencies\":{\"left-pad\":\"1.3.0\"}}"),
        ("project/.yarnrc.yml", yarn4.as_str()),
        ("project/yarn.lock", ""),
        (".npmrc", &format!("registry={registry}\nfetch-retries=0\n")),
    ];
    let desk = Desk::new(&room, &files);
    let (address, index) = (url(&room, "/a.ts"), url(&room, "/simple"));
    let script = format!("exit(file_get_contents('{address}') === false ? 1 : 0);");
    let clients: [(&str, &[&str]); 8] = [
        ("yarn", &["install", "--no-lockfile", "--registry", &registry]),
        ("yarn4", &["npm", "info", "left-pad"]),
        ("pnpm", &["view", "left-pad", "--registry", &registry, "--config.fetch-retries=0"]),
        ("bun", &["install", "--registry", &registry]),
        ("deno", &["run", "--reload", &address]),
        ("uv", &["pip", "compile", "--no-cache", "--index-url", &index, "requirements.in"]),
        ("php", &["-r", &script]),
        ("composer", &["show", "--all", "--no-interaction", "a/b"]),
    ];
    let composer =
        format!("{{\"repositories\":[{{\"type\":\"composer\",\"url\":\"{}\"}}]}}", url(&room, "/composer"));
    write(&desk.project().join("composer.json"), composer.as_bytes());
    write(&desk.project().join("requirements.in"), b"left-pad\n");
    for (program, arguments) in clients {
        let variables = [("UV_HTTP_RETRIES", "0"), ("COMPOSER_ALLOW_SUPERUSER", "1")];
        check(&room, &desk, program, arguments, &variables).await;
    }

    let own = format!("{yarn4}httpsCaFilePath: /etc/ssl/certs/ca-certificates.crt\n");
    let files = [files[0], ("project/.yarnrc.yml", own.as_str()), files[2], files[3]];
    let desk = Desk::new(&room, &files);
    for (program, arguments) in clients.into_iter().take(2) {
        check(&room, &desk, program, arguments, &[]).await;
    }
}
