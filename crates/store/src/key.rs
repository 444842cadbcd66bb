//! The identity key file (§1.1): the raw libp2p protobuf `PrivateKey`, nothing around it.
//!
//! A key is only ever created where there is no file. Anything else in that place may be the only
//! copy of an identity, so it is refused and left alone; existing peers overwrite it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use libp2p_identity::Keypair;

use crate::{atomic, error::Error};

/// Longest file read. An RSA key of 8192 bits has 4.7 KB; anything larger is not a key.
pub(crate) const MAX_BYTES: u64 = 64 * 1024;
/// Old keys next to the one in use: more than anyone makes.
const MAX_OLD: u32 = 99;
/// The old Ed25519 form: type 1, 96 bytes: secret, public key, and the public key again.
const OLD_ED25519: [u8; 4] = [0x08, 0x01, 0x12, 96];

/// The key in `path`; a new one if there is no file.
pub(crate) fn load_or_make(path: &Path) -> Result<Keypair, Error> {
    match load(path)? {
        Some(keypair) => Ok(keypair),
        None => make(path),
    }
}

/// The key in `path`, if there is a file.
pub(crate) fn load(path: &Path) -> Result<Option<Keypair>, Error> {
    let broken = |why: String| Error::Key {
        path: path.to_owned(),
        why,
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        // A link to nowhere is a key on a disk that is not there: no reason to make another.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() =>
        {
            return Ok(None);
        }
        Err(error) => return Err(broken(format!("it cannot be read: {error}"))),
    };
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(broken("it is not a key file".into()));
    }
    let bytes = fs::read(path).map_err(|error| broken(format!("it cannot be read: {error}")))?;
    decode(&bytes)
        .map(Some)
        .ok_or_else(|| broken("its content is not a libp2p private key".into()))
}

/// Whether users other than its owner can read the file.
pub(crate) fn is_exposed(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).is_ok_and(|file| file.mode() & 0o044 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Puts the key in `path` aside, in another file, and makes a new one. Returns where the old
/// one is now. It is never overwritten: anyone who has it is that peer.
pub(crate) fn renew(path: &Path) -> Result<PathBuf, Error> {
    let aside = set_aside(path)?;
    make(path)?;
    Ok(aside)
}

fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    for number in 1..=MAX_OLD {
        let aside = path.with_file_name(format!("{name}.old-{number}"));
        match atomic::create_new(&aside, &bytes) {
            Ok(()) => {
                fs::remove_file(path).map_err(Error::io("remove", path))?;
                return Ok(aside);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("write", &aside)(error)),
        }
    }
    Err(Error::Key {
        path: path.to_owned(),
        why: "there are too many old keys next to it".into(),
    })
}

fn decode(bytes: &[u8]) -> Option<Keypair> {
    if let Some(data) = bytes.strip_prefix(&OLD_ED25519) {
        let (pair, again) = data.split_at_checked(64)?;
        return (pair[32..] == *again)
            .then(|| Keypair::ed25519_from_bytes(pair[..32].to_vec()).ok())?;
    }
    Keypair::from_protobuf_encoding(bytes).ok()
}

fn make(path: &Path) -> Result<Keypair, Error> {
    let keypair = Keypair::generate_ed25519();
    let bytes = keypair
        .to_protobuf_encoding()
        .expect("an Ed25519 key always encodes");
    if let Some(folder) = path.parent() {
        atomic::create_private_folder(folder).map_err(Error::io("create", folder))?;
    }
    atomic::create_new(path, &bytes).map_err(Error::io("write", path))?;
    Ok(keypair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_protocol() {
        let public = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
        let public: Vec<u8> = (0..32)
            .map(|i| u8::from_str_radix(&public[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let mut file = vec![0x08, 0x01, 0x12, 0x40];
        file.extend([0; 32]);
        file.extend(&public);
        let keypair = decode(&file).unwrap();
        assert_eq!(keypair.to_protobuf_encoding().unwrap(), file);

        let mut old = OLD_ED25519.to_vec();
        old.extend(&file[4..]);
        old.extend(&public);
        assert_eq!(decode(&old).unwrap().public(), keypair.public());
        old[100 - 1] ^= 1;
        assert!(decode(&old).is_none());
    }

    #[test]
    fn other_kinds_of_key() {
        for keypair in [Keypair::generate_ecdsa(), Keypair::generate_secp256k1()] {
            let bytes = keypair.to_protobuf_encoding().unwrap();
            assert_eq!(decode(&bytes).unwrap().public(), keypair.public());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [
            &b""[..],
            b"\x08\x01\x12\x40",
            b"hello",
            &[0; 68],
            &[0x08, 0x01, 0x12, 96, 1, 2],
        ] {
            assert!(decode(bytes).is_none(), "{bytes:?}");
        }
    }
}
