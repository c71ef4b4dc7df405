//! The certificate Headgate makes for itself where none is given.
//!
//! Self-signed and without an authority, like a server's own on first start: it keeps listeners out,
//! and a client that wants to verify can be given the certificate's file as its `--ssl-ca`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use zeroize::Zeroizing;

use super::error::TlsError;
use super::pem_files::CertificateFiles;

/// The files in the state directory, made first if one of them is missing.
pub(super) fn ensure(state_dir: &Path) -> Result<CertificateFiles, TlsError> {
    let files = CertificateFiles {
        certificate: state_dir.join("headgate-cert.pem"),
        key: state_dir.join("headgate-key.pem"),
    };
    if files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    fs::create_dir_all(state_dir).map_err(|source| TlsError::Write { path: state_dir.to_owned(), source })?;
    let (certificate, key) = make().map_err(|source| TlsError::Make { source })?;
    // The key first: if we die between the two, the missing certificate has both made anew.
    replace(&files.key, key.as_bytes(), PRIVATE)?;
    replace(&files.certificate, certificate.as_bytes(), PUBLIC)?;
    Ok(files)
}

/// A certificate for this machine and its key, both PEM.
fn make() -> Result<(String, Zeroizing<String>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Headgate");
    params.subject_alt_names = [
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ]
    .into_iter()
    .chain(names().into_iter().map(SanType::DnsName))
    .collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Nobody renews a certificate nobody knows of, and its end would be an outage.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Zeroizing::new(key.serialize_pem())))
}

fn names() -> Vec<Ia5String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut names = vec![host.trim(), "localhost"];
    names.retain(|name| !name.is_empty());
    names.dedup();
    names.into_iter().filter_map(|name| Ia5String::try_from(name).ok()).collect()
}

/// Writes a file whole or not at all.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), TlsError> {
    let written = path.with_extension("pem.new");
    let write = || {
        let _ = fs::remove_file(&written);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&written)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&written, path)
    };
    write().map_err(|source| TlsError::Write { path: path.to_owned(), source })
}

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;
