//! A small HTTP/1.1 responder for /metrics, /healthz and /readyz.
//!
//! Made for Prometheus, load balancers and `curl`, and for nothing else: GET and HEAD, one request a
//! connection, and a bound on everything a stranger could make grow.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::registry::Registry;

/// Longest request, line and headers, in bytes.
const LONGEST_REQUEST: usize = 8 * 1024;
/// Connections served at a time; more wait in the kernel.
const MOST_CONNECTIONS: usize = 32;
/// From the accepted connection to the end of the request, and again to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after a failed accept (no file descriptors left), so that it does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether clients can be served now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    NotReady {
        /// Why, for a person: "no primary".
        why: String,
    },
}

/// What the port shows.
pub struct Pages {
    pub registry: Arc<Registry>,
    /// Called for /readyz.
    pub readiness: Box<dyn Fn() -> Readiness + Send + Sync>,
    /// Called before /metrics is rendered, to set gauges that nobody keeps up to date.
    pub sample: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pages")
    }
}

/// Something that accepts connections.
pub trait Accept: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Answers until it is dropped, and everything it has begun with it.
pub async fn serve(listener: impl Accept, pages: Arc<Pages>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
        }
        // Those that have ended in the meantime.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok(stream) => {
                let pages = Arc::clone(&pages);
                connections.spawn(async move { answer(stream, &pages).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the HTTP port could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Serves one connection. Whatever goes wrong with it is the other side's affair.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, pages: &Pages) {
    let response = match timeout(PATIENCE, request(&mut stream)).await {
        Ok(Ok(Request::Read(head))) => respond(&head, pages),
        Ok(Ok(Request::TooLong)) => Response::text(431, "the request is too long\n"),
        Ok(Err(_)) => return,
        Err(_) => Response::text(408, "the request did not come\n"),
    };
    let sent = timeout(PATIENCE, async {
        stream.write_all(&response.to_bytes()).await?;
        stream.shutdown().await
    });
    // Nobody is left to be told.
    let _ = sent.await;
}

enum Request {
    /// Everything up to the empty line.
    Read(Vec<u8>),
    TooLong,
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Request> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head.len() > LONGEST_REQUEST {
            return Ok(Request::TooLong);
        }
        if head.windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok(Request::Read(head));
        }
    }
}

fn respond(head: &[u8], pages: &Pages) -> Response {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version)) = (method, target, version) else {
        return Response::text(400, "this is not HTTP\n");
    };
    if !version.starts_with(b"HTTP/1.") {
        return Response::text(505, "HTTP/1.1 is spoken here\n");
    }
    if method != b"GET" && method != b"HEAD" {
        return Response { allow: true, ..Response::text(405, "only GET is answered\n") };
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let response = match path {
        b"/metrics" => {
            (pages.sample)();
            Response { kind: METRICS_TYPE, ..Response::text(200, &pages.registry.render()) }
        }
        b"/healthz" => Response::text(200, "alive\n"),
        b"/readyz" => match (pages.readiness)() {
            Readiness::Ready => Response::text(200, "ready\n"),
            Readiness::NotReady { why } => Response::text(503, &format!("not ready: {why}\n")),
        },
        _ => Response::text(404, "there are /metrics, /healthz and /readyz\n"),
    };
    Response { head_only: method == b"HEAD", ..response }
}

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Response {
    status: u16,
    kind: &'static str,
    body: String,
    /// Name the methods that are answered.
    allow: bool,
    /// Leave the body out.
    head_only: bool,
}

impl Response {
    fn text(status: u16, body: &str) -> Self {
        let kind = "text/plain; charset=utf-8";
        Self { status, kind, body: body.to_owned(), allow: false, head_only: false }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            431 => "Request Header Fields Too Large",
            503 => "Service Unavailable",
            _ => "HTTP Version Not Supported",
        };
        let allow = if self.allow { "Allow: GET, HEAD\r\n" } else { "" };
        let mut text = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}Cache-Control: no-store\r\n\
             Connection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body.len(),
        );
        if !self.head_only {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::net::TcpStream;

    use super::*;

    fn pages(readiness: Readiness) -> Arc<Pages> {
        Arc::new(Pages {
            registry: Arc::new(Registry::new()),
            readiness: Box::new(move || readiness.clone()),
            sample: Box::new(|| {}),
        })
    }

    async fn exchange(request: &[u8], pages: &Pages) -> String {
        let (mut near, far) = duplex(64);
        let ask = async {
            near.write_all(request).await.unwrap();
            let mut text = String::new();
            near.read_to_string(&mut text).await.unwrap();
            text
        };
        tokio::join!(ask, answer(far, pages)).0
    }

    async fn check(request: &str, status: &str, body: &str) {
        let text = exchange(request.as_bytes(), &pages(Readiness::Ready)).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?} got {text}");
        let (_, found) = text.split_once("\r\n\r\n").unwrap();
        assert!(found.starts_with(body) && found.is_empty() == body.is_empty(), "{request:?} got {text}");
    }

    #[tokio::test]
    async fn each_page_answers() {
        check("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "#").await;
        check("GET /healthz HTTP/1.0\r\n\r\n", "200 OK", "alive\n").await;
        check("GET /readyz?verbose HTTP/1.1\r\n\r\n", "200 OK", "ready\n").await;
        check("HEAD /healthz HTTP/1.1\r\n\r\n", "200 OK", "").await;
        check("GET / HTTP/1.1\r\n\r\n", "404 Not Found", "there are").await;
        check("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "only GET").await;
        check("GET /metrics HTTP/2\r\n\r\n", "505 HTTP Version Not Supported", "HTTP/1.1").await;
        check("\r\n\r\n", "400 Bad Request", "this is not").await;
        check("\u{0}\u{1} \r\n\r\n", "400 Bad Request", "this is not").await;
    }

    #[tokio::test]
    async fn what_is_not_ready_says_why() {
        let pages = pages(Readiness::NotReady { why: "no primary".to_owned() });
        let text = exchange(b"GET /readyz HTTP/1.1\r\n\r\n", &pages).await;
        assert!(text.starts_with("HTTP/1.1 503 ") && text.ends_with("not ready: no primary\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn long_and_slow_requests_are_ended() {
        let long = vec![b'x'; LONGEST_REQUEST + 2048];
        let (mut near, far) = duplex(64 * 1024);
        near.write_all(&long).await.unwrap();
        answer(far, &pages(Readiness::Ready)).await;
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 431 "), "{text}");

        let text = exchange(b"GET /metrics", &pages(Readiness::Ready)).await;
        assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    }

    #[tokio::test]
    async fn many_connections_are_served_a_few_at_a_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = async {
            // More silent ones than are served at a time hold nobody up for ever.
            let silent: Vec<TcpStream> = {
                let mut silent = Vec::new();
                for _ in 0..MOST_CONNECTIONS - 1 {
                    silent.push(TcpStream::connect(address).await.unwrap());
                }
                silent
            };
            for _ in 0..MOST_CONNECTIONS * 2 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).await.unwrap();
                assert!(text.ends_with("alive\n"), "{text}");
            }
            drop(silent);
        };
        tokio::select! {
            () = serve(listener, pages(Readiness::Ready)) => panic!("serving ended by itself"),
            () = client => {}
        }
    }
}
