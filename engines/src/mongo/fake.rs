//! A server that answers the commands of a replica set's start as mongod does, one command per connection.

use bson::{Document, doc};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

/// The simulated state of mongod, with settings for the order of its answers.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The address of the one member in the stored configuration; `None` on new data.
    pub stored_host: Option<String>,
    pub version: i64,
    /// Number of initiations that the server answers before it has loaded the stored configuration.
    pub loads_after_initiations: u32,
    /// Error codes with which the server refuses the next reconfigurations.
    pub reconfig_refusals: Vec<i32>,
    /// Names of commands that are carried out once without an answer: the connection is closed instead.
    pub lost_answers: Vec<String>,
    /// The names of the commands received.
    pub received: Vec<String>,
    pub address: String,
}

/// The server; its thread ends with the test process.
pub(super) struct Fake {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(super) fn start(state: State) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let state = Arc::new(Mutex::new(State { address, ..state }));
        let served = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The client may disconnect at any time.
                let _ = serve(stream.unwrap(), &served);
            }
        });
        Fake { port, state }
    }

    /// Number of commands with this name that were received.
    pub(super) fn received(&self, name: &str) -> usize {
        self.state()
            .received
            .iter()
            .filter(|received| *received == name)
            .count()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut head = [0; 21];
    stream.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let mut body = vec![0; length - head.len()];
    stream.read_exact(&mut body)?;
    let command = Document::from_reader(body.as_slice()).unwrap();
    let Some(answer) = state.lock().unwrap().answer(&command) else {
        return Ok(());
    };
    let body = answer.to_vec().unwrap();
    let length = u32::try_from(head.len() + body.len()).unwrap();
    head[..4].copy_from_slice(&length.to_le_bytes());
    stream.write_all(&head)?;
    stream.write_all(&body)
}

impl State {
    fn answer(&mut self, command: &Document) -> Option<Document> {
        let name = command.keys().next().unwrap().clone();
        self.received.push(name.clone());
        let is_loaded = self.loads_after_initiations == 0;
        let answer = match (name.as_str(), &self.stored_host) {
            ("replSetGetConfig", Some(host)) if is_loaded => doc! {
                "ok": 1.0,
                "config": { "_id": "rs0", "version": self.version, "members": [{ "_id": 0, "host": host }] },
            },
            ("replSetGetConfig" | "replSetReconfig", _) if !is_loaded => {
                refusal(94, "no replset config has been received")
            }
            ("replSetGetConfig", None) => refusal(94, "no replset config has been received"),
            ("replSetInitiate", None) => {
                let config = command.get_document("replSetInitiate").unwrap();
                self.store(config);
                doc! { "ok": 1.0 }
            }
            ("replSetInitiate", Some(_)) => {
                self.loads_after_initiations = self.loads_after_initiations.saturating_sub(1);
                refusal(23, "already initialized")
            }
            ("replSetReconfig", Some(_)) if !self.reconfig_refusals.is_empty() => {
                refusal(self.reconfig_refusals.remove(0), "not now")
            }
            ("replSetReconfig", Some(_)) => {
                assert!(command.get_bool("force").unwrap());
                let config = command.get_document("replSetReconfig").unwrap();
                self.store(config);
                doc! { "ok": 1.0 }
            }
            ("hello", host) => {
                let is_primary = is_loaded && host.as_deref() == Some(&self.address);
                doc! { "ok": 1.0, "isWritablePrimary": is_primary }
            }
            ("ping", _) => doc! { "ok": 1.0 },
            other => panic!("{other:?} is not expected"),
        };
        match self.lost_answers.iter().position(|lost| *lost == name) {
            Some(at) => {
                self.lost_answers.remove(at);
                None
            }
            None => Some(answer),
        }
    }

    fn store(&mut self, config: &Document) {
        let member = config.get_array("members").unwrap()[0].as_document().unwrap();
        self.stored_host = Some(member.get_str("host").unwrap().to_owned());
        let version = config
            .get("version")
            .and_then(|version| version.as_i64().or_else(|| version.as_i32().map(i64::from)));
        assert!(version.is_none_or(|version| version > self.version), "{config}");
        self.version = version.unwrap_or(1);
    }
}

fn refusal(code: i32, message: &str) -> Document {
    doc! { "ok": 0.0, "code": code, "errmsg": message }
}
