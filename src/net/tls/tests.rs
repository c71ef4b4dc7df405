//! Both sides against each other, over memory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsAcceptor;

use super::verifier::provider;
use super::{
    CertificateFiles, CertificateSource, ClientSettings, ClientTls, Mode, ServerTls, TlsError, is_plain_end,
};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("headgate-tls-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a certificate should be like.
#[derive(Clone, Copy)]
struct Wish {
    names: &'static [&'static str],
    years: (i32, i32),
    own_authority: bool,
}

/// A good certificate for db.example.
const GOOD: Wish = Wish { names: &["db.example", "10.0.0.1"], years: (2020, 2090), own_authority: false };

/// An authority and what it signs.
struct Authority {
    folder: Folder,
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "An authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let folder = Folder::new();
        let file = folder.write("ca.pem", &params.self_signed(&key).unwrap().pem());
        Self { folder, issuer: Issuer::new(params, key), file }
    }

    fn issue(&self, wish: Wish) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = wish.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "A server");
        params.not_before = date_time_ymd(wish.years.0, 1, 1);
        params.not_after = date_time_ymd(wish.years.1, 1, 1);
        if wish.own_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        CertificateFiles {
            certificate: self.folder.write("cert.pem", &certificate.pem()),
            key: self.folder.write("key.pem", &key.serialize_pem()),
        }
    }
}

fn client(mode: Mode, ca: Option<&Path>) -> Result<ClientTls, TlsError> {
    ClientTls::load(&ClientSettings { mode, ca: ca.map(Path::to_owned), certificate: None })
}

fn server(files: &CertificateFiles) -> ServerTls {
    ServerTls::load(&CertificateSource::Given(files.clone())).unwrap()
}

/// Shakes hands and sends a word in each direction.
async fn talk(client: &ClientTls, host: &str, server: &ServerTls) -> Result<(), TlsError> {
    let (near, far) = duplex(16 * 1024);
    let serve = async {
        if let Ok(mut stream) = server.accept(far).await {
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"ping");
            stream.write_all(b"pong").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    };
    let ask = async {
        let mut stream = client.connect(near, host).await?;
        stream.write_all(b"ping").await.unwrap();
        let mut word = Vec::new();
        stream.read_to_end(&mut word).await.unwrap();
        assert_eq!(word, b"pong");
        Ok(())
    };
    tokio::join!(ask, serve).0
}

/// The modes that shake hands, and whether they accept.
async fn check(wish: Wish, host: &str, right_authority: bool, accept: [bool; 4]) {
    let authority = Authority::new();
    let server = server(&authority.issue(wish));
    let other = Authority::new();
    let ca = if right_authority { &authority.file } else { &other.file };
    let modes = [Mode::Preferred, Mode::Required, Mode::VerifyCa, Mode::VerifyIdentity];
    for (mode, accept) in modes.into_iter().zip(accept) {
        let outcome = talk(&client(mode, Some(ca)).unwrap(), host, &server).await;
        match outcome {
            Ok(()) => assert!(accept, "{mode} accepted"),
            Err(TlsError::Certificate { .. }) => assert!(!accept, "{mode} refused"),
            Err(other) => panic!("{mode}: {other}"),
        }
    }
}

#[tokio::test]
async fn each_mode_checks_what_it_says() {
    check(GOOD, "db.example", true, [true, true, true, true]).await;
    check(GOOD, "10.0.0.1", true, [true, true, true, true]).await;
    check(GOOD, "other.example", true, [true, true, true, false]).await;
    check(GOOD, "10.0.0.2", true, [true, true, true, false]).await;
    check(GOOD, "db.example", false, [true, true, false, false]).await;
    // What MySQL makes for itself: no names.
    check(Wish { names: &[], ..GOOD }, "db.example", true, [true, true, true, false]).await;
    let expired = Wish { years: (2001, 2002), ..GOOD };
    check(expired, "db.example", true, [true, true, false, false]).await;
    let premature = Wish { years: (2080, 2090), ..GOOD };
    check(premature, "db.example", true, [true, true, false, false]).await;
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let reason = async |wish: Wish, ours: bool, host: &str| {
        let authority = Authority::new();
        let server = server(&authority.issue(wish));
        let other = Authority::new();
        let ca = if ours { &authority.file } else { &other.file };
        talk(&client(Mode::VerifyIdentity, Some(ca)).unwrap(), host, &server).await.unwrap_err().to_string()
    };
    assert!(
        reason(GOOD, false, "db.example").await.ends_with("servers.ca must be the authority that signed it")
    );
    assert!(reason(GOOD, true, "x.example").await.contains("servers.tls = \"verify-ca\""));
    assert!(reason(Wish { years: (2001, 2002), ..GOOD }, true, "db.example").await.ends_with("; renew it"));
    let authority = Wish { own_authority: true, ..GOOD };
    assert!(reason(authority, true, "db.example").await.contains("let it sign a certificate"));
}

