//! The requirements towards which a drill is evidence.
//!
//! Named after Implementing Regulation (EU) 2024/2690, annex, point 4.2; Regulation (EU) 2022/2554; the AICPA's Trust
//! Services Criteria for availability; ISO/IEC 27001:2022, annex A. The wording is ours and has not been compared with
//! the texts by a lawyer or an auditor.

/// A requirement, and what a drill has to say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Control {
    /// The short name in `controls[]`.
    pub(crate) id: &'static str,
    /// Where it stands.
    pub(crate) source: &'static str,
    /// What of it this report gives evidence towards.
    pub(crate) evidence: &'static str,
}

/// Every requirement a report names. None of them is met by a drill alone, and the report says so.
pub(crate) const ALL: [Control; 6] = [
    Control {
        id: "NIS2-4.2",
        source: "NIS2, Implementing Regulation (EU) 2024/2690, annex 4.2",
        evidence: "recovery time, and whether the copies were complete and correct enough to work from",
    },
    Control {
        id: "NIS2-4.2.6",
        source: "NIS2, Implementing Regulation (EU) 2024/2690, annex 4.2.6",
        evidence: "one documented test of recovery from copies, with its result and what has to be corrected",
    },
    Control {
        id: "DORA-11.6",
        source: "DORA, Regulation (EU) 2022/2554, Art. 11(6)",
        evidence: "one test of a scenario in which third-party services are unavailable",
    },
    Control {
        id: "DORA-12",
        source: "DORA, Regulation (EU) 2022/2554, Art. 12",
        evidence: "restoration from separately held copies, with a measured recovery time",
    },
    Control {
        id: "SOC2-A1.2-A1.3",
        source: "SOC 2, availability criteria A1.2 and A1.3",
        evidence: "one recovery test, measured against its objective where one was set",
    },
    Control {
        id: "ISO27001-A.5.30-A.8.13",
        source: "ISO/IEC 27001:2022, A.5.30 and A.8.13",
        evidence: "readiness for the loss of a supplier, and copies tested by using them",
    },
];
