//! One row for each rule; the control is the drill that passes.

use std::process::Command;
use std::time::Duration;

use drill::{Facts, Level, Missing, REPORT_SCHEMA, Report, judge, quoted};
use model::{Containment, NotKept, Proof, Protocol, Refused, Source, Unlisted, Verdict};

use crate::facts::{missing, object, output, passing, spoiled, timeline, url};

/// Judges the passing drill after a change; every reason must have a way out, the first one must say `reason`.
#[track_caller]
fn check(change: impl FnOnce(&mut Facts), verdict: Verdict, reason: &str) -> Report {
    let report = judge(&spoiled(change));
    let reasons: Vec<String> = report.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(report.verdict, verdict, "{reasons:?}");
    match reasons.first() {
        None => assert_eq!(reason, "", "a reason was expected"),
        Some(first) => assert!(!reason.is_empty() && first.contains(reason), "{reasons:?}"),
    }
    assert!(report.reasons.iter().all(|reason| !reason.hint.is_empty()), "{reasons:?}");
    // With warm caches a recording lacks what a drill asks for.
    let records = |hint: &str| hint.contains("outlast exec") && !hint.contains("--require-sealed");
    let is_fresh = |hint: &str| !records(hint) || hint.contains("outlast exec --fresh ");
    assert!(report.reasons.iter().all(|reason| is_fresh(&reason.hint)), "{reasons:?}");
    report
}

use Verdict::{Fail, Inconclusive, Pass};

#[test]
fn a_drill_that_keeps_every_rule_passes() {
    let report = check(|_| {}, Pass, "");
    assert_eq!(report.record.schema, REPORT_SCHEMA);
    assert_eq!(report.level, Level::D3);
    assert_eq!(
        (report.detected_ms, report.recovered_ms, report.data_age_s),
        (Some(5), Some(30), Some(3_610))
    );
    assert_eq!(report.recorded_run.unwrap().as_str(), "20261123T090000Z-0000000a");
    assert_eq!(report.cut.len(), 1);
    assert_eq!(report.bytes_from_cut_hosts, 0);
}

#[test]
fn without_a_good_recording_nothing_is_concluded() {
    check(|f| f.recorded = None, Inconclusive, "no recorded run of this command");
    check(
        |f| f.recorded.as_mut().unwrap().exit_code = 7,
        Inconclusive,
        "20261123T090000Z-0000000a exited with 7; hint: make it succeed first: outlast exec --fresh -- npm ci",
    );
    let interrupted = |f: &mut Facts| {
        f.recorded.as_mut().unwrap().exit_code = 130;
        f.newest_success = Some("20261122T090000Z-0000000c".parse().unwrap());
    };
    let hint =
        "add --run 20261122T090000Z-0000000c to compare with the newest run that succeeded, or repeat it: ";
    check(
        interrupted,
        Inconclusive,
        &format!("0000000a exited with 130; hint: {hint}outlast exec --fresh -- npm ci"),
    );
    check(
        |f| {
            f.recorded = None;
            f.record.exit_code = 1;
            f.missing.push(missing("https://github.com/x"));
        },
        Inconclusive,
        "no recorded run",
    );
}

#[test]
fn a_command_that_asks_no_cut_host_shows_nothing() {
    let ask_nothing = |f: &mut Facts| {
        f.record.objects.clear();
        f.record.hosts.clear();
        f.timelines.clear();
    };
    check(ask_nothing, Inconclusive, "the command fetched nothing, so the drill shows nothing");
    let fails_by_itself = |f: &mut Facts| {
        ask_nothing(f);
        f.record.exit_code = 127;
    };
    check(fails_by_itself, Inconclusive, "the command fetched nothing, and exited with 127");
    let cut_a_stranger = |f: &mut Facts| {
        f.scenario.cut = vec!["never.example".parse().unwrap()];
        f.timelines.iter_mut().for_each(|timeline| timeline.fault = None);
    };
    check(cut_a_stranger, Inconclusive, "asked none of the hosts that were cut (never.example)");
    let asked_in_vain = |f: &mut Facts| {
        ask_nothing(f);
        f.missing.push(missing("https://github.com/x"));
    };
    check(asked_in_vain, Fail, "1 object was asked for and not held");
}

