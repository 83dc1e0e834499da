//! The server of a team, asked by real clients whose settings come from its own page.

mod adopt;
mod attackers;
mod clones;
mod composer;
mod copies;
mod elsewhere;
mod empty;
mod ends;
mod faults;
mod forward;
mod load;
mod private;
mod repositories;
mod theirs;
mod tokens;
mod under_way;
mod undo;
mod via;
mod via_git;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fakes::{Answer, Fault, Upstream};

use crate::world::{Done, OUTLAST, World, finish, places};

/// A server that ends with the test.
pub(crate) struct Served {
    child: Child,
    pub(crate) base: String,
    /// Where it is a forward proxy, if it was asked to be one.
    proxy: String,
    /// What a person pastes in place of `TOKEN`.
    token: Option<String>,
}

impl Served {
    pub(crate) fn start(world: &World) -> Self {
        Self::start_at(world, "127.0.0.1:0")
    }

    fn start_at(world: &World, listen: &str) -> Self {
        Self::start_with(world, listen, |_| {})
    }

    /// Starts one that is a forward proxy as well.
    pub(crate) fn start_as_proxy(world: &World, proxy_listen: &str) -> Self {
        Self::start_with(world, "127.0.0.1:0", |command| {
            command.args(["--proxy-listen", proxy_listen]);
        })
    }

    /// Starts it with more words, variables or files.
    fn start_with(world: &World, listen: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_of(OUTLAST.as_ref(), world, listen, prepare)
    }

