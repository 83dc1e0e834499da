//! report.html: well formed, escaped, and nothing fetched, whatever the names are.

use drill::{Facts, judge, render};
use model::Verdict;

use crate::evidence::Place;
use crate::facts::{missing, object, passing, spoiled};

fn page(facts: &Facts) -> String {
    render(&judge(facts), Place::new().public())
}

/// Elements that have no end tag.
const VOID: [&str; 2] = ["meta", "br"];

/// Reads the page as an XML reader would: every element is closed in its order.
fn check_well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
            continue;
        }
        let name = tag.split_whitespace().next().unwrap();
        assert!(name.bytes().all(|c| c.is_ascii_alphanumeric()), "<{tag}> is no tag of ours");
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

/// Nothing runs and nothing is fetched.
fn check_self_contained(page: &str) {
    let lower = page.to_ascii_lowercase();
    for forbidden in
        ["<script", "<link", "<img", "<iframe", " src=", " href=", "url(", "@import", "javascript:"]
    {
        assert!(!lower.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_verdict_stands_first_in_words() {
    let check = |facts: &Facts, verdict: Verdict, words: &str| {
        assert_eq!(judge(facts).verdict, verdict);
        let page = page(facts);
        check_well_formed(&page);
        check_self_contained(&page);
        let body = &page[page.find("<body").unwrap()..];
        let (at, measured) = (body.find(words), body.find("Measured"));
        assert!(at.is_some() && at < measured, "{words} in\n{body}");
    };
    check(&passing(), Verdict::Pass, "<code>npm ci</code> survives. With every host cut off");
    check(
        &spoiled(|f| f.missing.push(missing("https://github.com/x"))),
        Verdict::Fail,
        "<code>npm ci</code> does not survive",
    );
    check(&spoiled(|f| f.recorded = None), Verdict::Inconclusive, "This drill does not show whether");
}

#[test]
fn reasons_and_missing_objects_are_told() {
    let facts = spoiled(|f| f.missing.push(missing("https://github.com/lost.tgz")));
    let (page, report) = (page(&facts), judge(&facts));
    assert!(page.contains("1 object was asked for and not held") && page.contains("Next step"));
    assert!(page.contains("https://github.com/lost.tgz"));
    assert!(page.contains(&report.missing[0].sha256.unwrap().to_string()));
    for line in &report.not_tested {
        assert!(page.contains(line.as_str()), "{line}");
    }
    assert!(!self::page(&passing()).contains("<h2>Missing</h2>"));
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</code><script>alert(1)</script>\"'&\u{202e}gpj.\u{7}";
    let facts = spoiled(|f| {
        f.scenario.name = hostile.to_owned();
        f.record.command = vec!["npm".to_owned(), hostile.to_owned()];
        f.record.directory = hostile.to_owned();
        f.record.hosts[0].host = hostile.to_owned();
        f.record.outputs[0].path = format!("dist/{hostile}");
        f.record.objects[0].method = hostile.to_owned();
        f.timelines[0].host = hostile.to_owned();
        f.masked = vec![hostile.to_owned()];
        f.not_tested = vec![hostile.to_owned()];
        f.unanswered_names = vec![hostile.to_owned()];
        f.environment.user = hostile.to_owned();
        f.missing = vec![missing("https://github.com/<script>")];
        f.missing[0].reason = hostile.to_owned();
    });
    let page = page(&facts);
    check_well_formed(&page);
    check_self_contained(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "shown as text");
    assert!(!page.contains('\u{202e}') && !page.contains('\u{7}'), "invisible characters are made visible");
}

#[test]
fn a_large_drill_stays_readable() {
    let facts = spoiled(|f| {
        f.record.objects = (0..6_000).map(|i| object(&format!("https://registry.npmjs.org/{i}"))).collect();
    });
    let page = page(&facts);
    check_well_formed(&page);
    assert!(page.contains("… and 1000 more, in report.json."));
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
}

#[test]
fn the_chain_and_the_key_are_told() {
    let place = Place::new();
    let facts = spoiled(|f| f.previous_sha256 = Some(model::Sha256::of(b"before")));
    let page = render(&judge(&facts), place.public());
    assert!(page.contains(&place.public().fingerprint().to_string()));
    assert!(page.contains(&model::Sha256::of(b"before").to_string()));
    assert!(self::page(&passing()).contains("this is the first of its chain"));
}
