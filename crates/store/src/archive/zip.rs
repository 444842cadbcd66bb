//! ZIP as every program writes it: no encryption, one volume, stored or deflated. Little enough to
//! be read here, with bounds that a general library leaves to its caller after it has read the list
//! of a million files.

use std::io::{Read, Write};

use flate2::{Compression, Crc, read::DeflateDecoder, write::DeflateEncoder};

use super::{Entry, Files, MAX_ENTRIES, MAX_RATIO, damaged, not_a_file};

const END: &[u8] = b"PK\x05\x06";
const LISTED: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// Bytes of the three without their names.
const END_LEN: usize = 22;
const LISTED_LEN: usize = 46;
const LOCAL_LEN: usize = 30;
/// Longest comment after the end.
const MAX_COMMENT: usize = u16::MAX as usize;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;
/// Names are in UTF-8.
const UTF8: u16 = 1 << 11;
/// Kinds of files of Unix, in the upper half of the attributes.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

pub(super) fn read(archive: &[u8], files: &mut Files) -> Result<(), String> {
    let end = end(archive).ok_or_else(damaged)?;
    let entries = usize::from(number16(archive, end + 10)?);
    if entries > MAX_ENTRIES {
        return Err(format!("It has more than {MAX_ENTRIES} files."));
    }
    let mut at = number32(archive, end + 16)?;
    for _ in 0..entries {
        let listed = Listed::read(archive, at)?;
        at += LISTED_LEN + listed.rest;
        files.count()?;
        if listed.path.ends_with('/') {
            super::checked(listed.path.trim_end_matches('/'), super::MAX_DEPTH)?;
            continue;
        }
        if ![0, REGULAR].contains(&(listed.attributes >> 16 & KIND)) {
            return Err(not_a_file(&listed.path));
        }
        let bytes = listed.unpack(archive, files)?;
        files.counted -= 1;
        files.add(&listed.path, bytes)?;
    }
    Ok(())
}

/// Where the end record is: the last one whose comment reaches the end of the file.
fn end(archive: &[u8]) -> Option<usize> {
    let last = archive.len().checked_sub(END_LEN)?;
    (last.saturating_sub(MAX_COMMENT)..=last).rev().find(|at| {
        let comment = number16(archive, at + 20).map(usize::from);
        archive[*at..].starts_with(END) && comment == Ok(last - at)
    })
}

/// An entry of the list at the end.
struct Listed {
    path: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed: usize,
    len: usize,
    attributes: u32,
    local: usize,
    /// Bytes of what follows the entry's head.
    rest: usize,
}

impl Listed {
    fn read(archive: &[u8], at: usize) -> Result<Self, String> {
        if !slice(archive, at, LISTED_LEN)?.starts_with(LISTED) {
            return Err(damaged());
        }
        let name_len = usize::from(number16(archive, at + 28)?);
        let extra = usize::from(number16(archive, at + 30)?);
        let comment = usize::from(number16(archive, at + 32)?);
        let name = slice(archive, at + LISTED_LEN, name_len)?;
        Ok(Self {
            path: std::str::from_utf8(name).map_err(|_| damaged())?.into(),
            flags: number16(archive, at + 8)?,
            method: number16(archive, at + 10)?,
            crc: u32::try_from(number32(archive, at + 16)?).map_err(|_| damaged())?,
            packed: number32(archive, at + 20)?,
            len: number32(archive, at + 24)?,
            attributes: u32::try_from(number32(archive, at + 38)?).map_err(|_| damaged())?,
            local: number32(archive, at + 42)?,
            rest: name_len + extra + comment,
        })
    }

    fn unpack(&self, archive: &[u8], files: &Files) -> Result<Vec<u8>, String> {
        if self.flags & ENCRYPTED != 0 {
            return Err("The archive is encrypted.".into());
        }
        if !slice(archive, self.local, LOCAL_LEN)?.starts_with(LOCAL) {
            return Err(damaged());
        }
        let name = usize::from(number16(archive, self.local + 26)?);
        let extra = usize::from(number16(archive, self.local + 28)?);
        let packed = slice(archive, self.local + LOCAL_LEN + name + extra, self.packed)?;
        let room = files.room(&self.path, self.len as u64)?;
        let mut bytes = vec![];
        let read = match self.method {
            STORED => packed.take(room + 1).read_to_end(&mut bytes),
            DEFLATED => DeflateDecoder::new(packed)
                .take(room + 1)
                .read_to_end(&mut bytes),
            _ => return Err("The archive is compressed in a way that Goop2 doesn’t know.".into()),
        };
        let mut crc = Crc::new();
        crc.update(&bytes);
        if read.is_err() || bytes.len() != self.len || crc.sum() != self.crc {
            return Err(damaged());
        }
        Ok(bytes)
    }
}

/// A ZIP archive of these files.
pub fn write(files: &[Entry]) -> Result<Vec<u8>, String> {
    let mut archive = vec![];
    let mut list = vec![];
    for file in files {
        let local = archive.len();
        let mut crc = Crc::new();
        crc.update(&file.bytes);
        let deflated = deflate(&file.bytes).map_err(|error| error.to_string())?;
        // What would be refused when it is read again is stored as it is.
        let (method, packed) = if deflated.len() as u64 * MAX_RATIO < file.bytes.len() as u64 {
            (STORED, &file.bytes)
        } else {
            (DEFLATED, &deflated)
        };
        let mut head = vec![];
        // Version 2.0, and the first day that ZIP knows.
        for number in [20, UTF8, method, 0, 1 << 5 | 1] {
            head.extend(number.to_le_bytes());
        }
        for number in [crc.sum(), long(packed.len())?, long(file.bytes.len())?] {
            head.extend(number.to_le_bytes());
        }
        let name_len = u16::try_from(file.path.len()).map_err(|_| super::odd(&file.path))?;
        head.extend(name_len.to_le_bytes());
        head.extend(0u16.to_le_bytes());
        archive.extend(LOCAL);
        archive.extend(&head);
        archive.extend(file.path.as_bytes());
        archive.extend(packed);
        list.extend(LISTED);
        // Made on Unix, so that the attributes say which kind of file it is.
        list.extend((3u16 << 8 | 20).to_le_bytes());
        list.extend(&head);
        list.extend([0; 6]);
        list.extend(((REGULAR | 0o644) << 16).to_le_bytes());
        list.extend(long(local)?.to_le_bytes());
        list.extend(file.path.as_bytes());
    }
    let count = u16::try_from(files.len()).map_err(|_| super::too_large())?;
    let (at, len) = (long(archive.len())?, long(list.len())?);
    archive.extend(list);
    archive.extend(END);
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(len.to_le_bytes());
    archive.extend(at.to_le_bytes());
    archive.extend([0; 2]);
    Ok(archive)
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = DeflateEncoder::new(vec![], Compression::default());
    packed.write_all(bytes)?;
    packed.finish()
}

fn long(number: usize) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| super::too_large())
}

fn slice(archive: &[u8], at: usize, len: usize) -> Result<&[u8], String> {
    let end = at.checked_add(len).ok_or_else(damaged)?;
    archive.get(at..end).ok_or_else(damaged)
}

fn number16(archive: &[u8], at: usize) -> Result<u16, String> {
    let bytes = slice(archive, at, 2)?;
    Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn number32(archive: &[u8], at: usize) -> Result<usize, String> {
    let bytes = slice(archive, at, 4)?;
    let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    usize::try_from(number).map_err(|_| damaged())
}