#[test]
fn what_is_missing_fails_and_is_named() {
    let address = "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz";
    let lose = |f: &mut Facts| f.missing = vec![missing(address), missing(address)];
    let report = check(lose, Fail, address);
    let reason = &report.reasons[0].what;
    assert!(reason.contains(&report.missing[0].sha256.unwrap().to_string()), "{reason}");
    assert!(reason.contains("the blob is damaged") && reason.starts_with("1 object was"), "{reason}");
    assert_eq!(report.missing.len(), 1, "asked twice is missing once");
    let lose_many = |f: &mut Facts| {
        f.missing = (0..9).map(|i| missing(&format!("https://github.com/{i}"))).collect();
    };
    let report = check(lose_many, Fail, "9 objects were asked for and not held");
    assert!(report.reasons[0].what.ends_with("and 4 more"), "{}", report.reasons[0]);
    assert_eq!(report.missing.len(), 9);
}

#[test]
fn what_no_copy_can_answer_is_not_to_be_recorded_again() {
    let clone = |f: &mut Facts| {
        let never_kept = true;
        f.missing =
            vec![Missing { sha256: None, never_kept, ..missing("https://github.com/a.git/info/refs") }];
        f.record.exit_code = 128;
    };
    let report = check(clone, Fail, "1 request was made that no copy can answer: https://github.com/a.git");
    let told = report.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(!told.contains("not held") && !told.contains("exec --fresh"), "{told}");
    let both = |f: &mut Facts| {
        clone(f);
        f.missing.push(missing("https://github.com/b.tgz"));
    };
    let report = check(both, Fail, "1 object was asked for and not held: https://github.com/b.tgz");
    assert!(report.reasons[1].what.starts_with("1 request was made"), "{}", report.reasons[1]);
}

#[test]
fn the_command_must_succeed() {
    check(|f| f.record.exit_code = 1, Fail, "the command exited with 1, the recorded run exited with 0");
    check(|f| f.record.exit_code = 137, Fail, "the command exited with 137");
}

#[test]
fn not_a_byte_may_come_from_a_cut_host() {
    check(
        |f| f.timelines[0].bytes_from_upstream = 1,
        Fail,
        "1 bytes came from hosts that should have been cut",
    );
    check(|f| f.record.objects[0].source = Source::Upstream, Fail, "1234567 bytes came from hosts");
    let empty_answer = |f: &mut Facts| {
        f.record.objects[0].source = Source::Upstream;
        f.record.objects[0].size_bytes = 0;
    };
    check(empty_answer, Fail, "1 bytes came from hosts");
    let from_a_live_host = |f: &mut Facts| {
        f.scenario.cut = vec!["github.com".parse().unwrap()];
        f.timelines[0].fault = None;
        f.timelines[0].bytes_from_upstream = 99;
        f.record.objects[0].source = Source::Upstream;
    };
    let report = check(from_a_live_host, Pass, "");
    assert_eq!(report.bytes_from_cut_hosts, 0);
    assert!(report.not_tested.iter().any(|line| line.contains("stayed reachable: registry.npmjs.org")));
}

#[test]
fn outputs_must_be_equal() {
    let check_output = |change: fn(&mut Vec<model::Output>), reason: &str| {
        check(|f| change(&mut f.record.outputs), Fail, reason);
    };
    check_output(|outputs| outputs[0] = output("dist/app.js", "other"), "1 file differs of 2 (dist/app.js)");
    check_output(|outputs| drop(outputs.pop()), "dist/style.css (not made)");
    check_output(|outputs| outputs.push(output("dist/new.js", "3")), "dist/new.js (not there before)");
    check_output(Vec::clear, "2 files differ of 2");
    let elsewhere = |f: &mut Facts| f.record.outputs.push(output("distant/x", "3"));
    check(elsewhere, Pass, "");
    check(
        |f| f.recorded.as_mut().unwrap().outputs.clear(),
        Inconclusive,
        "the recorded run has no output `dist`",
    );
    check(|f| f.scenario.output = vec!["/srv/shop/dist".into()], Pass, "");
    check(|f| f.scenario.output = vec![".".into()], Pass, "");
    let unnamed = |f: &mut Facts| {
        f.scenario.output.clear();
        f.record.outputs.clear();
    };
    let report = check(unnamed, Pass, "");
    assert_eq!(report.level, Level::D2);
    assert!(report.not_tested.iter().any(|line| line.contains("no output was named")));
}

