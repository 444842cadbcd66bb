//! What the instances of a rendezvous send each other: frames of lines.
//!
//! Each instance numbers its frames, so that a reader notices a missing one and asks for everything
//! again. A frame is a header, which is JSON, and lines after it. A line that is an object is a
//! presence message, exactly as its author signed it; a line that is an array is the
//! instance's own statement about a peer. So a reader treats messages like those from anyone else,
//! and an instance need not be trusted for what only a key can prove.
//!
//! ```text
//! {"goop2":1,"from":"5f3c…","number":7,"part":"news","ask":["91aa…"]}
//! {"type":"update","peerId":"12D3…","content":"Alice","ts":1770465600123,"sig":"…"}
//! ["gone","12D3…",1770465600123]
//! ["removed","12D3…"]
//! ```

use std::fmt;

use libp2p_identity::PeerId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{id, presence::MAX_MESSAGE};

/// Longest frame: some hundreds of messages, and a fraction of the 1 MiB that NATS carries unless
/// told otherwise.
pub const MAX_FRAME: usize = 128 * 1024;
/// Longest header: room for [`MAX_ASKED`].
pub const MAX_HEADER: usize = 4 * 1024;
/// Most instances asked in one frame, and so the most that know of each other.
pub const MAX_ASKED: usize = 64;
/// The version of this format.
const VERSION: u8 = 1;

/// One run of an instance: a random number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance(pub u128);

/// What a frame is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What happened since the frame before; nothing, if the instance only says that it is there.
    News,
    /// The beginning of everyone who publishes at the instance.
    First,
    /// More of them.
    Middle,
    /// The rest of them.
    Last,
    /// All of them.
    Whole,
}

/// The first line of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who speaks.
    pub from: Instance,
    /// Counts the frames of a run.
    pub number: u64,
    /// What follows.
    pub part: Part,
    /// Whose [`Part::First`] the speaker needs.
    pub ask: Vec<Instance>,
}

/// One line of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A presence message, not looked at yet.
    Message(&'a [u8]),
    /// The peer no longer publishes there. It may through another instance.
    Gone {
        /// Which.
        peer: PeerId,
        /// The `ts` of the last message it signed, if it did: nothing older is news.
        newest: Option<i64>,
    },
    /// The operator removed the peer, wherever it publishes.
    Removed(PeerId),
}

/// Why a frame or a line is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Over [`MAX_FRAME`], [`MAX_HEADER`] or the longest message.
    #[error("too long")]
    TooLong,
    /// Not of this form.
    #[error("not of this form")]
    Form,
    /// Of a version to come.
    #[error("of version {0}")]
    Version(u8),
}

#[derive(Serialize, Deserialize)]
struct Fields {
    goop2: u8,
    from: Instance,
    number: u64,
    part: Part,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ask: Vec<Instance>,
}

impl Header {
    /// The line, with its end.
    pub fn encode(&self) -> Vec<u8> {
        let fields = Fields {
            goop2: VERSION,
            from: self.from,
            number: self.number,
            part: self.part,
            ask: self.ask.clone(),
        };
        let mut line = serde_json::to_vec(&fields).expect("texts and numbers can be written");
        line.push(b'\n');
        line
    }

    /// Reads the header and hands back the lines.
    pub fn decode(frame: &[u8]) -> Result<(Self, &[u8]), Refusal> {
        if frame.len() > MAX_FRAME {
            return Err(Refusal::TooLong);
        }
        let end = frame.iter().position(|&b| b == b'\n');
        let end = end.ok_or(Refusal::Form)?;
        if end > MAX_HEADER {
            return Err(Refusal::TooLong);
        }
        let fields: Fields = serde_json::from_slice(&frame[..end]).map_err(|_| Refusal::Form)?;
        if fields.goop2 != VERSION {
            return Err(Refusal::Version(fields.goop2));
        }
        if fields.ask.len() > MAX_ASKED {
            return Err(Refusal::TooLong);
        }
        let header = Self {
            from: fields.from,
            number: fields.number,
            part: fields.part,
            ask: fields.ask,
        };
        Ok((header, &frame[end + 1..]))
    }
}

/// The lines of a frame after its header.
pub fn lines(body: &[u8]) -> impl Iterator<Item = Result<Line<'_>, Refusal>> {
    body.split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(Line::decode)
}

