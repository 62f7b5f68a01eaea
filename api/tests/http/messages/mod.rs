//! Messages between the API and the workers: tasks, results, progress and dead letters.

mod dead_letters;
mod forgeries;
mod poison;
mod publishing;
