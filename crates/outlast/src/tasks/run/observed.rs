//! Where no room can be had: the command runs with its environment alone, and goes through Outlast if it is polite.

use std::sync::Arc;

use host::Clock;
use intercept::{Caller, Tier};
use model::{SafeUrl, Secret};
use sandbox::{Forward, Plan};

use super::{Lived, Task, explain};
use crate::failure::Failure;
use crate::tasks::room;
use crate::wiring::{Door, Requests};

/// Runs a command observed; `why` says why it is not sealed.
pub(super) async fn live(
    plan: &Plan,
    door: Arc<Door>,
    task: &Task,
    caller: &Caller,
    why: String,
) -> Result<Lived, Failure> {
    let forward = Forward::open().await?;
    // Everybody on this machine can reach the port; only the command knows the password.
    let password: String = host::random::bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    let credentials = format!("outlast:{password}");
    let proxy =
        SafeUrl::parse(&format!("http://{credentials}@{}", forward.address()?)).map_err(Failure::no)?;
    let settings = intercept::settings(caller, &room::paths(), &Tier::Observed { proxy: Some(proxy) });
    let mut plan = plan.clone();
    plan.environment = room::environment(&task.order, &settings);
    for (path, bytes) in &settings.files {
        plan.files.retain(|file| file.path != *path);
        plan.files.push(sandbox::PlacedFile {
            path: path.clone(),
            bytes: bytes.as_slice().into(),
            mode: room::PRIVATE,
        });
    }
    let listening = tokio::spawn(listen(forward, Secret::new(credentials), door));
    let clock = Clock::real();
    let exit = sandbox::run_observed(&plan).await;
    listening.abort();
    let exit = exit.map_err(explain)?;
    Ok(Lived {
        exit_code: exit.code,
        duration_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        project: task.order.directory.clone(),
        not_sealed: vec![why],
        was_short: false,
        ended: None,
    })
}

async fn listen(forward: Forward, credentials: Secret<String>, door: Arc<Door>) {
    let credentials = Arc::new(credentials);
    // An error of one connection says nothing about the next.
    loop {
        let Ok(stream) = forward.accept().await else { continue };
        let (door, credentials) = (door.clone(), credentials.clone());
        tokio::spawn(async move {
            let (authority, handler) = (door.authority.clone(), Arc::new(Requests(door)));
            intercept::serve_forward(stream, Some(&credentials), &authority, handler).await;
        });
    }
}
