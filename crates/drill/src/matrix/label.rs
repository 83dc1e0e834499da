//! Guesses what a command is for from its words: `npm ci` installs, `cargo build` builds.
//!
//! 1. Variables in front (`A=b`) and programs that run others (`env`, `sudo`, `time`, `nice`, `timeout 5m`, `npx` …) are
//!    skipped; the script of `sh -c` is taken apart at `&&`, `;` and `|`, and of several steps the last stage counts.
//!    What a project's own tool runs (`uv run pytest`, `bundle exec rspec`) is looked at in its place.
//! 2. Known programs are looked up with their first word that is no option; of several goals (`mvn clean verify`) the last
//!    stage counts. A program's version (`pip3.12`) means nothing.
//! 3. Otherwise a program's, script's or target's own name decides: `./deploy.sh`, `make test`, `npm run build`.
//! 4. Otherwise the label is the program's name and its first word.

/// The labels in the order in which software is made.
const STAGES: [&str; 7] = ["clone", "fetch", "install", "build", "test", "deploy", "publish"];

/// Programs that only run what follows.
const WRAPPERS: [&str; 16] = [
    "env", "sudo", "doas", "time", "nice", "nohup", "timeout", "exec", "command", "npx", "pnpx", "bunx",
    "uvx", "corepack", "stdbuf", "ionice",
];

/// Program (several separated by `|`), words (the same; empty: whatever follows), label. The first match counts.
const KNOWN: [(&str, &str, &str); 58] = [
    ("curl|wget|wget2|aria2c|http|https", "", "fetch"),
    (
        "npm|pnpm|yarn|bun",
        "ci|install|i|add|update|up|upgrade|install-test|clean-install|fetch|rebuild",
        "install",
    ),
    ("npm|pnpm|yarn|bun", "test|t|tst", "test"),
    ("npm|pnpm|yarn|bun", "publish", "publish"),
    ("npm|pnpm|yarn|bun", "build|pack", "build"),
    ("npm|pnpm|yarn|bun", "deploy", "deploy"),
    ("deno", "install|cache|add", "install"),
    ("deno", "test", "test"),
    ("cargo", "build|b|check|c|clippy|doc|rustc|package", "build"),
    ("cargo", "test|t|nextest|bench", "test"),
    ("cargo", "fetch|vendor|install|update|generate-lockfile", "install"),
    ("cargo", "publish", "publish"),
    ("pip", "install|sync", "install"),
    ("pip", "download|wheel", "fetch"),
    ("uv", "sync|pip|add|lock|tool", "install"),
    ("uv|poetry|pdm|hatch|flit", "build", "build"),
    ("uv|poetry|pdm|hatch|flit", "publish", "publish"),
    ("poetry|pdm|pipenv|conda|mamba", "install|update|sync|add|create", "install"),
    ("pytest|tox|nox|phpunit|jest|vitest|mocha|rspec|ctest|behave|pest", "", "test"),
    ("twine", "upload", "publish"),
    ("composer", "install|update|require|i|u|create-project", "install"),
    ("composer", "test", "test"),
    ("bundle|bundler|gem", "install|update|add|fetch", "install"),
    ("gem", "push", "publish"),
    ("gem", "build", "build"),
    ("go", "get|mod|install", "install"),
    ("go", "build|generate|vet|run", "build"),
    ("go", "test", "test"),
    ("mvn|mvnw|mvnd", "deploy", "publish"),
    ("mvn|mvnw|mvnd", "test|verify|integration-test", "test"),
    ("mvn|mvnw|mvnd", "compile|package|install|clean|validate|initialize|site", "build"),
    (
        "mvn|mvnw|mvnd",
        "dependency:go-offline|dependency:resolve|dependency:resolve-plugins|dependency:copy-dependencies|dependency:get",
        "install",
    ),
    ("gradle|gradlew", "dependencies", "install"),
    ("gradle|gradlew", "publish|publishToMavenLocal", "publish"),
    ("gradle|gradlew", "test|check", "test"),
    ("gradle|gradlew|sbt", "build|assemble|jar|classes|compile|package", "build"),
    ("sbt", "test", "test"),
    ("dotnet|nuget", "restore|add", "install"),
    ("dotnet", "build|publish|pack", "build"),
    ("dotnet", "test", "test"),
    ("dotnet|nuget", "push", "publish"),
    ("mix", "deps.get", "install"),
    ("mix", "compile", "build"),
    (
        "apt|apt-get|apk|dnf|yum|brew|zypper|pacman",
        "install|update|upgrade|full-upgrade|dist-upgrade|add|build-dep",
        "install",
    ),
    ("apt|apt-get|apk|dnf|yum", "download|source|fetch", "fetch"),
    ("dart|flutter", "pub", "install"),
    ("bazel|bazelisk|swift|stack|cabal", "build", "build"),
    ("bazel|bazelisk|swift|stack|cabal|dart|flutter", "test", "test"),
    ("cmake|meson|ant|scons", "", "build"),
    ("git", "submodule|lfs", "clone"),
    ("git|hg|svn", "clone|checkout", "clone"),
    ("git|hg|svn", "fetch|pull", "fetch"),
    ("git", "push", "publish"),
    ("docker|podman|buildah", "build|buildx|bud", "build"),
    ("docker|podman|buildah|skopeo|helm|crane", "pull", "fetch"),
    ("docker|podman|buildah|skopeo|helm", "push|copy", "publish"),
    ("kubectl|helm|terraform|tofu|pulumi", "apply|upgrade|install|up|rollout|set", "deploy"),
    ("ansible-playbook|cap|dep|flyctl|fly|vercel|netlify|serverless", "", "deploy"),
];

