//! Finds an output of a job by its stage and name.

use crate::http::problem::{Code, Problem};
use vidp_contract::{Output, Stage, keys};
use vidp_record::job::Job;

/// The output with this name; 404 when the stage has none yet.
pub(crate) fn find<'a>(job: &'a Job, stage: &str, name: &str) -> Result<&'a Output, Problem> {
    let of_stage = |stage: Stage| {
        let outputs = &job.stages.get(&stage)?.outputs;
        let prefix = keys::stage_prefix(job.id, stage);
        // The check of results allows no other key; this covers documents of earlier releases.
        outputs
            .iter()
            .find(|output| output.name == name && output.key.starts_with(&prefix))
    };
    let output = stage.parse().ok().and_then(of_stage);
    output.ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "there is no output with this name, or its stage has not succeeded yet",
        )
    })
}
