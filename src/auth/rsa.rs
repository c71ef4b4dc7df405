//! The RSA envelope a password travels in when the connection is not encrypted.
//!
//! RSA-OAEP with SHA-1, keys as PEM. Source: MySQL Internals, "SHA-256 Authentication".
//! Key generation and encryption draw randomness from the library; everything else in `auth` takes
//! it as an argument.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use pem::{EncodeConfig, LineEnding, Pem};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Why a key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The library could not make a key.
    #[error("no RSA key could be generated")]
    Generation,
    /// Not PEM, or another kind of PEM.
    #[error("not a PEM block \"{expected}\"")]
    Pem {
        /// The label of the block that was wanted.
        expected: &'static str,
    },
    /// The block holds no RSA key of 2048 to 8192 bits.
    #[error("not an RSA key of 2048 to 8192 bits")]
    NotRsa,
}

/// Headgate's own key pair, with which clients send passwords over unencrypted connections.
pub struct KeyPair {
    private: OaepPrivateDecryptingKey,
    private_der: PrivateDecryptingKey,
    public_pem: String,
}

impl KeyPair {
    /// A new key of 2048 bits. Takes about a tenth of a second.
    pub fn generate() -> Result<Self, KeyError> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generation)?;
        Self::from_key(key)
    }

    /// Reads what [`KeyPair::private_pem`] wrote, or any unencrypted PKCS#8 key.
    pub fn from_private_pem(text: &[u8]) -> Result<Self, KeyError> {
        let block = Zeroizing::new(decode(text, PRIVATE_LABEL)?);
        Self::from_key(PrivateDecryptingKey::from_pkcs8(&block).map_err(|_| KeyError::NotRsa)?)
    }

    /// The private key as PKCS#8 PEM, to be stored where only Headgate can read it.
    pub fn private_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let der: Pkcs8V1Der<'_> = self.private_der.as_der().map_err(|_| KeyError::NotRsa)?;
        Ok(Zeroizing::new(encode(PRIVATE_LABEL, der.as_ref())))
    }

    /// The public key as clients are sent it.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// Bytes in everything encrypted for this key.
    #[must_use]
    pub fn ciphertext_len(&self) -> usize {
        self.private.key_size_bytes()
    }

    /// Opens an envelope; `None` when it was not made for this key. All failures look alike, so that
    /// nothing can be learned about the padding.
    #[must_use]
    pub fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let length = self.private.decrypt(&OAEP_SHA1_MGF1SHA1, ciphertext, &mut out, None).ok()?.len();
        out.truncate(length);
        Some(out)
    }

    fn from_key(key: PrivateDecryptingKey) -> Result<Self, KeyError> {
        let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| KeyError::NotRsa)?;
        let public_pem = encode(PUBLIC_LABEL, der.as_ref());
        let private = OaepPrivateDecryptingKey::new(key.clone()).map_err(|_| KeyError::NotRsa)?;
        Ok(Self { private, private_der: key, public_pem })
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("rsa::KeyPair(redacted)")
    }
}

/// A server's public key.
#[derive(Debug)]
pub struct PublicKey(OaepPublicEncryptingKey);

impl PublicKey {
    /// Reads a key as servers send it.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let der = decode(text, PUBLIC_LABEL)?;
        let key = PublicEncryptingKey::from_der(&der).map_err(|_| KeyError::NotRsa)?;
        OaepPublicEncryptingKey::new(key).map(Self).map_err(|_| KeyError::NotRsa)
    }

    /// Encrypts; `None` when `plaintext` does not fit (214 bytes with a key of 2048 bits).
    #[must_use]
    pub fn encrypt(&self, plaintext: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; self.0.ciphertext_size()];
        let length = self.0.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut out, None).ok()?.len();
        out.truncate(length);
        Some(out)
    }
}

fn encode(label: &str, der: &[u8]) -> String {
    let block = Pem::new(label, der);
    let text = pem::encode_config(&block, EncodeConfig::new().set_line_ending(LineEnding::LF));
    block.into_contents().zeroize();
    text
}

fn decode(text: &[u8], label: &'static str) -> Result<Vec<u8>, KeyError> {
    let wrong = KeyError::Pem { expected: label };
    let block = pem::parse(text).map_err(|_| wrong)?;
    if block.tag() == label { Ok(block.into_contents()) } else { Err(wrong) }
}

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_open_with_the_saved_key_and_no_other() {
        let key = KeyPair::generate().unwrap();
        let reloaded = KeyPair::from_private_pem(key.private_pem().unwrap().as_bytes()).unwrap();
        assert_eq!(key.public_pem(), reloaded.public_pem());
        assert!(key.public_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));

        let public = PublicKey::from_pem(key.public_pem().as_bytes()).unwrap();
        let envelope = public.encrypt(b"secret\0").unwrap();
        assert_eq!(envelope.len(), key.ciphertext_len());
        assert_eq!(reloaded.decrypt(&envelope).unwrap().as_slice(), b"secret\0");
        assert_eq!(KeyPair::generate().unwrap().decrypt(&envelope), None);
        assert_eq!(key.decrypt(b"short"), None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let key = KeyPair::generate().unwrap();
        let public = PublicKey::from_pem(key.public_pem().as_bytes()).unwrap();
        assert!(public.encrypt(&[1; 214]).is_some());
        assert!(public.encrypt(&[1; 215]).is_none());
    }

    #[test]
    fn other_texts_are_no_keys() {
        assert_eq!(PublicKey::from_pem(b"hello").unwrap_err(), KeyError::Pem { expected: PUBLIC_LABEL });
        let private = KeyPair::generate().unwrap().private_pem().unwrap();
        assert!(PublicKey::from_pem(private.as_bytes()).is_err());
        assert_eq!(
            PublicKey::from_pem(encode(PUBLIC_LABEL, b"not a key").as_bytes()).unwrap_err(),
            KeyError::NotRsa
        );
    }
}
