//! What goes wrong with TLS.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::client::Mode;

/// An error of files, settings or handshakes. The text says what to do where it is known.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate; it must be a PEM file with \"BEGIN CERTIFICATE\"", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error("{} holds no private key; it must be a PEM file with an unencrypted private key", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key cannot be used together.
    #[error(
        "the certificate {} and the key {} cannot be used: {source}; they must belong together",
        certificate.display(),
        key.display()
    )]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The library's word.
        source: rustls::Error,
    },
    /// A certificate cannot serve as authority.
    #[error("{} holds a certificate that cannot be an authority: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// The library's word.
        source: rustls::Error,
    },
    /// A verifying mode without an authority.
    #[error(
        "servers.tls = \"{mode}\" needs the authority that signed the servers' certificates; set servers.ca to its PEM file \
         (for certificates that MySQL made itself: ca.pem in its data directory)"
    )]
    NoAuthority {
        /// The mode.
        mode: Mode,
    },
    /// No certificate could be made.
    #[error("no certificate can be made: {source}")]
    Make {
        /// The library's word.
        source: rcgen::Error,
    },
    /// The library refuses the settings.
    #[error("the TLS library refuses its settings: {source}")]
    Settings {
        /// The library's word.
        source: rustls::Error,
    },
    /// The server offers no TLS, and the mode insists.
    #[error(
        "the server offers no TLS, which servers.tls = \"{mode}\" demands; enable TLS there or set servers.tls = \"preferred\""
    )]
    NotOffered {
        /// The mode.
        mode: Mode,
    },
    /// TLS was to be started although the mode is disabled.
    #[error("TLS towards servers is disabled")]
    Disabled,
    /// The configured host cannot be compared with a certificate.
    #[error(
        "{host:?} is no host name that a certificate could contain; use the name in the server's certificate"
    )]
    HostName {
        /// The host.
        host: String,
    },
    /// The server's certificate is not accepted.
    #[error("the server's certificate is not accepted: {source}{}", hint(source))]
    Certificate {
        /// The library's word.
        source: rustls::Error,
    },
    /// The handshake failed.
    #[error("TLS handshake failed: {source}")]
    Handshake {
        /// What the stream said.
        source: io::Error,
    },
}

impl TlsError {
    /// Sorts what a handshake ended with.
    pub(super) fn of_handshake(source: io::Error) -> Self {
        let library = source.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match library {
            Some(error @ rustls::Error::InvalidCertificate(_)) => Self::Certificate { source: error.clone() },
            _ => Self::Handshake { source },
        }
    }
}

/// What to do about a certificate.
fn hint(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as E;
    let rustls::Error::InvalidCertificate(why) = error else { return "" };
    match why {
        E::UnknownIssuer | E::BadSignature => "; servers.ca must be the authority that signed it",
        E::Expired | E::ExpiredContext { .. } => "; renew it",
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "; connect by a name in its subject alternative names, or use servers.tls = \"verify-ca\""
        }
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "; it is an authority's own, so let it sign a certificate for the server"
        }
        E::Other(other) if other.to_string().contains("UnsupportedCertVersion") => {
            "; it is in the format of X.509 version 1, so issue one of version 3"
        }
        _ => "",
    }
}

/// Whether an error of reading is the end of a peer that closed its TLS stream without close_notify.
#[must_use]
pub fn is_plain_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
