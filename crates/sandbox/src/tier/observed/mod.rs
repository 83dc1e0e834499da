//! A command with nothing but its environment between it and the network: where no room is possible.

use crate::exit::{Exit, RoomError};
use crate::plan::Plan;

/// Runs the command of a plan without a room.
pub async fn run_observed(_plan: &Plan) -> Result<Exit, RoomError> {
    Err(RoomError::Broken { why: "not yet".to_owned() })
}
