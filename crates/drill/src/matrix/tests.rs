//! The rules of the matrix, one journal a line, and the guessing of labels.

use model::Sha256;

use super::*;

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_commands_words_tell_what_it_is_for() {
    let check = |line: &str, expected: &str| assert_eq!(label(&words(line)), expected, "{line}");
    check("npm ci", "install");
    check("npm --prefix web ci", "install");
    check("npm run build", "build");
    check("npm run test:unit", "test");
    check("npm test", "test");
    check("yarn", "install");
    check("yarn --immutable", "install");
    check("pnpm deploy", "deploy");
    check("cargo build --release", "build");
    check("cargo +nightly test", "test");
    check("cargo run", "cargo run");
    check("/usr/local/bin/cargo fetch --locked", "install");
    check("pytest -q", "test");
    check("python3 -m pytest", "test");
    check("python3 -m pip install -r requirements.txt", "install");
    check("python3 setup.py", "install");
    check("composer install --no-dev", "install");
    check("go build ./...", "build");
    check("go mod download", "install");
    check("./mvnw -q -B package", "build");
    check("mvn deploy", "publish");
    check("make", "build");
    check("make -j4", "build");
    check("make test", "test");
    check("make CC=gcc deploy", "deploy");
    check("make docs", "make docs");
    check("git clone https://github.com/a/b", "clone");
    check("git fetch", "fetch");
    check("git submodule update --init", "clone");
    check("git log", "git log");
    check("./deploy.sh production", "deploy");
    check("bash scripts/run-tests.sh", "test");
    check("env -i A=b sudo -E npm ci", "install");
    check("env CI=1 timeout 5m npm ci", "install");
    check("CI=1 npm ci", "install");
    check("curl -fsS https://example.com/a", "fetch");
    check("curl -o out https://example.com/a", "fetch");
    check("wget https://example.com/a", "fetch");
    check("pip download --no-deps --dest out idna", "fetch");
    check("pip3.12 install idna", "install");
    check("python3.12 -m pip download idna", "fetch");
}

#[test]
fn what_runs_others_and_what_takes_goals_is_looked_through() {
    let check = |line: &str, expected: &str| assert_eq!(label(&words(line)), expected, "{line}");
    check("uv run --frozen pytest -q", "test");
    check("uv run", "uv run");
    check("poetry run python -m pytest", "test");
    check("bundle exec rspec", "test");
    check("bundle exec rake deploy", "deploy");
    check("pnpm exec vitest run", "test");
    check("npx --yes jest", "test");
    check("go mod tidy", "install");
    check("go mod vendor", "install");
    check("go version", "go version");
    check("mvn -q -B validate", "build");
    check("mvn", "build");
    check("mvn clean verify", "test");
    check("mvn -B clean deploy", "publish");
    check("mvn dependency:go-offline", "install");
    check("mvn versions:set", "mvn versions:set");
    check("./gradlew clean build", "build");
    check("./gradlew build publish", "publish");
    check("apt-get install -y curl", "install");
    check("sudo apt-get -y -o Dir::Cache=x install curl", "install");
    check("apt-get update", "install");
    check("apt-get download hello", "fetch");
    check("apt-cache policy hello", "apt-cache policy");
    check("docker pull debian:12", "fetch");
    check("./download.sh", "fetch");
    check("cmake --build out", "build");
    check("env", "run");
    check("", "");
}

#[test]
fn a_shells_script_is_named_by_its_last_stage() {
    let check = |script: &str, expected: &str| {
        let command = ["sh", "-ec", script].map(str::to_owned);
        assert_eq!(label(&command), expected, "{script}");
    };
    check("cd web && npm ci && npm run build", "build");
    check("npm ci; npm test | tee log", "test");
    check("curl -fsSO https://example.com/a && npm ci", "install");
    check("curl -fsS https://example.com/a | tar x", "fetch");
    check("cd web\nnpm ci", "install");
    check("echo hello", "sh");
    check("./frobnicate now", "frobnicate now");
}

/// A journal in words: `run` and `drill` lines a day apart, from the first of November on.
#[derive(Default)]
struct Journal(Vec<(Timestamp, Event)>);

impl Journal {
    fn day(day: usize) -> Timestamp {
        format!("2026-11-{day:02}T12:00:00Z").parse().unwrap()
    }

