//! Answers the requests of visitors. Each inbound stream is one request: read within a bound and a
//! deadline, answered from the folder, closed. The visitor is the peer that the handshake of the
//! connection proved, never one that a message names.

use std::{
    fs::File,
    io::{self, Read},
    mem,
    sync::Arc,
    time::Instant,
};

use goop2_node::{InboundStream, Stream};
use goop2_proto::{
    PeerId, SitePath, avatar, content,
    data::{self, Answer},
    http,
    path::Refusal,
    site::{self, Header},
};
use goop2_store::{Caller, Folder, SiteFile};
use tokio::{
    io::BufReader,
    sync::{Semaphore, mpsc},
    task::{JoinSet, spawn_blocking},
};
use tokio_util::{
    compat::{Compat, FuturesAsyncReadCompatExt},
    sync::CancellationToken,
};

use crate::{
    live::Live,
    presence::roster::SharedRoster,
    sites::{
        http::server::{self, Visitor},
        io::{finish, read_line, write_all},
        rate::Rates,
        room::Room,
    },
};

/// The protocols this peer answers, all registered before the first connection: existing peers
/// close a connection without `content`.
pub(crate) const PROTOCOLS: [&str; 6] = [
    content::PROTOCOL,
    http::SITE,
    http::PROTOCOL,
    site::PROTOCOL,
    data::PROTOCOL,
    avatar::PROTOCOL,
];
/// Requests answered at the same time, over all visitors: each costs a file handle and a buffer.
const MAX_REQUESTS: usize = 512;
/// Streams at the same time, over all visitors: those of HTTP stay open between requests, and cost a
/// buffer then. What a visitor opens beyond its share is reset.
const MAX_STREAMS: usize = 2048;
/// Remote database operations at the same time, each on a thread. Several visitors with all that
/// one may have leave some for the next; how many really work at once is for the database to say.
const MAX_DATA_OPS: usize = 16;
/// Bytes read from disk at a time: large enough that the network is the limit, small enough for
/// hundreds of visitors. Whole frames, because a part of one costs as much.
const FILE_CHUNK: usize = 2 * goop2_node::FRAME;

pub(crate) struct Responder {
    folder: Arc<Folder>,
    roster: SharedRoster,
    rates: Rates,
    data_ops: Semaphore,
    room: Room,
    live: Live,
}

impl Responder {
    pub(crate) fn new(folder: Arc<Folder>, roster: SharedRoster, live: Live) -> Self {
        Self {
            folder,
            roster,
            rates: Rates::default(),
            data_ops: Semaphore::new(MAX_DATA_OPS),
            room: Room::new(MAX_REQUESTS),
            live,
        }
    }

