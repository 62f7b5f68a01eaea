use super::Task;
use serde::{Deserialize, Serialize};

/// Hexadecimal digits of the name of a plan.
const PLAN_DIGITS: usize = 16;

/// A message that offers one part of a running task. A worker of the stage that takes it makes the part and stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartOffer {
    /// The task, which another worker runs.
    pub task: Task,
    /// Names the plan in the object store: 16 lower-case hexadecimal digits of a hash of everything on which the parts
    /// depend.
    pub plan: String,
    /// Number of the part, from 0.
    pub number: u32,
}

impl PartOffer {
    /// Checks what becomes part of an object key.
    ///
    /// # Errors
    /// The reason why the offer cannot be taken.
    pub fn check(&self) -> Result<(), String> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match self.plan.len() == PLAN_DIGITS && self.plan.bytes().all(is_digit) {
            true => Ok(()),
            false => Err("the plan is not named by 16 hexadecimal digits".to_owned()),
        }
    }
}
