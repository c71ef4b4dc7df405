//! Which servers are believed.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::public_key::PublicKey;

/// The cryptography of both sides.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What is asked of a certificate.
#[derive(Debug)]
pub(super) enum Check {
    /// Nothing.
    Nothing,
    /// A valid chain to an authority.
    Chain {
        authorities: RootCertStore,
        /// And the host's name.
        name: bool,
    },
}

/// Checks certificates as the mode says. That the peer holds the certificate's key is always checked.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    check: Check,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(super) fn new(check: Check) -> Self {
        Self { check, algorithms: aws_lc_rs::default_provider().signature_verification_algorithms }
    }

    /// The key of a certificate that is believed although the library cannot read it.
    fn bare_key<'a>(&self, certificate: &'a CertificateDer<'_>) -> Option<PublicKey<'a>> {
        let unreadable = ParsedCertificate::try_from(certificate).is_err();
        (unreadable && matches!(self.check, Check::Nothing))
            .then(|| PublicKey::of_certificate(certificate))
            .flatten()
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Check::Chain { authorities, name } = &self.check {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.algorithms.all;
            // Without the name: servers' self-made certificates carry none, and verify-ca does not ask.
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                authorities,
                intermediates,
                now,
                algorithms,
            )?;
            if *name {
                verify_server_name(&certificate, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = self.bare_key(certificate) else {
            return verify_tls12_signature(message, certificate, signature, &self.algorithms);
        };
        if key.has_signed(message, signature.scheme, signature.signature(), &self.algorithms) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::BadSignature))
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = self.bare_key(certificate) else {
            return verify_tls13_signature(message, certificate, signature, &self.algorithms);
        };
        let info = SubjectPublicKeyInfoDer::from(key.info);
        verify_tls13_signature_with_raw_key(message, &info, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// What MySQL 9.7 made for itself on its first start: version 3, no names, ten years from
    /// 2026-11-21.
    #[test]
    fn certificates_that_mysql_made_are_verified_without_a_name() {
        let read = |pem: &[u8]| CertificateDer::from_pem_slice(pem).unwrap();
        let server = read(include_bytes!("fixtures/mysql-9.7-server.pem"));
        let verify = |name, seconds| {
            let mut authorities = RootCertStore::empty();
            authorities.add(read(include_bytes!("fixtures/mysql-9.7-ca.pem"))).unwrap();
            let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            let host = ServerName::try_from("localhost").unwrap();
            ServerVerifier::new(Check::Chain { authorities, name })
                .verify_server_cert(&server, &[], &host, &[], now)
                .map(|_| ())
        };
        let (in_2030, in_2040) = (1_900_000_000, 2_210_000_000);
        assert_eq!(verify(false, in_2030), Ok(()));
        assert!(matches!(
            verify(true, in_2030),
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
        ));
        assert!(matches!(
            verify(false, in_2040),
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { .. }))
        ));
    }
}
