//! Which certificates are accepted, those that the system accepts, and in plain words why one is
//! not.
//!
//! Verifiers do not say that a certificate is signed by its own key and by nobody else, although
//! that is the most frequent reason of a refusal and has another remedy. So the verifier of the
//! system is asked first, and looked at here is what it refused.

use std::{error, io, iter::successors, sync::Arc};

use goop2_proto::time::utc_minute;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InvalidMessage, OtherError,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier;
use webpki::EndEntityCert;

/// Names of a certificate that are listed in a message.
const MAX_NAMES: usize = 3;

/// Trusts what the system trusts (on Linux `SSL_CERT_FILE` can add your own authority), and `more`.
/// An error if that is nothing at all.
pub(crate) fn config(more: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(more, Arc::clone(&provider))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Explaining(verifier)))
        .with_no_client_auth();
    Ok(config)
}

/// The error and what caused it, outermost first. An [`io::Error`] does not name the error that it
/// was made from as its source.
pub(crate) fn causes<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> + Clone {
    successors(Some(error), |error| {
        let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// Why there is no secure connection to `host`, which may have a port; none if that is not the
/// reason.
pub(crate) fn explain(error: &(dyn error::Error + 'static), host: &str) -> Option<String> {
    let error = causes(error).find_map(|cause| cause.downcast_ref::<Error>())?;
    Some(match error {
        Error::InvalidCertificate(why) => certificate(why, host),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("{host} doesn't use TLS")
        }
        Error::AlertReceived(alert) => {
            format!(
                "{host} refused the secure connection ({alert:?}); it may not have a certificate for this name"
            )
        }
        other => format!("a secure connection to {host} is not possible: {other}"),
    })
}

fn certificate(why: &CertificateError, host: &str) -> String {
    let what = format!("the certificate of {host}");
    let minute = |time: &UnixTime| utc_minute(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    let now = || minute(&UnixTime::now());
    match why {
        CertificateError::ExpiredContext { time, not_after } => expired(
            &format!("{what} expired on {}", minute(not_after)),
            &minute(time),
        ),
        CertificateError::Expired => expired(&format!("{what} has expired"), &now()),
        CertificateError::NotValidYetContext { time, not_before } => early(
            &format!("{what} is valid from {}", minute(not_before)),
            &minute(time),
        ),
        CertificateError::NotValidYet => early(&format!("{what} is not valid yet"), &now()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!(
                "{what} is for {}. Use that name in the address",
                names(presented)
            )
        }
        CertificateError::NotValidForName => format!("{what} is for another name"),
        CertificateError::UnknownIssuer => format!(
            "{what} is from an authority that this computer doesn't trust. Add the authority to the certificates of this computer, or use a public one"
        ),
        CertificateError::BadSignature => {
            format!("{what} is not signed by the authority that it names")
        }
        CertificateError::Revoked => format!("{what} was revoked"),
        CertificateError::Other(OtherError(other)) if other.is::<SelfSigned>() => format!(
            "{what} is self-signed, so it proves nothing. Use one of a public authority, or add it to the certificates of this computer"
        ),
        other => format!("{what} could not be verified: {other}"),
    }
}

fn expired(what: &str, now: &str) -> String {
    format!(
        "{what}, and this computer's clock says {now}. If the clock is right, the server needs a new certificate"
    )
}

fn early(what: &str, now: &str) -> String {
    format!("{what}, but this computer's clock says {now}. Check the clock")
}

/// `DnsName("a")` and `IpAddress(192.0.2.1)` are how the verifier writes them.
fn names(presented: &[String]) -> String {
    let plain = |name: &String| {
        let inner = name
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    let names: Vec<_> = presented.iter().take(MAX_NAMES).map(plain).collect();
    match (names.is_empty(), presented.len() > MAX_NAMES) {
        (true, _) => "another name".into(),
        (false, true) => format!("{} and others", names.join(", ")),
        (false, false) => names.join(" and "),
    }
}

/// Nobody but the certificate's own key vouches for it.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is self-signed")]
struct SelfSigned;

/// The system's verifier, with one more reason.
#[derive(Debug)]
struct Explaining(Verifier);

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| match error {
            Error::InvalidCertificate(
                // An authority may have the same name as the certificate.
                CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::Other(_),
            ) if is_self_signed(end_entity) => {
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(SelfSigned))))
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Whether it names itself as its issuer. That is enough for a message: nothing depends on it.
fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|cert| cert.issuer() == cert.subject())
}
