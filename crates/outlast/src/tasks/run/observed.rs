//! Where no room can be had: the command runs with its environment alone, and goes through Outlast if it is polite.

use std::sync::Arc;

use sandbox::Plan;

use super::{Lived, Task, explain};
use crate::failure::Failure;
use crate::wiring::Door;

/// Runs a command observed; `why` says why it is not sealed.
pub(super) async fn live(plan: &Plan, door: Arc<Door>, task: &Task, why: String) -> Result<Lived, Failure> {
    let _ = (plan, door, task, why, explain);
    Err(Failure::no(anyhow::anyhow!("no room")))
}
