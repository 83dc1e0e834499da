//! A company's own registries behind the same addresses as the public ones: what is theirs is asked for there and nowhere else.

mod access;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use fakes::composer::{self, Branches, HOSTS};
use fakes::{Answer, Fault, Upstream};
use serde_json::json;
use tempfile::TempDir;

use super::{NPM, PYPI, Served, as_new, package};
use crate::world::{Done, World, finish, places};

const OWN_NPM: &str = "npm.acme.example";
const OWN_PYPI: &str = "pypi.acme.example";
const OWN_COMPOSER: &str = "composer.acme.example";
const CDN: &str = "cdn.acme.example";
const TOKEN: &str = "S3CRET-T0KEN";
/// `me:S3CRET-W0RD`.
const BASIC: &str = "Basic bWU6UzNDUkVULVcwUkQ=";

/// An upstream with a public and a private package of each kind, of which the private ones let nobody in but Outlast; and a world
/// that knows about it.
fn scene() -> (Upstream, World) {
    let upstream = Upstream::start_blocking();
    upstream.serve_npm(NPM, &[package()]);
    // What somebody published there who knows the name.
    upstream.serve_npm(NPM, &[fakes::npm::package("@acme/lib", &[("9.9.9", &[])])]);
    serve_own_npm(&upstream);
    upstream.guard(OWN_NPM, &format!("Bearer {TOKEN}"));
    let evil = fakes::pypi::project("acme-lib").release("99.0", &[]);
    upstream.serve_pypi(&[fakes::pypi::project("six").release("1.16.0", &[]), evil]);
    serve_own_pypi(&upstream, "Acme_Lib");
    upstream.guard(OWN_PYPI, BASIC);
    let world = World::new();
    credentials(&world, "npm.credentials", TOKEN);
    credentials(&world, "pypi.credentials", "me:S3CRET-W0RD");
    world.configure(&configuration(&upstream.tls_address().to_string(), &world, &upstream));
    (upstream, world)
}

/// The private npm registry lies under a path, and its archives on another host of the company.
fn serve_own_npm(upstream: &Upstream) {
    let own = fakes::npm::package("@acme/lib", &[("1.0.0", &[("index.js", "module.exports = 'ours'")])]);
    let at_cdn = format!("https://{CDN}/lib-1.0.0.tgz");
    let listed = format!("https://{OWN_NPM}{}", own.tarball_path("1.0.0"));
    let packument = own.packument(OWN_NPM).to_string().replace(&listed, &at_cdn);
    for path in own.paths() {
        upstream.put(OWN_NPM, &format!("/repository/npm{path}"), Answer::json(packument.clone()));
    }
    upstream.put(CDN, "/lib-1.0.0.tgz", Answer::file(own.tarball("1.0.0").clone()));
}

/// The private index links to its files as many do: from where the page lies.
fn serve_own_pypi(upstream: &Upstream, name: &str) {
    let project = fakes::pypi::project(name).release("1.0", &[]);
    let normal = fakes::pypi::normalized(name);
    let page = project.html().replace("https://files.pythonhosted.org/", "../../");
    let page = Answer::bytes("text/html", page);
    upstream.put(OWN_PYPI, &format!("/simple/{normal}/"), page);
    for file in project.files() {
        upstream.put(OWN_PYPI, &file.path(), Answer::file(file.bytes().clone()));
        if let Some(text) = file.metadata() {
            upstream.put(OWN_PYPI, &format!("{}.metadata", file.path()), Answer::file(text));
        }
    }
}

