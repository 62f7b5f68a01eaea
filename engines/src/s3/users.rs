//! The users of the S3 server: one for each program, with the rights of `deploy/s3/`, and the operator.

use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The bucket that the policies in `deploy/s3/` name.
const SHIPPED_BUCKET: &str = "arn:aws:s3:::vidp";

/// A program that uses the store. Compose and Kubernetes have the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3User {
    /// `vidp-api`.
    Api,
    /// `worker-lang` in the role `detect`.
    Langscale,
    /// `worker-scale`.
    Downscale,
    /// `worker-lang` in the role `subtitle`.
    Subtitle,
}

impl S3User {
    /// All programs, in the order of `Users::programs`.
    const ALL: [S3User; 4] = [
        S3User::Api,
        S3User::Langscale,
        S3User::Downscale,
        S3User::Subtitle,
    ];

    fn name(self) -> &'static str {
        match self {
            S3User::Api => "api",
            S3User::Langscale => "langscale",
            S3User::Downscale => "downscale",
            S3User::Subtitle => "subtitle",
        }
    }

    /// The policy that Compose and Kubernetes ship for this user.
    fn policy(self) -> &'static str {
        match self {
            S3User::Api => include_str!("../../../deploy/s3/api.json"),
            S3User::Langscale => include_str!("../../../deploy/s3/langscale.json"),
            S3User::Downscale => include_str!("../../../deploy/s3/downscale.json"),
            S3User::Subtitle => include_str!("../../../deploy/s3/subtitle.json"),
        }
    }
}

/// The buckets of the programs. In a name, `*` stands for any text.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// The bucket of VidP, to which the policies apply.
    pub own: String,
    /// Buckets of sources by reference, which the API reads.
    pub sources: Vec<String>,
}

/// The key of a user.
#[derive(Clone, Debug)]
pub struct S3Key {
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
}

impl S3Key {
    fn new(name: &str) -> io::Result<S3Key> {
        Ok(S3Key {
            access_key: format!("vidp-{name}"),
            secret_key: new_secret()?,
        })
    }

    fn credentials(&self) -> Value {
        json!([{ "accessKey": self.access_key, "secretKey": self.secret_key }])
    }
}

/// All users, with new secret keys.
#[derive(Debug)]
pub(super) struct Users {
    /// May do everything. No program has this key.
    pub(super) operator: S3Key,
    programs: [S3Key; 4],
    buckets: Buckets,
}

impl Users {
    pub(super) fn new(buckets: Buckets) -> io::Result<Users> {
        let [api, langscale, downscale, subtitle] = S3User::ALL.map(|user| S3Key::new(user.name()));
        Ok(Users {
            operator: S3Key::new("operator")?,
            programs: [api?, langscale?, downscale?, subtitle?],
            buckets,
        })
    }

    pub(super) fn key(&self, user: S3User) -> &S3Key {
        &self.programs[user as usize]
    }

    /// Writes the configuration of SeaweedFS to a file that only its owner may read.
    pub(super) fn write(&self, config: &Path) -> io::Result<()> {
        let mut identities = vec![json!({
            "name": "operator",
            "credentials": self.operator.credentials(),
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        })];
        let mut policies = Vec::new();
        for user in S3User::ALL {
            identities.push(json!({
                "name": user.name(),
                "credentials": self.key(user).credentials(),
                "policyNames": [user.name()],
            }));
            policies.push(json!({ "name": user.name(), "content": self.policy(user)?.to_string() }));
        }
        let text = json!({ "identities": identities, "policies": policies });
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(config)?
            .write_all(text.to_string().as_bytes())
    }

    /// The shipped policy with the names of these buckets.
    fn policy(&self, user: S3User) -> io::Result<Value> {
        let own = format!("arn:aws:s3:::{}", self.buckets.own);
        let mut policy: Value = serde_json::from_str(&user.policy().replace(SHIPPED_BUCKET, &own))?;
        if let (S3User::Api, Some(statements)) = (user, policy["Statement"].as_array_mut()) {
            statements.extend(self.buckets.sources.iter().map(|bucket| {
                let objects = format!("arn:aws:s3:::{bucket}/*");
                json!({ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [objects] })
            }));
        }
        Ok(policy)
    }
}

fn new_secret() -> io::Result<String> {
    let mut bytes = [0; 20];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
