//! The lines of journal.jsonl: who did what, and when.

use model::{Containment, Fault, ObjectUrl, Protocol, RunId, Sha256, Source, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use crate::report::Reason;

/// One line of a drill's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What, with its details.
    #[serde(flatten)]
    pub deed: Deed,
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Outlast itself.
    Outlast,
    /// The command in the room.
    Command,
    /// Whoever started the drill.
    Person,
}

/// What was done; the variant is the line's `action`, its fields are the line's `details`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", content = "details", rename_all = "snake_case")]
pub enum Deed {
    /// An attempt at the same drill was held before, and says nothing.
    SetAside {
        /// Its run.
        run_id: RunId,
        /// The command's exit code.
        exit_code: i32,
        /// Why it does not count.
        reason: String,
    },
    /// The room was built.
    RoomOpened {
        /// Whether anything can bypass Outlast.
        containment: Containment,
        /// Why it is not sealed, if it is not.
        reasons: Vec<String>,
    },
    /// A folder was hidden behind an empty one.
    Masked {
        /// The folder.
        path: String,
        /// Whose cache it is.
        client: String,
    },
    /// A host was made unreachable.
    Cut {
        /// The host, or `all`.
        host: String,
        /// How it fails.
        fault: Fault,
    },
    /// The command was started.
    Started {
        /// The run's name.
        run_id: RunId,
        /// Program and arguments.
        command: Vec<String>,
        /// The project's directory.
        directory: String,
    },
    /// A request was answered.
    Answered {
        /// The method.
        method: String,
        /// The address.
        url: ObjectUrl,
        /// The status the client saw.
        status: u16,
        /// Where the bytes came from.
        source: Source,
        /// The blob.
        sha256: Sha256,
        /// Its size.
        size_bytes: u64,
        /// From the request to the last byte.
        duration_ms: u64,
    },
    /// A request was answered, and nothing came of it that the command could miss.
    Settled {
        /// `GET`, `POST` …
        method: String,
        /// The address.
        url: ObjectUrl,
        /// The status the command saw.
        status: u16,
    },
    /// A request could not be answered from what is held.
    Missing {
        /// The address.
        url: ObjectUrl,
        /// The blob the recorded run was given, if it is known.
        sha256: Option<Sha256>,
        /// Why there is no answer.
        reason: String,
    },
    /// A connection or datagram was refused by the room.
    Refused {
        /// The name that had been looked up, empty if none was.
        host: String,
        /// The address.
        address: String,
        /// The port.
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// A cut host was classed unavailable.
    Detected {
        /// The host.
        host: String,
    },
    /// The first complete verified answer in a cut host's place.
    Recovered {
        /// The host.
        host: String,
    },
    /// The command ended.
    Ended {
        /// Its exit code.
        exit_code: i32,
        /// From its start to its end.
        duration_ms: u64,
    },
    /// The verdict was given.
    Judged {
        /// The verdict.
        verdict: Verdict,
        /// Why it is not a pass.
        reasons: Vec<Reason>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_time_actor_action_and_details() {
        let deed = Deed::Cut { host: "all".to_owned(), fault: Fault::Hang };
        let action = Action { time: Timestamp::UNIX_EPOCH, actor: Actor::Outlast, deed };
        let line = serde_json::to_string(&action).unwrap();
        assert_eq!(
            line,
            r#"{"time":"1970-01-01T00:00:00Z","actor":"outlast","action":"cut","details":{"host":"all","fault":"hang"}}"#
        );
        assert_eq!(serde_json::from_str::<Action>(&line).unwrap(), action);
    }
}
