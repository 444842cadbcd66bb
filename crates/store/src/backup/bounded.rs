//! How much may come out of what is packed. What is made here keeps to that, too: files of which too
//! much would come out, such as empty ones of many megabytes, are not compressed. So an archive is a
//! row of gzip files, as gzip allows.

use std::{
    cell::Cell,
    io::{self, ErrorKind, Read, Write},
    rc::Rc,
};

use flate2::{Compression, bufread::MultiGzDecoder, write::GzEncoder};

use super::{MAX_RATIO, MAX_UNMEASURED};

/// What a reader says that found too much; of no other error while a backup is read.
pub(super) const SWOLLEN: ErrorKind = ErrorKind::FileTooLarge;

/// Whether so many bytes may come out of so many.
fn is_plausible(packed: u64, unpacked: u64) -> bool {
    unpacked <= MAX_UNMEASURED || unpacked / MAX_RATIO <= packed
}

/// What comes out of gzip, until it is too much for what went in.
pub(super) struct Unzipped<R: Read> {
    gzip: MultiGzDecoder<io::BufReader<Counted<R>>>,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
}

impl<R: Read> Unzipped<R> {
    pub(super) fn new(packed: R) -> Self {
        let read = Rc::<Cell<u64>>::default();
        let counted = Counted(packed, Rc::clone(&read));
        Self {
            gzip: MultiGzDecoder::new(io::BufReader::new(counted)),
            packed: read,
            unpacked: 0,
        }
    }
}

impl<R: Read> Read for Unzipped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.gzip.read(buffer)?;
        self.unpacked += read as u64;
        if is_plausible(self.packed.get(), self.unpacked) {
            Ok(read)
        } else {
            Err(SWOLLEN.into())
        }
    }
}

/// Packs with gzip.
pub(super) struct Zipped<W: Write> {
    /// `None` only after an error.
    gzip: Option<GzEncoder<Counted<W>>>,
    compresses: bool,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
}

impl<W: Write> Zipped<W> {
    pub(super) fn new(out: W) -> Self {
        let packed = Rc::<Cell<u64>>::default();
        let counted = Counted(out, Rc::clone(&packed));
        Self {
            gzip: Some(GzEncoder::new(counted, Compression::fast())),
            compresses: true,
            packed,
            unpacked: 0,
        }
    }

    /// Up to `len` bytes follow.
    pub(super) fn expect(&mut self, len: u64) -> io::Result<()> {
        // Half of the bound: while one that is not compressed is read, the bound holds already.
        let unpacked = self.unpacked.saturating_add(len).saturating_mul(2);
        let compresses = is_plausible(self.packed.get(), unpacked);
        if compresses != self.compresses {
            let out = self.take()?.finish()?;
            let level = if compresses {
                Compression::fast()
            } else {
                Compression::none()
            };
            self.gzip = Some(GzEncoder::new(out, level));
            self.compresses = compresses;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        Ok(self.take()?.finish()?.0)
    }

    fn take(&mut self) -> io::Result<GzEncoder<Counted<W>>> {
        self.gzip.take().ok_or(ErrorKind::BrokenPipe.into())
    }
}

impl<W: Write> Write for Zipped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gzip = self.gzip.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        let written = gzip.write(bytes)?;
        self.unpacked += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let gzip = self.gzip.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        gzip.flush()
    }
}

/// Notes how much goes through.
struct Counted<T>(T, Rc<Cell<u64>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.set(self.1.get() + read as u64);
        Ok(read)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.set(self.1.get() + written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn read(packed: &[u8]) -> io::Result<u64> {
        io::copy(&mut Unzipped::new(packed), &mut io::sink())
    }

    #[test]
    fn what_is_made_is_read_again_however_empty_it_is() {
        let zeros = vec![0; 4 * MIB];
        let mut zipped = Zipped::new(vec![]);
        let files = 80;
        for _ in 0..files {
            zipped.expect(zeros.len() as u64).unwrap();
            zipped.write_all(&zeros).unwrap();
        }
        let packed = zipped.finish().unwrap();
        assert!(packed.len() < 32 * MIB, "{} bytes", packed.len());
        assert_eq!(read(&packed).unwrap(), (files * zeros.len()) as u64);
    }

    #[test]
    fn a_small_file_does_not_become_a_large_one() {
        let mut gzip = GzEncoder::new(vec![], Compression::fast());
        let zeros = vec![0; MIB];
        for _ in 0..300 {
            gzip.write_all(&zeros).unwrap();
        }
        let packed = gzip.finish().unwrap();
        assert!(packed.len() < 2 * MIB, "{} bytes", packed.len());
        assert_eq!(read(&packed).unwrap_err().kind(), SWOLLEN);
        // Of many pieces, too.
        let piece = {
            let mut gzip = GzEncoder::new(vec![], Compression::best());
            gzip.write_all(&vec![0; MIB]).unwrap();
            gzip.finish().unwrap()
        };
        let mut before = Unzipped::new(io::Cursor::new(piece.repeat(300)));
        let mut out = vec![];
        let error = before.read_to_end(&mut out).unwrap_err();
        assert_eq!(error.kind(), SWOLLEN);
        assert!(out.len() as u64 <= MAX_UNMEASURED + MIB as u64);
    }
}
