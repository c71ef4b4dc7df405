//! TLS towards servers.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::TlsError;
use super::pem_files::{self, CertificateFiles};
use super::verifier::{Check, ServerVerifier, provider};

/// How connections to servers are protected, in the words of MySQL's `--ssl-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Never TLS.
    Disabled,
    /// TLS where the server offers it, with whoever answers.
    Preferred,
    /// TLS or no connection, with whoever answers.
    Required,
    /// TLS, and the certificate comes from the authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate names the host connected to.
    VerifyIdentity,
}

impl Mode {
    /// Whether this mode knows whom it talks to.
    #[must_use]
    pub const fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyIdentity)
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Disabled => "disabled",
            Self::Preferred => "preferred",
            Self::Required => "required",
            Self::VerifyCa => "verify-ca",
            Self::VerifyIdentity => "verify-identity",
        })
    }
}

/// What a [`ClientTls`] is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// The mode.
    pub mode: Mode,
    /// File with the authorities, PEM. Used by the verifying modes only.
    pub ca: Option<PathBuf>,
    /// Shown to servers that ask for a certificate.
    pub certificate: Option<CertificateFiles>,
}

/// Headgate's side of TLS with servers.
#[derive(Debug, Clone)]
pub struct ClientTls {
    mode: Mode,
    /// `None` when disabled.
    config: Option<Arc<ClientConfig>>,
}

impl ClientTls {
    /// Reads the files that the mode needs.
    pub fn load(settings: &ClientSettings) -> Result<Self, TlsError> {
        let mode = settings.mode;
        let check = match mode {
            Mode::Disabled => return Ok(Self { mode, config: None }),
            Mode::Preferred | Mode::Required => Check::Nothing,
            Mode::VerifyCa | Mode::VerifyIdentity => {
                let path = settings.ca.as_deref().ok_or(TlsError::NoAuthority { mode })?;
                let authorities = pem_files::authorities(path)?;
                Check::Chain { authorities, name: mode == Mode::VerifyIdentity }
            }
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Settings { source })?
            // Which certificates to accept is the mode's to say; handshakes are always verified.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ServerVerifier::new(check)));
        let config = match &settings.certificate {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let (chain, key) = files.read()?;
                builder.with_client_auth_cert(chain, key).map_err(|source| files.mismatch(source))?
            }
        };
        Ok(Self { mode, config: Some(Arc::new(config)) })
    }

    /// The mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a connection made with this is known to lead to the right server.
    #[must_use]
    pub const fn verifies(&self) -> bool {
        self.mode.verifies()
    }

    /// Whether to start TLS with a server that offers it or not.
    ///
    /// # Errors
    /// [`TlsError::NotOffered`] where the mode insists.
    pub const fn wants(&self, offered: bool) -> Result<bool, TlsError> {
        match (self.mode, offered) {
            (Mode::Disabled, _) | (Mode::Preferred, false) => Ok(false),
            (mode, false) => Err(TlsError::NotOffered { mode }),
            (_, true) => Ok(true),
        }
    }

    /// Goes on in TLS with the server at `host` (a name or an IP address, without a port) after the
    /// SSLRequest has been sent.
    pub async fn connect<S>(&self, stream: S, host: &str) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config.clone().ok_or(TlsError::Disabled)?;
        let name = self.server_name(host)?;
        TlsConnector::from(config).connect(name, stream).await.map_err(TlsError::of_handshake)
    }

    fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match ServerName::try_from(host) {
            Ok(name) => Ok(name.to_owned()),
            Err(_) if self.mode == Mode::VerifyIdentity => Err(TlsError::HostName { host: host.to_owned() }),
            // Nothing is compared with it, and addresses are not sent to the server.
            Err(_) => Ok(ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
        }
    }
}
