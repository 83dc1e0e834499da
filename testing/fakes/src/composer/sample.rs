//! The kinds of packages that have broken mirrors before, one of each.

use std::path::Path;

use serde_json::json;

use super::package::{Package, package};

/// The file that makes an archive large, in bytes; it cannot be compressed.
const BIG_BYTES: usize = 30 << 20;

/// Returns one small package of each kind, to be told apart by its name.
///
/// `acme/library` two versions; `acme/twice` two tags on one commit; `acme/lean` with `export-ignore`; `acme/source` without
/// an archive; `acme/replacer` replaces and provides; `acme/mainline` `dev-main` with an alias; `acme/slash`
/// `dev-feature/x`; `acme/checked` with a checksum and no commit; `acme/plugin` runs in Composer.
///
/// # Panics
/// When git cannot be run.
pub fn samples(folder: &Path) -> Vec<Package> {
    let make = |name: &str| package(folder, name);
    let nothing = json!({});
    vec![
        make("acme/library").release("1.0.0", &nothing, &[]).release("1.1.0", &nothing, &[]),
        make("acme/twice").release("2.0.0", &nothing, &[]).also_tagged("2.0.1"),
        make("acme/lean").release(
            "1.0.0",
            &nothing,
            &[
                (".gitattributes", "/tests export-ignore\n/.gitattributes export-ignore\n"),
                ("tests/large", "only for whoever clones\n"),
                ("src/who.php", "<?php\nreturn 'acme/lean 1.0.0';\n"),
            ],
        ),
        make("acme/source").release("1.0.0", &nothing, &[]).without_dist(),
        make("acme/replacer").release(
            "1.0.0",
            &json!({ "replace": { "acme/replaced": "self.version" }, "provide": { "acme/api": "1.0" } }),
            &[],
        ),
        make("acme/mainline").release(
            "dev-main",
            &json!({ "extra": { "branch-alias": { "dev-main": "3.x-dev" } } }),
            &[],
        ),
        make("acme/slash").release("1.0.0", &nothing, &[]).release("dev-feature/x", &nothing, &[]),
        make("acme/checked")
            .release("1.0.0", &nothing, &[])
            .with_shasum("https://archives.acme.example/acme/checked/acme-checked-1.0.0.0.zip"),
        plugin(folder, "acme/plugin"),
    ]
}

/// Returns a plugin that says `NAME is active` whenever Composer runs it.
///
/// # Panics
/// When git cannot be run.
pub fn plugin(folder: &Path, name: &str) -> Package {
    let class = format!(
        "<?php\nnamespace Acme\\Plugin;\n\nuse Composer\\Composer;\nuse Composer\\IO\\IOInterface;\n\
         use Composer\\Plugin\\PluginInterface;\n\nfinal class Plugin implements PluginInterface\n{{\n\
         \x20   public function activate(Composer $composer, IOInterface $io)\n    {{\n\
         \x20       $io->writeError('{name} is active');\n    }}\n\n\
         \x20   public function deactivate(Composer $composer, IOInterface $io) {{}}\n\n\
         \x20   public function uninstall(Composer $composer, IOInterface $io) {{}}\n}}\n"
    );
    let more = json!({
        "type": "composer-plugin",
        "require": { "composer-plugin-api": "^2.0" },
        "autoload": { "psr-4": { "Acme\\Plugin\\": "src/" } },
        "extra": { "class": "Acme\\Plugin\\Plugin" },
    });
    package(folder, name).release("1.0.0", &more, &[("src/Plugin.php", &class)])
}

/// Returns a package whose archive has 30 MB; making it takes a second or two.
///
/// # Panics
/// When git cannot be run.
pub fn big(folder: &Path, name: &str) -> Package {
    let mut state: u64 = 0x2026_0101;
    let mut bytes = Vec::with_capacity(BIG_BYTES);
    while bytes.len() < BIG_BYTES {
        // xorshift64: nothing to compress, and the same everywhere.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    package(folder, name).release_bytes("1.0.0", &json!({}), &[("data/large.bin", &bytes)])
}

/// Returns as many plain packages, `VENDOR/lib-0` and so on, each with version 1.0.0.
///
/// # Panics
/// When git cannot be run.
pub fn plain(folder: &Path, vendor: &str, n: usize) -> Vec<Package> {
    (0..n)
        .map(|number| package(folder, &format!("{vendor}/lib-{number}")).release("1.0.0", &json!({}), &[]))
        .collect()
}