    fn run_with(
        mut self,
        command: &str,
        exit_code: i32,
        containment: Containment,
        hosts: &[(&str, bool)],
    ) -> Self {
        let event = Event::Ran {
            record_bytes: None,
            run_id: "r".parse().unwrap(),
            record: Sha256::of(b""),
            command: words(command),
            directory: "/p".to_owned(),
            exit_code,
            containment,
            hosts: hosts.iter().map(|(host, kept)| ((*host).to_owned(), *kept)).collect(),
            is_drill: false,
        };
        self.0.push((Self::day(self.0.len() + 1), event));
        self
    }

    fn run(self, hosts: &[(&str, bool)]) -> Self {
        self.run_with("npm ci", 0, Containment::Sealed, hosts)
    }

    fn drill(mut self, verdict: Verdict, cut: &[&str]) -> Self {
        let at = Self::day(self.0.len() + 1);
        let event = Event::Drilled {
            drill: "d".to_owned(),
            scenario: "s".to_owned(),
            verdict,
            attestation: Sha256::of(b""),
            command: words("npm ci"),
            directory: "/p".to_owned(),
            cut: cut.iter().map(|host| (*host).to_owned()).collect(),
            missing_hosts: Vec::new(),
            recovered_ms: Some(7),
            via: None,
            at,
        };
        self.0.push((at, event));
        self
    }

    /// Lets the last drill have had nothing but what a server gave.
    fn via_a_server(mut self) -> Self {
        if let Some((_, Event::Drilled { via, .. })) = self.0.last_mut() {
            *via = Some("http://10.0.0.1:8642".to_owned());
        }
        self
    }

    /// Notes that the last drill asked a host for something that was not held.
    fn missing_from(mut self, host: &str) -> Self {
        if let Some((_, Event::Drilled { missing_hosts, .. })) = self.0.last_mut() {
            missing_hosts.push(host.to_owned());
        }
        self
    }

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let entries: Vec<Entry<'_>> =
            self.0.iter().map(|(time, event)| Entry { time: *time, event }).collect();
        matrix(&entries, now, Duration::from_secs(10 * 86_400))
    }

    /// Checks `vanished=state` pairs of the one command, all of them, soon after the last line.
    #[track_caller]
    fn check(self, expected: &str) {
        self.check_at(Self::day(9), expected);
    }

    #[track_caller]
    fn check_at(self, now: Timestamp, expected: &str) {
        let cells = self.cells(now);
        let got: Vec<String> = cells.iter().map(|cell| format!("{}={}", cell.vanished, cell.state)).collect();
        assert_eq!(got.join(" "), expected, "{:?}", self.0);
    }
}

use Verdict::{Fail, Inconclusive, Pass};

const KEPT: &[(&str, bool)] = &[("a", true), ("b", true)];
const HALF: &[(&str, bool)] = &[("a", true), ("b", false)];

#[test]
fn a_recorded_run_claims_what_is_kept() {
    let new = Journal::default;
    new().check("");
    new().run(KEPT).check("all=claimed a=claimed b=claimed");
    new().run(HALF).check("all=lost a=claimed b=lost");
    new().run(HALF).run(KEPT).check("all=claimed a=claimed b=claimed");
    new().run(&[("a", true), ("a", false)]).check("all=lost a=lost");
}

#[test]
fn what_shows_nothing_is_unknown() {
    let new = Journal::default;
    new().run(&[]).check("all=unknown");
    new().run_with("npm ci", 1, Containment::Sealed, KEPT).check("all=unknown");
    new().run_with("npm ci", 0, Containment::Observed, KEPT).check("all=unknown a=claimed b=claimed");
    new().run_with("npm ci", 0, Containment::Observed, HALF).check("all=lost a=claimed b=lost");
    new().drill(Inconclusive, &["all"]).check("all=unknown");
    new().run(KEPT).drill(Inconclusive, &["all"]).check("all=claimed a=claimed b=claimed");
    new().drill(Inconclusive, &["a"]).check("all=unknown a=unknown");
}

