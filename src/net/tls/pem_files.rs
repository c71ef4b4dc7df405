//! Certificates and keys in PEM files.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::error::TlsError;

/// A certificate chain, the peer's own first, and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

pub(super) type Chain = Vec<CertificateDer<'static>>;

impl CertificateFiles {
    pub(super) fn read(&self) -> Result<(Chain, PrivateKeyDer<'static>), TlsError> {
        Ok((certificates(&self.certificate)?, key(&self.key)?))
    }

    /// The error of a chain and key that do not go together.
    pub(super) fn mismatch(&self, source: rustls::Error) -> TlsError {
        TlsError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source }
    }
}

/// The authorities in a file.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|source| TlsError::Authority { path: path.to_owned(), source })?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Chain, TlsError> {
    let none = || TlsError::NoCertificate { path: path.to_owned() };
    let text = read(path)?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Chain, _>>().map_err(|_| none())?;
    if chain.is_empty() { Err(none()) } else { Ok(chain) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| TlsError::NoKey { path: path.to_owned() })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let text = fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    Ok(Zeroizing::new(text))
}