/// Programs that take several goals.
const WITH_GOALS: [&str; 6] = ["mvn", "mvnw", "mvnd", "gradle", "gradlew", "sbt"];

/// Programs that run another in the project's own environment, with the words behind which it stands.
const ENVIRONMENTS: [(&str, &str); 4] = [
    ("uv|poetry|pdm|pipenv|hatch|rye|conda|mamba", "run"),
    ("bundle|bundler|composer|mise", "exec"),
    ("npm|pnpm|yarn|bun", "exec|dlx|x"),
    ("pipx", "run"),
];

/// Programs whose first word names a target, a task or a script.
const RUNNERS: [&str; 16] = [
    "make", "gmake", "just", "task", "ninja", "rake", "npm", "pnpm", "yarn", "bun", "deno", "composer",
    "mix", "poe", "invoke", "grunt",
];

/// Returns what a command is for: one of clone, fetch, install, build, test, deploy, publish, or its own first words.
pub fn label(command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    label_of(&words, SCRIPT_DEPTH_MAX)
}

/// The place of a label (or of a label with a command behind it) in the order in which software is made.
pub(super) fn rank(what: &str) -> usize {
    let first = what.split(' ').next().unwrap_or_default();
    STAGES.iter().position(|stage| *stage == first).unwrap_or(STAGES.len())
}

/// How deep shells in shells are followed.
const SCRIPT_DEPTH_MAX: u8 = 3;

fn label_of(words: &[&str], depth: u8) -> String {
    let words = without_wrappers(words);
    let Some((program, rest)) = words.split_first() else {
        return "run".to_owned();
    };
    let program = file_stem(program);
    if matches!(program, "sh" | "bash" | "dash" | "zsh" | "ash") && depth > 0 {
        if let Some(script) = script_of(rest) {
            return label_of_script(script, depth - 1);
        }
        // `sh ./deploy.sh` is named by its script.
        if let Some(file) = rest.iter().find(|word| !word.starts_with('-')) {
            return label_of(&[*file], depth - 1);
        }
    }
    if program.starts_with("python") {
        match rest {
            ["-m", module, rest @ ..] if depth > 0 => {
                return label_of(&[&[*module], rest].concat(), depth - 1);
            }
            [file, ..] if !file.starts_with('-') => return named(file_stem(file), "python"),
            _ => {}
        }
    }
    let program = without_version(program);
    if let [word, rest @ ..] = rest
        && !rest.is_empty()
        && depth > 0
        && ENVIRONMENTS.iter().any(|(programs, words)| is_one_of(programs, program) && is_one_of(words, word))
    {
        let options = rest.iter().take_while(|word| word.starts_with('-')).count();
        return label_of(&rest[options..], depth - 1);
    }
    let mut arguments =
        rest.iter().copied().filter(|word| !word.starts_with(['-', '+']) && !word.contains('='));
    let argument = arguments.next();
    // `npm --prefix web ci`: behind an option, the first word may be the option's.
    let mut later = arguments.filter(|_| rest.first().is_some_and(|word| word.starts_with('-')));
    if WITH_GOALS.contains(&program) {
        let goals = rest.iter().filter_map(|word| known(program, Some(word)));
        if let Some(last) = goals.max_by_key(|label| rank(label)) {
            return last;
        }
    }
    known(program, argument)
        .or_else(|| later.find_map(|argument| known(program, Some(argument))))
        .or_else(|| by_default(program, argument))
        .or_else(|| target(program, rest))
        .unwrap_or_else(|| named(program, &[program, argument.unwrap_or_default()].join(" ")))
}

