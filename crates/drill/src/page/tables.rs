//! The tables: hosts, objects, outputs, and what went wrong.

use std::collections::BTreeMap;

use maud::{Markup, html};
use model::{Freshness, Object, Proof, Source};

use super::text::{count, millis, shown, size};
use crate::measure::HostTimeline;
use crate::report::Report;

/// The most rows of one table; report.json has them all.
const ROWS_MAX: usize = 5_000;

/// Every host that was cut, with its times.
pub(super) fn hosts(report: &Report) -> Markup {
    let (cut, live): (Vec<&HostTimeline>, Vec<&HostTimeline>) =
        report.timelines.iter().partition(|timeline| timeline.fault.is_some());
    let since_first = |timeline: &HostTimeline, at_ms: Option<u64>| {
        millis(at_ms.zip(timeline.first_request_ms).map(|(at_ms, first_ms)| at_ms.saturating_sub(first_ms)))
    };
    let orders: Vec<String> =
        report.cut.iter().map(|cut| format!("{} ({})", shown(&cut.host), cut.fault)).collect();
    html! {
        section {
            h2 { "Hosts that were cut" }
            p { "The drill was told to cut " (orders.join(", ")) "." }
            @if cut.is_empty() {
                p { "The command asked none of them." }
            } @else {
                div.wide { table {
                    thead { tr {
                        th { "Host" } th { "Fault" } th.number { "First asked at" } th.number { "Detected after" }
                        th.number { "Recovered after" } th.number { "Came from it" }
                    } }
                    tbody {
                        @for timeline in cut.iter().take(ROWS_MAX) {
                            tr {
                                td { code { (shown(&timeline.host)) } }
                                td { @if let Some(fault) = timeline.fault { (fault) } }
                                @if timeline.first_request_ms.is_some() {
                                    td.number { (millis(timeline.first_request_ms)) }
                                    td.number { (since_first(timeline, timeline.detected_ms)) }
                                    td.number { (since_first(timeline, timeline.recovered_ms)) }
                                } @else {
                                    td.number colspan="3" { "not asked" }
                                }
                                td.number { (size(timeline.bytes_from_upstream)) }
                            }
                        }
                    }
                } }
                (rest(cut.len()))
            }
            @if !live.is_empty() {
                p { "Left reachable and used: "
                    (live.iter().take(20).map(|timeline| shown(&timeline.host)).collect::<Vec<_>>().join(", ")) "." }
            }
        }
    }
}

#[derive(Default)]
struct Sum {
    n_objects: usize,
    size_bytes: u64,
    n_copies: usize,
    n_verified: usize,
    n_stale: usize,
    n_gone: usize,
}

/// What the command fetched: for each host, then each.
pub(super) fn objects(report: &Report) -> Markup {
    let objects = &report.record.objects;
    let mut hosts: BTreeMap<&str, Sum> = BTreeMap::new();
    for object in objects {
        let sum = hosts.entry(object.url.host()).or_default();
        sum.n_objects += 1;
        sum.size_bytes = sum.size_bytes.saturating_add(object.size_bytes);
        sum.n_copies += usize::from(object.source == Source::Copy);
        sum.n_verified += usize::from(object.proof == Proof::Verified);
        sum.n_stale += usize::from(object.freshness == Freshness::Stale);
        sum.n_gone += usize::from(object.freshness == Freshness::Gone);
    }
    html! {
        section {
            h2 { "What the command fetched" }
            @if objects.is_empty() {
                p { "Nothing." }
            } @else {
                div.wide { table {
                    thead { tr {
                        th { "Host" } th.number { "Objects" } th.number { "Size" } th.number { "From copies" }
                        th.number { "Verified" } th.number { "First seen" } th.number { "Stale" } th.number { "Gone" }
                    } }
                    tbody {
                        @for (host, sum) in hosts.iter().take(ROWS_MAX) {
                            tr {
                                td { code { (shown(host)) } }
                                td.number { (sum.n_objects) }
                                td.number { (size(sum.size_bytes)) }
                                td.number { (sum.n_copies) }
                                td.number { (sum.n_verified) }
                                td.number { (sum.n_objects - sum.n_verified) }
                                td.number { (sum.n_stale) }
                                td.number { (sum.n_gone) }
                            }
                        }
                    }
                } }
                p.note { "Verified: an index, a lock file or a signature vouches for the bytes. First seen: nobody vouches, and the first bytes ever seen are held. Stale: the upstream could not confirm the object. Gone: it has vanished upstream." }
                details {
                    summary { "Each of the " (count(objects.len(), "object")) }
                    (object_list(objects))
                }
            }
        }
    }
}