#[test]
fn recovery_must_keep_its_objective() {
    let promise =
        |millis: u64| move |f: &mut Facts| f.scenario.objective = Some(Duration::from_millis(millis));
    assert_eq!(check(promise(30), Pass, "").objective_ms, Some(30));
    check(promise(29), Fail, "recovery took 30 ms, the objective was 29 ms");
    let never = |f: &mut Facts| f.timelines[1].recovered_ms = None;
    let never_though_promised = |f: &mut Facts| {
        never(f);
        promise(60_000)(f);
    };
    let report =
        check(never_though_promised, Fail, "nothing stood in for github.com, the objective was 1 min");
    assert_eq!(report.recovered_ms, None);
    let report = check(never, Pass, "");
    assert!(report.not_tested.iter().any(|line| line.contains("nothing stood in: github.com")));
}

#[test]
fn an_open_room_can_show_a_failure_but_no_success() {
    let open = |f: &mut Facts| {
        f.record.containment = Containment::Observed;
        f.record.containment_reasons = vec!["no user namespaces".to_owned()];
    };
    check(open, Inconclusive, "the room was not sealed (no user namespaces)");
    let open_and_missing = |f: &mut Facts| {
        open(f);
        f.missing.push(missing("https://github.com/x"));
    };
    let report = check(open_and_missing, Fail, "1 object was asked for");
    assert!(report.reasons.last().unwrap().what.contains("not sealed"), "the doubt stays visible");
}

#[test]
fn a_copy_must_have_been_put_to_the_test() {
    let all_live_but_asked = |f: &mut Facts| {
        f.scenario.cut = vec!["github.com".parse().unwrap()];
        f.record.objects.truncate(2);
        f.record.objects.iter_mut().for_each(|object| object.source = Source::Upstream);
        f.timelines[0].fault = None;
    };
    check(all_live_but_asked, Inconclusive, "no object came from a copy");
}

#[test]
fn what_was_not_tested_is_listed() {
    let report = judge(&passing());
    assert!(report.not_tested.iter().any(|line| line == "what the rim knows"));
    let check_line = |change: fn(&mut Facts), expected: &str| {
        let plain = judge(&passing());
        assert!(
            !plain.not_tested.iter().any(|line| line.contains(expected)),
            "{expected} must not always stand there"
        );
        let report = judge(&spoiled(change));
        assert!(report.not_tested.iter().any(|line| line.contains(expected)), "{:?}", report.not_tested);
    };
    check_line(
        |f| f.scenario.cut.push("silent.example".parse().unwrap()),
        "hosts that were cut and never asked: silent.example",
    );
    check_line(
        |f| {
            let (url, reason) = (url("https://api.example/audit"), "an API".to_owned());
            f.record.not_kept.push(NotKept { url, reason });
        },
        "not kept: api.example",
    );
    check_line(|f| f.record.objects[0].proof = Proof::FirstSeen, "1 object is what the upstream meant");
    check_line(
        |f| {
            f.record.refused.push(Refused {
                host: String::new(),
                address: "192.0.2.1".to_owned(),
                port: 53,
                protocol: Protocol::Udp,
            });
        },
        "1 other connection was for: the room refused",
    );
    check_line(
        |f| f.recorded.as_mut().unwrap().containment = Containment::Observed,
        "the recorded run fetched past Outlast",
    );
    let deploys = |f: &mut Facts| f.record.command = vec!["./deploy.sh".to_owned()];
    let lists_deploy = |report: &Report| report.not_tested.iter().any(|line| line.starts_with("deploying"));
    assert!(lists_deploy(&report) && !lists_deploy(&judge(&spoiled(deploys))));
}