#[test]
fn a_passed_drill_proves_for_as_long_as_it_lasts() {
    let new = Journal::default;
    new().run(KEPT).drill(Pass, &["all"]).check("all=proved a=proved b=proved");
    new().run(KEPT).drill(Pass, &["a"]).check("all=claimed a=proved b=claimed");
    let (last_day, day_after) = (Journal::day(12), Journal::day(13));
    new().run(KEPT).drill(Pass, &["a"]).check_at(last_day, "all=claimed a=proved b=claimed");
    new().run(KEPT).drill(Pass, &["a"]).check_at(day_after, "all=claimed a=claimed b=claimed");
    new().run(KEPT).drill(Pass, &["all"]).run(KEPT).check("all=proved a=proved b=proved");
    new().run(KEPT).drill(Pass, &["all"]).run(HALF).check("all=lost a=proved b=lost");
    new().run(KEPT).drill(Pass, &["all"]).drill(Inconclusive, &["all"]).check("all=proved a=proved b=proved");
}

#[test]
fn a_failed_drill_is_lost_until_it_is_recorded_again() {
    let new = Journal::default;
    new().run(KEPT).drill(Fail, &["all"]).check("all=lost a=claimed b=claimed");
    new().run(KEPT).drill(Fail, &["all"]).missing_from("b").check("all=lost a=claimed b=lost");
    new()
        .run(KEPT)
        .drill(Pass, &["all"])
        .drill(Fail, &["all"])
        .missing_from("b")
        .check("all=lost a=proved b=lost");
    new().run(&KEPT[..1]).drill(Fail, &["all"]).check("all=lost a=lost");
    new().run(KEPT).drill(Fail, &["a"]).check("all=claimed a=lost b=claimed");
    new().run(KEPT).drill(Fail, &["a"]).run(KEPT).check("all=claimed a=claimed b=claimed");
    new().run(KEPT).drill(Fail, &["b"]).run(HALF).check("all=lost a=claimed b=lost");
    new().run(KEPT).drill(Pass, &["a"]).drill(Fail, &["a"]).check("all=claimed a=lost b=claimed");
    new().run(KEPT).drill(Fail, &["a"]).drill(Pass, &["a"]).check("all=claimed a=proved b=claimed");
}

#[test]
fn a_proof_keeps_its_time_when_it_has_run_out() {
    let cells = Journal::default().run(KEPT).drill(Pass, &["a"]).cells(Journal::day(30));
    let cell = cells.iter().find(|cell| cell.vanished == "a").unwrap();
    assert_eq!(
        (cell.state, cell.proved_at, cell.recovered_ms),
        (State::Claimed, Some(Journal::day(2)), Some(7))
    );
    assert!(cells.iter().filter(|cell| cell.vanished != "a").all(|cell| cell.proved_at.is_none()));
}

#[test]
fn two_commands_with_one_label_are_two_rows() {
    let journal = Journal::default()
        .run_with("npm test", 0, Containment::Sealed, KEPT)
        .run_with("composer install", 0, Containment::Sealed, KEPT)
        .run(KEPT);
    let mut rows: Vec<String> = journal.cells(Journal::day(9)).into_iter().map(|cell| cell.what).collect();
    rows.dedup();
    assert_eq!(rows, ["install (composer install)", "install (npm ci)", "test"]);
}

#[test]
fn a_drill_that_had_a_server_says_nothing_of_this_home() {
    let new = || Journal(Vec::new());
    let claimed = "all=claimed a=claimed b=claimed";
    new().run(KEPT).drill(Pass, &["all"]).check("all=proved a=proved b=proved");
    new().run(KEPT).drill(Pass, &["all"]).via_a_server().check(claimed);
    new().run(KEPT).drill(Fail, &["all"]).via_a_server().check(claimed);
}

#[test]
fn what_was_adopted_is_claimed_until_something_of_it_is_missing() {
    let adopted = |thing: &str, n_missing| Event::Adopted {
        sent_by: None,
        thing: thing.to_owned(),
        locks: Vec::new(),
        n_kept: 3,
        n_first_seen: 0,
        n_missing,
        missing: Vec::new(),
        at: Timestamp::UNIX_EPOCH,
    };
    let events = [adopted("/a", 1), adopted("/b", 0), adopted("/a", 0), adopted("/b", 2)];
    let entries: Vec<_> = events.iter().map(|event| Entry { time: Timestamp::UNIX_EPOCH, event }).collect();
    let cells = matrix(&entries, Timestamp::UNIX_EPOCH, Duration::ZERO);
    let found: Vec<_> =
        cells.iter().map(|cell| (&*cell.thing, &*cell.what, &*cell.vanished, cell.state)).collect();
    assert_eq!(found, [("/a", LOCKS, ALL, State::Claimed), ("/b", LOCKS, ALL, State::Lost)]);
}