/// A server that shows any chain with any key, in one version of TLS.
fn careless_server(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let signing = provider().key_provider.load_private_key(key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(chain, signing);
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    TlsAcceptor::from(Arc::new(config))
}

async fn shake_hands(client: &ClientTls, server: &TlsAcceptor) -> Result<(), TlsError> {
    let (near, far) = duplex(16 * 1024);
    tokio::join!(client.connect(near, "db.example"), server.accept(far)).0.map(|_| ())
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[tokio::test]
async fn a_stolen_certificate_is_of_no_use_without_its_key() {
    let authority = Authority::new();
    let (chain, _) = authority.issue(GOOD).read().unwrap();
    let stranger = KeyPair::generate().unwrap();
    let client = client(Mode::Preferred, None).unwrap();
    for version in VERSIONS {
        for chain in [chain.clone(), vec![version_1(&chain[0])]] {
            let outcome = shake_hands(&client, &careless_server(chain, &stranger, version)).await;
            assert!(matches!(outcome, Err(TlsError::Certificate { .. })), "{outcome:?}");
        }
    }
}

/// The certificate as it would be in X.509 version 1: without a version field and extensions. The
/// authority's signature does not fit any more.
fn version_1(certificate: &CertificateDer<'_>) -> CertificateDer<'static> {
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let header = if high == 0 { vec![tag, 0x81, low] } else { vec![tag, 0x82, high, low] };
        [header, content.to_vec()].concat()
    }
    /// Splits off the first element, with its tag and length.
    fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
        let header = if bytes[1] < 0x80 { 2 } else { 2 + usize::from(bytes[1] & 0x7F) };
        let len = match header {
            2 => usize::from(bytes[1]),
            _ => bytes[2..header].iter().fold(0, |len, digit| len << 8 | usize::from(*digit)),
        };
        bytes.split_at(header + len)
    }
    fn content(element: &[u8]) -> &[u8] {
        let header = if element[1] < 0x80 { 2 } else { 2 + usize::from(element[1] & 0x7F) };
        &element[header..]
    }
    let (signed, signature) = split(content(certificate));
    let (_version, mut rest) = split(content(signed));
    let mut fields = Vec::new();
    for _ in 0..6 {
        let (field, behind) = split(rest);
        fields.extend_from_slice(field);
        rest = behind;
    }
    let whole = [element(0x30, &fields), signature.to_vec()].concat();
    CertificateDer::from(element(0x30, &whole))
}

#[tokio::test]
async fn certificates_of_version_1_do_where_none_are_verified() {
    let authority = Authority::new();
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["db.example".to_owned()]).unwrap();
        let old = version_1(params.signed_by(&key, &authority.issuer).unwrap().der());
        for version in VERSIONS {
            let server = careless_server(vec![old.clone()], &key, version);
            shake_hands(&client(Mode::Preferred, None).unwrap(), &server).await.unwrap();
            let verifying = client(Mode::VerifyCa, Some(&authority.file)).unwrap();
            let refusal = shake_hands(&verifying, &server).await.unwrap_err().to_string();
            assert!(refusal.contains("issue one of version 3"), "{refusal}");
        }
    }
}

#[test]
fn wants_follows_the_mode() {
    let authority = Authority::new();
    let wants = |mode, offered| client(mode, Some(&authority.file)).unwrap().wants(offered).ok();
    assert_eq!((wants(Mode::Disabled, true), wants(Mode::Disabled, false)), (Some(false), Some(false)));
    assert_eq!((wants(Mode::Preferred, true), wants(Mode::Preferred, false)), (Some(true), Some(false)));
    for mode in [Mode::Required, Mode::VerifyCa, Mode::VerifyIdentity] {
        assert_eq!((wants(mode, true), wants(mode, false)), (Some(true), None));
    }
}