#[test]
fn the_report_is_flat_and_has_every_documented_field() {
    let json = serde_json::to_value(judge(&passing())).unwrap();
    let fields = "schema run_id started_at containment command directory exit_code duration_ms hosts refused outputs \
                  objects not_kept scenario verdict reasons not_tested cut objective_ms detected_ms recovered_ms \
                  data_age_s bytes_from_cut_hosts unanswered_names missing recorded_run masked previous_sha256";
    for field in fields.split_whitespace() {
        assert!(json.get(field).is_some(), "{field}");
    }
    assert_eq!(json["schema"], "outlast/report/v1");
    assert_eq!(json["verdict"], "pass");
    assert_eq!(json["cut"], serde_json::json!([{"host": "all", "fault": "refuse"}]));
    let back: Report = serde_json::from_value(json).unwrap();
    assert_eq!(back, judge(&passing()));
}

#[test]
fn a_reason_is_one_text_in_json() {
    let report = judge(&spoiled(|f| f.recorded = None));
    let json = serde_json::to_value(&report).unwrap();
    let text = json["reasons"][0].as_str().unwrap();
    assert!(
        text.contains("; hint: record one while the network is up: outlast exec --fresh -- npm ci"),
        "{text}"
    );
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn a_command_in_a_hint_can_be_pasted() {
    let tricky = |f: &mut Facts| {
        f.recorded = None;
        f.record.command = ["sh", "-c", "echo 'a b' && make", ""].map(str::to_owned).to_vec();
    };
    let report = judge(&spoiled(tricky));
    assert!(
        report.reasons[0].hint.ends_with(r"exec --fresh -- sh -c 'echo '\''a b'\'' && make' ''"),
        "{}",
        report.reasons[0]
    );
}

#[test]
fn a_clock_that_was_set_back_gives_no_negative_age() {
    let report = judge(&spoiled(|f| f.now = "2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(report.data_age_s, Some(0));
    let report =
        judge(&spoiled(|f| f.record.objects.iter_mut().for_each(|object| object.confirmed_at = None)));
    assert_eq!(report.data_age_s, None);
    let two = |f: &mut Facts| {
        f.record.objects.push(object("https://github.com/c"));
        f.record.objects[3].confirmed_at = Some("2026-11-23T09:00:10Z".parse().unwrap());
        f.timelines.push(timeline("c"));
    };
    assert_eq!(judge(&spoiled(two)).data_age_s, Some(86_400), "the oldest counts");
}

#[test]
fn lists_that_are_cut_off_never_pass() {
    let cut_off = [
        Unlisted { n_requests: 1, ..Unlisted::default() },
        Unlisted { n_refused: 1, ..Unlisted::default() },
        Unlisted { n_names: 1, ..Unlisted::default() },
    ];
    for unlisted in cut_off {
        check(|f| f.record.unlisted = unlisted, Inconclusive, "the lists are cut off");
        check(
            |f| {
                f.record.unlisted = unlisted;
                f.missing.push(missing("https://github.com/x"));
            },
            Fail,
            "asked for and not held",
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this test is about a shell")]
fn a_quoted_command_is_the_same_command_in_a_shell() {
    let check = |word: &[u8], expected: &str| {
        let quoted = quoted(&[model::escape(word)]);
        assert_eq!(quoted, expected);
        let told = Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
        assert_eq!(told.stdout, word, "{quoted}");
    };
    check(b"a-b_c./=:@,+%1", "a-b_c./=:@,+%1");
    check(b"", "''");
    check(b"it's $HOME \\n", r"'it'\''s $HOME \n'");
    check("größe".as_bytes(), "'größe'");
    check(b"a\xff", r"$'a\377'");
    check(b"it's \xff7 $HOME\n\\", r"$'it\'s \3777 $HOME\012\\'");
}
