//! Sends HTTP requests over plain sockets, so that tests see the exact bytes on the wire.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};

/// Time limit for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request to a port of this host.
pub fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("cannot reach port {port}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(|| format!("no whole answer from port {port}"))?;
    parse(&bytes)
}

/// Sends a `GET`.
pub fn get(port: u16, path: &str) -> anyhow::Result<Answer> {
    request(port, "GET", path, &[])
}

fn parse(bytes: &[u8]) -> anyhow::Result<Answer> {
    let end =
        bytes.windows(4).position(|window| window == b"\r\n\r\n").context("the answer has no header")?;
    let head = std::str::from_utf8(&bytes[..end]).context("the header is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("the answer has no status")?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = join_chunks(&body)?;
    }
    Ok(Answer { status: status.parse().context("the status is no number")?, headers, body })
}

fn join_chunks(mut bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n").context("a chunk has no size")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end])?.trim(), 16)?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Ok(body);
        }
        let Some(chunk) = bytes.get(..size) else { bail!("a chunk is cut short") };
        body.extend(chunk);
        bytes = bytes.get(size + 2..).unwrap_or_default();
    }
}
