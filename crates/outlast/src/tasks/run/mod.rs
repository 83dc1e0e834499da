//! Runs one command in one room and writes down what it did.

mod keep;
mod observed;
mod scratch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, anyhow};
use intercept::{Authority, Caller, CallerTrust};
use model::{Containment, Cut, Output, Record, RunId, Timestamp};
use proxy::{Engine, Findings, Purpose, SessionPlan, TeamServer};
use registry::Pin;
use sandbox::{Fresh, Plan, RoomError};
use store::Store;

pub(crate) use keep::ended;

use self::scratch::Scratch;

use crate::failure::Failure;
use crate::home::Home;
use crate::project::{self, Locks};
use crate::tasks::names;
use crate::tasks::record::{self, Run};
use crate::tasks::room::{self, Masked, Order};
use crate::tasks::space::{self, Space};
use crate::wiring::{Bell, Door, Heard, Kept, engine, proxies, served};

/// The exit code of Outlast's own failures in `exec`.
pub(crate) const OUTLAST_ITSELF: u8 = 125;

/// What to run, and how.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) order: Order,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) purpose: Purpose,
    /// Answer with what was held at this moment.
    pub(crate) at: Option<Timestamp>,
    /// The team's server, which is asked first.
    pub(crate) via: Option<TeamServer>,
    pub(crate) outputs: Vec<PathBuf>,
    pub(crate) copies: Copies,
    pub(crate) fallback: Fallback,
}

/// Whether the command sees the user's own folders or copies of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copies {
    Own,
    Fresh(Space),
}

/// What to do where no room can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// Run it with its environment alone, and say so.
    Observe,
    /// Fail.
    Never,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) record: Record,
    pub(crate) findings: Findings,
    pub(crate) unanswered_names: Vec<String>,
    pub(crate) distrusted: Vec<String>,
    /// Hosts whose clients hung up before they asked for anything.
    pub(crate) hung_up: Vec<String>,
    pub(crate) masked: Vec<drill::Mask>,
    /// What is said of caches that the command names and that could not be hidden.
    pub(crate) unhidden: Vec<String>,
    pub(crate) unread_locks: Vec<String>,
    /// Packages of which a lock has a digest that cannot be read, each with the lock.
    pub(crate) unread_digests: Vec<String>,
    /// Named outputs that the command did not make.
    pub(crate) absent_outputs: Vec<PathBuf>,
    /// Why the record, which is durable, has no file of its own yet.
    pub(crate) unwritten: Option<String>,
    /// Whether the copies lay in memory, and it ran short.
    pub(crate) was_short: bool,
    /// Waits, when it is dropped, until the copies of the room are removed. A large build takes seconds: whoever waits
    /// is told the result first.
    _lived: Lived,
}

/// Runs a task to its end: when this returns, everything the command took is durable.
pub(crate) async fn run(home: &Home, store: &Store, task: Task) -> Result<Done, Failure> {
    let own =
        |failure: Failure| if failure.code() == 2 { failure } else { failure.exit_code(OUTLAST_ITSELF) };
    room::check_place(home, &task.order)?;
    let started_at = home.clock.now();
    let caller = task.order.caller();
    let via = names::learn(home, task.via.clone()).await;
    // The caller's trust and the project are two heaps of small files; they are read side by side.
    let project = tokio::task::spawn_blocking({
        let (order, copies) = (task.order.clone(), task.copies);
        move || read_project(&order, copies)
    });
    let trust = CallerTrust::read(&caller);
    let authority = Authority::new(started_at, "Outlast, one run", None)
        .map(Arc::new)
        .map_err(|error| own(Failure::no(error)))?;
    let settings = room::settings(home, store, &caller).map_err(own)?;
    let mut plan = room::sealed(home, &task.order, &settings, &trust, &authority);
    let project = project.await.map_err(Failure::no)?.map_err(own)?;
    plan.fresh = project.fresh;
    let scratch = Scratch::of(home, store, &task).map_err(own)?;
    let copies = scratch.as_ref().map_or(store, |scratch| &scratch.store);
    let engine = engine(home, copies, &trust, task.via.as_ref().map(|server| &server.site)).map_err(own)?;
    let session = engine.session(plan_of_session(home, &engine, &task, project.pins, via));
    let heard = Arc::new(Heard::default());
    let door = Arc::new(Door {
        session: session.clone(),
        authority,
        store: copies.clone(),
        purpose: task.purpose,
        has_server: task.via.is_some(),
        proxies: proxies().map_err(own)?,
        passthrough: home.config.exec.passthrough.clone(),
        cuts: task.cuts.clone(),
        placed: home.config.upstreams.iter().map(|upstream| upstream.host.clone()).collect(),
        heard: heard.clone(),
    });
    let mut lived = live(&plan, door, &task, &caller).await?;
    let (outputs, absent_outputs) = read_outputs(&lived, &task).map_err(own)?;
    let copies_bytes = lived.copies_bytes(&task);
    lived.let_go();
    let findings = session.finish().await;
    let record =
        record::record(described(home, &task, &lived, started_at, outputs, copies_bytes), &findings, &heard);
    let unwritten = keep::keep(home, store, &record, task.purpose)
        .map_err(|failure| own(keep::unrecorded(failure, &record)))?;
    Ok(Done {
        record,
        findings,
        unanswered_names: heard.unanswered(),
        distrusted: heard.distrusted(),
        hung_up: heard.hung_up(),
        masked: project.masks,
        unhidden: project.unhidden,
        unread_locks: project.unread_locks,
        unread_digests: project.unread_digests,
        absent_outputs,
        unwritten,
        was_short: lived.was_short,
        _lived: lived,
    })
}

