//! The one list of clients whose caches are known.
//!
//! Written from general knowledge of the clients; the entries have not been checked one by one against each client's
//! documentation. Settings files that move a cache are listed in `settings/list.rs`, switches of the command that do
//! (`--cache`) in `words.rs`; the report lists what was masked.

/// A client and where it keeps what it has fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The name people know it by.
    pub name: &'static str,
    /// Folders below the home directory.
    pub folders: &'static [&'static str],
    /// Variables that move them.
    pub variables: &'static [Variable],
}

/// A variable that moves a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The cache below the folder that the variable names; empty if it is the cache itself.
    pub below: &'static str,
    /// How its value is written.
    pub kind: Kind,
}

/// How a variable's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One folder.
    Folder,
    /// Several, separated as in `PATH`.
    List,
}

const fn client(
    name: &'static str,
    folders: &'static [&'static str],
    variables: &'static [Variable],
) -> Client {
    Client { name, folders, variables }
}

const fn at(name: &'static str) -> Variable {
    Variable { name, below: "", kind: Kind::Folder }
}

const fn under(name: &'static str, below: &'static str) -> Variable {
    Variable { name, below, kind: Kind::Folder }
}

const fn each_under(name: &'static str, below: &'static str) -> Variable {
    Variable { name, below, kind: Kind::List }
}

/// Node, which looks for modules in folders around a project.
pub(super) const NODE: &str = "node";

/// What Cargo has built.
pub(super) const CARGO_BUILDS: &str = "cargo builds";
const UV_ENVIRONMENTS: &str = "uv environments";
/// Packages that Composer has installed.
pub(super) const COMPOSER_VENDOR: &str = "composer vendor folders";
/// Gems that bundler has installed.
pub(super) const BUNDLER_GEMS: &str = "bundler gems";

/// Those whose folders are made by the build, and usually lie within the project: what a drill compares may be in them.
pub(super) const MADE: [&str; 4] = [CARGO_BUILDS, UV_ENVIRONMENTS, COMPOSER_VENDOR, BUNDLER_GEMS];

