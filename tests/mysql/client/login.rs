//! The connection phase.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use headgate::wire::auth_switch::{AuthSwitch, MORE_DATA};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::command::Command;
use headgate::wire::encode::{put_lenenc_bytes, put_nul_terminated};
use headgate::wire::err::{ERR, ErrPacket};
use headgate::wire::frame::put_packet;
use headgate::wire::greeting::Greeting;
use headgate::wire::ok::{EOF, OK};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::compression::{Compression, Packing, ZSTD_LEVEL};
use super::connection::{Connection, Duplex, receive};
use super::{crypto, reply, tls};

/// What a client library asks for when its user asks for nothing.
pub(crate) const PLAIN_CLIENT: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::PLUGIN_AUTH_LENENC.0,
);

const CACHING_SHA2: &str = "caching_sha2_password";
const NATIVE: &str = "mysql_native_password";
const SHA256: &str = "sha256_password";
const CLEAR: &str = "mysql_clear_password";

/// Who logs in where, and how.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) schema: Option<String>,
    pub(crate) tls: bool,
    /// The authority that the server's certificate must come from; anyone's will do without.
    pub(crate) ca: Option<PathBuf>,
    /// What is asked for; the server's offer limits it.
    pub(crate) capabilities: Capabilities,
    /// The method of the first response; the server's proposal unless told.
    pub(crate) plugin: Option<&'static str>,
    /// Compress after the login; the server must offer it.
    pub(crate) compression: Option<Compression>,
    /// The last byte of the login request, for zstd.
    pub(crate) zstd_level: u8,
}

impl Options {
    pub(crate) fn new(address: SocketAddr, user: &str, password: &str) -> Self {
        Self {
            address,
            user: user.to_owned(),
            password: password.to_owned(),
            schema: None,
            tls: false,
            ca: None,
            capabilities: PLAIN_CLIENT,
            plugin: None,
            compression: None,
            zstd_level: ZSTD_LEVEL,
        }
    }

    pub(crate) fn schema(mut self, schema: &str) -> Self {
        self.schema = Some(schema.to_owned());
        self
    }

    pub(crate) fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    pub(crate) fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    pub(crate) fn compression(mut self, compression: Option<Compression>) -> Self {
        self.compression = compression;
        self
    }

    pub(crate) fn zstd_level(mut self, level: u8) -> Self {
        self.zstd_level = level;
        self
    }

    pub(crate) fn plugin(mut self, plugin: &'static str) -> Self {
        self.plugin = Some(plugin);
        self
    }

