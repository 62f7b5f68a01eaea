use crate::http::problem::{Code, Problem};
use vidp_contract::{Output, Stage};
use vidp_record::job::Job;

/// The output of this name.
pub fn find<'a>(job: &'a Job, stage: &str, name: &str) -> Result<&'a Output, Problem> {
    let stage = stage.parse::<Stage>().ok();
    let state = stage.and_then(|stage| job.stages.get(&stage));
    let output = state.and_then(|state| state.outputs.iter().find(|output| output.name == name));
    output.ok_or_else(|| Problem::new(Code::NotFound, "there is no such output, or not yet"))
}