    /// Starts another binary.
    fn start_of(program: &Path, world: &World, listen: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = world.command(program);
        command.args(["serve", "--listen", listen]).stdout(Stdio::piped());
        prepare(&mut command);
        let is_proxy = command.get_args().any(|argument| argument == "--proxy-listen");
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut after = |word: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line.trim().strip_prefix(word).unwrap_or_else(|| panic!("{line}")).to_owned()
        };
        let base = after("listening ");
        let proxy = if is_proxy { after("proxy ") } else { String::new() };
        Self { child, base, proxy, token: None }
    }

    /// Asks it with this machine's curl; returns status and body.
    fn get(&self, arguments: &[&str], path: &str) -> (String, String) {
        let mut command = std::process::Command::new("curl");
        command.env_clear().args([
            "--silent",
            "--path-as-is",
            "--noproxy",
            "*",
            "--write-out",
            "\n%{http_code}",
        ]);
        let done = finish(command.args(arguments).arg(format!("{}{path}", self.base)), b"").expect(0);
        let (body, status) = done.stdout.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    /// Returns what the server's page says to paste for a client, and what undoes it.
    fn settings(&self, client: &str) -> (String, String) {
        let (status, page) = self.get(&[], "/setup");
        assert_eq!(status, "200");
        let mut sections = page.split("\n## ").filter_map(|section| section.split_once('\n'));
        let (_, lines) =
            sections.find(|(name, _)| *name == client).unwrap_or_else(|| panic!("{client} in {page}"));
        let (set, undo) = lines.split_once("\n# undo\n").unwrap();
        let filled = |lines: &str| lines.replace("TOKEN", self.token.as_deref().unwrap_or("TOKEN"));
        (filled(set), filled(undo))
    }

    /// Does what the server's page says for a client, as a person who pastes it.
    fn paste(&self, world: &World, client: &str) {
        let (set, _) = self.settings(client);
        finish(world.command("sh").args(["-ec", &set]), b"").expect(0);
    }

    /// Does what the server's page says for a client, and runs a command in the same shell.
    fn run_pasted(&self, world: &World, client: &str, command: &[&str]) -> Done {
        let (set, _) = self.settings(client);
        let script = format!("{set}\nexec \"$@\"");
        finish(world.command("sh").args(["-ec", &script, "sh"]).args(command), b"")
    }

    /// Undoes it.
    fn undo(&self, world: &World, client: &str) {
        let (_, undo) = self.settings(client);
        finish(world.command("sh").args(["-ec", &undo]), b"").expect(0);
    }

    /// Ends it as a machine that loses its power does.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal.
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it as a service manager does, and asserts that it says that all is well.
    pub(crate) fn end(mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

const NPM: &str = "registry.npmjs.org";

/// An upstream with one npm package.
fn upstream() -> Upstream {
    let upstream = Upstream::start_blocking();
    upstream.serve_npm(NPM, &[package()]);
    upstream
}

fn package() -> fakes::npm::Package {
    fakes::npm::package("left-pad", &[("1.3.0", &[])])
}

#[test]
fn npm_installs_from_the_server_while_its_registry_is_down() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = Served::start(&world);
    let install = || {
        as_new(&world);
        served.paste(&world, "npm, pnpm");
        npm_install(&world)
    };
    install().expect(0);
    let n_asked = upstream.log().len();
    upstream.on(NPM, "/left-pad", Fault::Reset);
    upstream.on(NPM, "/left-pad/-/left-pad-1.3.0.tgz", Fault::Reset);
    install().expect(0);
    assert!(world.project().join("node_modules/left-pad/package.json").is_file());
    assert!(upstream.log().len() <= n_asked + 1, "a file that is kept is not asked for again");
    let (status, body) = served.get(&[], "/npm/left-pad");
    assert_eq!(status, "200");
    assert!(body.contains(&format!("{}/npm/left-pad/-/left-pad-1.3.0.tgz", served.base)), "{body}");
    served.end();
    // The control: nobody else has it.
    as_new(&world);
    world.write(&world.home().join(".npmrc"), "registry=http://127.0.0.1:9/\n");
    assert_ne!(npm_install(&world).code, 0);
}

/// Makes the machine of a world one on which nothing was ever installed or set.
fn as_new(world: &World) {
    for folder in [world.home(), world.project()] {
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
    }
}

fn npm_install(world: &World) -> Done {
    let mut command = world.command("npm");
    command.args(["install", "left-pad@1.3.0", "--no-audit", "--fetch-retries=0", "--no-save"]);
    finish(&mut command, b"")
}

const CARGO: [&str; 2] = ["index.crates.io", "static.crates.io"];
const PYPI: [&str; 2] = ["pypi.org", "files.pythonhosted.org"];

/// Builds a project that needs `hello`, with a Cargo that knows nothing but the server.
fn cargo_build(world: &World, served: &Served) -> Done {
    as_new(world);
    served.paste(world, "Cargo");
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nhello = \"1\"\n";
    world.write(&world.project().join("Cargo.toml"), manifest);
    world.write(&world.project().join("src/main.rs"), "fn main() { println!(\"{}\", hello::hello()); }\n");
    let mut command = world.command("cargo");
    command.args(["run", "--quiet", "--config", "net.retry=0"]).env_remove("CARGO_TARGET_DIR");
    finish(&mut command, b"")
}

/// Downloads `six` with a pip that knows nothing but the server.
fn pip_download(world: &World, served: &Served) -> Done {
    as_new(world);
    served.paste(world, "pip");
    let mut command = world.command("pip");
    finish(command.args(["download", "--no-cache-dir", "--retries=0", "six"]), b"")
}

#[test]
fn cargo_and_pip_get_from_a_new_server_process_what_an_earlier_one_kept() {
    let upstream = Upstream::start_blocking();
    upstream.serve_cargo(CARGO[0], CARGO[1], &[fakes::cargo::crate_("hello", "1.0.0")]);
    upstream.serve_pypi(&[fakes::pypi::project("six").release("1.16.0", &[])]);
    let world = World::new();
    let hosts = [CARGO, PYPI].concat();
    world.place(&upstream, &hosts);
    let served = Served::start(&world);
    cargo_build(&world, &served).expect(0);
    pip_download(&world, &served).expect(0);
    served.end();

    // Everything is cut, and every client is a new one.
    let at_once = "[limits]\nindex_fresh_for = \"0s\"\n";
    world.configure(&format!("{}{at_once}", places(&hosts, &[("connect", "127.0.0.1:9")])));
    let served = Served::start(&world);
    let built = cargo_build(&world, &served).expect(0);
    assert_eq!(built.stdout.trim(), "hello 1.0.0");
    pip_download(&world, &served).expect(0);
    let headers =
        served.get(&["-i", "-H", "Accept: application/vnd.pypi.simple.v1+json"], "/pypi/simple/six/").1;
    assert!(headers.contains("outlast-state: stale; since="), "{headers}");
    let headers = served.get(&["-I"], "/files/static.crates.io/crates/hello/1.0.0/download").1;
    assert!(headers.contains("outlast-state: fresh\r\n"), "{headers}");

    // The control: another home has nothing, and says so.
    let other = World::new();
    other.configure(&places(&hosts, &[("connect", "127.0.0.1:9")]));
    let served = Served::start(&other);
    assert_ne!(cargo_build(&other, &served).code, 0);
    assert_ne!(pip_download(&other, &served).code, 0);
    assert_eq!(served.get(&[], "/pypi/simple/six/").0, "503", "an outage is no absence");
}

#[test]
fn the_server_has_pages_of_its_own_and_no_door_elsewhere() {
    let world = World::new();
    let served = Served::start(&world);
    let status = |arguments: &[&str], path: &str| served.get(arguments, path).0;
    for path in ["/healthz", "/readyz", "/metrics", "/setup"] {
        assert_eq!(status(&[], path), "200", "{path}");
    }
    let (_, setup) = served.get(&[], "/setup");
    for place in ["npm/", "cargo/", "pypi/simple/", "composer"] {
        assert!(setup.contains(&format!("{}/{place}", served.base)), "{place} in {setup}");
    }
    assert_eq!(status(&["-X", "POST"], "/healthz"), "405");
    assert_eq!(status(&[], "/nothing"), "404");
    assert_eq!(status(&[], "/files/127.0.0.1/x"), "404", "an address is no name of the world");
    assert_eq!(status(&[], "/files/localhost/x"), "404");
    assert_eq!(status(&[], "/files/a.example/../../etc/passwd"), "400");
    assert_eq!(status(&[], "/npm/%2e%2e/x"), "400");
    assert_eq!(status(&["-H", "Host: evil.example"], "/npm/left-pad"), "421");
    assert_eq!(status(&["-X", "PUT", "-d", "{}"], "/npm/left-pad"), "403", "nothing is published through it");
}

#[test]
fn nothing_of_who_asks_goes_on_to_an_upstream() {
    let upstream = upstream();
    upstream.put("a.example", "/page", Answer::text("page").header("set-cookie", "theirs=1"));
    let world = World::new();
    world.place(&upstream, &["a.example"]);
    let served = Served::start(&world);
    let secret = ["-H", "Authorization: Bearer S3CRET", "-H", "Cookie: s=S3CRET", "-H", "X-Api-Key: S3CRET"];
    assert_eq!(served.get(&secret, "/files/a.example/page"), ("200".to_owned(), "page".to_owned()));
    let log = upstream.log();
    assert_eq!(log.len(), 1);
    assert!(!format!("{log:?}").contains("S3CRET"), "{log:?}");
}

#[test]
fn elsewhere_than_on_this_machine_it_is_open_only_if_that_was_said() {
    let world = World::new();
    world.outlast(&["serve", "--listen", "0.0.0.0:0"]).expect(2).says("whoever reaches").says("open = true");
    world.configure("[serve]\nopen = true\n");
    world.outlast(&["serve", "--listen", "0.0.0.0:0"]).expect(2).says("url = ");
}

#[test]
fn the_configuration_is_read_again_at_a_hangup_and_a_mistake_in_it_changes_nothing() {
    let upstream = upstream();
    let world = World::new();
    world.configure(&places(&[NPM], &[("connect", "127.0.0.1:9")]));
    let served = Served::start(&world);
    let status = || served.get(&[], "/npm/left-pad").0;
    assert_eq!(status(), "503");
    let becomes = |wanted: &str| {
        served.signal("HUP");
        let start = std::time::Instant::now();
        while status() != wanted {
            assert!(start.elapsed() < std::time::Duration::from_secs(10), "never {wanted}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    world.place(&upstream, &[NPM]);
    becomes("200");
    world.configure("what?");
    becomes("200");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!((status(), served.get(&[], "/readyz").0), ("200".to_owned(), "200".to_owned()));
    served.end();
}

#[test]
fn what_the_configuration_names_is_kept_up_to_date_by_the_server_itself() {
    let upstream = upstream();
    let package = fakes::npm::package("left-pad", &[("1.3.0", &[]), ("1.4.0", &[])]);
    upstream.serve_npm(NPM, &[package]);
    let world = World::new().file("package.json", "{\"name\":\"small\",\"version\":\"1.0.0\"}");
    world.place(&upstream, &[NPM]);
    let lock = |version: &str| {
        let mut npm = world.command(OUTLAST);
        let name = format!("left-pad@{version}");
        npm.args([
            "exec",
            "-q",
            "--home",
            "../other",
            "--",
            "npm",
            "install",
            "--package-lock-only",
            "--no-audit",
            &name,
        ]);
        // It asks for no archive: whoever asks for one is the server.
        finish(&mut npm, b"").expect(0);
    };
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.write(&world.path().join("other/outlast.toml"), &toml);
    lock("1.3.0");
    world.configure(&format!("{toml}[adopt]\nthings = [\"../project\"]\nevery = \"1s\"\n"));
    let served = Served::start(&world);
    let asked_for = |version: &str| {
        let start = std::time::Instant::now();
        while upstream.n_asked(NPM, &format!("/left-pad/-/left-pad-{version}.tgz")) == 0 {
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "{version} is never asked for");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    asked_for("1.3.0");
    // The project changes its lock, and tells nobody.
    lock("1.4.0");
    asked_for("1.4.0");
    served.end();
}
