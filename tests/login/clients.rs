//! Real clients at our server side.
//!
//! The peer is a server that knows one user and nothing but logins: it judges what the exchange
//! learned itself, where the proxy would ask the primary.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use headgate::auth::rsa::KeyPair;
use headgate::auth::server_side::{Exchange, FAST_OK, Setup, Shown, Step};
use headgate::auth::{Accounts, Method, Nonce, Secret, StoredAccount};
use headgate::lab::tools;
use headgate::net::tls::{CertificateSource, ServerTls};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::err::ErrPacket;
use headgate::wire::greeting::Greeting;
use headgate::wire::login_request::{LoginRequest, is_tls_request};
use headgate::wire::ok::plain_payload;
use headgate::wire::status::StatusFlags;
use tokio::net::{TcpListener, UnixListener};

use crate::packets::Packets;

const PASSWORD: &str = "p\u{e4}ss word";

/// A server of logins.
struct Server {
    advertised: Method,
    accounts: Accounts,
    known: bool,
    rsa: Arc<KeyPair>,
    tls: ServerTls,
    folder: PathBuf,
}

/// What the server saw.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The secret matched.
    right: bool,
    /// By a known secret's scramble.
    fast: bool,
    /// Only the hash was learned.
    hash: bool,
}

impl Server {
    fn new(name: &str, advertised: Method) -> Self {
        let folder = std::env::temp_dir().join(format!("headgate-login-{name}-{}", std::process::id()));
        let tls = ServerTls::load(&CertificateSource::Own { state_dir: folder.clone() }).unwrap();
        let rsa = Arc::new(KeyPair::generate().unwrap());
        Self { advertised, accounts: Accounts::Unavailable, known: false, rsa, tls, folder }
    }

    /// Serves one login; an error says what the client was told, or that it went away.
    async fn serve(&self, mut packets: Packets, local: bool) -> Result<Seen, String> {
        let nonce = Nonce::from_random([0x42; 20]);
        let offered = Capabilities::PROTOCOL_41
            | Capabilities::SECURE_CONNECTION
            | Capabilities::PLUGIN_AUTH
            | Capabilities::PLUGIN_AUTH_LENENC
            | Capabilities::TRANSACTIONS
            | Capabilities::SSL;
        let greeting = Greeting {
            version: b"8.4.0".to_vec(),
            thread_id: 1,
            nonce: nonce.as_bytes().to_vec(),
            capabilities: offered,
            collation: 45,
            status: 2,
            plugin: self.advertised.name().as_bytes().to_vec(),
        };
        let gone = |error: std::io::Error| format!("gone: {error}");
        packets.send(&greeting.payload()).await.map_err(gone)?;
        let mut payload = packets.receive().await.map_err(gone)?;
        let mut secure = local;
        if is_tls_request(&payload) {
            let stream = self.tls.accept(packets.stream).await.map_err(|error| error.to_string())?;
            packets = Packets { stream: Box::new(stream), seq: packets.seq };
            payload = packets.receive().await.map_err(gone)?;
            secure = true;
        }
        let request = LoginRequest::parse(&payload).map_err(|error| error.to_string())?;
        let mut exchange = Exchange::new(Setup {
            advertised: self.advertised.clone(),
            nonce,
            switch_nonce: Nonce::from_random([0x24; 20]),
            secure,
            rsa: Arc::clone(&self.rsa),
            known: self.known.then(right_secret),
        });
        let mut step = exchange.start(request.plugin.as_deref(), &request.auth_response);
        loop {
            step = match step {
                Step::Send(payload) => {
                    packets.send(&payload).await.map_err(gone)?;
                    exchange.on_packet(&packets.receive().await.map_err(gone)?)
                }
                Step::Lookup => exchange.on_accounts(self.accounts.clone()),
                Step::Prove { shown, fast } => return verdict(shown, fast, packets).await,
                Step::Refuse(error) => {
                    packets.send(&error.payload()).await.map_err(gone)?;
                    return Err(error.text().into_owned());
                }
            };
        }
    }

