//! README.txt: how to check the folder without Outlast.

/// Returns README.txt. The lines that are indented by four spaces are a script, which a test runs as it stands.
pub fn readme() -> String {
    README.to_owned()
}

const README: &str = r#"EVIDENCE OF A DRILL

In a drill, Outlast cuts a build off from the hosts it uses and runs it again from copies alone.
This folder holds what one drill found, whatever its verdict:

  report.html            the result in words, to read and to print
  report.json            the same as data, complete
  journal.jsonl          what happened, one line for each action, with its time
  attestation.dsse.json  the digests of these files and the result, signed
  README.txt             this text

Checking it with Outlast, offline:

  outlast evidence verify DIR --key KEY.pem

CHECKING IT WITHOUT OUTLAST

You need openssl (3.0 or newer), jq, and the tools every Linux has (bash, coreutils, find).
Get the public key from whoever ran the drill (`outlast evidence key`), on another way than this
folder. A key that lies inside the folder proves nothing.
Set DIR to this folder and KEY to the key's file, and run the indented lines in bash:

    (
    set -eu -o pipefail
    DIR=$(realpath "$DIR") KEY=$(realpath "$KEY") WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
    # 1. Five plain files, nothing added, nothing missing.
    find "$DIR" -mindepth 1 -printf '%y %P\n' | LC_ALL=C sort > "$WORK/found"
    printf 'f %s\n' README.txt attestation.dsse.json journal.jsonl report.html report.json | cmp - "$WORK/found"
    # 2. The attestation is spelled as it was written, and names your key.
    cp "$DIR/attestation.dsse.json" "$WORK/envelope" && cd "$WORK"
    jq -r .payload envelope | base64 -d > statement
    jq -r '.signatures[0].sig' envelope | base64 -d > signature
    KEYID=$(openssl pkey -pubin -in "$KEY" -outform DER | sha256sum | cut -d ' ' -f 1)
    printf '{"payloadType":"application/vnd.in-toto+json","payload":"%s","signatures":[{"keyid":"%s","sig":"%s"}]}\n' "$(base64 -w 0 statement)" "$KEYID" "$(base64 -w 0 signature)" | cmp - envelope
    # 3. The signature is your key's.
    printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(stat -c %s statement)" | cat - statement > signed
    openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in signed -sigfile signature
    # 4. It is a statement about a drill, and the files are those that were signed.
    jq -e '._type == "https://in-toto.io/Statement/v1" and .predicateType == "https://outlast.dev/drill/v1"' statement > /dev/null
    jq -r '.subject[] | select(.name | startswith("output:") | not) | "\(.digest.sha256)  \(.name)"' statement > digests
    test "$(cut -c 67- digests | LC_ALL=C sort | tr '\n' ' ')" = "README.txt journal.jsonl report.html report.json "
    (cd "$DIR" && sha256sum --check --strict --quiet "$WORK/digests")
    # 5. What it says.
    jq -r '.predicate | "genuine and whole: \(.verdict), \(.scenario), \(.finished_at)", "the drill before: \(.previous.sha256 // "none, this is the first")"' statement
    )

The exit code is 0 if all of it holds. The drill before is named by the digest of its attestation:

  sha256sum ../THE-DRILL-BEFORE/attestation.dsse.json

Drills form a chain in this way, those that failed included: one that was left out shows as a gap.
"#;
