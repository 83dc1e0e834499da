//! report.html: one file without scripts and without anything fetched, for people who audit and for printers.
//!
//! Everything that comes from outside goes through [`text::shown`], and `maud` escapes it.

mod closing;
mod summary;
mod tables;
mod text;

use maud::{DOCTYPE, PreEscaped, html};
use model::Verdict;

use crate::key::PublicKey;
use crate::report::Report;

/// Allows the style below and nothing else, should an escape ever be missing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Returns the page of a report; `key` is the one that signs the evidence.
pub fn render(report: &Report, key: &PublicKey) -> String {
    let title = format!("Drill {}: {}", text::shown(&report.scenario), report.verdict);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body class=(verdict_class(report.verdict)) {
                main {
                    (summary::heading(report))
                    (summary::reasons(report))
                    (summary::times(report))
                    (summary::subject(report))
                    (tables::hosts(report))
                    (tables::objects(report))
                    (tables::outputs(report))
                    (tables::missing(report))
                    (tables::refused(report))
                    (tables::not_kept(report))
                    (closing::not_tested(report))
                    (closing::masked(report))
                    (closing::verifying(report, key))
                    (closing::controls())
                    (closing::sign_off())
                }
            }
        }
    };
    page.into_string()
}

const fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
    }
}
