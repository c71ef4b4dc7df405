//! TLS towards clients.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::error::TlsError;
use super::own_certificate;
use super::pem_files::CertificateFiles;
use super::verifier::provider;

/// Where Headgate's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// Given by the operator.
    Given(CertificateFiles),
    /// Headgate's own, `headgate-cert.pem` and `headgate-key.pem` in the state directory, made on the
    /// first start.
    Own {
        /// The state directory.
        state_dir: PathBuf,
    },
}

/// Headgate's side of TLS with clients. Client certificates are not asked for.
#[derive(Debug)]
pub struct ServerTls(ArcSwap<ServerConfig>);

impl ServerTls {
    /// Reads or makes the certificate.
    pub fn load(source: &CertificateSource) -> Result<Self, TlsError> {
        Ok(Self(ArcSwap::from_pointee(settings(source)?)))
    }

    /// Reads the certificate again. Handshakes from now on use it; on an error the old one stays.
    pub fn reload(&self, source: &CertificateSource) -> Result<(), TlsError> {
        self.0.store(Arc::new(settings(source)?));
        Ok(())
    }

    /// The acceptor of present.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }

    /// Goes on in TLS with a client that has sent its SSLRequest and nothing after it.
    pub async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor().accept(stream).await.map_err(TlsError::of_handshake)
    }
}

fn settings(source: &CertificateSource) -> Result<ServerConfig, TlsError> {
    let files = match source {
        CertificateSource::Given(files) => files.clone(),
        CertificateSource::Own { state_dir } => own_certificate::ensure(state_dir)?,
    };
    let (chain, key) = files.read()?;
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Settings { source })?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|source| files.mismatch(source))
}