#[test]
fn settings_are_checked_when_loaded() {
    let text = |mode, ca: Option<&Path>| client(mode, ca).unwrap_err().to_string();
    for mode in [Mode::VerifyCa, Mode::VerifyIdentity] {
        assert!(text(mode, None).contains("set servers.ca"));
    }
    let folder = Folder::new();
    let empty = folder.write("empty.pem", "nothing\n");
    assert!(text(Mode::VerifyCa, Some(&empty)).contains("holds no certificate"));
    assert!(text(Mode::VerifyCa, Some(Path::new("/nonexistent/ca.pem"))).contains("cannot read"));

    let (one, other) = (Authority::new(), Authority::new());
    let (first, second) = (one.issue(GOOD), other.issue(GOOD));
    let mixed = CertificateFiles { certificate: first.certificate.clone(), key: second.key };
    let error = ServerTls::load(&CertificateSource::Given(mixed.clone())).unwrap_err();
    assert!(matches!(error, TlsError::Pair { .. }), "{error}");
    let swapped = CertificateFiles { certificate: first.key, key: first.certificate };
    let error = ServerTls::load(&CertificateSource::Given(swapped)).unwrap_err();
    assert!(matches!(error, TlsError::NoCertificate { .. }), "{error}");
    let settings = ClientSettings { mode: Mode::Preferred, ca: None, certificate: Some(mixed) };
    assert!(matches!(ClientTls::load(&settings), Err(TlsError::Pair { .. })));
}

#[tokio::test]
async fn a_host_that_cannot_be_in_a_certificate() {
    let authority = Authority::new();
    let server = server(&authority.issue(GOOD));
    let identity = client(Mode::VerifyIdentity, Some(&authority.file)).unwrap();
    let (near, _far) = duplex(1024);
    assert!(matches!(identity.connect(near, "two words").await, Err(TlsError::HostName { .. })));
    let chain = client(Mode::VerifyCa, Some(&authority.file)).unwrap();
    talk(&chain, "two words", &server).await.unwrap();
}

#[tokio::test]
async fn the_own_certificate_is_made_once_and_names_this_machine() {
    let folder = Folder::new();
    let source = CertificateSource::Own { state_dir: folder.0.join("state") };
    let tls = ServerTls::load(&source).unwrap();
    let certificate = folder.0.join("state/headgate-cert.pem");
    let key = folder.0.join("state/headgate-key.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    // Its own file is the authority that a client can be given.
    let verifying = client(Mode::VerifyIdentity, Some(&certificate)).unwrap();
    for host in ["localhost", "127.0.0.1", "::1"] {
        talk(&verifying, host, &tls).await.unwrap();
    }
    let before = fs::read(&certificate).unwrap();
    ServerTls::load(&source).unwrap();
    assert_eq!(fs::read(&certificate).unwrap(), before);

    // A half-made pair is made anew, whole.
    fs::remove_file(&certificate).unwrap();
    ServerTls::load(&source).unwrap();
    assert_ne!(fs::read(&certificate).unwrap(), before);
}

#[tokio::test]
async fn a_reload_changes_the_next_handshake_and_a_bad_one_changes_nothing() {
    let (old, new) = (Authority::new(), Authority::new());
    let tls = server(&old.issue(GOOD));
    let trusts_new = client(Mode::VerifyCa, Some(&new.file)).unwrap();
    assert!(talk(&trusts_new, "db.example", &tls).await.is_err());
    tls.reload(&CertificateSource::Given(new.issue(GOOD))).unwrap();
    talk(&trusts_new, "db.example", &tls).await.unwrap();
    fs::write(new.folder.0.join("cert.pem"), "broken").unwrap();
    assert!(
        tls.reload(&CertificateSource::Given(CertificateFiles {
            certificate: new.folder.0.join("cert.pem"),
            key: new.folder.0.join("key.pem"),
        }))
        .is_err()
    );
    talk(&trusts_new, "db.example", &tls).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_just_closes_is_a_plain_end() {
    let authority = Authority::new();
    let server = server(&authority.issue(GOOD));
    let client = client(Mode::Preferred, None).unwrap();
    let (near, far) = duplex(16 * 1024);
    let (asked, served) = tokio::join!(client.connect(near, "db.example"), server.accept(far));
    let (mut asked, mut served) = (asked.unwrap(), served.unwrap());
    asked.write_all(b"last words").await.unwrap();
    asked.flush().await.unwrap();
    // Without shutdown there is no close_notify.
    drop(asked);
    let mut heard = Vec::new();
    let error = served.read_to_end(&mut heard).await.unwrap_err();
    assert_eq!(heard, b"last words");
    assert!(is_plain_end(&error), "{error}");
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_is_an_error() {
    let authority = Authority::new();
    let server = server(&authority.issue(GOOD));
    let (mut near, far) = duplex(1024);
    let send = async {
        near.write_all(&[0x20, 0, 0, 1, 0x85, 0xa6]).await.unwrap();
        drop(near);
    };
    let (served, ()) = tokio::join!(server.accept(far), send);
    assert!(matches!(served, Err(TlsError::Handshake { .. })));
}
