//! Runs one command in a room, as the tests tell it, and writes what happened into a log: one line for each event.
//!
//! `sandbox-probe [--log FILE] [--port N]… [--local N]… [--mask PATH]… [--file PATH=TEXT]… [--observed]
//!  [--fresh HOME PROJECT SCRATCH [--copy RELATIVE]… [--empty PATH]…] [--hold MS] -- COMMAND…`

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use model::Refused;
use sandbox::{Connection, Events, Fresh, PlacedFile, Plan, ProjectCopy, Resolution, Resolving, RoomError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> std::process::ExitCode {
    if sandbox::run_helper_if_asked() {
        return std::process::ExitCode::SUCCESS;
    }
    let asked = Asked::read(std::env::args_os().skip(1).collect());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let code = runtime.block_on(run(asked));
    std::process::ExitCode::from(u8::try_from(code).unwrap_or(125))
}

struct Asked {
    plan: Plan,
    log: Log,
    is_observed: bool,
}

impl Asked {
    #[expect(clippy::disallowed_methods, reason = "the probe is a rim: it hands its own environment on")]
    fn read(mut words: VecDeque<OsString>) -> Self {
        let mut asked = Self {
            plan: Plan {
                directory: std::env::current_dir().expect("a directory"),
                environment: std::env::vars_os().collect(),
                ..Plan::default()
            },
            log: Log::default(),
            is_observed: false,
        };
        while let Some(word) = words.pop_front() {
            if word == "--" {
                break;
            }
            asked.option(&word.into_string().expect("an option"), &mut words);
        }
        asked.plan.command = words.into();
        asked
    }

    fn option(&mut self, word: &str, words: &mut VecDeque<OsString>) {
        let mut next = || words.pop_front().expect("a value");
        let number = |word: OsString| word.to_str().and_then(|text| text.parse().ok()).expect("a number");
        let plan = &mut self.plan;
        match word {
            "--log" => self.log = Log(Arc::new(Mutex::new(File::create(next()).ok()))),
            "--port" => plan.ports.push(number(next())),
            "--local" => plan.local_ports.push(number(next())),
            "--mask" => plan.masked.push(PathBuf::from(next())),
            "--observed" => self.is_observed = true,
            "--file" => {
                let word = next().into_string().expect("text");
                let (path, text) = word.split_once('=').expect("PATH=TEXT");
                plan.files.push(PlacedFile { path: path.into(), bytes: text.as_bytes().into(), mode: 0o644 });
            }
            "--fresh" => {
                let (home, at, scratch) = (next().into(), next().into(), next().into());
                let project = ProjectCopy { from: Vec::new(), at };
                plan.fresh = Some(Fresh { homes: vec![home], project, empty: Vec::new(), scratch });
            }
            "--copy" => plan.fresh.as_mut().expect("--fresh first").project.from.push(next().into()),
            "--empty" => plan.fresh.as_mut().expect("--fresh first").empty.push(next().into()),
            other => panic!("unknown option {other}"),
        }
    }
}

async fn run(asked: Asked) -> i32 {
    let Asked { plan, log, is_observed } = asked;
    match run_plan(&plan, &log, is_observed).await {
        Ok(code) => code,
        Err(error) => {
            log.line(&format!("error {error:?}"));
            error.exit_code()
        }
    }
}

async fn run_plan(plan: &Plan, log: &Log, is_observed: bool) -> Result<i32, RoomError> {
    if is_observed {
        return Ok(sandbox::run_observed(plan).await?.code);
    }
    let clock = host::Clock::real();
    let room = sandbox::open(plan, std::path::Path::new("/proc/self/exe")).await?;
    for path in &room.masked {
        log.line(&format!("masked {}", path.display()));
    }
    let running = room.start(Arc::new(log.clone())).await?;
    log.line(&format!("started {} us", clock.elapsed().as_micros()));
    let ended = running.wait().await?;
    if let Some(project) = ended.project() {
        let mut names: Vec<_> =
            std::fs::read_dir(project).expect("the copy").flatten().map(|e| e.file_name()).collect();
        names.sort();
        log.line(&format!("copy {names:?}"));
    }
    for opening in &ended.openings {
        log.line(&format!("opening {opening}"));
    }
    let code = ended.exit.code;
    ended.clean().await;
    log.line(&format!("ended {code}"));
    Ok(code)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Option<File>>>);

impl Log {
    fn line(&self, text: &str) {
        if let Some(file) = self.0.lock().expect("no panic while logging").as_mut() {
            writeln!(file, "{text}").expect("the log");
        }
    }
}

impl Events for Log {
    fn connection(&self, mut connection: Connection) {
        let name = connection.looked_up.take().unwrap_or_default();
        self.line(&format!("connection {} {name}", connection.address));
        let answer = format!("HTTP/1.0 200 OK\r\n\r\nOutlast as {name} at {}\n", connection.address);
        tokio::spawn(async move {
            let _ = connection.stream.read(&mut [0; 4096]).await;
            let _ = connection.stream.write_all(answer.as_bytes()).await;
        });
    }

    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            self.line(&format!("resolve {name}"));
            if name.ends_with(".invalid") { Resolution::Nxdomain } else { Resolution::Answer }
        })
    }

    fn refused(&self, refused: Refused) {
        let Refused { host, address, port, protocol } = refused;
        self.line(&format!("refused {protocol} {address} {port} {host}"));
    }
}
