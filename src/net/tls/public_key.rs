//! The public key of a certificate that the library refuses to read.
//!
//! Certificates made by older recipes are of X.509 version 1, which the library takes for hostile. In
//! the modes that believe any certificate anyway, only its key matters: the peer must hold the other
//! half. So the key is found by walking the certificate's outermost fields (RFC 5280, section 4.1).

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;

/// A SubjectPublicKeyInfo and its two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicKey<'a> {
    /// The whole, with its tag and length.
    pub(super) info: &'a [u8],
    /// Content of the AlgorithmIdentifier.
    algorithm: &'a [u8],
    /// The key's bits.
    bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Finds the key in a DER certificate.
    pub(super) fn of_certificate(certificate: &'a [u8]) -> Option<Self> {
        let (signed, _) = expect(expect(certificate, SEQUENCE)?.0, SEQUENCE)?;
        let mut rest = signed;
        if let Some((_, behind)) = expect(rest, VERSION) {
            rest = behind;
        }
        // Serial number; then signature algorithm, issuer, validity, subject.
        rest = expect(rest, INTEGER)?.1;
        for _ in 0..4 {
            rest = expect(rest, SEQUENCE)?.1;
        }
        let (fields, behind) = expect(rest, SEQUENCE)?;
        let info = rest.get(..rest.len() - behind.len())?;
        let (algorithm, rest) = expect(fields, SEQUENCE)?;
        let (bits, _) = expect(rest, BIT_STRING)?;
        // The first byte counts the bits that the last one lacks, and keys are whole bytes.
        Some(Self { info, algorithm, bits: bits.strip_prefix(&[0])? })
    }

    /// Whether a TLS 1.2 handshake was signed with this key.
    pub(super) fn has_signed(
        &self,
        message: &[u8],
        scheme: SignatureScheme,
        signature: &[u8],
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> bool {
        let candidates = algorithms.mapping.iter().find(|(known, _)| *known == scheme);
        candidates.is_some_and(|(_, candidates)| {
            candidates
                .iter()
                .filter(|candidate| candidate.public_key_alg_id().as_ref() == self.algorithm)
                .any(|candidate| candidate.verify_signature(self.bits, message, signature).is_ok())
        })
    }
}

/// Content of the element in front, if it has this tag, and what is behind it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (len, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// The tag `[0]` in front of the version, absent in version 1.
const VERSION: u8 = 0xA0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::server::ParsedCertificate;

    fn real() -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(include_bytes!("fixtures/mysql-9.7-server.pem")).unwrap()
    }

    #[test]
    fn finds_the_key_that_the_library_finds() {
        let real = real();
        let ours = PublicKey::of_certificate(&real).unwrap();
        let theirs = ParsedCertificate::try_from(&real).unwrap().subject_public_key_info();
        assert_eq!(ours.info, theirs.as_ref());
    }

    proptest! {
        #[test]
        fn total(bytes: Vec<u8>, cut in 0usize..1000, place in 0usize..1000, byte: u8) {
            let real = real();
            let mut changed = real.to_vec();
            changed.truncate(cut);
            if let Some(there) = changed.get_mut(place) {
                *there = byte;
            }
            for certificate in [&bytes, &changed] {
                if let Some(key) = PublicKey::of_certificate(certificate) {
                    prop_assert!(key.info.len() <= certificate.len());
                }
            }
        }
    }
}
