//! The end of the report: its limits, how to check it, what it is evidence towards.

use maud::{Markup, html};

use super::text::{count, shown};
use crate::control;
use crate::key::PublicKey;
use crate::report::Report;

/// What the drill says nothing about.
pub(super) fn not_tested(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Not tested" }
            p { "This drill says nothing about:" }
            ul { @for line in &report.not_tested { li { (shown(line)) } } }
        }
    }
}

/// The folders that were hidden.
pub(super) fn masked(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Hidden from the command" }
            p {
                "The command worked on a copy of the project's tracked and unignored files. What it had fetched or made "
                "earlier was hidden behind empty folders, so that the copies were put to the test and not this machine."
            }
            @if !report.masked.is_empty() {
                details {
                    summary { (count(report.masked.len(), "folder")) }
                    ul.small { @for path in &report.masked { li { code { (shown(path)) } } } }
                }
            }
        }
    }
}

/// How to check the folder, its key and its place in the chain.
pub(super) fn verifying(report: &Report, key: &PublicKey) -> Markup {
    html! {
        section {
            h2 { "How to check this report" }
            p {
                "This page is one of the files of an evidence folder; " code { "attestation.dsse.json" }
                " holds their digests, signed. With Outlast, offline:"
            }
            pre { "outlast evidence verify DIR --key KEY.pem" }
            p {
                "Without Outlast: " code { "README.txt" } " has the same check for openssl, jq and sha256sum. Get the key on "
                "another way than this folder, and compare its fingerprint:"
            }
            table.facts {
                tr { th { "Key" } td { code.digest { (key.fingerprint()) } } }
                tr { th { "Previous drill" } td {
                    @match report.previous_sha256 {
                        Some(sha256) => { code.digest { (sha256) } br; "SHA-256 of its attestation.dsse.json" }
                        None => { "none: this is the first of its chain" }
                    }
                } }
            }
            p.note { "Each drill names the one before it, failed and inconclusive ones included: one that was left out shows as a gap." }
        }
    }
}

/// What it is evidence towards.
pub(super) fn controls() -> Markup {
    html! {
        section {
            h2 { "Evidence towards" }
            p { "One drill meets none of these by itself, and whether a requirement is met is for the auditor to say. This report contributes:" }
            div.wide { table {
                thead { tr { th { "Requirement" } th { "What this report contributes" } } }
                tbody {
                    @for control in &control::ALL {
                        tr { td { (control.source) } td { (control.evidence) } }
                    }
                }
            } }
        }
    }
}

/// Lines to fill in by hand on a printed copy.
pub(super) fn sign_off() -> Markup {
    html! {
        section.sign {
            h2 { "Review" }
            table {
                tr { th { "Reviewed by" } td {} th { "Date" } td {} }
                tr { th { "Correction" } td {} th { "Due" } td {} }
                tr { th { "Owner" } td {} th { "Done" } td {} }
            }
        }
    }
}
