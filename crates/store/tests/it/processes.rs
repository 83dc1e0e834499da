//! Several processes share one store.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use model::{Event, Sha256};
use store::{AppendError, Expect, Store};

use crate::world::*;

/// Starts this test binary again, to run one test with something in its environment.
pub(crate) fn again(test: &str, environment: &[(&str, String)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a test alone in a process of its own, because it arms failure points, which all threads pass.
pub(crate) fn alone(test: &str, act: fn()) {
    if std::env::var_os("STORE_TEST_ALONE").is_some() {
        return act();
    }
    let output = again(test, &[("STORE_TEST_ALONE", "1".to_owned())]).wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("1 passed"), "`{test}` is no test: {told}");
}

const N_EVENTS: u8 = 60;

/// What each of several writers does: keeps, and takes part in a race for one subject.
fn write(home: &Path, writer: u8) {
    let store = Store::open(home, clock()).unwrap();
    for number in 0..N_EVENTS {
        keep(&store, &format!("{writer}/{number}"), &[writer, number]);
        // All want the same bytes.
        keep(&store, &format!("{writer}/shared"), &[number]);
        if number % 10 == 0 {
            race(&store, drilled(number));
        }
        if number % 7 == 0 {
            store.flush().unwrap();
        }
    }
    store.flush().unwrap();
    for number in 0..N_EVENTS {
        assert!(store.lookup(&key(&format!("{writer}/{number}"))).unwrap().is_some());
    }
}

fn race(store: &Store, event: Event) {
    loop {
        let subject = "drills".to_owned();
        let subject_seq = store.head(&subject).unwrap().unwrap_or_default();
        match store.append(Some(Expect { subject, subject_seq }), vec![event.clone()]) {
            Err(AppendError::Moved { .. }) => {}
            done => {
                assert!(done.unwrap() > 0);
                return;
            }
        }
    }
}

/// Asserts that nobody's work is lost and that there is one chain.
fn check(home: &Home, n_writers: u8) {
    let store = home.open();
    assert_good(&store);
    let entries = store.events_since(0, usize::MAX).unwrap();
    let n_each = usize::from(N_EVENTS) * 2 + 6;
    assert_eq!(entries.len(), n_each * usize::from(n_writers));
    let drills: Vec<u64> = store.drills().unwrap().iter().map(|entry| entry.subject_seq).collect();
    assert_eq!(drills, (1..=6 * u64::from(n_writers)).collect::<Vec<_>>());
    for writer in 0..n_writers {
        for number in 0..N_EVENTS {
            let held = store.lookup(&key(&format!("{writer}/{number}"))).unwrap().unwrap();
            assert_eq!(held.sha256, Sha256::of(&[writer, number]));
            assert_eq!(store.read_blob(&held.sha256, 10).unwrap(), [writer, number]);
        }
    }
    let before = crate::rebuild::answers(&store);
    home.forget_index();
    assert_eq!(crate::rebuild::answers(&home.open()), before);
}

#[test]
fn stores_of_one_process_keep_one_chain() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = home.path();
            scope.spawn(move || write(path, writer));
        }
    });
    check(&home, 4);
}

#[test]
fn processes_keep_one_chain() {
    if let Ok(home) = std::env::var("STORE_TEST_HOME") {
        let writer = std::env::var("STORE_TEST_WRITER").unwrap().parse().unwrap();
        return write(Path::new(&home), writer);
    }
    let home = Home::new();
    let children: Vec<Child> = (0..4)
        .map(|writer: u8| {
            let path = home.path().to_str().unwrap().to_owned();
            again(
                "processes::processes_keep_one_chain",
                &[("STORE_TEST_HOME", path), ("STORE_TEST_WRITER", writer.to_string())],
            )
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    check(&home, 4);
}

#[test]
fn one_store_sees_what_another_acknowledged() {
    let home = Home::new();
    let (one, two) = (home.open(), home.open());
    assert_eq!(two.lookup(&key("a")).unwrap(), None);
    keep(&one, "a", b"1");
    one.flush().unwrap();
    assert_eq!(two.lookup(&key("a")).unwrap().unwrap().sha256, Sha256::of(b"1"));
    assert_eq!(two.read_blob(&Sha256::of(b"1"), 1).unwrap(), b"1");
    // Also across the closing of a segment.
    for number in 0..6 {
        one.append(None, vec![rejected(&format!("{number}"), &"x".repeat(1_000_000))]).unwrap();
    }
    assert_eq!(two.append(None, vec![drilled(1)]).unwrap(), 8);
    assert_eq!(one.drills().unwrap().len(), 1);
    assert_good(&one);
}
