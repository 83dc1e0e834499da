use std::convert::Infallible;

use model::{ObjectId, Timestamp};

use super::*;

/// Reads `name letter` lines: a ref and the object `letter` forty times, or `@name`.
fn refs(text: &str) -> BTreeMap<RefName, Target> {
    let line = |line: &str| {
        let (name, target) = line.trim().split_once(' ').unwrap();
        let name = if name == "HEAD" || name.starts_with("refs/") {
            name.to_owned()
        } else {
            format!("refs/heads/{name}")
        };
        let target = if target.starts_with('@') { target.to_owned() } else { target.repeat(40) };
        (name.parse().unwrap(), target.parse().unwrap())
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(line).collect()
}

fn letter(id: &ObjectId) -> char {
    id.to_string().chars().next().unwrap()
}

/// Letters grow with history: `b` comes after `a`; `7` has left it after `a`, other digits have nothing in common with letters. A commit has
/// 100 files, `e` 11 and `f` 9.
struct Letters;

impl History for Letters {
    type Error = Infallible;

    fn relation(&mut self, old: &Target, new: &Target) -> Result<Relation, Infallible> {
        let (old, new) = (letter(old.id().unwrap()), letter(new.id().unwrap()));
        if old != new && (old == '7' || new == '7') {
            return Ok(Relation { is_ancestor: old == 'a', has_common: true, is_earlier: new == 'a' });
        }
        let has_common = old.is_ascii_digit() == new.is_ascii_digit();
        let is_ancestor = has_common && old <= new;
        Ok(Relation { is_ancestor, has_common, is_earlier: has_common && new <= old })
    }

    fn n_files(&mut self, commit: &Target) -> Result<Option<u64>, Infallible> {
        let n_files = match letter(commit.id().unwrap()) {
            'e' => 11,
            'f' => 9,
            _ => 100,
        };
        Ok(Some(n_files))
    }
}

fn state(served: &str) -> State {
    State { upstream: refs(served), served: refs(served), ..State::default() }
}

/// Returns the moves that wait, and how many do not.
fn judged(state: &State, listed: &str, n_destroyed: u64) -> (Vec<String>, usize) {
    judged_by(&Tripwires::default(), state, listed, n_destroyed)
}

fn judged_by(tripwires: &Tripwires, state: &State, listed: &str, n_destroyed: u64) -> (Vec<String>, usize) {
    let judgement = judge(state, &refs(listed), tripwires, n_destroyed, &mut Letters).unwrap();
    let (held, applied): (Vec<_>, Vec<_>) =
        judgement.moves.iter().partition(|moved| moved.decision == Decision::Hold);
    assert_eq!(held.is_empty(), judgement.reasons.is_empty(), "{judgement:?}");
    let held = held.iter().map(|moved| format!("{} {}", short(&moved.name), moved.class)).collect();
    (held, applied.len())
}

/// As many feature branches that nothing but their number matters.
const MANY: &str = "f1 c, f2 c, f3 c, f4 c, f5 c, f6 c, f7 c, f8 c, f9 c, g1 c, g2 c, g3 c, g4 c, g5 c, g6 c, g7 c, g8 c, g9 c, h1 c, h2 c";

#[test]
fn what_destroys_waits_and_the_rest_goes_on() {
    let base = format!("HEAD @refs/heads/main, main c, {MANY}, refs/tags/v1 b, refs/pull/1/head b");
    let check = |change: &[(&str, &str)], expected: &[&str], n_applied: usize| {
        let mut listed = base.clone();
        for (from, to) in change {
            assert!(listed.contains(from), "{from}");
            listed = listed.replacen(from, to, 1);
        }
        let (held, applied) = judged(&state(&base), &listed, 0);
        assert_eq!(
            (held.iter().map(String::as_str).collect::<Vec<_>>(), applied),
            (expected.to_vec(), n_applied),
            "{change:?}"
        );
    };
    check(&[], &[], 0);
    check(&[("main c", "main d, new a")], &[], 2);
    check(&[("f1 c", "f1 7")], &[], 1);
    check(&[("f1 c", "f1 b"), ("f2 c", "f2 d")], &["f1 force"], 1);
    check(&[("f1 c", "f1 9")], &["f1 force"], 0);
    check(&[("f1 c,", "")], &[], 1);
    check(&[(" main c", " main b"), ("f2 c", "f2 d")], &["main force"], 1);
    check(&[(" main c", " main 1")], &["main force"], 0);
    check(&[(" main c,", "")], &["main delete"], 0);
    check(&[("refs/tags/v1 b", "refs/tags/v1 c"), ("f1 c", "f1 d")], &["refs/tags/v1 tag_move"], 1);
    check(&[("refs/tags/v1 b,", "")], &["refs/tags/v1 delete"], 0);
    check(&[("refs/pull/1/head b", "refs/pull/1/head 1")], &[], 1);
    check(&[("f1 c", "f1 7"), ("f2 c", "f2 7")], &[], 2);
    check(
        &[("f1 c", "f1 7"), ("f2 c", "f2 7"), ("f3 c,", ""), ("f4 c,", ""), ("f5 c", "f5 d")],
        &["f1 force", "f2 force", "f3 delete", "f4 delete"],
        1,
    );
}

#[test]
fn a_branch_that_loses_its_files_waits_however_it_moves() {
    let base = state("HEAD @refs/heads/main, main c, other c");
    let listed = |commit: &str| format!("HEAD @refs/heads/main, main {commit}, other {commit}");
    assert_eq!(judged(&base, &listed("e"), 0), (vec![], 2), "89 of 100 are gone");
    assert_eq!(judged(&base, &listed("f"), 0), (vec!["main fast_forward".to_owned()], 1));
    let few = state("HEAD @refs/heads/main, main e, other e");
    assert_eq!(judged(&few, &listed("f"), 0), (vec![], 2), "so few files say nothing");
}

#[test]
fn tripwires_are_what_a_person_says() {
    let base = state(&format!("HEAD @refs/heads/main, main c, release/1 c, {MANY}"));
    let listed = format!("HEAD @refs/heads/main, main c, release/1 7, {MANY}");
    let (_, n_applied) = judged(&base, &listed, 0);
    assert_eq!(n_applied, 1);
    let protected = Tripwires { protected: vec!["release/*".to_owned()], ..Tripwires::default() };
    assert_eq!(judged_by(&protected, &base, &listed, 0).0, ["release/1 force"]);
    let none = Tripwires { n_destroyed_max: 0, ..Tripwires::default() };
    assert_eq!(judged_by(&none, &base, &listed, 0).0, ["release/1 force"]);
    let many = Tripwires { n_destroyed_max: 99, percent_destroyed_max: 100, ..Tripwires::default() };
    let listed = "HEAD @refs/heads/main, main c, f1 7, f2 7, f3 7, f4 7, f5 7";
    let base = state("HEAD @refs/heads/main, main c, f1 c, f2 c, f3 c, f4 c, f5 c");
    assert_eq!((judged(&base, listed, 0).1, judged_by(&many, &base, listed, 0).1), (0, 5));
}

#[test]
fn an_hour_counts_as_a_whole() {
    let base = format!("HEAD @refs/heads/main, main c, {MANY}");
    let listed = base.replacen("f1 c", "f1 7", 1);
    assert_eq!(judged(&state(&base), &listed, 1), (vec![], 1));
    assert_eq!(judged(&state(&base), &listed, 3), (vec!["f1 force".to_owned()], 0));
}

#[test]
fn a_new_name_of_the_default_branch_is_no_loss() {
    let base = state("HEAD @refs/heads/main, main c, other c");
    assert_eq!(judged(&base, "HEAD @refs/heads/trunk, trunk d, other c", 0), (vec![], 3));
    let lost = judged(&base, "HEAD @refs/heads/trunk, trunk b, other c", 0);
    let held = vec!["HEAD retarget".to_owned(), "main delete".to_owned()];
    assert_eq!(lost, (held, 1), "it lacks what the old one had");
    assert_eq!(judged(&base, "main c, other c", 0).0, ["HEAD retarget"]);
}

#[test]
fn another_default_branch_has_everything_of_the_one_before() {
    let base = state("HEAD @refs/heads/prod, prod c, old b, next d, empty f");
    let listed = |head: &str| format!("HEAD {head}, prod c, old b, next d, empty f, other 1");
    assert_eq!(judged(&base, &listed("@refs/heads/next"), 0), (vec![], 2), "it goes on from there");
    for head in ["@refs/heads/old", "@refs/heads/other", "@refs/heads/empty", "c"] {
        let judged = judged(&base, &listed(head), 0);
        assert_eq!(judged, (vec!["HEAD retarget".to_owned()], 1), "{head}");
    }
}

#[test]
fn the_default_branch_stays_as_long_as_its_successor_is_held() {
    let base = state("HEAD @refs/heads/main, main c, develop d");
    // The successor has everything of it, and is rewound itself.
    let (held, n_applied) = judged(&base, "HEAD @refs/heads/develop, develop c", 0);
    let expected = ["HEAD retarget", "develop force", "main delete"];
    assert_eq!((held.iter().map(String::as_str).collect::<Vec<_>>(), n_applied), (expected.to_vec(), 0));
}

#[test]
fn proposals_move_as_their_forge_likes_however_often() {
    let base = state("HEAD @refs/heads/main, main c, refs/pull/1/merge c");
    assert_eq!(judged(&base, "HEAD @refs/heads/main, main c, refs/pull/1/merge 1", 9), (vec![], 1));
}

#[test]
fn what_stays_is_not_in_the_way_of_anything_else() {
    let base = state("HEAD @refs/heads/main, main c, refs/tags/a b");
    // The tag's deletion waits, so what takes its place as a folder waits, too.
    let judged_tags = judged(&base, "HEAD @refs/heads/main, main d, refs/tags/a/b c", 0);
    assert_eq!(judged_tags, (vec!["refs/tags/a delete".to_owned(), "refs/tags/a/b create".to_owned()], 1));
    let base = state("HEAD @refs/heads/main, main c, a c");
    assert_eq!(
        judged(&base, "HEAD @refs/heads/main, main c, a/b c", 0),
        (vec![], 2),
        "its own deletion is followed"
    );
}

#[test]
fn what_waits_is_judged_by_what_is_served() {
    let mut state = state("HEAD @refs/heads/main, main c");
    state.upstream.insert("refs/heads/main".parse().unwrap(), "1".repeat(40).parse().unwrap());
    assert_eq!(judged(&state, "HEAD @refs/heads/main, main 1", 0), (vec![], 0), "nothing new");
    assert_eq!(judged(&state, "HEAD @refs/heads/main, main 2", 0).0, ["main force"]);
    assert_eq!(judged(&state, "HEAD @refs/heads/main, main c", 0), (vec![], 1), "it came back");
    assert_eq!(judged(&state, "HEAD @refs/heads/main, main d", 0), (vec![], 1), "and went on");
}

#[test]
fn a_rule_lets_through_what_it_names() {
    let mut state = state("HEAD @refs/heads/main, main c, refs/tags/nightly b, refs/tags/v1 b");
    state.rules = [("refs/tags/night*".to_owned(), Timestamp::UNIX_EPOCH)].into();
    let listed = "HEAD @refs/heads/main, main c, refs/tags/nightly c, refs/tags/v1 c";
    assert_eq!(judged(&state, listed, 0), (vec!["refs/tags/v1 tag_move".to_owned()], 1));
    let name: RefName = "refs/heads/main".parse().unwrap();
    assert!(is_followed(&["refs/heads/main".to_owned()], &name));
    assert!(!is_followed(&["refs/heads/mai".to_owned()], &name));
}

#[test]
fn very_many_refs_are_judged_in_few_looks_and_words() {
    let many = |letter: &str| {
        let lines: String = (0..20_000).map(|n| format!("b{n:06} {letter}, ")).collect();
        format!("HEAD @refs/heads/main, main c, {lines}")
    };
    // Compared with each other, one by one, they would take a minute.
    let (held, n_applied) = judged(&State::default(), &many("c"), 0);
    assert_eq!((held.len(), n_applied), (0, 20_002));
    // Each is replaced by something else, and says so.
    let judgement =
        judge(&state(&many("c")), &refs(&many("1")), &Tripwires::default(), 0, &mut Letters).unwrap();
    assert_eq!((judgement.moves.len(), judgement.reasons.len()), (20_000, N_REASONS_MAX));
    assert!(judgement.moves.iter().all(|moved| moved.decision == Decision::Hold));
}