    /// Lets one client of this command line in, over TCP or a unix socket.
    async fn visit(&self, client: &mut std::process::Command, local: bool) -> (Result<Seen, String>, String) {
        let socket = self.folder.join("socket");
        let _ = std::fs::remove_file(&socket);
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let unix = UnixListener::bind(&socket).unwrap();
        let (protocol, host, place) = if local {
            ("--protocol=socket", "--host=localhost", format!("--socket={}", socket.display()))
        } else {
            ("--protocol=tcp", "--host=127.0.0.1", format!("--port={}", tcp.local_addr().unwrap().port()))
        };
        client.args([protocol, host, &place, "--user=someone", "--batch", "--execute=DO 1"]);
        client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = client.spawn().unwrap();
        let said = tokio::task::spawn_blocking(move || child.wait_with_output());
        // A client that dislikes its command line never comes.
        let seen = tokio::time::timeout(Duration::from_secs(10), async {
            let packets = if local {
                Packets::new(unix.accept().await.unwrap().0)
            } else {
                Packets::new(tcp.accept().await.unwrap().0)
            };
            self.serve(packets, local).await
        });
        let seen = seen.await.unwrap_or_else(|late| Err(late.to_string()));
        let said = said.await.unwrap().unwrap();
        (seen, String::from_utf8_lossy(&said.stderr).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn right_secret() -> Secret {
    Secret::from_password(PASSWORD.as_bytes()).unwrap()
}

/// Judges, tells the client, and answers what it says until it leaves.
async fn verdict(shown: Shown, fast: bool, mut packets: Packets) -> Result<Seen, String> {
    let (right, hash) = match &shown {
        // Only a right answer yields a hash.
        Shown::Secret(Secret::NativeHash(_)) => (true, true),
        Shown::Secret(secret) => (secret.same_as(&right_secret()), false),
        Shown::Wrong => (false, false),
    };
    let gone = |error: std::io::Error| format!("gone: {error}");
    if !right {
        let refusal = ErrPacket { code: 1045, state: *b"28000", message: b"Access denied".to_vec() };
        packets.send(&refusal.payload()).await.map_err(gone)?;
        return Ok(Seen { right, fast, hash });
    }
    if fast {
        packets.send(&FAST_OK).await.map_err(gone)?;
    }
    let ok = plain_payload(StatusFlags(2));
    packets.send(&ok).await.map_err(gone)?;
    while let Ok(command) = packets.receive().await {
        if command.first() == Some(&1) || packets.send(&ok).await.is_err() {
            break;
        }
    }
    Ok(Seen { right, fast, hash })
}

fn native_account() -> Accounts {
    Accounts::Rows(vec![StoredAccount::parse(b"mysql_native_password", VERIFIER.as_bytes())])
}

/// `SHA1(SHA1(PASSWORD))` as servers store it, computed with Python's hashlib.
const VERIFIER: &str = "*B20226FFA87FBDF527226AA7202EC42C82CF3079";

fn mysql(arguments: &[&str], password: &str) -> std::process::Command {
    let mut command = tools::mysql().unwrap();
    command.arg("--no-defaults").args(arguments).arg(format!("--password={password}"));
    command
}

/// MariaDB's client, told where the methods are that it loads when asked.
fn mariadb(arguments: &[&str], password: &str) -> std::process::Command {
    let mut command = tools::mariadb().unwrap();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let root = words
        .filter_map(|word| Path::new(word).to_str()?.strip_suffix("usr/bin/mariadb").map(PathBuf::from))
        .next()
        .unwrap_or_else(|| PathBuf::from("/"));
    let methods = root.join("usr/lib/x86_64-linux-gnu/libmariadb3/plugin");
    command.arg("--no-defaults").args(arguments).arg(format!("--password={password}"));
    command.arg(format!("--plugin-dir={}", methods.display()));
    command
}

const PLAIN: &[&str] = &["--ssl-mode=DISABLED", "--get-server-public-key"];
const ENCRYPTED: &[&str] = &["--ssl-mode=REQUIRED"];

#[tokio::test(flavor = "multi_thread")]
async fn the_mysql_client_shows_its_password_by_every_method() {
    for advertised in [Method::CachingSha2, Method::Native] {
        let server = Server::new(&format!("mysql-{advertised}"), advertised.clone());
        for (flags, local) in [(PLAIN, false), (ENCRYPTED, false), (PLAIN, true), (ENCRYPTED, true)] {
            let secure = local || flags == ENCRYPTED;
            let sha2: &[&str] = &["--default-auth=caching_sha2_password"];
            let sha256: &[&str] = &["--default-auth=sha256_password"];
            let clear: &[&str] = &["--default-auth=mysql_clear_password", "--enable-cleartext-plugin"];
            for method in [&[], sha2, sha256, clear] {
                let flags = [flags, method].concat();
                let (seen, said) = server.visit(&mut mysql(&flags, PASSWORD), local).await;
                if method == clear && !secure {
                    assert!(seen.is_err() && said.contains("headgate: mysql_clear_password"), "{said}");
                    continue;
                }
                let right = Seen { right: true, fast: false, hash: false };
                assert_eq!(seen, Ok(right), "{advertised} {flags:?} {local}: {said}");
                let (seen, said) = server.visit(&mut mysql(&flags, "wrong"), local).await;
                let wrong = Seen { right: false, fast: false, hash: false };
                assert_eq!(seen, Ok(wrong), "{advertised} {flags:?} {local}: {said}");
                assert!(said.contains("Access denied"), "{said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mysql_client_is_let_in_fast_when_its_password_is_known() {
    let mut server = Server::new("fast", Method::CachingSha2);
    server.known = true;
    let flags: &[&str] = &["--ssl-mode=DISABLED"];
    let (seen, said) = server.visit(&mut mysql(flags, PASSWORD), false).await;
    assert_eq!(seen, Ok(Seen { right: true, fast: true, hash: false }), "{said}");
    let (seen, said) = server.visit(&mut mysql(PLAIN, "wrong"), false).await;
    assert_eq!(seen, Ok(Seen { right: false, fast: false, hash: false }), "{said}");
    // Without leave to ask for the key the client gives up by itself.
    let (seen, said) = server.visit(&mut mysql(flags, "wrong"), false).await;
    assert!(seen.is_err() && said.contains("secure connection"), "{seen:?} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mariadb_client_by_what_its_account_needs() {
    let plain: &[&str] = &["--skip-ssl"];
    let encrypted: &[&str] = &["--ssl", "--skip-ssl-verify-server-cert"];
    for advertised in [Method::CachingSha2, Method::Native] {
        let mut server = Server::new(&format!("mariadb-{advertised}"), advertised.clone());
        for (flags, local) in [(plain, false), (encrypted, false), (plain, true)] {
            let sha2 = Accounts::Rows(vec![StoredAccount::parse(b"caching_sha2_password", b"$A$")]);
            for (accounts, hash) in [(native_account(), true), (sha2, false), (Accounts::Unavailable, false)]
            {
                server.accounts = accounts;
                let native = [flags, &["--default-auth=mysql_native_password"]].concat();
                let (seen, said) = server.visit(&mut mariadb(&native, PASSWORD), local).await;
                let right = Seen { right: true, fast: false, hash };
                assert_eq!(seen, Ok(right), "{advertised} {native:?} {local} {hash}: {said}");
                let (seen, said) = server.visit(&mut mariadb(&native, "wrong"), local).await;
                let wrong = Seen { right: false, fast: false, hash: false };
                assert_eq!(seen, Ok(wrong), "{advertised} {native:?} {local} {hash}: {said}");
            }
            // Its own choice follows the greeting.
            let (seen, said) = server.visit(&mut mariadb(flags, PASSWORD), local).await;
            assert!(seen.is_ok_and(|seen| seen.right), "{advertised} {flags:?} {local}: {said}");
        }
    }
}