/// Every known client. All of the cache directory is masked as a whole; what keeps its cache elsewhere follows.
pub const ALL: [Client; 56] = [
    client("everything in the cache directory", &[".cache"], &[at("XDG_CACHE_HOME")]),
    // JavaScript
    client(
        "npm",
        &[".npm", ".node-gyp"],
        &[at("npm_config_cache"), at("NPM_CONFIG_CACHE"), at("npm_config_devdir")],
    ),
    // Node itself, which looks for what a project lacks in folders around it and here
    client(NODE, &["node_modules", ".node_modules", ".node_libraries"], &[]),
    client("corepack", &[], &[at("COREPACK_HOME")]),
    client(
        "yarn",
        &[".yarn/berry", ".yarn-cache"],
        &[
            at("YARN_CACHE_FOLDER"),
            under("YARN_GLOBAL_FOLDER", "cache"),
            under("YARN_GLOBAL_FOLDER", "metadata"),
        ],
    ),
    client(
        "pnpm",
        &[".local/share/pnpm/store", ".pnpm-store"],
        &[
            under("PNPM_HOME", "store"),
            under("XDG_DATA_HOME", "pnpm/store"),
            at("npm_config_store_dir"),
            at("NPM_CONFIG_STORE_DIR"),
            at("pnpm_config_store_dir"),
            at("PNPM_CONFIG_STORE_DIR"),
            at("PNPM_STORE_DIR"),
            at("npm_config_cache_dir"),
        ],
    ),
    client(
        "bun",
        &[".bun/install/cache"],
        &[at("BUN_INSTALL_CACHE_DIR"), under("BUN_INSTALL", "install/cache")],
    ),
    // `.deno` is also where `deno install` puts programs, and Deno itself
    client("deno", &[".deno/deps", ".deno/dl", ".deno/gen", ".deno/npm", ".deno/remote"], &[at("DENO_DIR")]),
    client("turbo", &[], &[at("TURBO_CACHE_DIR")]),
    client("nx", &[], &[at("NX_CACHE_DIRECTORY")]),
    client("electron", &[".electron"], &[at("ELECTRON_CACHE"), at("electron_config_cache")]),
    client("playwright", &[], &[at("PLAYWRIGHT_BROWSERS_PATH")]),
    client("puppeteer", &[], &[at("PUPPETEER_CACHE_DIR")]),
    client("cypress", &[], &[at("CYPRESS_CACHE_FOLDER")]),
    // Rust
    client(
        "cargo",
        &[".cargo/registry", ".cargo/git"],
        &[under("CARGO_HOME", "registry"), under("CARGO_HOME", "git")],
    ),
    // Of a folder that is too large to be hidden as a whole, what Cargo makes in it
    client(
        CARGO_BUILDS,
        &[],
        &[
            at("CARGO_TARGET_DIR"),
            under("CARGO_TARGET_DIR", "debug"),
            under("CARGO_TARGET_DIR", "release"),
            at("CARGO_BUILD_TARGET_DIR"),
            under("CARGO_BUILD_TARGET_DIR", "debug"),
            under("CARGO_BUILD_TARGET_DIR", "release"),
            at("CARGO_BUILD_BUILD_DIR"),
            under("CARGO_BUILD_BUILD_DIR", "debug"),
            under("CARGO_BUILD_BUILD_DIR", "release"),
        ],
    ),
    client("rustup", &[".rustup/downloads"], &[under("RUSTUP_HOME", "downloads")]),
    client("sccache", &[".sccache"], &[at("SCCACHE_DIR")]),
    client("ccache", &[".ccache"], &[at("CCACHE_DIR")]),
    // Python
    client("pip", &[".pip/cache"], &[at("PIP_CACHE_DIR")]),
    client("uv", &[], &[at("UV_CACHE_DIR")]),
    client(UV_ENVIRONMENTS, &[], &[at("UV_PROJECT_ENVIRONMENT")]),
    client("poetry", &[], &[at("POETRY_CACHE_DIR")]),
    client("pdm", &[], &[at("PDM_CACHE_DIR")]),
    client("pipenv", &[".local/share/virtualenvs"], &[at("PIPENV_CACHE_DIR"), at("WORKON_HOME")]),
    client("hatch", &[".local/share/hatch/env"], &[under("HATCH_DATA_DIR", "env"), at("HATCH_CACHE_DIR")]),
    client("conda", &[".conda/pkgs"], &[each_under("CONDA_PKGS_DIRS", "")]),
    client("rattler", &[], &[at("RATTLER_CACHE_DIR")]),
    // Its home also holds the token with which private models are fetched
    client(
        "huggingface",
        &[],
        &[
            under("HF_HOME", "hub"),
            under("HF_HOME", "datasets"),
            under("HF_HOME", "assets"),
            under("HF_HOME", "modules"),
            under("HF_HOME", "xet"),
            at("HF_HUB_CACHE"),
            at("HF_DATASETS_CACHE"),
        ],
    ),
    client("pre-commit", &[], &[at("PRE_COMMIT_HOME")]),
    // PHP
    client("composer", &[".composer/cache"], &[at("COMPOSER_CACHE_DIR"), under("COMPOSER_HOME", "cache")]),
    client(COMPOSER_VENDOR, &[], &[at("COMPOSER_VENDOR_DIR")]),
    // Go; GOCACHE holds results of compiling, without which the drill builds what it claims to build
    client(
        "go",
        &["go/pkg/mod", "go/pkg/sumdb"],
        &[
            at("GOMODCACHE"),
            at("GOCACHE"),
            each_under("GOPATH", "pkg/mod"),
            each_under("GOPATH", "pkg/sumdb"),
        ],
    ),
    // The JVM
    client("maven", &[".m2/repository", ".m2/wrapper"], &[under("MAVEN_USER_HOME", "wrapper")]),
    client(
        "gradle",
        &[".gradle/caches", ".gradle/wrapper/dists"],
        &[
            under("GRADLE_USER_HOME", "caches"),
            under("GRADLE_USER_HOME", "wrapper/dists"),
            at("GRADLE_RO_DEP_CACHE"),
        ],
    ),
    client("ivy", &[".ivy2/cache", ".ivy2/local"], &[]),
    client("sbt", &[".sbt/boot", ".sbt/launchers"], &[]),
    client("coursier", &[".coursier/cache"], &[at("COURSIER_CACHE")]),
    client("kotlin", &[".konan/dependencies", ".konan/cache"], &[under("KONAN_DATA_DIR", "dependencies")]),
    // .NET
    client(
        "nuget",
        &[".nuget/packages", ".local/share/NuGet"],
        &[at("NUGET_PACKAGES"), at("NUGET_HTTP_CACHE_PATH")],
    ),
    // Ruby; installed gems stay, as they may hold bundler itself
    client("bundler", &[".bundle/cache"], &[at("BUNDLE_USER_CACHE"), under("BUNDLE_USER_HOME", "cache")]),
    client(BUNDLER_GEMS, &[], &[at("BUNDLE_PATH")]),
    client("gem", &[".gem/specs"], &[at("GEM_SPEC_CACHE")]),
    // Erlang and Elixir
    client("hex", &[".hex/packages"], &[under("HEX_HOME", "packages")]),
    client("rebar3", &[], &[at("REBAR_CACHE_DIR")]),
    // Others
    client("pub", &[".pub-cache"], &[at("PUB_CACHE")]),
    client("cocoapods", &[".cocoapods/repos"], &[under("CP_HOME_DIR", "repos")]),
    client("swift", &[".swiftpm/cache"], &[]),
    client(
        "cabal",
        &[".cabal/packages", ".cabal/store"],
        &[under("CABAL_DIR", "packages"), under("CABAL_DIR", "store")],
    ),
    client(
        "stack",
        &[".stack/indices", ".stack/pantry", ".stack/precompiled", ".stack/snapshots"],
        &[
            under("STACK_ROOT", "indices"),
            under("STACK_ROOT", "pantry"),
            under("STACK_ROOT", "precompiled"),
            under("STACK_ROOT", "snapshots"),
        ],
    ),
    client("zig", &[], &[at("ZIG_GLOBAL_CACHE_DIR")]),
    // Registries stay: one that a person added is not fetched by itself
    client(
        "julia",
        &[".julia/artifacts", ".julia/clones", ".julia/compiled", ".julia/packages", ".julia/scratchspaces"],
        &[
            each_under("JULIA_DEPOT_PATH", "artifacts"),
            each_under("JULIA_DEPOT_PATH", "clones"),
            each_under("JULIA_DEPOT_PATH", "compiled"),
            each_under("JULIA_DEPOT_PATH", "packages"),
            each_under("JULIA_DEPOT_PATH", "scratchspaces"),
        ],
    ),
    client("opam", &[".opam/download-cache"], &[under("OPAMROOT", "download-cache")]),
    client(
        "conan",
        &[".conan2/p", ".conan/data"],
        &[under("CONAN_HOME", "p"), under("CONAN_USER_HOME", ".conan/data")],
    ),
    client("vcpkg", &[".vcpkg/downloads"], &[at("VCPKG_DOWNLOADS"), at("VCPKG_DEFAULT_BINARY_CACHE")]),
    client("terraform", &[".terraform.d/plugin-cache"], &[at("TF_PLUGIN_CACHE_DIR")]),
];
