//! A site and the answers it gives over HTTP.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use goop2_store::{Content, Encoding, Folder};
use http::{HeaderMap, Request};
use tempfile::TempDir;

use super::new_peer;

/// A folder with a site of these files.
pub struct Web {
    pub dir: TempDir,
    pub folder: Folder,
}

/// What a browser sees.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// What the sender is to compress it with.
    pub encode: Option<Encoding>,
}

impl Web {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let (dir, folder) = new_peer();
        fs::remove_dir_all(dir.path().join("site")).unwrap();
        fs::create_dir(dir.path().join("site")).unwrap();
        let web = Self { dir, folder };
        for (name, content) in files {
            web.write(name, content);
        }
        web
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("site").join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn get(&self, uri: &str) -> Answer {
        self.ask("GET", uri, &[])
    }

    pub fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (parts, content) = self.folder.site().answer(&parts).into_parts();
        let (mut bytes, mut encode) = (vec![], None);
        match content {
            Content::Empty => {}
            Content::Bytes(content) => bytes.extend(content),
            Content::File {
                mut file,
                offset,
                len,
                encoding,
            } => {
                encode = encoding;
                file.seek(SeekFrom::Start(offset)).unwrap();
                file.take(len).read_to_end(&mut bytes).unwrap();
            }
        }
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
            encode,
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap()
    }

    #[track_caller]
    pub fn is(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text()), (status, text));
    }
}