/// Returns the stage that a name contains, or another label.
fn named(name: &str, otherwise: &str) -> String {
    stage_in(name).map_or_else(|| otherwise.trim().to_owned(), str::to_owned)
}

fn known(program: &str, argument: Option<&str>) -> Option<String> {
    KNOWN
        .iter()
        .find(|(programs, words, _)| {
            is_one_of(programs, program)
                && (words.is_empty() || argument.is_some_and(|argument| is_one_of(words, argument)))
        })
        .map(|(_, _, label)| (*label).to_owned())
}

fn is_one_of(choices: &str, word: &str) -> bool {
    choices.split('|').any(|choice| choice == word)
}

/// `pip3.12` → `pip`.
fn without_version(program: &str) -> &str {
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if is_one_of("pip|python|go|php|ruby|gem|bundle|mvn|node|npm", name) { name } else { program }
}

/// What programs do that are given nothing to do.
fn by_default(program: &str, argument: Option<&str>) -> Option<String> {
    let label = match (program, argument) {
        ("yarn" | "bundle", None) => "install",
        ("make" | "gmake" | "just" | "ninja" | "gradle" | "gradlew", None | Some("all")) => "build",
        ("mvn" | "mvnw" | "mvnd", None) => "build",
        _ => return None,
    };
    Some(label.to_owned())
}

/// Reads the target of `make test`, the script of `npm run build`.
fn target(program: &str, rest: &[&str]) -> Option<String> {
    if !RUNNERS.contains(&program) {
        return None;
    }
    let mut names =
        rest.iter().filter(|word| !word.starts_with('-') && !matches!(**word, "run" | "run-script" | "exec"));
    names.find_map(|name| stage_in(name)).map(str::to_owned)
}

fn stage_in(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let parts: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let has = |word: &str| parts.contains(&word);
    // The last stage first: `test-deploy` deploys.
    STAGES.into_iter().rev().find(|stage| {
        has(stage)
            || match *stage {
                "publish" => has("release"),
                "test" => has("tests") || has("check"),
                "build" => has("compile") || has("package") || has("dist"),
                "fetch" => has("download"),
                "install" => has("setup") || has("bootstrap") || has("deps"),
                _ => false,
            }
    })
}

fn without_wrappers<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        let is_assignment = first.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        });
        let is_wrapper = WRAPPERS.contains(&file_stem(first));
        // An option or a duration can only stand here behind a wrapper.
        let is_operand = rest.len() < words.len()
            && (first.starts_with('-') || first.starts_with(|c: char| c.is_ascii_digit()));
        if !(is_assignment || is_wrapper || is_operand) {
            break;
        }
        rest = after;
    }
    rest
}

/// Returns the script of `sh -c SCRIPT`, also where it is written `-ec` or `-lc`.
fn script_of<'a>(rest: &[&'a str]) -> Option<&'a str> {
    let at = rest
        .iter()
        .position(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'))?;
    rest.get(at + 1).copied()
}

fn label_of_script(script: &str, depth: u8) -> String {
    let steps = script.split(['\n', ';', '&', '|']).map(str::trim).filter(|step| !step.is_empty());
    let labels: Vec<String> = steps
        .map(|step| step.split_whitespace().collect::<Vec<_>>())
        .filter(|words| {
            !matches!(words.first(), Some(&("cd" | "set" | "export" | "echo" | "mkdir" | "rm" | "true")))
        })
        .map(|words| label_of(&words, depth))
        .collect();
    let last_stage = labels.iter().filter(|label| rank(label) < STAGES.len()).max_by_key(|label| rank(label));
    last_stage.or_else(|| labels.first()).cloned().unwrap_or_else(|| "sh".to_owned())
}

/// `/usr/bin/npm` → `npm`, `./deploy.sh` → `deploy`.
fn file_stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_script = |extension: &str| {
        matches!(extension, "sh" | "bash" | "py" | "js" | "mjs" | "cjs" | "pl" | "rb" | "php" | "cmd")
    };
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && is_script(extension) => stem,
        _ => name,
    }
}