    /// Answers until `stop` is canceled; requests in progress are dropped then.
    pub(crate) async fn run(
        self,
        mut inbound: mpsc::Receiver<InboundStream>,
        stop: CancellationToken,
    ) {
        let server = Arc::new(self);
        let streams = Room::new(MAX_STREAMS);
        let mut answering = JoinSet::new();
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = answering.join_next() => continue,
                stream = inbound.recv() => stream,
            };
            let Some(stream) = stream else { break };
            let (peer, protocol) = (stream.peer, stream.protocol);
            let Some(turn) = streams.turn_now(peer) else {
                tracing::debug!(%peer, protocol, "too many streams at once: one was reset");
                continue;
            };
            let server = Arc::clone(&server);
            answering.spawn(async move {
                if let Err(error) = server.answer(stream).await {
                    tracing::debug!(%peer, protocol, %error, "request not answered");
                }
                drop(turn);
            });
        }
        answering.shutdown().await;
    }

    async fn answer(
        &self,
        InboundStream {
            peer,
            protocol,
            stream,
            ..
        }: InboundStream,
    ) -> io::Result<()> {
        if [http::SITE, http::PROTOCOL].contains(&protocol) {
            let visitor = Visitor {
                folder: Arc::clone(&self.folder),
                room: self.room.clone(),
                live: self.live.clone(),
                peer,
            };
            return server::serve(visitor, stream, protocol == http::SITE).await;
        }
        let _turn = self.room.turn(peer).await;
        let stream = BufReader::new(stream.compat());
        match protocol {
            content::PROTOCOL => self.content(stream).await,
            site::PROTOCOL => self.site(peer, stream).await,
            data::PROTOCOL => self.data(peer, stream).await,
            avatar::PROTOCOL => self.avatar(stream).await,
            other => Err(io::Error::other(format!("no server for {other}"))),
        }
    }

    /// Also the probe of existing peers: answers without waiting for a byte.
    async fn content(&self, mut stream: Reader) -> io::Result<()> {
        write_all(
            &mut stream,
            &content::encode(&self.folder.config().profile.label),
        )
        .await?;
        finish(&mut stream).await
    }

    async fn site(&self, peer: PeerId, mut stream: Reader) -> io::Result<()> {
        let line = read_line(&mut stream, site::MAX_REQUEST).await?;
        if line.last() != Some(&b'\n') {
            return finish(&mut stream).await;
        }
        let (header, body) = match site::decode_request(&line) {
            Err(header) => (header, None),
            Ok(path) => match self.open(path).await? {
                Ok((header, body)) => {
                    if let Header::Ok { mime, .. } = &header
                        && mime.starts_with("text/html")
                    {
                        let page = format!("/{}", path.trim_start_matches('/'));
                        self.live.readers.opened(peer, &page, Instant::now());
                    }
                    (header, Some(body))
                }
                Err(refusal) => (Header::Err(refusal.to_string()), None),
            },
        };
        write_all(&mut stream, &header.encode()).await?;
        if let Some(body) = body {
            body.send(&mut stream).await?;
        }
        finish(&mut stream).await
    }

    async fn open(&self, path: &str) -> io::Result<Result<(Header, Body), Refusal>> {
        let path = match SitePath::parse(path) {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(path) => path,
        };
        let folder = Arc::clone(&self.folder);
        spawn_blocking(move || match folder.site().open(&path) {
            Err(refusal) => Ok(Err(refusal)),
            Ok(SiteFile { file, len, mime }) => {
                Ok(Ok((Header::Ok { mime, len }, Body::begin(file, len)?)))
            }
        })
        .await?
    }

    async fn data(&self, peer: PeerId, mut stream: Reader) -> io::Result<()> {
        let line = read_line(&mut stream, data::MAX_REQUEST).await?;
        let (answer, understood) = match data::Request::decode(&line) {
            Ok(request) => {
                let understood = request.extra.is_some();
                (self.execute(peer, request).await?, understood)
            }
            Err(invalid) => (Err(invalid.to_string()), false),
        };
        write_all(&mut stream, &data::encode_reply(&answer, understood)).await?;
        finish(&mut stream).await
    }

    async fn execute(&self, peer: PeerId, request: data::Request) -> io::Result<Answer> {
        let Some(turns) = self.rates.admit(peer, Instant::now()) else {
            return Ok(Err("too many requests: wait a moment and try again".into()));
        };
        // The turn of this peer first: while it waits, it takes no permit from others.
        let _turn = turns.acquire().await.map_err(io::Error::other)?;
        let _permit = self.data_ops.acquire().await.map_err(io::Error::other)?;
        let caller = Caller::Remote {
            peer,
            email: self.roster.email(&peer),
        };
        let folder = Arc::clone(&self.folder);
        Ok(spawn_blocking(move || folder.database().execute(&caller, &request)).await?)
    }

    async fn avatar(&self, mut stream: Reader) -> io::Result<()> {
        let folder = Arc::clone(&self.folder);
        let avatar = spawn_blocking(move || folder.avatar())
            .await?
            .map_err(io::Error::other)?;
        let bytes = avatar.map(|avatar| avatar.bytes);
        write_all(
            &mut stream,
            &avatar::encode_header(bytes.as_ref().map(|bytes| bytes.len() as u64)),
        )
        .await?;
        write_all(&mut stream, bytes.as_deref().unwrap_or_default()).await?;
        finish(&mut stream).await
    }
}

type Reader = BufReader<Compat<Stream>>;

/// A file being sent to a visitor.
struct Body {
    file: File,
    /// Read, and to be sent next.
    chunk: Vec<u8>,
    /// Bytes after those.
    left: u64,
}

impl Body {
    /// Reads the first chunk, which is all of a small file. Blocks.
    fn begin(file: File, len: u64) -> io::Result<Self> {
        let mut body = Self {
            file,
            chunk: Vec::new(),
            left: len,
        };
        body.read()?;
        Ok(body)
    }

    /// Reads the next chunk over the last. A file that shrank is an error: the visitor must see a
    /// broken stream, not a short file. Blocks.
    fn read(&mut self) -> io::Result<()> {
        let size = FILE_CHUNK.min(usize::try_from(self.left).unwrap_or(FILE_CHUNK));
        self.chunk.resize(size, 0);
        self.file.read_exact(&mut self.chunk)?;
        self.left -= size as u64;
        Ok(())
    }

    /// Reads the next chunk while the network takes one.
    async fn send(mut self, stream: &mut Reader) -> io::Result<()> {
        let mut spare = Vec::new();
        while self.left > 0 {
            let chunk = mem::replace(&mut self.chunk, spare);
            let next = spawn_blocking(move || self.read().map(|()| self));
            write_all(stream, &chunk).await?;
            (self, spare) = (next.await??, chunk);
        }
        write_all(stream, &self.chunk).await
    }
}
