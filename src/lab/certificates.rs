//! A certificate authority of the cluster's own, for clients that verify.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::error::{AtPath, LabError, Result};

/// The files of one server, in PEM.
#[derive(Clone, Debug)]
pub(super) struct ServerFiles {
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca: PathBuf,
}

impl Authority {
    /// Makes an authority whose certificate is written to `folder`.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let key = KeyPair::generate().map_err(certificate)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(certificate)?;
        params.distinguished_name.push(DnType::CommonName, "Headgate lab authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = params.self_signed(&key).map_err(certificate)?;
        let ca = folder.join("ca.pem");
        fs::write(&ca, own.pem()).at("write", &ca)?;
        Ok(Self { issuer: Issuer::new(params, key), ca })
    }

    /// The authority's certificate.
    pub(super) fn ca(&self) -> &Path {
        &self.ca
    }

    /// Makes a server certificate for `localhost` and the loopback addresses.
    pub(super) fn issue(&self, folder: &Path) -> Result<ServerFiles> {
        let key = KeyPair::generate().map_err(certificate)?;
        let names = [
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]).to_string(),
        ];
        let mut params = CertificateParams::new(names).map_err(certificate)?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let own = params.signed_by(&key, &self.issuer).map_err(certificate)?;
        let files = ServerFiles {
            ca: self.ca.clone(),
            certificate: folder.join("server-certificate.pem"),
            key: folder.join("server-key.pem"),
        };
        fs::write(&files.certificate, own.pem()).at("write", &files.certificate)?;
        fs::write(&files.key, key.serialize_pem()).at("write", &files.key)?;
        Ok(files)
    }
}

fn certificate(source: rcgen::Error) -> LabError {
    LabError::Certificate { source }
}
