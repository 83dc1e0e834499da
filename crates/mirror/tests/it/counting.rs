//! How often git ran for clients, and whom it lets wait.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use git::Git;
use host::http::Outgoing;
use http_body_util::BodyExt as _;
use mirror::Served;
use model::Timestamp;
use tokio::task::JoinHandle;

use crate::world::{World, ask};

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A `git` that writes down when it is to give a pack, and can be told to wait or to fail then.
pub(crate) struct Counting {
    folder: tempfile::TempDir,
    pub(crate) served: Served,
}

impl Counting {
    pub(crate) fn new(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\nPATH={PATH}\ncd '{}'\nfor word; do if [ $word = upload-pack ]; then\n\
             echo run >>runs\nwhile [ -e wait ]; do sleep 0.02; done\n\
             if [ -e endless ]; then echo $$ >endless; while :; do printf '0008\001abc'; done; fi\n\
             if [ -e fail ]; then printf '0011ERR it fails\\n'; exit 128; fi\nfi; done\nexec git \"$@\"\n",
            folder.path().display()
        );
        let program = folder.path().join("git");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let git = Git::new(&format!("{}:{PATH}", folder.path().display()));
        Self { served: Served::new(world.store.clone(), git, 2), folder }
    }

    /// Says what it does when it runs, until the file is gone.
    pub(crate) fn told(&self, what: &str) -> PathBuf {
        let file = self.folder.path().join(what);
        fs::write(&file, "").unwrap();
        file
    }

    pub(crate) fn n_runs(&self) -> usize {
        fs::read_to_string(self.folder.path().join("runs")).unwrap_or_default().lines().count()
    }

    /// Waits until it has run so often.
    pub(crate) async fn ran(&self, n_runs: usize) {
        let ran = async {
            while self.n_runs() < n_runs {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ran).await.unwrap();
    }

    /// Has both turns taken by others, for as long as git is told to wait.
    pub(crate) async fn busy(&self, world: &World) -> Vec<JoinHandle<Vec<String>>> {
        let n_runs = self.n_runs();
        // Requests that nobody has sent before.
        let new = (n_runs..n_runs + 2).map(|number| format!("filter blob:limit={number}"));
        let busy = new.map(|filter| tokio::spawn(all([self.ask(world, None, &[&filter, "done"])]))).collect();
        self.ran(n_runs + 2).await;
        busy
    }

    pub(crate) fn ask(&self, world: &World, at: Option<Timestamp>, arguments: &[&str]) -> Outgoing {
        ask(&self.served, world, at, arguments)
    }
}

/// Returns what all of these clients get at once.
pub(crate) async fn all(bodies: impl IntoIterator<Item = Outgoing>) -> Vec<String> {
    let read = |body: Outgoing| async {
        let bytes = body.collect().await.unwrap().to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let tasks: Vec<_> = bodies.into_iter().map(|body| tokio::spawn(read(body))).collect();
    let mut texts = Vec::new();
    for task in tasks {
        texts.push(task.await.unwrap());
    }
    texts
}
