//! Authentication responses.
//!
//! Source: MySQL Internals, "Authentication Methods".

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::digest::{Algorithm, Context as Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

fn digest(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = Digest::new(algorithm);
    for part in parts {
        digest.update(part);
    }
    digest.finish().as_ref().to_vec()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right.iter().cycle()).map(|(a, b)| a ^ b).collect()
}

/// mysql_native_password: `SHA1(p) XOR SHA1(nonce + SHA1(SHA1(p)))`.
pub(super) fn native(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
    let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
    xor(&once, &digest(&SHA1_FOR_LEGACY_USE_ONLY, &[nonce, &twice]))
}

/// caching_sha2_password: `SHA256(p) XOR SHA256(SHA256(SHA256(p)) + nonce)`.
pub(super) fn caching_sha2(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = digest(&SHA256, &[password]);
    let twice = digest(&SHA256, &[&once]);
    xor(&once, &digest(&SHA256, &[&twice, nonce]))
}

/// The password with its NUL, hidden under the nonce and sealed for the owner of the key.
pub(super) fn sealed(password: &[u8], nonce: &[u8], public_key: &[u8]) -> Result<Vec<u8>> {
    let mut clear = password.to_vec();
    clear.push(0);
    let key = SubjectPublicKeyInfoDer::from_pem_slice(public_key)
        .map_err(|error| anyhow!("{error}"))
        .context("the server's public key")?;
    let key = PublicEncryptingKey::from_der(&key).context("the server's public key")?;
    let key = OaepPublicEncryptingKey::new(key).context("the server's public key")?;
    let mut out = vec![0; key.ciphertext_size()];
    let sealed = key.encrypt(&OAEP_SHA1_MGF1SHA1, &xor(&clear, nonce), &mut out, None);
    Ok(sealed.context("sealing the password")?.to_vec())
}