fn object_list(objects: &[Object]) -> Markup {
    html! {
        div.wide { table.small {
            thead { tr { th { "Object" } th.number { "Status" } th.number { "Size" } th { "Source" } th { "Proof" } } }
            tbody {
                @for object in objects.iter().take(ROWS_MAX) {
                    tr {
                        td {
                            (shown(&object.method)) " " code { (shown(object.url.as_str())) }
                            @if !object.variant.is_empty() { " (" (shown(&object.variant)) ")" }
                            br;
                            code.digest { (object.sha256) }
                        }
                        td.number { (object.status) }
                        td.number { (size(object.size_bytes)) }
                        td { (object.source) ", " (object.freshness) }
                        td { (object.proof) }
                    }
                }
            }
        } }
        (rest(objects.len()))
    }
}

/// The named outputs.
pub(super) fn outputs(report: &Report) -> Markup {
    let outputs = &report.record.outputs;
    if outputs.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "What it made" }
            details {
                summary { (count(outputs.len(), "output file")) ", with digests" }
                div.wide { table.small {
                    thead { tr { th { "File" } th { "SHA-256" } } }
                    tbody {
                        @for output in outputs.iter().take(ROWS_MAX) {
                            tr { td { code { (shown(&output.path)) } } td { code.digest { (output.sha256) } } }
                        }
                    }
                } }
                (rest(outputs.len()))
            }
        }
    }
}

/// What was asked for and could not be given.
pub(super) fn missing(report: &Report) -> Markup {
    if report.missing.is_empty() && report.unanswered_names.is_empty() {
        return html! {};
    }
    html! {
        section.bad {
            h2 { "Missing" }
            @if !report.missing.is_empty() {
                p { "Asked for and not held, or damaged:" }
                div.wide { table.small {
                    thead { tr { th { "Object" } th { "Why" } } }
                    tbody {
                        @for missing in report.missing.iter().take(ROWS_MAX) {
                            tr {
                                td {
                                    code { (shown(missing.url.as_str())) }
                                    @if let Some(sha256) = missing.sha256 { br; code.digest { (sha256) } }
                                }
                                td { @if missing.reason.is_empty() { "not held" } @else { (shown(&missing.reason)) } }
                            }
                        }
                    }
                } }
                (rest(report.missing.len()))
            }
            @if !report.unanswered_names.is_empty() {
                p { "Names that got no address: " }
                ul { @for name in report.unanswered_names.iter().take(ROWS_MAX) { li { code { (shown(name)) } } } }
            }
        }
    }
}

/// What the room refused.
pub(super) fn refused(report: &Report) -> Markup {
    let refused = &report.record.refused;
    if refused.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Refused by the room" }
            p { "Connections and datagrams that are neither HTTP nor TLS to a host. They did not leave the room." }
            div.wide { table.small {
                thead { tr { th { "Host" } th { "Address" } th.number { "Port" } th { "Protocol" } } }
                tbody {
                    @for refused in refused.iter().take(ROWS_MAX) {
                        tr {
                            td { code { (shown(&refused.host)) } }
                            td { code { (shown(&refused.address)) } }
                            td.number { (refused.port) }
                            td { (refused.protocol) }
                        }
                    }
                }
            } }
            (rest(refused.len()))
        }
    }
}

/// What passed and was not kept.
pub(super) fn not_kept(report: &Report) -> Markup {
    let not_kept = &report.record.not_kept;
    if not_kept.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Not kept" }
            p { "Asked of upstreams without being kept. This drill does not cover it." }
            div.wide { table.small {
                thead { tr { th { "Address" } th { "Why" } } }
                tbody {
                    @for not_kept in not_kept.iter().take(ROWS_MAX) {
                        tr { td { code { (shown(not_kept.url.as_str())) } } td { (shown(&not_kept.reason)) } }
                    }
                }
            } }
            (rest(not_kept.len()))
        }
    }
}

fn rest(n_rows: usize) -> Markup {
    html! {
        @if n_rows > ROWS_MAX {
            p.note { "… and " (n_rows - ROWS_MAX) " more, in report.json." }
        }
    }
}
