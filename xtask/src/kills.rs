//! The long form of the tests that kill: the same tests with more seeds.

use anyhow::{Context as _, Result, bail};

use crate::step;

/// As many as the tests are to hold for; CI tries 20.
const N_SEEDS: u64 = 200;

/// Kills the store and the binary at random moments, `--seeds N` times each.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let n_seeds = n_seeds(arguments)?.to_string();
    for (package, test, variable) in [
        ("store", "crash::kill_at_random_moments_loses_nothing", "OUTLAST_SEEDS"),
        ("outlast", "kills::random::random_work_loses_nothing", "KILL_SEEDS"),
        ("outlast", "kills::follow::a_repository_is_followed_whatever_is_killed", "KILL_SEEDS"),
    ] {
        let arguments = ["test", "-p", package, "--test", "it", "--", "--exact", test, "--nocapture"];
        step::run(step::cargo(&arguments).env(variable, &n_seeds))?;
    }
    Ok(())
}

fn n_seeds(arguments: &[&str]) -> Result<u64> {
    match arguments {
        [] => Ok(N_SEEDS),
        ["--seeds", number] => number.parse().with_context(|| format!("`{number}` is not a number of seeds")),
        _ => bail!("the only argument is `--seeds N`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_as_many_as_asked_for() {
        let check = |arguments: &[&str], expected: Option<u64>| {
            assert_eq!(n_seeds(arguments).ok(), expected, "{arguments:?}");
        };
        check(&[], Some(200));
        check(&["--seeds", "3"], Some(3));
        check(&["--seeds", "many"], None);
        check(&["--seeds"], None);
        check(&["3"], None);
    }
}
