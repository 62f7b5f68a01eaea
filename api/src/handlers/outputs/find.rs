//! Finds an output of a job by its stage and name.

use crate::http::problem::{Code, Problem};
use vidp_contract::{Output, Stage};
use vidp_record::job::Job;

/// The output with this name; 404 when the stage has none yet.
pub(crate) fn find<'a>(job: &'a Job, stage: &str, name: &str) -> Result<&'a Output, Problem> {
    let stage = stage.parse::<Stage>().ok();
    let state = stage.and_then(|stage| job.stages.get(&stage));
    let output = state.and_then(|state| state.outputs.iter().find(|output| output.name == name));
    output.ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "there is no output with this name, or its stage has not succeeded yet",
        )
    })
}
