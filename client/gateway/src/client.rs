// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Asking another gateway, or this one from another process.

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// How long the other may take for the next thing it has to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer that is read as a whole.
const LONGEST: usize = 64 << 20;

fn wrong(reason: impl ToString) -> io::Error {
	io::Error::other(reason.to_string())
}

/// Asks the gateway at this URL for a path; gives the answer, whose body comes as it is read.
pub async fn ask(url: &str, path: &str) -> io::Result<Response<Incoming>> {
	let uri: Uri = url.parse().map_err(wrong)?;
	if uri.scheme_str() != Some("http") {
		return Err(wrong("the URL does not begin with http://"));
	}
	let authority = uri.authority().ok_or_else(|| wrong("the URL names no host"))?;
	let address = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
	let late = |_| io::Error::from(io::ErrorKind::TimedOut);
	let stream = timeout(PATIENCE, TcpStream::connect(address)).await.map_err(late)??;
	let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(wrong)?;
	tokio::spawn(connection);
	let path = format!("{}{path}", uri.path().trim_end_matches('/'));
	let request = Request::get(path)
		.header(header::HOST, authority.as_str())
		.body(Empty::<Bytes>::new())
		.map_err(wrong)?;
	let response = timeout(PATIENCE, sender.send_request(request)).await.map_err(late)?;
	response.map_err(wrong)
}

/// Asks the gateway at this URL for a path; gives the answer's body as it comes. An answer other
/// than 200 is an error.
pub async fn open(url: &str, path: &str) -> io::Result<Incoming> {
	body_of(ask(url, path).await?)
}

fn body_of(response: Response<Incoming>) -> io::Result<Incoming> {
	if response.status() != http::StatusCode::OK {
		return Err(wrong(format!("it answers {}", response.status())));
	}
	Ok(response.into_body())
}

/// Asks the gateway at this URL for a path; gives the whole answer.
pub async fn get(url: &str, path: &str) -> io::Result<Bytes> {
	whole(open(url, path).await?).await
}

/// The same, for what may not be there.
pub async fn find(url: &str, path: &str) -> io::Result<Option<Bytes>> {
	let response = ask(url, path).await?;
	if response.status() == http::StatusCode::NOT_FOUND {
		return Ok(None);
	}
	whole(body_of(response)?).await.map(Some)
}

async fn whole(body: Incoming) -> io::Result<Bytes> {
	let body = Limited::new(body, LONGEST);
	let late = |_| io::Error::from(io::ErrorKind::TimedOut);
	let whole = timeout(PATIENCE, body.collect()).await.map_err(late)?;
	Ok(whole.map_err(wrong)?.to_bytes())
}
