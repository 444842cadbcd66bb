//! The stream of `GET /events` as its reader sees it (§6.4): bytes go in as they arrive, events
//! come out.
//!
//! It is the event stream of the web, with bounds. Existing servers write one `data:` line for each
//! presence message and nothing else but comments; ours, when asked for changes, also name events
//! and number them. A line or an event over its bound is skipped rather than ending the connection:
//! the same line would come again after every reconnect.

use serde_json::Value;

use crate::presence::{Fields, MAX_MESSAGE, Message};

/// Longest line that is kept: four times what a server may send, and what one connection costs at
/// most.
pub const MAX_LINE: usize = 256 * 1024;
/// Most bytes of one event, over all its `data:` lines.
pub const MAX_EVENT: usize = 256 * 1024;
/// Longest event id that is kept; it goes back to the server in a header.
pub const MAX_ID: usize = 128;
/// Longest event name that is kept; ours are words.
pub const MAX_NAME: usize = 64;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name; empty for an ordinary message.
    pub name: String,
    /// Its lines, joined by line feeds.
    pub data: Vec<u8>,
}

/// Takes the stream apart.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    /// The line is over its bound: the rest of it is passed over, and the event it belongs to.
    overlong: bool,
    /// The last byte was a carriage return, so a line feed belongs to it.
    after_return: bool,
    begun: bool,
    too_long: bool,
    name: String,
    data: Vec<u8>,
    id: Option<String>,
    last_id: Option<String>,
}

impl Parser {
    /// A parser at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what has arrived and returns the events that are complete with it.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_return) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                self.keep(rest);
                break;
            };
            self.keep(&rest[..end]);
            self.after_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_of_line());
        }
        events
    }

    /// The id of the last complete event that had one: what a reconnect resumes from.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn keep(&mut self, part: &[u8]) {
        if self.overlong || self.line.len() + part.len() > MAX_LINE {
            self.overlong = true;
            self.line.clear();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_of_line(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.overlong) {
            self.begun = true;
            self.too_long = true;
            return None;
        }
        let line = std::mem::take(&mut self.line);
        let event = if line.is_empty() {
            self.dispatch()
        } else {
            self.field(&line);
            None
        };
        // The room is kept for the next line, but not that of the longest one for ever.
        self.line = line;
        self.line.clear();
        self.line.shrink_to(MAX_MESSAGE);
        event
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (key, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match key {
            b"data" => self.data(value),
            b"event" => {
                self.begun = true;
                self.name = word(value, MAX_NAME).unwrap_or_default();
            }
            b"id" => self.id = word(value, MAX_ID),
            _ => {}
        }
    }

    fn data(&mut self, value: &[u8]) {
        self.begun = true;
        if self.data.len() + value.len() >= MAX_EVENT {
            self.too_long = true;
        } else {
            self.data.extend_from_slice(value);
            self.data.push(b'\n');
        }
    }

    fn dispatch(&mut self) -> Option<Event> {
        let mut data = std::mem::take(&mut self.data);
        data.pop();
        let name = std::mem::take(&mut self.name);
        if let Some(id) = self.id.take() {
            self.last_id = Some(id);
        }
        let whole = !std::mem::take(&mut self.too_long);
        (std::mem::take(&mut self.begun) && whole).then_some(Event { name, data })
    }
}

/// The messages of one event: a single one, or a list of them as in a snapshot. What is not valid
/// is passed over.
pub fn messages(data: &[u8]) -> Vec<Message> {
    let values = match serde_json::from_slice(data) {
        Ok(Value::Array(values)) => values,
        Ok(value) => vec![value],
        Err(_) => Vec::new(),
    };
    values.into_iter().filter_map(message).collect()
}

fn message(value: Value) -> Option<Message> {
    let Value::Object(members) = value else {
        return None;
    };
    let message = Fields::from_members(members).ok()?.check().ok()?;
    message.extra_in_bounds().ok()?;
    (message.encode().len() <= MAX_MESSAGE).then_some(message)
}

/// Visible ASCII, which is what a header can hold.
fn word(value: &[u8], max_bytes: usize) -> Option<String> {
    let fits = value.len() <= max_bytes && value.iter().all(u8::is_ascii_graphic);
    let text = str::from_utf8(value).ok()?;
    (fits && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.into(),
            data: data.into(),
        }
    }

    #[test]
    fn comments_are_nothing_and_messages_need_no_name() {
        let mut parser = Parser::new();
        assert_eq!(parser.push(b": ok\n\n: ping\n\nretry: 5\n\n"), []);
        assert_eq!(
            parser.push(b"data: {\"a\":1}\n\ndata:x\ndata: y\n\n"),
            [event("", "{\"a\":1}"), event("", "x\ny")]
        );
        assert_eq!(
            parser.push(b"event: current\n\nevent: current\ndata\n\n"),
            [event("current", ""), event("current", "")]
        );
    }

    #[test]
    fn every_line_end_and_every_cut_gives_the_same_events() {
        let text =
            "id: e-1\nevent: snapshot\ndata: []\n\n: ping\n\ndata: 1\n\nid: e-2\ndata: 2\n\n";
        for text in [
            text.to_owned(),
            text.replace('\n', "\r\n"),
            text.replace('\n', "\r"),
        ] {
            for size in 1..=text.len() {
                let mut parser = Parser::new();
                let events: Vec<_> = text
                    .as_bytes()
                    .chunks(size)
                    .flat_map(|part| parser.push(part))
                    .collect();
                assert_eq!(
                    events,
                    [event("snapshot", "[]"), event("", "1"), event("", "2")]
                );
                assert_eq!(parser.last_id(), Some("e-2"));
            }
        }
    }

    #[test]
    fn an_id_counts_only_when_its_event_is_complete() {
        let mut parser = Parser::new();
        parser.push(b"id: e-1\ndata: 1\n\nid: e-2\ndata: 2\n");
        assert_eq!(parser.last_id(), Some("e-1"));
        let long = format!(
            "id: {}\ndata: 3\n\nid: two words\ndata: 4\n\n",
            "x".repeat(MAX_ID + 1)
        );
        parser.push(format!("\n{long}").as_bytes());
        assert_eq!(parser.last_id(), Some("e-2"));
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_the_next_event_is_read() {
        let mut parser = Parser::new();
        let line = format!("data: {}\n\ndata: next\n\n", "x".repeat(MAX_LINE));
        assert_eq!(parser.push(line.as_bytes()), [event("", "next")]);
        let lines = format!("data: {}\n", "x".repeat(1000)).repeat(MAX_EVENT / 1000 + 1);
        assert_eq!(
            parser.push(format!("{lines}\ndata: next\n\n").as_bytes()),
            [event("", "next")]
        );
        assert!(parser.line.capacity() <= MAX_MESSAGE);
    }

    #[test]
    fn a_list_gives_its_valid_messages() {
        let peer = "12D3KooWQuX36bUushwbM8m3Jas54d3N1zadfxo1MshD6iJZPAVr";
        let one = format!(r#"{{"type":"update","peerId":"{peer}","ts":1}}"#);
        assert_eq!(messages(one.as_bytes()).len(), 1);
        let list = format!(r#"[{one},1,null,{{"type":"punch","peerId":"{peer}"}},{one}]"#);
        assert_eq!(messages(list.as_bytes()).len(), 2);
        for bad in ["", "nonsense", "[", "7", "{}"] {
            assert_eq!(messages(bad.as_bytes()), []);
        }
    }
}
