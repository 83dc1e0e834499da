//! Builds that take what they need from git repositories, with the clients that people have: each is recorded once, and repeated
//! with everything cut off.

use fakes::git::Repository;
use fakes::{Answer, Upstream, composer};
use serde_json::json;

use crate::clients::survives;
use crate::repositories::HOST;
use crate::world::{OUTLAST, World, finish, need, tools};

/// A forge, and a project that needs something of it.
struct Scene {
    upstream: Upstream,
    world: World,
}

impl Scene {
    fn new() -> Self {
        let (upstream, world) = (Upstream::start_blocking(), World::new());
        world.place(&upstream, &[HOST]);
        // Nothing else is asked for, and nothing twice.
        let world = [
            ("CARGO_NET_RETRY", "0"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("npm_config_fetch_retries", "0"),
            ("npm_config_update_notifier", "false"),
            ("pnpm_config_update_notifier", "false"),
        ]
        .into_iter()
        .fold(world, |world, (name, value)| world.with(name, value));
        Self { upstream, world }
    }

    /// Adds a repository with these files, and a tag; returns its commit.
    fn serve(&self, name: &str, files: &[(&str, &str)]) -> String {
        let repository = self.repository(name);
        let commit = repository.commit("main", "first", files);
        repository.tag("v1.0.0", &commit);
        commit
    }

    fn repository(&self, name: &str) -> Repository {
        let repository = Repository::create(&self.world.path().join(format!("{name}.git")));
        // A forge gives it by either name; the fake asks the last one first.
        for path in [format!("/acme/{name}"), format!("/acme/{name}.git")] {
            self.upstream.serve_git(HOST, &path, &repository);
        }
        repository
    }

    fn file(self, path: &str, text: &str) -> Self {
        Self { world: self.world.file(path, text), ..self }
    }

    fn with(self, name: &str, value: &str) -> Self {
        Self { world: self.world.with(name, value), ..self }
    }

    /// Checks that a command survives, and that it needs the forge to.
    #[track_caller]
    fn survives(&self, command: &[&str]) {
        self.survives_at(command, HOST);
    }

    #[track_caller]
    fn survives_at(&self, command: &[&str], forge: &str) {
        need(command[0]);
        // The control: with the forge cut and no copies the command fails.
        let other = self.world.path().join("other");
        let settings = std::fs::read(self.world.own().join("outlast.toml")).unwrap();
        self.world.write(&other.join("outlast.toml"), settings);
        let mut without = self.world.command(OUTLAST);
        without.args(["exec", "--fresh", "--cut", "all", "--"]).args(command).env("OUTLAST_HOME", other);
        let done = finish(&mut without, b"");
        assert!(done.code != 0 && done.stderr.contains(&format!("not kept  {forge}: ")), "{}", done.stderr);
        survives(&self.world, command, &[forge], &[]);
    }
}

#[test]
fn submodules() {
    let scene = Scene::new();
    let deep = scene.serve("deep", &[("deep.txt", "deep\n")]);
    let modules = |path: &str, url: &str| {
        format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n").into_bytes()
    };
    let lib = scene.repository("lib");
    let lib = lib.commit_linked(
        "main",
        "first",
        &[(".gitmodules", &modules("deep", "git@forge.example:acme/deep.git"))],
        &[("deep", &deep)],
    );
    let app = scene.repository("app");
    app.commit_linked("main", "first", &[(".gitmodules", &modules("lib", "../lib.git"))], &[("lib", &lib)]);
    let clone = "git clone --quiet --recurse-submodules https://forge.example/acme/app.git app && \
                 cat app/lib/deep/deep.txt";
    scene.survives(&["sh", "-c", clone]);
    let clone = clone.replace("--recurse", "--depth=1 --shallow-submodules --recurse");
    scene.survives(&["sh", "-c", &clone]);
}

/// A crate that takes another one from a repository.
fn cargo(address: &str) -> Scene {
    let scene = Scene::new();
    let library = "[package]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    scene.serve("a", &[("Cargo.toml", library), ("src/lib.rs", "pub const A: u8 = 1;\n")]);
    let manifest = "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n";
    scene
        .file("Cargo.toml", &format!("{manifest}a = {{ git = \"{address}\", tag = \"v1.0.0\" }}\n"))
        .file("src/main.rs", "fn main() { println!(\"{}\", a::A); }\n")
}

#[test]
fn cargo_with_its_own_library() {
    cargo("https://forge.example/acme/a.git").survives(&["cargo", "build"]);
}

#[test]
fn cargo_with_git() {
    let scene = cargo("https://forge.example/acme/a").with("CARGO_NET_GIT_FETCH_WITH_CLI", "true");
    scene.survives(&["cargo", "build"]);
}

#[test]
fn cargo_over_ssh() {
    cargo("ssh://git@forge.example/acme/a.git").survives(&["cargo", "build"]);
}

/// A package that takes another one from a repository.
fn node(address: &str) -> Scene {
    let scene = Scene::new();
    let library = json!({ "name": "a", "version": "1.0.0", "main": "a.js" }).to_string();
    scene.serve("a", &[("package.json", &library), ("a.js", "module.exports = 'a'\n")]);
    let manifest = json!({ "name": "small", "version": "1.0.0", "dependencies": { "a": address } });
    scene.file("package.json", &manifest.to_string())
}

const USE_IT: &str = "node -e 'console.log(require(\"a\"))'";

#[test]
fn npm() {
    for address in ["git+https://forge.example/acme/a.git#v1.0.0", "git+ssh://git@forge.example/acme/a.git"] {
        let install = format!("npm install --no-audit --no-fund && {USE_IT}");
        node(address).survives(&["sh", "-c", &install]);
    }
}

#[test]
fn pnpm() {
    let install = format!("pnpm install && {USE_IT}");
    node("git+https://forge.example/acme/a.git#v1.0.0").survives(&["sh", "-c", &install]);
}

#[test]
fn yarn_1() {
    let install = format!("yarn install && {USE_IT}");
    node("git+https://forge.example/acme/a.git#v1.0.0").survives(&["sh", "-c", &install]);
}

#[test]
fn yarn_4() {
    let yarn = tools().join("yarn4/node_modules/.bin/yarn");
    let install = format!("{} install && {USE_IT}", yarn.display());
    node("https://forge.example/acme/a.git#tag=v1.0.0")
        .file("yarn.lock", "")
        .file(".yarnrc.yml", "nodeLinker: node-modules\napprovedGitRepositories: [\"**\"]\n")
        .survives(&["sh", "-c", &install]);
}

/// Builds a wheel with nothing but Python's own library.
const BACKEND: &str = "import os, zipfile


def build_wheel(folder, settings=None, metadata=None):
    with zipfile.ZipFile(os.path.join(folder, 'a-1.0-py3-none-any.whl'), 'w') as archive:
        archive.write('a.py')
        archive.writestr('a-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: a\\nVersion: 1.0\\n')
        wheel = 'Wheel-Version: 1.0\\nGenerator: a\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'
        archive.writestr('a-1.0.dist-info/WHEEL', wheel)
        archive.writestr('a-1.0.dist-info/RECORD', '')
    return 'a-1.0-py3-none-any.whl'


def build_editable(folder, settings=None, metadata=None):
    return build_wheel(folder)
";

fn python() -> Scene {
    let scene = Scene::new();
    let manifest = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
                    [project]\nname = \"a\"\nversion = \"1.0\"\n";
    scene.serve("a", &[("pyproject.toml", manifest), ("backend.py", BACKEND), ("a.py", "A = 1\n")]);
    scene
}

#[test]
fn pip() {
    let install =
        "pip install --target made 'a @ git+https://forge.example/acme/a.git@v1.0.0' && cat made/a.py";
    python().survives(&["sh", "-c", install]);
}

#[test]
fn uv() {
    let script = "uv venv --quiet made && uv pip install --python made/bin/python \
                  'a @ git+https://forge.example/acme/a.git@v1.0.0'";
    python().survives(&["sh", "-c", script]);
}

/// Fetches what a module needs; to compile it takes a minute.
const GO: [&str; 3] = ["go", "mod", "download"];

/// A Go module that needs another one, straight from its repository.
fn go(module: &str) -> Scene {
    let scene = Scene::new();
    scene.serve(
        "a",
        &[("go.mod", &format!("module {module}\n\ngo 1.18\n")), ("a.go", "package a\n\nconst A = 1\n")],
    );
    scene
        .file("go.mod", &format!("module example.com/small\n\ngo 1.18\n\nrequire {module} v1.0.0\n"))
        .with("GOPRIVATE", HOST)
        .with("GOFLAGS", "-mod=mod")
        .with("GOTOOLCHAIN", "local")
        .with("GOPROXY", "direct")
}

#[test]
fn go_by_its_repository() {
    go("forge.example/acme/a.git").survives(&GO);
}

#[test]
fn go_by_what_a_page_says() {
    let scene = go("forge.example/acme/a");
    let page = "<html><head><meta name=\"go-import\" content=\"forge.example/acme/a git \
                https://forge.example/acme/a.git\"></head></html>";
    scene.upstream.handle(HOST, "/acme/a?go-get=1", move |_| Some(Answer::bytes("text/html", page)));
    scene.survives(&GO);
}

#[test]
fn composer_from_a_repository_that_a_manifest_names() {
    let scene = Scene::new().with("COMPOSER_ALLOW_SUPERUSER", "1");
    let library = json!({ "name": "acme/a", "autoload": { "classmap": ["a.php"] } }).to_string();
    scene.serve("a", &[("composer.json", &library), ("a.php", "<?php class A {}\n")]);
    let manifest = json!({
        "repositories": [{ "type": "vcs", "url": "git@forge.example:acme/a.git" }, { "packagist.org": false }],
        "require": { "acme/a": "^1.0" },
    });
    let scene = scene.file("composer.json", &manifest.to_string());
    scene.survives(&["composer", "update", "--no-interaction", "--no-progress"]);
}

#[test]
fn composer_from_the_sources_of_its_lock() {
    let scene = Scene::new().with("COMPOSER_ALLOW_SUPERUSER", "1");
    let package = composer::package(scene.world.path(), "acme/a").release("1.0.0", &json!({}), &[]);
    let project = composer::project("acme/small").requires(&package, "1.0.0");
    scene.upstream.serve_composer(&[package]);
    let github = composer::GITHUB_HOSTS[0];
    scene.world.place(&scene.upstream, &[github]);
    let scene = scene.file("composer.json", &project.manifest()).file("composer.lock", &project.lock());
    let install = ["composer", "install", "--no-interaction", "--no-progress", "--prefer-source"];
    scene.survives_at(&install, github);
}