/// Plans what the command meets: the project's locks vouch, and repositories are kept as it asks for them.
fn plan_of_session(
    home: &Home,
    engine: &Engine,
    task: &Task,
    pins: Vec<(String, Pin)>,
    via: Option<TeamServer>,
) -> SessionPlan {
    let (served, tripwires) = (served(&engine.store), home.config.tripwires.clone());
    let kept = Kept::new(engine, served, tripwires, via.clone());
    SessionPlan {
        cuts: task.cuts.clone(),
        pins,
        at: task.at,
        repositories: Some(Arc::new(kept)),
        via,
        ..SessionPlan::new(task.purpose)
    }
}

/// Returns what is known of a run besides its requests.
fn described(
    home: &Home,
    task: &Task,
    lived: &Lived,
    started_at: Timestamp,
    outputs: Vec<Output>,
    copies_bytes: Option<u64>,
) -> Run {
    Run {
        run_id: RunId::new(started_at, host::random::bytes()),
        started_at,
        containment: containment(home, lived),
        containment_reasons: containment_reasons(home, lived),
        command: task.order.words(),
        directory: task.order.place(),
        as_of: task.at,
        via: task.via.as_ref().map(|server| server.site.base().to_owned()),
        exit_code: lived.exit_code,
        duration_ms: lived.duration_ms,
        copies_bytes,
        outputs,
    }
}

/// Returns the outputs that the command made, and the names of those that it did not make.
fn read_outputs(lived: &Lived, task: &Task) -> Result<(Vec<Output>, Vec<PathBuf>), Failure> {
    let made = project::outputs(&lived.project, &task.outputs)
        .map_err(|error| keep::unread_outputs(error, lived.exit_code))?;
    let is_absent = |output: &&PathBuf| lived.project.join(output).symlink_metadata().is_err();
    Ok((made, task.outputs.iter().filter(is_absent).cloned().collect()))
}

/// What is read of a project before its command runs.
#[derive(Debug)]
struct Project {
    /// None for a run on the user's own folders.
    fresh: Option<Fresh>,
    masks: Vec<drill::Mask>,
    unhidden: Vec<String>,
    pins: Vec<(String, registry::Pin)>,
    unread_locks: Vec<String>,
    unread_digests: Vec<String>,
}

fn read_project(order: &Order, copies: Copies) -> Result<Project, Failure> {
    let (fresh, masks, unhidden) = match copies {
        Copies::Fresh(space) => {
            let Masked { fresh, masks, unhidden } = room::fresh(order, space)?;
            (Some(fresh), masks, unhidden)
        }
        Copies::Own => (None, Vec::new(), Vec::new()),
    };
    let locks = project::locks(&order.directory);
    let unread_digests = locks.unread_digests();
    let Locks { pins, unread: unread_locks, .. } = locks;
    Ok(Project { fresh, masks, unhidden, pins, unread_locks, unread_digests })
}

/// A command that has lived; the copies of its room go when this does, at the latest.
#[derive(Debug)]
struct Lived {
    exit_code: i32,
    duration_ms: u64,
    /// Where the project, or its copy, can be read.
    project: PathBuf,
    /// Why the room was none, or was not closed to the end.
    not_sealed: Vec<String>,
    was_short: bool,
    ended: Option<sandbox::Ended>,
}

impl Lived {
    /// Returns how much space the copies of a recorded run took, for its replays.
    fn copies_bytes(&self, task: &Task) -> Option<u64> {
        let is_replay = task.purpose == Purpose::Drill;
        self.ended.as_ref().filter(|_| !is_replay && task.copies != Copies::Own)?.copies_bytes()
    }