fn credentials(world: &World, name: &str, line: &str) {
    let path = world.own().join(name);
    world.write(&path, format!("{line}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn configuration(address: &str, world: &World, upstream: &Upstream) -> String {
    let ca = upstream.ca_file(world.path());
    let place = |hosts: &[&str], more: &[(&str, &str)]| {
        places(hosts, &[&[("connect", address), ("ca_file", ca.to_str().unwrap())], more].concat())
    };
    let public = place(&[&[NPM, CDN], &PYPI[..], &HOSTS[..]].concat(), &[]);
    let npm = place(&[OWN_NPM], &[("credentials_file", "npm.credentials")]);
    let pypi = place(&[OWN_PYPI, OWN_COMPOSER], &[("credentials_file", "pypi.credentials")]);
    format!(
        "{public}{npm}{pypi}[[registry]]\necosystem = \"npm\"\nurl = \"https://{OWN_NPM}/repository/npm/\"\n\
         names = [\"@acme/*\"]\n[[registry]]\necosystem = \"pypi\"\nurl = \"https://{OWN_PYPI}/simple/\"\n\
         names = [\"acme-*\"]\n[[registry]]\necosystem = \"composer\"\nurl = \"https://{OWN_COMPOSER}/\"\n\
         names = [\"acme/*\"]\n[limits]\nindex_fresh_for = \"0s\"\n"
    )
}

/// Installs a public and a private package with an npm that knows nothing but the server.
fn npm_install(world: &World, served: &Served) -> Done {
    as_new(world);
    served.paste(world, "npm, pnpm");
    let mut command = world.command("npm");
    command.args(["install", "left-pad@1.3.0", "@acme/lib", "--fetch-retries=0"]);
    finish(&mut command, b"")
}

fn installed(world: &World) -> String {
    let of =
        |name: &str| fs::read_to_string(world.project().join("node_modules").join(name)).unwrap_or_default();
    of("left-pad/package.json") + &of("@acme/lib/index.js")
}

fn pip_download(world: &World, served: &Served) -> Done {
    as_new(world);
    served.paste(world, "pip");
    let mut command = world.command("pip");
    finish(command.args(["download", "--no-cache-dir", "--retries=0", "six", "ACME.lib"]), b"")
}

/// Nobody but the company's own hosts ever heard of what is the company's, nor of how Outlast is let in.
#[track_caller]
fn nobody_else_heard(upstream: &Upstream) {
    for seen in upstream.log() {
        let is_own = [OWN_NPM, OWN_PYPI, OWN_COMPOSER, CDN].contains(&&*seen.host);
        let asked = format!("{} {:?} {:?}", seen.path, seen.headers, seen.body).to_lowercase();
        assert!(is_own || !asked.contains("acme"), "{seen:?}");
        let is_let_in = [OWN_NPM, OWN_PYPI, OWN_COMPOSER].contains(&&*seen.host);
        assert_eq!(seen.headers.contains_key("authorization"), is_let_in, "{seen:?}");
    }
}

#[test]
fn through_the_forward_proxy_a_private_name_is_asked_for_at_its_own_registry_alone() {
    let (upstream, world) = scene();
    let served = Served::start_as_proxy(&world, "127.0.0.1:0");
    let run = |words: &[&str]| served.run_pasted(&world, "Any client, in one shell", words);
    run(&["npm", "install", "left-pad@1.3.0", "@acme/lib", "--fetch-retries=0"]).expect(0);
    assert!(installed(&world).contains("module.exports = 'ours'"), "{}", installed(&world));
    run(&["pip", "download", "--no-cache-dir", "--retries=0", "six", "acme-lib"]).expect(0);
    let files: Vec<_> = crate::world::entries(&world.project());
    let has =
        |start: &str| files.iter().any(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start));
    assert!(has("six-1.16.0") && has("Acme_Lib-1.0") | has("acme_lib-1.0"), "{files:?}");
    let asked: Vec<String> = upstream.log().iter().map(|entry| format!("{entry:?}").to_lowercase()).collect();
    let is_asked = |host: &str| {
        asked.iter().any(|entry| entry.contains(host) && entry.replace(host, "").contains("acme"))
    };
    assert_eq!([NPM, PYPI[0], OWN_NPM, OWN_PYPI].map(is_asked), [false, false, true, true], "{asked:#?}");
    served.end();
}

#[test]
fn npm_gets_what_is_private_from_its_own_registry_alone() {
    let (upstream, world) = scene();
    let served = Served::start(&world);
    npm_install(&world, &served).expect(0);
    let both = installed(&world);
    assert!(both.contains("left-pad") && both.contains("'ours'"), "{both}");
    // An audit asks about what is public.
    let bulk = "/-/npm/v1/security/advisories/bulk";
    upstream.handle(NPM, bulk, |asked| Some(Answer::json(asked.body.clone())));
    let installed_both = ["-d", r#"{"left-pad":["1.3.0"],"@acme/lib":["1.0.0"]}"#];
    let asked = served.get(&installed_both, &format!("/npm{bulk}"));
    assert_eq!(asked, ("200".to_owned(), r#"{"left-pad":["1.3.0"]}"#.to_owned()));
    nobody_else_heard(&upstream);
    // A name that nobody has there is not there, whoever has it elsewhere; in whatever way it is asked for.
    upstream.serve_npm(NPM, &[fakes::npm::package("@acme/other", &[("1.0.0", &[])])]);
    for path in [
        "/npm/@acme/other",
        "/npm/@acme%2Fother",
        "/npm/@acme/other/-/other-1.0.0.tgz",
        "/files/registry.npmjs.org/@acme%2fother",
        "/files/registry.yarnpkg.com/@acme/other",
        "/npm/-/package/@acme%2fother/dist-tags",
    ] {
        assert_eq!(served.get(&[], path).0, "404", "{path}");
    }
    // Nor is it asked for elsewhere while its registry is down: a copy, or nothing.
    upstream.on(OWN_NPM, "*", Fault::Status(503));
    upstream.on(CDN, "*", Fault::Status(503));
    npm_install(&world, &served).expect(0);
    assert_eq!(installed(&world), both);
    let (status, headers) = served.get(&["-I"], "/npm/@acme%2flib");
    assert!(status == "200" && headers.contains("outlast-state: stale"), "{headers}");
    assert_eq!(served.get(&[], "/npm/@acme/third").0, "503");
    assert_eq!(served.get(&[], "/npm/-/v1/search?text=@acme/third").0, "404");
    nobody_else_heard(&upstream);
    // Nor by a run that has the server's word alone that it is private.
    let new = World::new();
    new.place(&upstream, &[NPM]);
    let ask = |name: &str| {
        let url = format!("https://{NPM}/{name}");
        let ask = ["exec", "--via", &served.base, "--", "curl", "-s", "-w", "%{http_code}", &url];
        new.outlast(&ask).expect(0).stdout
    };
    assert!(ask("@acme%2fthird").ends_with("503"));
    // What the server has of it is taken, however old, and not what somebody else calls so.
    let ours = ask("@acme%2flib");
    assert!(ours.ends_with("200") && ours.contains("1.0.0") && !ours.contains("9.9.9"), "{ours}");
    nobody_else_heard(&upstream);
    assert!(ask("left-pad").ends_with("200"), "the control: others are asked for");
    served.end();
    // The control: without the [[registry]] the world's own is taken.
    let toml = fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(toml.split("[[registry]]").next().unwrap());
    let served = Served::start(&world);
    npm_install(&world, &served).expect(0);
    assert!(!installed(&world).contains("'ours'"));
}

#[test]
fn pip_gets_what_is_private_from_its_own_index_alone() {
    let (upstream, world) = scene();
    let served = Served::start(&world);
    pip_download(&world, &served).expect(0);
    let is_there = |name: &str| world.project().join(name).is_file();
    assert!(is_there("six-1.16.0-py3-none-any.whl") || is_there("six-1.16.0-py2.py3-none-any.whl"));
    assert!(is_there("Acme_Lib-1.0-py3-none-any.whl") || is_there("acme_lib-1.0-py3-none-any.whl"));
    nobody_else_heard(&upstream);
    for path in ["/pypi/simple/acme-other/", "/pypi/simple/Acme__Other", "/files/pypi.org/pypi/acme-lib/json"]
    {
        assert_eq!(served.get(&[], path).0, "404", "{path}");
    }
    upstream.on(OWN_PYPI, "*", Fault::Reset);
    pip_download(&world, &served).expect(0);
    assert!(is_there("Acme_Lib-1.0-py3-none-any.whl") || is_there("acme_lib-1.0-py3-none-any.whl"));
    assert_eq!(served.get(&[], "/pypi/simple/acme-third/").0, "503");
    nobody_else_heard(&upstream);
    served.end();
    // The control: without the [[registry]] the world's own is taken.
    let toml = fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(toml.split("[[registry]]").next().unwrap());
    let served = Served::start(&world);
    pip_download(&world, &served).expect(0);
    assert!(is_there("acme_lib-99.0-py3-none-any.whl"));
}

/// Puts a public package at Packagist, beside one that somebody published who knows a private name; and the private one, archive
/// and all, where it belongs.
fn serve_composer(upstream: &Upstream) {
    let folder = TempDir::new().unwrap();
    let make = |name: &str, who: &str| {
        let file = [("who.php", who)];
        composer::package(&folder.path().join(who), name).release("1.0.0", &json!({}), &file)
    };
    upstream.serve_composer(&[make("other/lib", "theirs"), make("acme/lib", "evil")]);
    let own = make("acme/lib", "ours");
    let zip = format!("https://{OWN_COMPOSER}/dist/lib.zip");
    let mut document = own.document(Branches::Without);
    document["packages"]["acme/lib"][0]["dist"]["url"] = json!(zip);
    upstream.put(OWN_COMPOSER, "/p2/acme/lib.json", Answer::json(document.to_string()));
    let archive = Answer::bytes("application/zip", own.zip("1.0.0").clone());
    upstream.put(OWN_COMPOSER, "/dist/lib.zip", archive);
    upstream.guard(OWN_COMPOSER, BASIC);
}

#[test]
fn composer_gets_what_is_private_from_its_own_repository_alone() {
    let (upstream, world) = scene();
    serve_composer(&upstream);
    let world = world.with("COMPOSER_ALLOW_SUPERUSER", "1");
    let served = Served::start(&world);
    let update = |served: &Served| {
        as_new(&world);
        served.paste(&world, "Composer");
        let manifest = json!({ "require": { "other/lib": "*", "acme/lib": "*" } });
        world.write(&world.project().join("composer.json"), manifest.to_string());
        let mut command = world.command("composer");
        let done = finish(command.args(["update", "--no-interaction", "--no-progress"]), b"");
        let of =
            |name: &str| fs::read_to_string(world.project().join("vendor").join(name)).unwrap_or_default();
        (done, [of("other/lib/who.php"), of("acme/lib/who.php")])
    };
    let (done, installed) = update(&served);
    assert_eq!((done.code, installed), (0, ["theirs", "ours"].map(str::to_owned)), "{}", done.stderr);
    nobody_else_heard(&upstream);
    assert_eq!(served.get(&[], "/composer/p2/acme/other.json").0, "404");
    for host in HOSTS.iter().chain(&[OWN_COMPOSER]) {
        upstream.on(host, "*", Fault::Reset);
    }
    let (done, installed) = update(&served);
    assert_eq!((done.code, installed), (0, ["theirs", "ours"].map(str::to_owned)), "{}", done.stderr);
    assert_eq!(served.get(&[], "/composer/p2/acme/third.json").0, "503");
    nobody_else_heard(&upstream);
    served.end();
    // The control: without the [[registry]] the world's own is taken.
    upstream.clear_faults();
    let toml = fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(toml.split("[[registry]]").next().unwrap());
    let served = Served::start(&world);
    assert_eq!(update(&served).1[1], "evil");
}
