//! A machine with an empty disk and no world, on the real registries' files: each client installs from a lock that nobody
//! touched, through the room and, by settings, through the server's doors or its forward proxy.

use std::fs;
use std::net::ToSocketAddrs as _;
use std::path::PathBuf;

use serde_json::json;

use super::Served;
use crate::clients::{PACKAGE_JSON, PACKAGE_LOCK};
use crate::pypi;
use crate::world::{World, finish, need, places, texts, tools};

const HOSTS: [&str; 7] = [
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "repo.yarnpkg.com",
    "index.crates.io",
    "static.crates.io",
    "pypi.org",
    "files.pythonhosted.org",
];
/// Where nothing listens.
const NOWHERE: &str = "127.0.0.1:9";

/// A client and a project of it with a lock.
struct Client {
    files: Vec<(String, String)>,
    command: Vec<String>,
    /// What is there after an install.
    made: &'static str,
    /// The settings that lead it to a server, and leave the lock as it is.
    settings: &'static str,
    /// A folder of programs that come before all others.
    programs: Option<PathBuf>,
}

impl Client {
    fn new(files: &[(&str, &str)], command: &[&str], made: &'static str) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Self { files, command, made, settings: "", programs: None }
    }

    fn of_python(client: &pypi::Client, made: &'static str) -> Self {
        let files: Vec<(&str, &str)> =
            client.files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        Self::new(&files, &client.command(), made)
    }

    fn with(self, settings: &'static str) -> Self {
        Self { settings, ..self }
    }

    /// Lets the client itself make its lock, on the real registry.
    fn locked_by(mut self, command: &[&str], lock: &str) -> Self {
        let world = self.world();
        world.outlast(&[&["exec", "--"], command].concat()).expect(0);
        self.files.retain(|(path, _)| path != lock);
        self.files.push((lock.to_owned(), String::new()));
        // Yarn 4 writes the manifest anew, too.
        for (path, text) in &mut self.files {
            *text = fs::read_to_string(world.project().join(path)).unwrap();
        }
        self
    }

    fn world(&self) -> World {
        let world = self.files.iter().fold(World::new(), |world, (path, text)| world.file(path, text));
        match &self.programs {
            Some(programs) => {
                world.with("PATH", &format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()))
            }
            None => world,
        }
    }

    fn command(&self) -> Vec<&str> {
        self.command.iter().map(String::as_str).collect()
    }
}

/// Says that Outlast may ask the addresses where the registries are seen from here: a company's may be its own.
fn allowed() -> String {
    let addresses = HOSTS.iter().flat_map(|host| (*host, 443).to_socket_addrs().into_iter().flatten());
    let allow: Vec<String> = addresses
        .map(|address| format!("{}/{}", address.ip(), if address.is_ipv4() { 32 } else { 128 }))
        .collect();
    format!("[network]\nallow = {}\n", json!(allow))
}

/// Lets a server adopt the project, cuts everything off, and installs on new machines.
fn installs(client: &Client) {
    need(client.command[0].as_str());
    let team = client.world();
    team.configure(&allowed());
    let adopted = team.outlast(&["adopt", "--json", "."]).expect(0).json();
    assert!(adopted["n_kept"].as_u64().unwrap() > 0, "{adopted:#}");
    let cut = places(&HOSTS, &[("connect", NOWHERE)]);
    team.configure(&cut);
    let served = Served::start_as_proxy(&team, "127.0.0.1:0");

    let machine = client.world();
    let command = client.command();
    let impatient = ["exec", "--cut", "all", "--", "timeout", "-s", "KILL", "6"];
    assert_ne!(machine.outlast(&[&impatient, &command[..]].concat()).code, 0, "the control: no server");
    let machine = client.world();
    let done = machine
        .outlast(&[&["exec", "--cut", "all", "--via", &served.base, "--"], &command[..]].concat())
        .expect(0);
    assert!(machine.project().join(client.made).exists(), "{}", done.stderr);
    let record = machine.newest_record();
    assert!(texts(&record["objects"], "source").iter().all(|source| *source == "copy"), "{record:#}");
    for (path, text) in &client.files {
        assert_eq!(&fs::read_to_string(machine.project().join(path)).unwrap(), text, "{path} is as it was");
    }

    let machine =
        || client.world().with("https_proxy", &format!("http://{NOWHERE}")).with("no_proxy", "127.0.0.1");
    let timed = |seconds| [&["timeout", "-s", "KILL", seconds][..], &command].concat();
    let (without, words) = (machine(), timed("6"));
    assert_ne!(finish(without.command(words[0]).args(&words[1..]), b"").code, 0, "the control: no settings");
    let machine = machine();
    served.run_pasted(&machine, client.settings, &timed("60")).expect(0);
    assert!(machine.project().join(client.made).exists());
    for (path, text) in &client.files {
        assert_eq!(&fs::read_to_string(machine.project().join(path)).unwrap(), text, "{path} is as it was");
    }
}

const LEFT_PAD: &str = "node_modules/left-pad/package.json";

#[test]
fn npm() {
    let files = [("package.json", PACKAGE_JSON), ("package-lock.json", PACKAGE_LOCK)];
    installs(&Client::new(&files, &["npm", "ci", "--fetch-retries=0"], LEFT_PAD).with("npm, pnpm"));
}

#[test]
fn pnpm() {
    let client =
        Client::new(&[("package.json", PACKAGE_JSON)], &["pnpm", "install", "--frozen-lockfile"], LEFT_PAD);
    installs(&client.locked_by(&["pnpm", "install", "--lockfile-only"], "pnpm-lock.yaml").with("npm, pnpm"));
}

#[test]
fn yarn_1() {
    let client = Client::new(
        &[("package.json", PACKAGE_JSON)],
        &["yarn", "install", "--frozen-lockfile", "--cache-folder=cache"],
        LEFT_PAD,
    );
    let client = client.locked_by(&["yarn", "install", "--cache-folder=cache"], "yarn.lock");
    installs(&client.with("Yarn 1, with a lock"));
}

#[test]
fn yarn_4() {
    let files =
        [("package.json", PACKAGE_JSON), ("yarn.lock", ""), (".yarnrc.yml", "nodeLinker: node-modules\n")];
    let client = Client::new(&files, &["yarn", "install", "--immutable"], LEFT_PAD);
    let client = Client { programs: Some(tools().join("yarn4/node_modules/.bin")), ..client };
    installs(&client.locked_by(&["yarn", "install"], "yarn.lock").with("Yarn 2 and later"));
}

#[test]
fn pip() {
    installs(&Client::of_python(&pypi::pip(pypi::RIGHT), "made/idna").with("pip"));
}

#[test]
fn uv() {
    installs(&Client::of_python(&pypi::uv(pypi::RIGHT), ".venv").with("uv, with a lock"));
}

#[test]
fn poetry() {
    installs(&Client::of_python(&pypi::poetry(pypi::RIGHT), "poetry.lock").with("Poetry"));
}

#[test]
fn cargo() {
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nitoa = \"=1.0.15\"\n",
        ),
        ("src/main.rs", "fn main() { println!(\"{}\", itoa::Buffer::new().format(42)); }\n"),
    ];
    let client = Client::new(&files, &["cargo", "build", "--locked"], "target/debug/small");
    installs(&client.locked_by(&["cargo", "generate-lockfile"], "Cargo.lock").with("Cargo"));
}
