//! The attestation: an in-toto Statement v1 in a DSSE envelope, signed with Ed25519.
//!
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md> and
//! <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>. The envelope is written in one way only, one
//! line of JSON without white space and a line break, so that not even its spelling can change unnoticed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::{Cut, RunId, Sha256, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use crate::key::{PublicKey, SigningKey};
use crate::report::{Environment, Level, Reason, Report};

/// The media type of a statement in an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The version of in-toto's statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The version of the predicate.
pub const PREDICATE_TYPE: &str = "https://outlast.dev/drill/v1";

/// What stands before the path of an output in a subject's name; a file of the evidence folder has nothing.
pub const OUTPUT_PREFIX: &str = "output:";

/// What is attested, and of which files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// Every file of the evidence folder but the attestation, then the named outputs.
    pub subject: Vec<Subject>,
    /// [`PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The drill.
    pub predicate: Predicate,
}

/// One file, named by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// A file of the folder, or [`OUTPUT_PREFIX`] and a path in the project.
    pub name: String,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// A digest as in-toto writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectDigest {
    /// SHA-256.
    pub sha256: Sha256,
}

/// What a drill attests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicate {
    /// The scenario's name.
    pub scenario: String,
    /// How far the drill went.
    pub level: Level,
    /// The drill's run.
    pub run_id: RunId,
    /// The run it was compared with.
    pub recorded_run: Option<RunId>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The project's directory.
    pub directory: String,
    /// When the command was started.
    pub started_at: Timestamp,
    /// When the verdict was given.
    pub finished_at: Timestamp,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is not a pass.
    pub reasons: Vec<Reason>,
    /// What was cut.
    pub cut: Vec<Cut>,
    /// The recovery that was promised.
    pub objective_ms: Option<u64>,
    /// What was measured.
    pub measured: MeasuredFigures,
    /// Where.
    pub environment: Environment,
    /// What the drill says nothing about.
    pub not_tested: Vec<String>,
    /// The requirements towards which this is evidence.
    pub controls: Vec<String>,
    /// The drill before this one; none for the first.
    pub previous: Option<SubjectDigest>,
}

/// The figures of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredFigures {
    /// The longest detection.
    pub detected_ms: Option<u64>,
    /// The longest recovery.
    pub recovered_ms: Option<u64>,
    /// From the command's start to its end.
    pub duration_ms: u64,
    /// Age of the oldest confirmation.
    pub data_age_s: Option<u64>,
    /// Bytes of hosts that were cut.
    pub bytes_from_cut_hosts: u64,
    /// How many objects were used.
    pub n_objects: usize,
    /// How many of them came from copies.
    pub n_from_copies: usize,
    /// How many were not held.
    pub n_missing: usize,
    /// The command's exit code.
    pub exit_code: i32,
}

/// A signed statement: DSSE's envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// Makes the statement of a report over the files of its folder.
pub fn statement(report: &Report, files: &[(&str, Sha256)]) -> Statement {
    let record = &report.record;
    let subject = |name: String, sha256| Subject { name, digest: SubjectDigest { sha256 } };
    let files = files.iter().map(|(name, sha256)| subject((*name).to_owned(), *sha256));
    let outputs =
        record.outputs.iter().map(|output| subject(format!("{OUTPUT_PREFIX}{}", output.path), output.sha256));
    Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: files.chain(outputs).collect(),
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            scenario: report.scenario.clone(),
            level: report.level,
            run_id: record.run_id.clone(),
            recorded_run: report.recorded_run.clone(),
            command: record.command.clone(),
            directory: record.directory.clone(),
            started_at: record.started_at,
            finished_at: report.finished_at,
            verdict: report.verdict,
            reasons: report.reasons.clone(),
            cut: report.cut.clone(),
            objective_ms: report.objective_ms,
            measured: MeasuredFigures {
                detected_ms: report.detected_ms,
                recovered_ms: report.recovered_ms,
                duration_ms: record.duration_ms,
                data_age_s: report.data_age_s,
                bytes_from_cut_hosts: report.bytes_from_cut_hosts,
                n_objects: record.objects.len(),
                n_from_copies: report.n_from_copies(),
                n_missing: report.missing.len(),
                exit_code: record.exit_code,
            },
            environment: report.environment.clone(),
            not_tested: report.not_tested.clone(),
            controls: report.controls.clone(),
            previous: report.previous_sha256.map(|sha256| SubjectDigest { sha256 }),
        },
    }
}

