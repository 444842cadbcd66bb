//! TLS as libp2p's own (<https://github.com/libp2p/specs/blob/master/tls/tls.md>), but with AES as
//! the first cipher where the processor has it, which that one does not offer: with ChaCha20, the
//! only one of Noise, a quarter of the work of a transfer was ciphering. Who dials chooses, so
//! answering is left to libp2p's.

use std::{
    io, iter,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use futures::{AsyncRead, AsyncWrite, FutureExt, future::BoxFuture};
use futures_rustls::{
    TlsConnector,
    pki_types::{CertificateDer, ServerName, UnixTime},
    rustls::{
        CipherSuite, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme,
        client::{
            Resumption,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::CryptoProvider,
        version::TLS13,
    },
};
use libp2p::{
    PeerId,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
    identity::Keypair,
    tls::{
        self, TlsStream, UpgradeError,
        certificate::{self, GenError},
    },
};

/// In place of a name, of which none is sent then, as the specification asks for.
const NO_NAME: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What certificates may be signed with, the preferred first.
const SCHEMES: [SignatureScheme; 6] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
];

#[derive(Clone)]
pub(crate) struct Config {
    answering: tls::Config,
    dialing: TlsConnector,
}

impl Config {
    /// An error if no certificate can be made.
    pub(crate) fn new(key: &Keypair) -> Result<Self, GenError> {
        let theirs = tls::make_client_config(key, None)?;
        let mut provider = CryptoProvider::clone(theirs.crypto_provider());
        if has_aes() {
            provider
                .cipher_suites
                .sort_by_key(|suite| match suite.suite() {
                    CipherSuite::TLS13_AES_128_GCM_SHA256 => 0,
                    CipherSuite::TLS13_AES_256_GCM_SHA384 => 1,
                    _ => 2,
                });
        }
        let mut client = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[&TLS13])
            .expect("the ciphers are those of TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier))
            .with_client_cert_resolver(theirs.client_auth_cert_resolver);
        client.alpn_protocols = theirs.alpn_protocols;
        // Sessions are kept by name, and all peers have the same.
        client.resumption = Resumption::disabled();
        Ok(Self {
            answering: tls::Config::new(key)?,
            dialing: Arc::new(client).into(),
        })
    }
}

/// Whether AES costs little here: in software ChaCha20 is the faster one.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.answering.protocol_info()
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Config {
    type Output = (PeerId, TlsStream<C>);
    type Error = UpgradeError;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, io: C, info: Self::Info) -> Self::Future {
        self.answering.upgrade_inbound(io, info)
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Config {
    type Output = (PeerId, TlsStream<C>);
    type Error = UpgradeError;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        async move {
            let connected = self.dialing.connect(NO_NAME.into(), io).await;
            let stream = connected.map_err(UpgradeError::ClientUpgrade)?;
            let shown = stream.get_ref().1.peer_certificates();
            let shown = shown
                .and_then(<[_]>::first)
                .ok_or_else(|| UpgradeError::ClientUpgrade(io::ErrorKind::InvalidData.into()))?;
            let peer = certificate::parse(shown)?.peer_id();
            Ok((peer, stream.into()))
        }
        .boxed()
    }
}

/// A peer shows one certificate, self-signed, in which its key signs that of the certificate.
#[derive(Debug)]
struct Verifier;

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !more.is_empty() {
            return Err(Error::General("a peer shows one certificate".into()));
        }
        certificate::parse(shown)?;
        Ok(ServerCertVerified::assertion())
    }

    /// Never offered.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        certificate::parse(shown)?.verify_signature(signed.scheme, message, signed.signature())?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::try_join;
    use futures_rustls::{
        TlsAcceptor,
        pki_types::PrivateKeyDer,
        rustls::{
            ServerConfig,
            sign::{CertifiedKey, SingleCertAndKey},
        },
    };
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    const ROOM: usize = 64 * 1024;

    #[tokio::test]
    async fn both_sides_know_each_other_and_speak_what_is_fast_here() {
        let [near, far] = [(); 2].map(|()| Keypair::generate_ed25519());
        let [near_config, far_config] = [&near, &far].map(|key| Config::new(key).expect("a key"));
        let (near_end, far_end) = tokio::io::duplex(ROOM);
        let ((far_seen, stream), (near_seen, _)) = try_join(
            near_config.upgrade_outbound(near_end.compat(), ""),
            far_config.upgrade_inbound(far_end.compat(), ""),
        )
        .await
        .expect("they understand each other");
        assert_eq!(far_seen, far.public().to_peer_id());
        assert_eq!(near_seen, near.public().to_peer_id());
        let spoken = stream.get_ref().1.negotiated_cipher_suite();
        let fast = match has_aes() {
            true => CipherSuite::TLS13_AES_128_GCM_SHA256,
            false => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        };
        assert_eq!(spoken.map(|suite| suite.suite()), Some(fast));
    }

    #[tokio::test]
    async fn a_certificate_that_belongs_to_no_peer_is_refused() {
        let made = || certificate::generate(&Keypair::generate_ed25519()).expect("a certificate");
        let [(good, key), (other, _)] = [made(), made()];
        assert!(shown(vec![good.clone()], &key).await.is_ok());

        let two = vec![good.clone(), other.clone()];
        assert!(shown(two, &key).await.is_err());
        assert!(shown(vec![other], &key).await.is_err(), "another's");
        for at in (0..good.len()).step_by(good.len() / 16) {
            let mut changed = good.to_vec();
            changed[at] ^= 1;
            assert!(shown(vec![changed.into()], &key).await.is_err(), "at {at}");
        }
        assert!(shown(vec![], &key).await.is_err());
    }

    /// Dials someone who shows this, and has the key.
    async fn shown(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<PeerId, UpgradeError> {
        let dialer = Keypair::generate_ed25519();
        let theirs = tls::make_client_config(&dialer, None).expect("a key");
        let provider = Arc::clone(theirs.crypto_provider());
        let key = provider.key_provider.load_private_key(key.clone_key());
        let certified = CertifiedKey::new(chain, key.expect("it was just made"));
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("the ciphers are those of TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let (near, far) = tokio::io::duplex(ROOM);
        let config = Config::new(&dialer).expect("a key");
        let answering = tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(server));
            let _refused = acceptor.accept(far.compat()).await;
        });
        let (peer, _) = config.upgrade_outbound(near.compat(), "").await?;
        answering.await.expect("it does not panic");
        Ok(peer)
    }
}
