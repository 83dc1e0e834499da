//! Programs that Outlast asks: with the environment that they are given and no other, in a process group of their own, and ended
//! as a group when they take too long, say too much, or are no longer waited for.
//!
//! What leaves the group is not reached (`setsid`): whoever starts a program that does so forbids it by its settings. Nor is
//! anything where this process itself is killed: a program then ends at its next write.

mod stream;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

pub use stream::Stream;

use crate::Clock;

/// What is read of a pipe at a time: as much as Linux keeps in one.
const PIECE_BYTES: usize = 64 * 1024;

/// How much a program may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long it may run.
    pub time: Duration,
    /// How much it may write to its standard output; with one byte more it is ended.
    pub stdout_bytes: usize,
    /// How much of its standard error is kept; what follows is for nobody.
    pub stderr_bytes: usize,
}

/// A program that is to be asked something.
#[derive(Debug, Clone)]
pub struct Program {
    name: OsString,
    arguments: Vec<OsString>,
    folder: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    /// What it reads; nothing, where there is none.
    input: Option<Arc<File>>,
    limits: Limits,
    niceness: i32,
}

/// What a program that ended by itself left.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of what it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// Why a program has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("`{program}` is not installed, or not in PATH; install it")]
    Missing {
        /// Its name.
        program: String,
    },
    /// It is there, and cannot be started: no permission, no such folder, no memory.
    #[error("`{program}` could not be started; look at its permissions and at the folder `{folder}`")]
    NotStarted {
        /// Its name.
        program: String,
        /// The folder in which it was to be started.
        folder: String,
        /// The system's reason.
        source: io::Error,
    },
    /// It was ended because it took too long.
    #[error("`{program}` did not end within {} s, and was ended; run it by hand to see where it waits", time.as_secs_f32())]
    Slow {
        /// Its name.
        program: String,
        /// How long it was given.
        time: Duration,
    },
    /// It was ended because it wrote too much.
    #[error(
        "`{program}` wrote more than {bytes_max} bytes, and was ended; run it by hand to see what it writes"
    )]
    Long {
        /// Its name.
        program: String,
        /// How much it was to write at most.
        bytes_max: usize,
    },
    /// It was ended because nobody took what it wrote.
    #[error("what `{program}` writes is not taken any more")]
    Untaken {
        /// Its name.
        program: String,
    },
    /// It failed, and what it wrote before is no answer.
    #[error("`{program}` failed: {said}")]
    Failed {
        /// Its name.
        program: String,
        /// The beginning of what it wrote to its standard error.
        said: String,
    },
    /// The system failed while it ran.
    #[error("`{program}` could not be read from; try again")]
    Io {
        /// Its name.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl Program {
    /// Names a program of PATH, which is looked up in the PATH that it is given, or a path.
    pub fn new(name: impl Into<OsString>, limits: Limits) -> Self {
        let name = name.into();
        let (arguments, environment) = (Vec::new(), Vec::new());
        Self { name, arguments, folder: None, environment, input: None, limits, niceness: 0 }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets the folder in which it starts.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Adds to its environment, which is empty before.
    #[must_use]
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Lets others have the cores before it and what it starts, by so many steps of nice(1); that it cannot be done is no error.
    #[must_use]
    pub fn after_others(mut self, niceness: i32) -> Self {
        self.niceness = niceness;
        self
    }

    /// Sets the file that it reads, from the beginning; without one it reads nothing.
    #[must_use]
    pub fn reads_file(mut self, file: File) -> Self {
        self.input = Some(Arc::new(file));
        self
    }

    /// Sets what it reads.
    pub fn reads(self, bytes: &[u8]) -> io::Result<Self> {
        // A file in memory: nobody has to write while the program runs.
        let mut file = crate::file::in_memory("input")?;
        file.write_all(bytes)?;
        Ok(self.reads_file(file))
    }

    /// Runs it, and waits until it ends; what it started in its group ends with it.
    ///
    /// That it failed is no error here: `Output::status` says so.
    pub fn run(&self) -> Result<Output, ProcessError> {
        self.start()?.finish()
    }

    fn stdin(&self) -> io::Result<Stdio> {
        let Some(file) = &self.input else { return Ok(Stdio::null()) };
        let mut file = file.try_clone()?;
        file.rewind()?;
        Ok(file.into())
    }

    #[expect(clippy::disallowed_methods, reason = "this is where child processes are started")]
    fn start(&self) -> Result<Running, ProcessError> {
        let program = self.name.to_string_lossy().into_owned();
        let mut command = Command::new(&self.name);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned()).process_group(0);
        command.stdin(self.stdin().map_err(|source| ProcessError::Io { program: program.clone(), source })?);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let clock = Clock::real();
        let mut child = command.spawn().map_err(|source| {
            let program = program.clone();
            let folder = self.folder.as_deref().unwrap_or(Path::new("."));
            match source.kind() {
                io::ErrorKind::NotFound if folder.is_dir() => ProcessError::Missing { program },
                _ => ProcessError::NotStarted { program, folder: folder.display().to_string(), source },
            }
        })?;
        if self.niceness != 0 {
            let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
            let _ = rustix::process::setpriority_pgrp(group, self.niceness);
        }
        let stdout = child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let stderr = child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let mut running = Running {
            program,
            child,
            status: None,
            limits: self.limits,
            clock,
            pipes: [stdout, stderr, None],
        };
        running.pipes[END] = Some(running.end().map_err(|source| running.failed(source))?);
        Ok(running)
    }
}