/// Signs a statement's bytes and returns the bytes of attestation.dsse.json.
pub fn seal(statement: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&pre_authentication(statement));
    Envelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: BASE64.encode(statement),
        signatures: vec![Signature {
            keyid: key.public().fingerprint().to_string(),
            sig: BASE64.encode(signature),
        }],
    }
    .to_bytes()
}

/// Returns the signed statement if `bytes` are exactly what [`seal`] wrote with the private half of `key`.
pub fn unseal(bytes: &[u8], key: &PublicKey) -> Result<Vec<u8>, SealError> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|source| SealError::Json { source })?;
    let statement = BASE64.decode(&envelope.payload).map_err(|_| SealError::Spelling)?;
    let [signature] = envelope.signatures.as_slice() else {
        return Err(SealError::Spelling);
    };
    let bare = BASE64.decode(&signature.sig).map_err(|_| SealError::Spelling)?;
    let is_as_written = envelope.payload_type == PAYLOAD_TYPE && envelope.to_bytes() == bytes;
    if !is_as_written {
        return Err(SealError::Spelling);
    }
    let expected = key.fingerprint().to_string();
    if signature.keyid != expected {
        return Err(SealError::Key { expected, found: signature.keyid.escape_debug().take(64).collect() });
    }
    if !key.accepts(&pre_authentication(&statement), &bare) {
        return Err(SealError::Signature);
    }
    Ok(statement)
}

/// Why an envelope is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not an envelope.
    #[error("the attestation is not a DSSE envelope")]
    Json {
        /// Why.
        source: serde_json::Error,
    },
    /// An envelope, but not written as Outlast writes it: white space, order, encoding, a second signature.
    #[error("the attestation is not spelled as Outlast writes it")]
    Spelling,
    /// Signed with another key.
    #[error("the attestation names the key `{found}`, trusted is `{expected}`")]
    Key {
        /// The fingerprint of the key that is trusted.
        expected: String,
        /// The one named.
        found: String,
    },
    /// The signature is not the key's.
    #[error("the signature does not belong to the attestation and the trusted key")]
    Signature,
}

impl Envelope {
    fn to_bytes(&self) -> Vec<u8> {
        // Base64, hexadecimal and a media type need no escaping, so this is the one spelling; what was read from a
        // file may need it, and is then compared with the file.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// Returns DSSE's PAE: what is signed, in which a payload cannot be taken for one of another type.
fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_bytes_are_those_of_the_dsse_protocol() {
        assert_eq!(pre_authentication(b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    }

    #[test]
    fn an_envelope_opens_for_its_own_key_and_in_its_own_spelling_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::create(&folder.path().join("a")).unwrap();
        let other = SigningKey::create(&folder.path().join("b")).unwrap();
        let bytes = seal(b"{\"a\":1}", &key);
        assert_eq!(unseal(&bytes, key.public()).unwrap(), b"{\"a\":1}");
        assert!(matches!(unseal(&bytes, other.public()), Err(SealError::Key { .. })));

        let text = String::from_utf8(bytes).unwrap();
        let check = |changed: String| {
            assert_ne!(changed, text, "the change must be one");
            assert!(unseal(changed.as_bytes(), key.public()).is_err(), "{changed}");
        };
        check(format!("{text} "));
        check(format!(" {text}"));
        check(text.trim_end().to_owned());
        check(text.replace(',', ", "));
        check(text.replace("\"payload\":\"", "\"payload\":\"\\u0065"));
        check(text.replace("{\"payloadType\"", "{\"extra\":1,\"payloadType\""));
        check(text.replace("[{", "[{\"keyid\":\"\",\"sig\":\"\"},{"));
        check(text.replace("in-toto+json", "in-toto+yaml"));
        check(String::new());
    }

    #[test]
    fn a_second_spelling_of_the_payload_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::create(folder.path()).unwrap();
        // One byte is `YQ==`; `YR==` decodes to the same in careless decoders.
        let text = String::from_utf8(seal(b"a", &key)).unwrap();
        let changed = text.replace("YQ==", "YR==");
        assert_ne!(text, changed);
        assert!(matches!(unseal(changed.as_bytes(), key.public()), Err(SealError::Spelling)));
    }
}
