//! Frames as they are on the line (Yamux's specification, "Framing").

/// Bytes in front of each.
pub(super) const HEADER: usize = 12;

const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;

/// The sender ends its side.
pub(super) const FIN: u16 = 4;
/// The sender ends both sides.
pub(super) const RST: u16 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    version: u8,
    kind: u8,
    pub(super) flags: u16,
    pub(super) stream: u32,
    /// Of the body that follows, or what is granted.
    pub(super) len: usize,
}

impl Head {
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Self {
        let [version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = *bytes;
        Self {
            version,
            kind,
            flags: u16::from_be_bytes([f0, f1]),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            len: u32::from_be_bytes([l0, l1, l2, l3]) as usize,
        }
    }

    /// Lets the other side send so much more.
    pub(super) fn grant(stream: u32, len: usize) -> Self {
        Self {
            version: 0,
            kind: WINDOW_UPDATE,
            flags: 0,
            stream,
            len,
        }
    }

    pub(super) fn data(stream: u32, flags: u16, len: usize) -> Self {
        Self {
            kind: DATA,
            flags,
            ..Self::grant(stream, len)
        }
    }

    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let [f0, f1] = self.flags.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        let len = u32::try_from(self.len).expect("a length was read from four bytes, or is less");
        let [l0, l1, l2, l3] = len.to_be_bytes();
        [
            self.version,
            self.kind,
            f0,
            f1,
            s0,
            s1,
            s2,
            s3,
            l0,
            l1,
            l2,
            l3,
        ]
    }

    pub(super) fn is_data(&self) -> bool {
        self.kind == DATA
    }

    pub(super) fn is_window_update(&self) -> bool {
        self.kind == WINDOW_UPDATE
    }

    pub(super) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// Where one frame ends and the next begins in what is sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    head: [u8; HEADER],
    /// Of the head.
    sent: usize,
    /// Of the body.
    left: usize,
}

impl Sent {
    pub(super) fn is_between_frames(&self) -> bool {
        self.sent == 0 && self.left == 0
    }

    /// Goes on to the end of a frame at most: gives its head there, and what follows.
    pub(super) fn frame<'a>(&mut self, bytes: &'a [u8]) -> (Option<Head>, &'a [u8]) {
        let mut bytes = bytes;
        if self.sent < HEADER {
            let len = bytes.len().min(HEADER - self.sent);
            let (of_head, rest) = bytes.split_at(len);
            self.head[self.sent..self.sent + len].copy_from_slice(of_head);
            self.sent += len;
            bytes = rest;
            if self.sent < HEADER {
                return (None, bytes);
            }
            let head = Head::parse(&self.head);
            self.left = if head.is_data() { head.len } else { 0 };
        }
        let (of_body, rest) = bytes.split_at(bytes.len().min(self.left));
        self.left -= of_body.len();
        if self.left > 0 {
            return (None, rest);
        }
        self.sent = 0;
        (Some(Head::parse(&self.head)), rest)
    }
}
