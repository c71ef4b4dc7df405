//! Our client side at MySQL and MariaDB.

use headgate::auth::Secret;
use headgate::auth::client_side::{Channel, Exchange, Failure, Setup, Step};
use headgate::lab::{Cluster, Flavor, Node};
use headgate::net::tls::{ClientSettings, ClientTls, Mode};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::greeting::Greeting;
use headgate::wire::login_request::LoginRequest;
use tokio::net::{TcpStream, UnixStream};

use crate::packets::Packets;

/// How a login ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Logged in; whether the server was shown more than a scramble.
    Accepted {
        full: bool,
    },
    Refused(u16),
    Failed(Failure),
}

struct Attempt<'a> {
    user: &'a str,
    secret: Secret,
    channel: Channel,
    may_ask_key: bool,
}

impl<'a> Attempt<'a> {
    fn new(user: &'a str, password: &str, channel: Channel) -> Self {
        let secret = Secret::from_password(password.as_bytes()).unwrap();
        Self { user, secret, channel, may_ask_key: true }
    }

    async fn at(self, node: &Node) -> End {
        let mut packets = match self.channel {
            Channel::Local => Packets::new(UnixStream::connect(node.socket()).await.unwrap()),
            _ => Packets::new(TcpStream::connect(node.direct_address()).await.unwrap()),
        };
        let greeting = Greeting::parse(&packets.receive().await.unwrap()).unwrap();
        let mut request = LoginRequest {
            capabilities: Capabilities::PROTOCOL_41
                | Capabilities::SECURE_CONNECTION
                | Capabilities::PLUGIN_AUTH
                | Capabilities::PLUGIN_AUTH_LENENC
                | Capabilities::TRANSACTIONS,
            max_packet: 1 << 24,
            collation: 45,
            user: self.user.as_bytes().to_vec(),
            auth_response: Vec::new(),
            schema: None,
            // Named below; the flag must already stand in the SSLRequest.
            plugin: Some(Vec::new()),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        if matches!(self.channel, Channel::Encrypted | Channel::Verified) {
            request.capabilities = request.capabilities | Capabilities::SSL;
            packets.send(&request.tls_request_payload()).await.unwrap();
            packets = self.encrypt(packets, node).await;
        }
        let setup = Setup {
            secret: self.secret,
            channel: self.channel,
            may_ask_key: self.may_ask_key,
            may_send_clear: false,
        };
        let (exchange, first) = match Exchange::start(setup, &greeting.plugin, &greeting.nonce) {
            Ok(started) => started,
            Err(failure) => return End::Failed(failure),
        };
        request.auth_response = first.response.to_vec();
        request.plugin = Some(first.plugin);
        packets.send(&request.payload()).await.unwrap();
        converse(exchange, packets).await
    }

    async fn encrypt(&self, packets: Packets, node: &Node) -> Packets {
        // The certificates that the server made for itself are in its data directory.
        let (mode, ca) = match self.channel {
            Channel::Verified => (Mode::VerifyCa, Some(node.data_folder().join("ca.pem"))),
            _ => (Mode::Preferred, None),
        };
        let tls = ClientTls::load(&ClientSettings { mode, ca, certificate: None }).unwrap();
        let stream = tls.connect(packets.stream, "localhost").await.unwrap();
        Packets { stream: Box::new(stream), seq: packets.seq }
    }
}

async fn converse(mut exchange: Exchange, mut packets: Packets) -> End {
    let mut full = false;
    loop {
        let payload = packets.receive().await.unwrap();
        full |= payload == [1, 4];
        match exchange.on_packet(&payload) {
            Step::Send(answer) => packets.send(&answer).await.unwrap(),
            Step::Wait => {}
            Step::Accepted => return End::Accepted { full },
            Step::Refused(error) => return End::Refused(error.code),
            Step::Failed(failure) => return End::Failed(failure),
        }
    }
}

const CHANNELS: [Channel; 4] = [Channel::Plain, Channel::Local, Channel::Encrypted, Channel::Verified];

async fn create(node: &Node, user: &str, how: &str) {
    node.sql(format!("CREATE USER '{user}'@'%' IDENTIFIED {how}")).await.unwrap();
}

#[tokio::test]
async fn mysql_lets_every_method_in_on_every_channel() {
    let cluster = Cluster::builder(Flavor::MySql).replicas(0).start().await.unwrap();
    let node = cluster.primary();
    create(node, "sha2", "WITH caching_sha2_password BY 'secret'").await;
    create(node, "sha256", "WITH sha256_password BY 'secret'").await;
    create(node, "nothing", "BY ''").await;
    for channel in CHANNELS {
        // A cold cache wants the password, a warm one only a scramble.
        node.sql("FLUSH PRIVILEGES").await.unwrap();
        let attempt = || Attempt::new("sha2", "secret", channel).at(node);
        assert_eq!(attempt().await, End::Accepted { full: true }, "{channel:?}");
        assert_eq!(attempt().await, End::Accepted { full: false }, "{channel:?}");
        let sha256 = Attempt::new("sha256", "secret", channel).at(node).await;
        assert_eq!(sha256, End::Accepted { full: false }, "{channel:?}");
        let nothing = Attempt::new("nothing", "", channel).at(node).await;
        assert_eq!(nothing, End::Accepted { full: false }, "{channel:?}");
        for (user, password) in
            [("sha2", "wrong"), ("sha2", ""), ("sha256", "wrong"), ("nothing", "x"), ("nobody", "x")]
        {
            let refused = Attempt::new(user, password, channel).at(node).await;
            assert_eq!(refused, End::Refused(1045), "{user} {password} {channel:?}");
        }
    }
}

#[tokio::test]
async fn mysql_does_not_get_what_the_channel_forbids() {
    let cluster = Cluster::builder(Flavor::MySql).replicas(0).start().await.unwrap();
    let node = cluster.primary();
    create(node, "sha2", "WITH caching_sha2_password BY 'secret'").await;
    node.sql("FLUSH PRIVILEGES").await.unwrap();

    let mut attempt = Attempt::new("sha2", "secret", Channel::Plain);
    attempt.may_ask_key = false;
    assert!(matches!(attempt.at(node).await, End::Failed(Failure::KeyNotAllowed { .. })));

    let mut attempt = Attempt::new("sha2", "", Channel::Encrypted);
    attempt.secret = Secret::wrong([7; 20]);
    assert!(matches!(attempt.at(node).await, End::Failed(Failure::NeedsPassword { .. })));
}

#[tokio::test]
async fn mariadb_lets_the_password_and_its_hash_in() {
    let cluster = Cluster::builder(Flavor::MariaDb).replicas(0).start().await.unwrap();
    let node = cluster.primary();
    create(node, "native", "BY 'secret'").await;
    create(node, "nothing", "BY ''").await;
    for channel in [Channel::Plain, Channel::Local] {
        for (user, password, end) in [
            ("native", "secret", End::Accepted { full: false }),
            ("nothing", "", End::Accepted { full: false }),
            ("native", "wrong", End::Refused(1045)),
            ("native", "", End::Refused(1045)),
            ("nobody", "x", End::Refused(1045)),
        ] {
            assert_eq!(Attempt::new(user, password, channel).at(node).await, end, "{user} {password}");
        }
        let mut wrong = Attempt::new("native", "", channel);
        wrong.secret = Secret::wrong([7; 20]);
        assert_eq!(wrong.at(node).await, End::Refused(1045));
    }
}
