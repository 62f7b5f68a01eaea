use super::state::EngineState;
use anyhow::Result;
use std::{env, fmt::Display, path::Path, thread, time::Instant};
use vidp_engines::{Buckets, Daemon, Mongo, Nats, S3, S3User, StartError};

/// The bucket, unless the environment names another one.
pub(super) const BUCKET: &str = "vidp";

/// The engines that this program started. An engine is absent when the environment names an external one.
pub(super) struct Engines {
    nats: Option<Nats>,
    mongo: Option<Mongo>,
    s3: Option<S3>,
}

/// Starts the engines that the environment does not name, concurrently.
pub(super) fn start(data: &Path, logs: &Path) -> Result<Engines> {
    let own = |variable| env::var_os(variable).is_none();
    thread::scope(|scope| {
        let nats = own("VIDP_NATS_URL").then(|| {
            scope.spawn(|| {
                let start = Instant::now();
                let nats = Nats::start_logging(&data.join("nats"), 0, &logs.join("nats.log"))?;
                say_up("NATS", nats.url(), start);
                Ok(nats)
            })
        });
        let mongo = own("VIDP_MONGODB_URL").then(|| {
            scope.spawn(|| {
                let start = Instant::now();
                let mongo = Mongo::start_logging(&data.join("mongodb"), 0, &logs.join("mongodb.log"))?;
                say_up(
                    "MongoDB",
                    format_args!("mongodb://127.0.0.1:{}", mongo.port()),
                    start,
                );
                Ok(mongo)
            })
        });
        let s3 = own("VIDP_S3_ENDPOINT").then(|| {
            scope.spawn(|| {
                let start = Instant::now();
                let s3 = S3::start_for(&data.join("s3"), 0, &logs.join("s3.log"), buckets())?;
                say_up("S3", s3.endpoint(), start);
                Ok(s3)
            })
        });
        // All starts are awaited before the first error returns: the drop of the other engines then stops them.
        let (nats, mongo, s3) = (nats.map(join), mongo.map(join), s3.map(join));
        Ok(Engines {
            nats: nats.transpose()?,
            mongo: mongo.transpose()?,
            s3: s3.transpose()?,
        })
    })
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, Result<T, StartError>>) -> Result<T, StartError> {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The buckets of the programs, by the same variables as the API.
fn buckets() -> Buckets {
    let sources = env::var("VIDP_SOURCE_BUCKETS").unwrap_or_default();
    let names = sources.split(',').filter_map(|one| one.trim().split('/').next());
    Buckets {
        own: env::var("VIDP_S3_BUCKET").unwrap_or_else(|_| BUCKET.to_owned()),
        sources: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
    }
}

/// Prints that a part of the system is up, its address, and the seconds since `since`.
pub(super) fn say_up(name: &str, address: impl Display, since: Instant) {
    say!("{name:<12} {address}  ({:.1} s)", since.elapsed().as_secs_f64());
}

impl Engines {
    /// Engines of which only the store runs.
    #[cfg(test)]
    pub(super) fn with_store(s3: S3) -> Engines {
        Engines {
            nats: None,
            mongo: None,
            s3: Some(s3),
        }
    }

    /// Environment variables for every service.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = Vec::new();
        if let Some(nats) = &self.nats {
            environment.push(("VIDP_NATS_URL", nats.url()));
        }
        if let Some(s3) = &self.s3 {
            environment.push(("VIDP_S3_ENDPOINT", s3.endpoint()));
        }
        environment
    }

    /// Environment variables for the API only.
    pub(super) fn api_environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.key(S3User::Api);
        environment.extend(self.mongo.as_ref().map(|mongo| ("VIDP_MONGODB_URL", mongo.url())));
        environment
    }

    /// The key of one program to the store.
    pub(super) fn key(&self, user: S3User) -> Vec<(&'static str, String)> {
        let Some(s3) = &self.s3 else { return Vec::new() };
        let key = s3.key(user);
        vec![
            ("VIDP_S3_ACCESS_KEY", key.access_key.clone()),
            ("VIDP_S3_SECRET_KEY", key.secret_key.clone()),
        ]
    }

    /// The engines for `up.json`.
    pub(super) fn states(&mut self) -> Vec<EngineState> {
        let daemons = [
            ("nats", self.nats.as_mut().map(Nats::daemon)),
            ("mongodb", self.mongo.as_mut().map(Mongo::daemon)),
            ("s3", self.s3.as_mut().map(S3::daemon)),
        ];
        let state = |(name, daemon): (&'static str, Option<&mut Daemon>)| {
            daemon.map(|daemon| EngineState {
                name,
                pid: daemon.pid(),
                log: daemon.log().to_owned(),
            })
        };
        daemons.into_iter().filter_map(state).collect()
    }

    /// Restarts engines that have ended; returns true when it restarted one. The services reconnect by themselves.
    pub(super) fn restart_ended(&mut self) -> bool {
        let mut restarted = false;
        if let Some(nats) = &mut self.nats
            && has_ended("NATS", nats.daemon())
        {
            restarted |= report("NATS", nats.restart());
        }
        if let Some(mongo) = &mut self.mongo
            && has_ended("MongoDB", mongo.daemon())
        {
            restarted |= report("MongoDB", mongo.restart());
        }
        if let Some(s3) = &mut self.s3
            && has_ended("S3", s3.daemon())
        {
            restarted |= report("S3", s3.restart());
        }
        restarted
    }

    /// Stops the engines: the object store and the database first, the broker last.
    pub(super) fn stop(&mut self) {
        if let Some(s3) = &mut self.s3 {
            s3.stop();
        }
        if let Some(mongo) = &mut self.mongo {
            mongo.stop();
        }
        if let Some(nats) = &mut self.nats {
            nats.stop();
        }
    }
}

fn has_ended(name: &str, daemon: &mut Daemon) -> bool {
    let Some(status) = daemon.exited() else {
        return false;
    };
    say!(
        "{name} ended ({status}); last lines of {}:\n{}",
        daemon.log().display(),
        daemon.log_tail()
    );
    true
}

fn report(name: &str, restarted: Result<(), StartError>) -> bool {
    match restarted {
        Ok(()) => say!("{name} restarted"),
        // The next check tries again.
        Err(error) => say!("{name} could not be restarted: {error}"),
    }
    true
}