    /// Begins to remove the copies, which nobody reads any more.
    fn let_go(&mut self) {
        if let Some(ended) = &mut self.ended {
            ended.let_go();
        }
    }

    fn never_ran(exit_code: i32, task: &Task) -> Self {
        let project = task.order.directory.clone();
        Self { exit_code, duration_ms: 0, project, not_sealed: Vec::new(), was_short: false, ended: None }
    }
}

async fn live(plan: &Plan, door: Arc<Door>, task: &Task, caller: &Caller) -> Result<Lived, Failure> {
    let helper = std::env::current_exe().context("this program cannot find itself").map_err(Failure::no)?;
    let clock = host::Clock::real();
    let room = match sandbox::open(plan, &helper).await {
        Ok(room) => room,
        // Without a room there are no copies, and what is to be run on copies is not run on the user's own folders.
        Err(RoomError::NotPossible { why })
            if task.fallback == Fallback::Observe && task.copies == Copies::Own =>
        {
            return observed::live(plan, door, task, caller, why).await;
        }
        Err(error) => return Err(explain(error)),
    };
    let running = room.start(Arc::new(Bell(door))).await.map_err(explain)?;
    let start = clock.elapsed();
    let is_short = AtomicBool::new(false);
    let watching = space::watch(plan.fresh.as_ref().map(|fresh| fresh.scratch.as_path()), &is_short);
    let ended = tokio::select! {
        ended = running.wait() => ended,
        never = watching => match never {},
    };
    let ended = match ended {
        Ok(ended) => ended,
        // The recorded run could run it: that it cannot be run now is what the drill found.
        Err(error @ (RoomError::NotFound { .. } | RoomError::NotRunnable { .. }))
            if task.purpose == Purpose::Drill =>
        {
            return Ok(Lived::never_ran(error.exit_code(), task));
        }
        Err(error) => return Err(explain(error)),
    };
    let duration_ms = u64::try_from((clock.elapsed() - start).as_millis()).unwrap_or(u64::MAX);
    Ok(Lived {
        exit_code: ended.exit.code,
        duration_ms,
        project: project_of(&ended, plan, task),
        not_sealed: ended.openings.iter().map(ToString::to_string).collect(),
        was_short: is_short.into_inner(),
        ended: Some(ended),
    })
}

/// Returns where the command's directory can be read after its end: in the copy, where there is one.
fn project_of(ended: &sandbox::Ended, plan: &Plan, task: &Task) -> PathBuf {
    let directory = &task.order.directory;
    let copy = ended.project().zip(plan.fresh.as_ref());
    copy.and_then(|(copy, fresh)| Some(copy.join(directory.strip_prefix(&fresh.project.at).ok()?)))
        .unwrap_or_else(|| directory.clone())
}

fn explain(error: RoomError) -> Failure {
    let code = u8::try_from(error.exit_code()).unwrap_or(OUTLAST_ITSELF);
    let hint = match &error {
        RoomError::NotPossible { .. } => {
            "allow unprivileged user namespaces (`sysctl user.max_user_namespaces`, in a container its seccomp \
             profile); only `exec` without --fresh and --require-sealed can run observed instead"
        }
        RoomError::NotFound { .. } => "check the spelling, and that its folder is in PATH",
        RoomError::NotRunnable { .. } => "check that the file may be executed and the directory entered",
        RoomError::Interrupted { .. } => "the command was not started and nothing is recorded; run it again",
        RoomError::Copies { .. } => {
            "make the project's files readable, and name a folder with free space in TMPDIR"
        }
        _ => "run again with -v; if it stays, this is a fault of Outlast",
    };
    Failure::no(error).hint(hint).exit_code(code)
}

fn containment(home: &Home, lived: &Lived) -> Containment {
    if containment_reasons(home, lived).is_empty() { Containment::Sealed } else { Containment::Observed }
}

/// Returns why something could have bypassed Outlast.
fn containment_reasons(home: &Home, lived: &Lived) -> Vec<String> {
    let mut reasons: Vec<String> = lived.not_sealed.clone();
    reasons.extend(sandbox::ways_out());
    let exec = &home.config.exec;
    if !exec.allow_local.is_empty() {
        reasons.push(format!(
            "ports {:?} of the machine's own loopback are allowed by `exec.allow_local`",
            exec.allow_local
        ));
    }
    if !exec.passthrough.is_empty() {
        reasons.push(format!("not looked into, by `exec.passthrough`: {}", exec.passthrough.join(", ")));
    }
    reasons
}

/// Returns a failure of a run that never began.
pub(crate) fn no_command() -> Failure {
    Failure::usage(anyhow!("there is no command to run"))
        .hint("write it after `--`, as in `outlast exec -- make`")
}
