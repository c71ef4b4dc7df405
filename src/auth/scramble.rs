//! The arithmetic of the two challenge-response methods.
//!
//! Source: MySQL Internals, "Native Authentication" and "Caching SHA-2 Pluggable Authentication".
//!
//! - native: `SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password)))`; the server stores
//!   `SHA1(SHA1(password))`, so whoever knows what is stored can take `SHA1(password)` out of a right
//!   answer;
//! - caching_sha2, fast: `SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce)`.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use zeroize::Zeroizing;

use super::nonce::Nonce;

/// Bytes of a SHA-1 digest and of a native answer.
pub(super) const SHA1_LEN: usize = 20;
/// Bytes of a SHA-256 digest and of a fast caching_sha2 answer.
pub(super) const SHA256_LEN: usize = 32;

/// `SHA1(password)`: what native answers are made of.
pub(super) fn native_hash(password: &[u8]) -> Zeroizing<[u8; SHA1_LEN]> {
    Zeroizing::new(sha1(&[password]))
}

/// The native answer of whoever knows `SHA1(password)`.
pub(super) fn native_answer(hash: &[u8; SHA1_LEN], nonce: &Nonce) -> [u8; SHA1_LEN] {
    let stored = sha1(&[hash]);
    let mut answer = sha1(&[nonce.as_bytes(), &stored]);
    xor_cycled(&mut answer, hash);
    answer
}

/// Checks a native answer against the stored `SHA1(SHA1(password))` and takes `SHA1(password)` out
/// of it if it is right.
pub(super) fn recover_native_hash(
    answer: &[u8; SHA1_LEN],
    stored: &[u8; SHA1_LEN],
    nonce: &Nonce,
) -> Option<Zeroizing<[u8; SHA1_LEN]>> {
    let mut hash = Zeroizing::new(sha1(&[nonce.as_bytes(), stored]));
    xor_cycled(hash.as_mut(), answer);
    equal(&sha1(&[hash.as_ref()]), stored).then_some(hash)
}

/// The fast answer of caching_sha2_password.
pub(super) fn caching_sha2_answer(password: &[u8], nonce: &Nonce) -> [u8; SHA256_LEN] {
    let hash: Zeroizing<[u8; SHA256_LEN]> = Zeroizing::new(sha256(&[password]));
    let twice: Zeroizing<[u8; SHA256_LEN]> = Zeroizing::new(sha256(&[hash.as_ref()]));
    let mut answer = sha256(&[twice.as_ref(), nonce.as_bytes()]);
    xor_cycled(&mut answer, hash.as_ref());
    answer
}

/// Whether two secrets are the same, in a time that depends on their lengths only.
pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    verify_slices_are_equal(a, b).is_ok()
}

/// `bytes[i] ^= pattern[i mod pattern.len()]`.
pub(super) fn xor_cycled(bytes: &mut [u8], pattern: &[u8]) {
    for (byte, mask) in bytes.iter_mut().zip(pattern.iter().cycle()) {
        *byte ^= mask;
    }
}

fn sha1(parts: &[&[u8]]) -> [u8; SHA1_LEN] {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, parts)
}

pub(super) fn sha256(parts: &[&[u8]]) -> [u8; SHA256_LEN] {
    digest(&SHA256, parts)
}

fn digest<const N: usize>(algorithm: &'static Algorithm, parts: &[&[u8]]) -> [u8; N] {
    let mut context = Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; N];
    // N is the algorithm's own length at both call sites, so nothing is cut and nothing stays zero.
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The expected values were computed with Python's hashlib from the formulas at the top.
    #[test]
    fn known_answers() {
        let check = |password: &[u8], nonce: &[u8], native: &str, stored: &str, sha2: &str| {
            let nonce = Nonce::received(nonce).unwrap();
            let hash = native_hash(password);
            assert_eq!(hex(&native_answer(&hash, &nonce)), native);
            assert_eq!(hex(&sha1(&[hash.as_ref()])), stored);
            assert_eq!(hex(&caching_sha2_answer(password, &nonce)), sha2);
        };
        check(
            b"password",
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
            "c17d6009a5cb47e59f7483fcf05553bbbf7dd0d6",
            "2470c0c06dee42fd1618bb99005adca2ec9d1e19",
            "f7ab1c623a6e98dceab35e926290e5746a3141116115f4dd8ccca994393eccdd",
        );
        check(
            "p\u{e4}ssw\u{f6}rd\u{2713}".as_bytes(),
            b"ABCDEFGHIJKLMNOPQRST",
            "30e0b660a9f6805c2a3517d8486b9775b10ef8c8",
            "12e7ce6a1172201f9e84f73f9c2b6c8be1d786a5",
            "a3a76054b79a1c43258459664a26a56bcf94eedd6cbd25c239a62d950fffa10c",
        );
        check(
            &[b'x'; 200],
            b"defghijklmnopqrstuvw",
            "0bed40f6265103369d9431e30469b3a0e2086675",
            "a63433d0dc9e95ed513f7534b7bbaf43f80e213d",
            "6d89ae05c68adc79dc17db8c3b522c4b1191dbc2acad62016c05c515571268d9",
        );
    }

    proptest! {
        #[test]
        fn a_right_native_answer_yields_the_hash(password: Vec<u8>, random: [u8; 20]) {
            let nonce = Nonce::from_random(random);
            let hash = native_hash(&password);
            let stored = sha1(&[hash.as_ref()]);
            let answer = native_answer(&hash, &nonce);
            prop_assert_eq!(recover_native_hash(&answer, &stored, &nonce), Some(hash));
        }

        #[test]
        fn a_wrong_native_answer_yields_nothing(password: Vec<u8>, random: [u8; 20], bit in 0usize..160) {
            let nonce = Nonce::from_random(random);
            let hash = native_hash(&password);
            let mut answer = native_answer(&hash, &nonce);
            answer[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(recover_native_hash(&answer, &sha1(&[hash.as_ref()]), &nonce), None);
        }

        #[test]
        fn the_veil_is_its_own_inverse(bytes: Vec<u8>, random: [u8; 20]) {
            let nonce = Nonce::from_random(random);
            let mut veiled = bytes.clone();
            nonce.veil(&mut veiled);
            nonce.veil(&mut veiled);
            prop_assert_eq!(veiled, bytes);
        }
    }
}