impl<'a> Line<'a> {
    /// Without the line's end.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Message(message) => message.to_vec(),
            Self::Gone { peer, newest: None } => format!(r#"["gone","{peer}"]"#).into_bytes(),
            Self::Gone {
                peer,
                newest: Some(ts),
            } => format!(r#"["gone","{peer}",{ts}]"#).into_bytes(),
            Self::Removed(peer) => format!(r#"["removed","{peer}"]"#).into_bytes(),
        }
    }

    fn decode(line: &'a [u8]) -> Result<Self, Refusal> {
        if line.len() > MAX_MESSAGE {
            return Err(Refusal::TooLong);
        }
        if line.first() == Some(&b'{') {
            return Ok(Self::Message(line));
        }
        let word: Vec<Value> = serde_json::from_slice(line).map_err(|_| Refusal::Form)?;
        let peer = |value: &Value| value.as_str().and_then(id::parse).ok_or(Refusal::Form);
        let [Value::String(what), who, rest @ ..] = &*word else {
            return Err(Refusal::Form);
        };
        match (what.as_str(), rest) {
            ("gone", []) => Ok(Self::Gone {
                peer: peer(who)?,
                newest: None,
            }),
            ("gone", [ts]) => Ok(Self::Gone {
                peer: peer(who)?,
                newest: Some(ts.as_i64().ok_or(Refusal::Form)?),
            }),
            ("removed", []) => Ok(Self::Removed(peer(who)?)),
            _ => Err(Refusal::Form),
        }
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({self})")
    }
}

impl Serialize for Instance {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instance {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = digits.then(|| u128::from_str_radix(&text, 16).ok());
        number
            .flatten()
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not an instance"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    const FRAME: &str = concat!(
        r#"{"goop2":1,"from":"000000000000000000000000000000ff","number":7,"part":"news","ask":["00000000000000000000000000000001"]}"#,
        "\n",
        r#"{"type":"update"}"#,
        "\n",
        r#"["gone","12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",1770465600123]"#,
        "\n",
        r#"["gone","12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]"#,
        "\n",
        r#"["removed","12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]"#,
    );

    fn header() -> Header {
        Header {
            from: Instance(255),
            number: 7,
            part: Part::News,
            ask: vec![Instance(1)],
        }
    }

    #[test]
    fn the_frame_of_the_protocol() {
        let peer = id::parse(PEER).unwrap();
        let said = [
            Line::Message(br#"{"type":"update"}"#),
            Line::Gone {
                peer,
                newest: Some(1_770_465_600_123),
            },
            Line::Gone { peer, newest: None },
            Line::Removed(peer),
        ];
        let mut frame = header().encode();
        frame.extend(said.each_ref().map(Line::encode).join(&b'\n'));
        assert_eq!(String::from_utf8(frame).unwrap(), FRAME);
        let (read, body) = Header::decode(FRAME.as_bytes()).unwrap();
        assert_eq!(read, header());
        let read: Result<Vec<_>, _> = lines(body).collect();
        assert_eq!(read.unwrap(), said);
    }

    #[test]
    fn the_largest_header_is_read() {
        let asking = |most| Header {
            ask: vec![Instance(u128::MAX); most],
            number: u64::MAX,
            ..header()
        };
        let frame = asking(MAX_ASKED).encode();
        assert_eq!(Header::decode(&frame), Ok((asking(MAX_ASKED), &[][..])));
        let frame = asking(MAX_ASKED + 1).encode();
        assert_eq!(Header::decode(&frame), Err(Refusal::TooLong));
    }

    #[test]
    fn other_bytes_are_not_read_as_a_frame() {
        for (bad, why) in [
            ("", Refusal::Form),
            ("garbage\n", Refusal::Form),
            ("{}\n", Refusal::Form),
            (FRAME.split_once('\n').unwrap().0, Refusal::Form),
            (&FRAME.replace("00ff", "ff"), Refusal::Form),
            (&FRAME.replace("00ff", "+0ff"), Refusal::Form),
            (&FRAME.replace("news", "noise"), Refusal::Form),
            (&FRAME.replace("7,", "-7,"), Refusal::Form),
            (
                &FRAME.replace("goop2\":1", "goop2\":2"),
                Refusal::Version(2),
            ),
            (
                &format!("{}\n", " ".repeat(MAX_HEADER + 1)),
                Refusal::TooLong,
            ),
            (
                &format!("{FRAME}{}", " ".repeat(MAX_FRAME)),
                Refusal::TooLong,
            ),
        ] {
            assert_eq!(Header::decode(bad.as_bytes()), Err(why), "{bad:.80}");
        }
    }

    #[test]
    fn a_bad_line_does_not_spoil_the_others() {
        let good = format!(r#"["removed","{PEER}"]"#);
        let long = format!("{{{}", " ".repeat(MAX_MESSAGE));
        let bad = [
            "x",
            "[]",
            r#"["gone"]"#,
            r#"["gone","x"]"#,
            &format!(r#"["gone","{PEER}","1"]"#),
            &format!(r#"["removed","{PEER}",1]"#),
            &format!(r#"["promoted","{PEER}"]"#),
            &long,
        ];
        for bad in bad {
            let body = format!("{bad}\n\n{good}\n");
            let read: Vec<_> = lines(body.as_bytes()).collect();
            assert!(read[0].is_err() && read[1].is_ok(), "{bad:.80}");
        }
    }
}