/// Places of pipes.
const STDOUT: usize = 0;
const STDERR: usize = 1;
/// A pipe that closes when the program has ended.
const END: usize = 2;

/// A program that was started; dropped, it and its group are ended.
#[derive(Debug)]
struct Running {
    program: String,
    child: Child,
    /// How it ended, once its id is free for another process.
    status: Option<ExitStatus>,
    limits: Limits,
    clock: Clock,
    /// Those that are open.
    pipes: [Option<File>; 3],
}

impl Running {
    fn finish(mut self) -> Result<Output, ProcessError> {
        let mut written = [Vec::new(), Vec::new()];
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let ready = self.ready()?;
            if ready.is_empty() {
                break;
            }
            for place in ready {
                let Some(pipe) = &mut self.pipes[place] else { continue };
                let n_bytes = pipe.read(&mut piece).map_err(|source| self.failed(source))?;
                if n_bytes == 0 {
                    self.pipes[place] = None;
                }
                match place {
                    STDOUT => self.take_stdout(&mut written[STDOUT], &piece[..n_bytes])?,
                    STDERR => self.take_stderr(&mut written[STDERR], &piece[..n_bytes]),
                    // What it left running in its group would hold the pipes open.
                    _ => self.kill(),
                }
            }
        }
        let status = self.reap().map_err(|source| self.failed(source))?;
        let [stdout, stderr] = written;
        Ok(Output { status, stdout, stderr })
    }

    /// Waits until pipes can be read or have closed, and returns which; none once the program has ended and has no more to say.
    fn ready(&self) -> Result<Vec<usize>, ProcessError> {
        let open: Vec<(usize, &File)> =
            self.pipes.iter().enumerate().filter_map(|(place, pipe)| Some((place, pipe.as_ref()?))).collect();
        let has_ended = self.pipes[END].is_none();
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let slow = || ProcessError::Slow { program: self.program.clone(), time: self.limits.time };
        loop {
            let left = self.limits.time.saturating_sub(self.clock.elapsed());
            if left.is_zero() && !has_ended {
                return Err(slow());
            }
            // Whatever was written before the end is in the pipes by now.
            let patience = if has_ended { Duration::ZERO } else { left + Duration::from_millis(1) };
            let mut asked: Vec<PollFd<'_>> =
                open.iter().map(|(_, pipe)| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).collect();
            match poll(&mut asked, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(self.failed(error.into())),
                Ok(0) if has_ended => return Ok(Vec::new()),
                Ok(0) => {}
                // Half of what it wrote is no answer; and who left the group may write for ever.
                Ok(_) if left.is_zero() => return Err(slow()),
                Ok(_) => {
                    let is_ready = |asked: &PollFd<'_>| asked.any().unwrap_or(true);
                    let ready = open.iter().zip(&asked).filter(|(_, asked)| is_ready(asked));
                    return Ok(ready.map(|((place, _), _)| *place).collect());
                }
            }
        }
    }

    fn take_stdout(&self, stdout: &mut Vec<u8>, piece: &[u8]) -> Result<(), ProcessError> {
        let bytes_max = self.limits.stdout_bytes;
        if stdout.len() + piece.len() > bytes_max {
            return Err(ProcessError::Long { program: self.program.clone(), bytes_max });
        }
        stdout.extend_from_slice(piece);
        Ok(())
    }

    fn take_stderr(&self, stderr: &mut Vec<u8>, piece: &[u8]) {
        let n_bytes = piece.len().min(self.limits.stderr_bytes - stderr.len());
        stderr.extend_from_slice(&piece[..n_bytes]);
    }

    /// Returns a pipe that closes when the program has ended. Its id stays its own until it is reaped.
    fn end(&self) -> io::Result<File> {
        let (end, open) = io::pipe()?;
        let id = self.id();
        std::thread::Builder::new().name("process end".to_owned()).spawn(move || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(id), flags) == Err(Errno::EINTR) {}
            drop(open);
        })?;
        Ok(OwnedFd::from(end).into())
    }

    /// Ends everything in the group; that there is nothing any more is no error.
    fn kill(&self) {
        let _ = killpg(self.id(), Signal::SIGKILL);
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        self.kill();
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    /// Returns the id of the program and of its group.
    fn id(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn failed(&self, source: io::Error) -> ProcessError {
        ProcessError::Io { program: self.program.clone(), source }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.reap();
    }
}

#[cfg(test)]
mod tests;
