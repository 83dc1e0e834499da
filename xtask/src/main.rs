//! The project's own commands: `cargo xtask ci | test | tidy | example | kills | load | bench | destroy`. One file or folder each.
#![expect(
    clippy::disallowed_methods,
    reason = "it starts programs and reads clock and environment; it is no part of the product"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever started it")]

mod bench;
mod ci;
mod destroy;
mod example;
mod kills;
mod load;
mod project;
mod step;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask ci                     format, tidy, clippy, documentation, tests: what CI runs
cargo xtask test [ARGUMENT…]       installs what tests need, then cargo test with these arguments
cargo xtask tidy [--write]         layers, sizes, lists, things that must not be; --write lowers the ratchet
cargo xtask example                records the example project, cuts the world off, builds it again, shows the evidence
cargo xtask kills [--seeds N]       kills store and binary at random moments, with 200 seeds unless told
cargo xtask load [--for 10m] [--binary FILE]  lets mixed traffic at a server that is killed every minute
cargo xtask destroy [--write | --quick | WORD]  destroys an origin in forty ways beside peers; --write updates docs/COMPARISON-GIT.md
cargo xtask bench [NAME…] [--write | --quick]  measures beside peers; --write updates docs/BENCHMARKS.md, --quick only tries
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("ci") => ci::run(),
        Some("test") => test::run(&rest),
        Some("tidy") => tidy::run(&rest),
        Some("example") => example::run_example(),
        Some("kills") => kills::run(&rest),
        Some("load") => load::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("destroy") => destroy::run(&rest),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<step::Exit>() => {
            error.downcast_ref::<step::Exit>().map_or(ExitCode::FAILURE, |exit| ExitCode::from(exit.0))
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
