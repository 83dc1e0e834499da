//! Yarn 1.22 and 4.18. A `YARN_*` name that a Yarn 2 or later does not know kills it with a usage error, so those about
//! certificates are set only where the caller's variables or settings show that this Yarn knows them. Yarn 1 reads npm's
//! `cafile`.

use super::{Client, Draft, PLAIN};
use crate::trust::{files_with_settings, has_setting};

pub(super) const CLIENT: Client = Client {
    name: "yarn",
    extra: &["NODE_EXTRA_CA_CERTS"],
    bundle_if_set: &["YARN_HTTPS_CA_FILE_PATH", "YARN_CA_FILE_PATH"],
    // Yarn 4 ignores HTTPS_PROXY; Yarn 1 tolerates these.
    proxy: &["YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"],
    more,
    ..PLAIN
};

/// A setting of `.yarnrc.yml` beats NODE_EXTRA_CA_CERTS; only its own variable beats it.
fn more(draft: &mut Draft<'_>) {
    let files: Vec<String> =
        files_with_settings(draft.caller, "yarn").iter().filter_map(|path| draft.caller.text(path)).collect();
    let bundle = draft.paths.bundle.clone();
    for (key, variable) in
        [("httpsCaFilePath", "YARN_HTTPS_CA_FILE_PATH"), ("caFilePath", "YARN_CA_FILE_PATH")]
    {
        if files.iter().any(|text| has_setting(text, key)) {
            draft.set(variable, &bundle);
        }
    }
}
