//! What a person is told after a run.

use std::collections::BTreeSet;

use model::{Containment, Expired, Freshness, Object, Proof, Record, Unlisted};

use crate::command_line::Global;
use crate::speak::{self, count, duration, say, size};
use crate::tasks::run::Done;

/// How many of a kind are named before they are only counted.
const N_NAMED_MAX: usize = 8;
/// Letters that are shown of what a lock may make as long as it likes.
const N_LETTERS_MAX: usize = 200;

/// Says what a run did, what of it is kept, and what to do next.
pub(crate) fn say_run(global: &Global, done: &Done, next: &str) {
    let record = &done.record;
    let n_bytes: u64 = record.objects.iter().map(|object| object.size_bytes).sum();
    let n_verified = record.objects.iter().filter(|object| object.proof == Proof::Verified).count() as u64;
    let n_objects = record.objects.len() as u64;
    say(
        global,
        &format_args!(
            "outlast: run {}, {}, exit code {} after {}",
            record.run_id,
            record.containment,
            record.exit_code,
            duration(record.duration_ms)
        ),
    );
    say(
        global,
        &format_args!(
            "outlast: {} from {}, {}: {n_verified} verified, {} first seen, {} not kept",
            count(n_objects, "object"),
            count(record.hosts.len() as u64, "host"),
            size(n_bytes),
            n_objects - n_verified,
            record.not_kept.len(),
        ),
    );
    say_server(global, done);
    say_errors(global, record);
    say_hosts(global, record);
    say_copies(global, record);
    say_troubles(global, done);
    say(global, &format_args!("hint: {next}"));
}

/// Says whether the team's server was any help: a build that falls back to its hosts looks like any other.
fn say_server(global: &Global, done: &Done) {
    let (Some(server), Some(url)) = (&done.findings.server, &done.record.via) else { return };
    let n_answers = count(server.n_answers, "answer");
    match &server.trouble {
        Some(trouble) => say(
            global,
            &format_args!("  the server {url} gave {n_answers}, and could not be asked then: {trouble}"),
        ),
        None => say(global, &format_args!("  the server {url} gave {n_answers}")),
    }
}

/// Says which objects are answers that there is no such thing: they are kept like any other, and replayed.
fn say_errors(global: &Global, record: &Record) {
    // 416 is about the part that the client asked for.
    let is_error = |object: &&Object| object.status >= 400 && object.status != 416;
    let mut errors = record.objects.iter().filter(is_error);
    let Some(Object { status, url, .. }) = errors.next() else { return };
    match errors.count() {
        0 => {
            say(global, &format_args!("  1 of them is an error answer, kept as it is: {status} {url}"));
        }
        n_more => {
            let n = n_more + 1;
            say(
                global,
                &format_args!("  {n} of them are error answers, kept as they are, the first: {status} {url}"),
            );
        }
    }
}

fn say_hosts(global: &Global, record: &Record) {
    for host in record.hosts.iter().take(N_NAMED_MAX) {
        let port = if matches!(host.port, 80 | 443) { String::new() } else { format!(":{}", host.port) };
        say(
            global,
            &format_args!(
                "  {:<9} {}{port}: {}, {}",
                if host.kept { "kept" } else { "not kept" },
                host.host,
                count(host.n_requests, "request"),
                size(host.size_bytes)
            ),
        );
    }
    say_rest(global, record.hosts.len(), "hosts");
}

/// Says where a copy stood in for an upstream: nothing else in the output of the command would tell.
fn say_copies(global: &Global, record: &Record) {
    let stood_in: BTreeSet<(&str, Freshness)> = record
        .objects
        .iter()
        .filter(|object| object.freshness != Freshness::Fresh)
        .map(|object| (object.url.host(), object.freshness))
        .collect();
    for (host, freshness) in stood_in.iter().take(N_NAMED_MAX) {
        let why = match freshness {
            Freshness::Gone => "the upstream says that they do not exist any more",
            _ => "the upstream could not be asked, or what it gave was rejected",
        };
        say(global, &format_args!("  copies stood in for {host}: {why}; `outlast status` tells more"));
    }
    for Expired { url, valid_until, option } in record.expired.iter().take(N_NAMED_MAX) {
        say(
            global,
            &format_args!("  expired: {url} is valid until {valid_until} by its own word; hint: {option}"),
        );
    }
}

fn say_troubles(global: &Global, done: &Done) {
    let record = &done.record;
    for not_kept in record.not_kept.iter().take(N_NAMED_MAX) {
        say(global, &format_args!("  not kept: {} ({})", not_kept.url, not_kept.reason));
    }
    say_rest(global, record.not_kept.len(), "addresses that are not kept");
    // A name has an address in each family, and is refused at both.
    let refused: BTreeSet<_> = record
        .refused
        .iter()
        .map(|refused| {
            let name = if refused.host.is_empty() { &refused.address } else { &refused.host };
            (name, refused.port, refused.protocol)
        })
        .collect();
    for (name, port, protocol) in refused.iter().take(N_NAMED_MAX) {
        say(global, &format_args!("  refused: {protocol} to {name} port {port}"));
    }
    say_rest(global, refused.len(), "refused connections");
    if !record.unlisted.is_none() {
        let Unlisted { n_requests, n_refused, n_names } = record.unlisted;
        say(
            global,
            &format_args!(
                "  not listed, because it is too much: {n_requests} requests, {n_refused} refusals, {n_names} names"
            ),
        );
    }
    if record.refused.iter().any(|refused| refused.port == 22) {
        say(
            global,
            &"hint: no ssh leaves a room; git asks known forges over https in its place, and so any host that an [[upstream]] of outlast.toml names. Another account than `git` stays with ssh",
        );
    }
    say_clients(global, done);
    for output in &done.absent_outputs {
        say(
            global,
            &format_args!("  output `{}` was not made, so no drill can compare it", output.display()),
        );
    }
    if let Some(reason) = &done.unwritten {
        let run_id = &record.run_id;
        say(
            global,
            &format_args!(
                "  the run is recorded, and `runs/{run_id}/record.json` could not be written ({reason}); hint: free some space, and the next command writes it"
            ),
        );
    }
    for lock in &done.unread_locks {
        say(global, &format_args!("  a lock file could not be read: {lock}"));
    }
    for package in done.unread_digests.iter().take(N_NAMED_MAX) {
        let package = speak::in_line(package, N_LETTERS_MAX);
        say(
            global,
            &format_args!("  a lock's digest cannot be read, and nothing is believed by it: {package}"),
        );
    }
    say_rest(global, done.unread_digests.len(), "digests that cannot be read");
    if record.containment == Containment::Observed {
        for reason in &record.containment_reasons {
            say(global, &format_args!("  observed, not sealed: {reason}"));
        }
    }
}

/// Says which clients ended a connection instead of asking.
fn say_clients(global: &Global, done: &Done) {
    for host in &done.distrusted {
        say(
            global,
            &format_args!(
                "  {host}: the client did not trust the run's certificate; hint: it has a list of its own, see docs/OPERATING.md"
            ),
        );
    }
    for host in &done.hung_up {
        say(
            global,
            &format_args!(
                "  {host}: the client hung up before it asked for anything, and did not say why; hint: if it failed, it may not trust the run's certificate, see docs/OPERATING.md"
            ),
        );
    }
}

fn say_rest(global: &Global, n: usize, what: &str) {
    if n > N_NAMED_MAX {
        say(global, &format_args!("  and {} more {what}", n - N_NAMED_MAX));
    }
}
