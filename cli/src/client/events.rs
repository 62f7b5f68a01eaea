use super::{backoff::Backoff, connection::Client, failure::require_success};
use anyhow::Result;
use futures_util::{Stream, StreamExt};
use reqwest::{StatusCode, header};
use serde_json::Value;
use std::{collections::VecDeque, pin::Pin, time::Duration};

/// The server sends at least a comment every 15 seconds: a connection that is silent for this long is dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Pause between the end of a stream and the next connection.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// One server-sent event of the API.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// `status`, `progress`, `playable`, `updated`, `deleted` or `reset`.
    pub name: String,
    /// Position in the stream: a new connection resumes after it.
    pub id: Option<String>,
    /// The job, for most events.
    pub data: Value,
}

type Body = Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>;

/// A stream of server-sent events (WHATWG HTML, "Server-sent events") that reconnects when its connection breaks.
pub struct Events {
    client: Client,
    path: String,
    last: Option<String>,
    body: Option<Body>,
    parser: Parser,
    backoff: Backoff,
}

impl Client {
    /// Connects to the events at `path`, starting after the event with the id `last` if one is given.
    pub async fn events(&self, path: String, last: Option<String>) -> Result<Events> {
        let mut events = Events {
            client: self.clone(),
            path,
            last,
            body: None,
            parser: Parser::default(),
            backoff: Backoff::new(),
        };
        // The first connection is not retried: the address may be wrong.
        events.connect().await?;
        Ok(events)
    }
}

impl Events {
    /// Waits for the next event; `None` when the server says that the stream has ended.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.parser.events.pop_front() {
                self.last = event.id.clone().or(self.last.take());
                return Ok(Some(event));
            }
            let Some(body) = &mut self.body else {
                match self.connect().await {
                    Ok(true) => continue,
                    Ok(false) => return Ok(None),
                    Err(error) => self.backoff.wait(error).await?,
                }
                continue;
            };
            match tokio::time::timeout(SILENCE_LIMIT, body.next()).await {
                Ok(Some(Ok(bytes))) => {
                    self.backoff = Backoff::new();
                    self.parser.feed(&bytes);
                }
                _ => {
                    self.body = None;
                    self.parser = Parser::default();
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        }
    }

    /// Connects; returns false when the stream has ended (204).
    async fn connect(&mut self) -> Result<bool> {
        let mut request = self.client.http.get(self.client.url(&self.path));
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        let request = request.header(header::ACCEPT, "text/event-stream");
        let answer = require_success(self.client.answer(request).await?).await?;
        let more = answer.status() != StatusCode::NO_CONTENT;
        self.body = more.then(|| Box::pin(answer.bytes_stream()) as Body);
        Ok(more)
    }
}

/// Parses events from chunks of bytes; a chunk may end anywhere.
#[derive(Default)]
struct Parser {
    rest: Vec<u8>,
    name: String,
    id: Option<String>,
    data: String,
    events: VecDeque<Event>,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte != b'\n' {
                self.rest.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.rest);
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches('\r'));
        }
    }

    fn line(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => self.dispatch(),
            "event" => value.clone_into(&mut self.name),
            "id" => self.id = Some(value.to_owned()),
            "data" if self.data.is_empty() => value.clone_into(&mut self.data),
            "data" => {
                self.data.push('\n');
                self.data.push_str(value);
            }
            // A comment, or the field `retry`, which the backoff replaces.
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        let id = self.id.take();
        if !data.is_empty() {
            let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
            self.events.push_back(Event { name, id, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_parsed_from_chunks_of_any_size() {
        let text = "retry: 2000\n\n: still here\n\nevent: status\ndata: {\"id\":\"é\"}\nid: 7\n\nevent: x\r\ndata: a\r\ndata: b\r\n\r\n";
        let expected = [
            Event {
                name: "status".to_owned(),
                id: Some("7".to_owned()),
                data: json!({ "id": "é" }),
            },
            Event {
                name: "x".to_owned(),
                id: None,
                data: json!("a\nb"),
            },
        ];
        for size in 1..=text.len() {
            let mut parser = Parser::default();
            text.as_bytes().chunks(size).for_each(|piece| parser.feed(piece));
            assert_eq!(parser.events, expected, "pieces of {size}");
        }
    }
}