    /// Logs in; the server's refusal is an error here.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        match self.login().await? {
            Ok(connection) => Ok(connection),
            Err(refusal) => bail!("{} may not log in at {}: {refusal}", self.user, self.address),
        }
    }

    /// Logs in, or says how the server refused.
    pub(crate) async fn login(&self) -> Result<Result<Connection, ErrPacket>> {
        let mut stream = TcpStream::connect(self.address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let first = receive(&mut stream).await.context("waiting for the greeting")?;
        if first.payload.first() == Some(&ERR) {
            return Ok(Err(ErrPacket::parse(&first.payload)?));
        }
        let greeting = Greeting::parse(&first.payload)?;
        let capabilities = self.choice(&greeting);
        if let Some(wanted) = self.compression
            && !capabilities.contains(wanted.flag())
        {
            bail!("{} does not offer {wanted:?}", self.address);
        }
        let mut seq = first.seq.wrapping_add(1);
        let stream: Box<dyn Duplex> = if self.tls {
            if !greeting.capabilities.contains(Capabilities::SSL) {
                bail!("{} offers no TLS", self.address);
            }
            let mut request = Vec::new();
            put_packet(&mut request, &mut seq, &self.fixed_part(capabilities));
            stream.write_all(&request).await?;
            let name = ServerName::IpAddress(self.address.ip().into());
            let connector = TlsConnector::from(tls::config(self.ca.as_deref())?);
            Box::new(connector.connect(name, stream).await.context("TLS handshake")?)
        } else {
            Box::new(stream)
        };
        let mut connection = Connection {
            stream: BufReader::new(stream),
            seq,
            packing: None,
            capabilities,
            greeting,
            login_reply: Vec::new(),
            exchange: Vec::new(),
        };
        Ok(match self.prove(&mut connection).await? {
            None => {
                connection.packing = self.compression.map(Packing::new);
                Ok(connection)
            }
            Some(refusal) => Err(refusal),
        })
    }

    fn choice(&self, greeting: &Greeting) -> Capabilities {
        let mut wanted = self.capabilities.without(Capabilities::CONNECT_WITH_DB);
        if self.schema.is_some() {
            wanted = wanted | Capabilities::CONNECT_WITH_DB;
        }
        if self.tls {
            wanted = wanted | Capabilities::SSL;
        }
        if let Some(compression) = self.compression {
            wanted = wanted | compression.flag();
        }
        // MariaDB does not offer LONG_PASSWORD; who sets it all the same speaks MySQL's protocol only.
        let chosen = wanted & (greeting.capabilities | Capabilities::LONG_PASSWORD);
        let extended = chosen & Capabilities::EXTENDED != Capabilities(0);
        if extended { chosen.without(Capabilities::LONG_PASSWORD) } else { chosen }
    }

    fn fixed_part(&self, capabilities: Capabilities) -> Vec<u8> {
        let (base, extended) = capabilities.halves();
        let mut out = base.to_vec();
        out.extend_from_slice(&(1_u32 << 30).to_le_bytes());
        out.push(45); // utf8mb4_general_ci, known to both families
        out.extend_from_slice(&[0; 19]);
        out.extend_from_slice(&extended);
        out
    }

    fn request(&self, capabilities: Capabilities, plugin: &str, response: &[u8]) -> Result<Vec<u8>> {
        let mut out = self.fixed_part(capabilities);
        put_nul_terminated(&mut out, self.user.as_bytes());
        if capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            put_lenenc_bytes(&mut out, response);
        } else {
            out.push(u8::try_from(response.len())?);
            out.extend_from_slice(response);
        }
        if let Some(schema) =
            self.schema.as_ref().filter(|_| capabilities.contains(Capabilities::CONNECT_WITH_DB))
        {
            put_nul_terminated(&mut out, schema.as_bytes());
        }
        if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            put_nul_terminated(&mut out, plugin.as_bytes());
        }
        if capabilities.contains(Capabilities::CONNECT_ATTRS) {
            let mut attributes = Vec::new();
            put_lenenc_bytes(&mut attributes, b"program_name");
            put_lenenc_bytes(&mut attributes, b"headgate-tests");
            put_lenenc_bytes(&mut out, &attributes);
        }
        if capabilities.contains(Capabilities::ZSTD) {
            out.push(self.zstd_level);
        }
        Ok(out)
    }

    fn first_response(&self, plugin: &str, nonce: &[u8]) -> Result<Vec<u8>> {
        let password = self.password.as_bytes();
        Ok(match plugin {
            _ if password.is_empty() => Vec::new(),
            NATIVE => crypto::native(password, nonce),
            CACHING_SHA2 => crypto::caching_sha2(password, nonce),
            SHA256 | CLEAR if self.tls => self.with_nul(),
            SHA256 => vec![1], // asks for the public key
            other => bail!("this client does not know {other}"),
        })
    }

    fn with_nul(&self) -> Vec<u8> {
        let mut clear = self.password.clone().into_bytes();
        clear.push(0);
        clear
    }

    async fn prove(&self, connection: &mut Connection) -> Result<Option<ErrPacket>> {
        let nonce = connection.greeting.nonce.clone();
        let proposed = String::from_utf8_lossy(&connection.greeting.plugin).into_owned();
        let mut plugin = self.plugin.map_or(proposed, str::to_owned);
        if !connection.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            plugin = NATIVE.to_owned();
        }
        let response = self.first_response(&plugin, &nonce)?;
        let request = self.request(connection.capabilities, &plugin, &response)?;
        connection.send(&request).await?;
        self.verdict(connection, nonce).await
    }

    /// COM_CHANGE_USER, from which the server goes on as after a login request.
    pub(crate) async fn change_user(&self, connection: &mut Connection) -> Result<Option<ErrPacket>> {
        let capabilities = connection.capabilities;
        let nonce = connection.greeting.nonce.clone();
        let proposed = String::from_utf8_lossy(&connection.greeting.plugin).into_owned();
        let plugin = self.plugin.map_or(proposed, str::to_owned);
        let response = self.first_response(&plugin, &nonce)?;
        let mut payload = vec![Command::ChangeUser as u8];
        put_nul_terminated(&mut payload, self.user.as_bytes());
        payload.push(u8::try_from(response.len())?);
        payload.extend_from_slice(&response);
        put_nul_terminated(&mut payload, self.schema.as_deref().unwrap_or_default().as_bytes());
        payload.extend_from_slice(&45_u16.to_le_bytes());
        if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            put_nul_terminated(&mut payload, plugin.as_bytes());
        }
        if capabilities.contains(Capabilities::CONNECT_ATTRS) {
            payload.push(0);
        }
        connection.exchange.clear();
        connection.begin_command();
        connection.send(&payload).await?;
        self.verdict(connection, nonce).await
    }

    /// Answers until the server has decided.
    async fn verdict(&self, connection: &mut Connection, mut nonce: Vec<u8>) -> Result<Option<ErrPacket>> {
        loop {
            let packet = connection.receive().await.context("waiting for the verdict")?;
            let payload = &packet.payload;
            match payload.first() {
                Some(&OK) => {
                    connection.login_reply =
                        vec![reply::describe_ok(payload, connection.capabilities).context("login OK")?];
                    return Ok(None);
                }
                Some(&ERR) => return Ok(Some(ErrPacket::parse(payload)?)),
                Some(&EOF) => {
                    let switch = AuthSwitch::parse(payload)?;
                    let plugin = String::from_utf8_lossy(switch.plugin).into_owned();
                    nonce = switch.data.to_vec();
                    connection.exchange.push(format!("switch {plugin}"));
                    let response = self.first_response(&plugin, &nonce)?;
                    connection.send(&response).await?;
                }
                Some(&MORE_DATA) => match payload.get(1..).unwrap_or_default() {
                    [3] => connection.exchange.push("fast".to_owned()),
                    [4] if self.tls => {
                        connection.exchange.push("clear".to_owned());
                        connection.send(&self.with_nul()).await?;
                    }
                    [4] => connection.send(&[2]).await?, // asks for the public key
                    key => {
                        let sealed = crypto::sealed(self.password.as_bytes(), &nonce, key)?;
                        connection.exchange.push("rsa".to_owned());
                        connection.send(&sealed).await?;
                    }
                },
                other => bail!("{other:02x?} is no answer to a login"),
            }
        }
    }
}
