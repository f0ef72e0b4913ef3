// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The gateway as a program: listeners, and an end without breaking anything off.

use crate::{
	gateway::{Gateway, StartError},
	s3,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::{
	body::{Frame, Incoming, SizeHint},
	service::service_fn,
};
use hyper_util::{
	rt::{TokioExecutor, TokioIo, TokioTimer},
	server::conn::auto::Builder,
};
use s3s::service::S3Service;
use std::{
	io::{self, IoSlice},
	net::SocketAddr,
	pin::{Pin, pin},
	sync::Arc,
	task::{Context, Poll},
	time::Duration,
};
use tokio::{
	io::{AsyncRead, AsyncWrite, ReadBuf},
	net::TcpListener,
	sync::{OwnedSemaphorePermit, Semaphore},
	time::{Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long requests may go on once the gateway is to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(20);
/// How long a client may take to send a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// For how long a client may send nothing of a request's body, or take nothing of what it is sent.
const PROGRESS_WITHIN: Duration = Duration::from_secs(60);
/// How the type of what a form sends begins.
const FORM: &[u8] = b"multipart/form-data";
/// What a form is told.
const NO_FORMS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
	<Error><Code>NotImplemented</Code><Message>forms are not supported</Message></Error>";

/// Stops a gateway.
pub type Stop = CancellationToken;

/// Where a gateway listens.
#[derive(Debug)]
pub struct Listeners {
	s3: TcpListener,
	plain: TcpListener,
}

impl Listeners {
	/// Binds the addresses of a configuration.
	pub async fn bind(gateway: &Gateway) -> Result<Self, StartError> {
		let bind = async |address: SocketAddr| {
			let bound = TcpListener::bind(address).await;
			bound.map_err(|error| StartError::Listen { address, error })
		};
		Ok(Self { s3: bind(gateway.config.listen).await?, plain: bind(gateway.config.http).await? })
	}

	/// The addresses of S3 and of plain HTTP.
	pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
		Ok((self.s3.local_addr()?, self.plain.local_addr()?))
	}
}

/// Serves until it is told to stop; then requests that are being answered have some time to end.
pub async fn serve(
	gateway: Arc<Gateway>,
	listeners: Listeners,
	stop: Stop,
) -> Result<(), StartError> {
	let service = s3::service(&gateway).map_err(|error| StartError::Listen {
		address: gateway.config.listen,
		error: io::Error::other(error.to_string()),
	})?;
	let work = tokio::spawn(gateway.clone().work());
	// Each address has its own, so that nobody waits at one for those at the other.
	let turns = || Arc::new(Semaphore::new(gateway.config.requests_at_once.max(1)));
	let (s3_turns, plain_turns) = (turns(), turns());
	let tasks = TaskTracker::new();
	let s3 = S3 { service, gateway: gateway.clone(), turns: s3_turns, tasks: tasks.clone() };
	let s3 = accept(
		listeners.s3,
		&stop,
		tasks,
		service_fn(move |request: http::Request<Incoming>| s3.clone().answer(request)),
	);
	let plain = accept(
		listeners.plain,
		&stop,
		TaskTracker::new(),
		service_fn(move |request: http::Request<Incoming>| {
			let (gateway, turns) = (gateway.clone(), plain_turns.clone());
			async move {
				// Who watches the gateway is told how it is when it has much to do, too.
				let turn = match request.uri().path() {
					"/health" | "/metrics" => None,
					_ => turns.acquire_owned().await.ok(),
				};
				let response = gateway.plain(request).await;
				Ok::<_, io::Error>(response.map(|body| Held { body, _turn: turn }))
			}
		}),
	);
	tokio::join!(s3, plain);
	work.abort();
	let _ = work.await;
	Ok(())
}

/// What answers requests to S3.
#[derive(Clone)]
struct S3 {
	service: S3Service,
	gateway: Arc<Gateway>,
	turns: Arc<Semaphore>,
	tasks: TaskTracker,
}

impl S3 {
	async fn answer(
		self,
		request: http::Request<Incoming>,
	) -> io::Result<Response<Held<s3s::Body>>> {
		let Self { service, gateway, turns, tasks } = self;
		let count = move |status: StatusCode| {
			gateway.metrics.requests.with_label_values(&["s3", status.as_str()]).inc();
		};
		if is_form(request.method(), request.headers()) {
			count(StatusCode::NOT_IMPLEMENTED);
			return Ok(no_forms());
		}
		let turn = turns.acquire_owned().await.ok();
		let request =
			request.map(|body| s3s::Body::http_body(Arriving::new(body, PROGRESS_WITHIN)));
		// A client that hangs up breaks nothing off: a file that got its name gets into the catalog,
		// and what the catalog names no longer is removed. Of a body that breaks the task is told.
		let answered = tasks.spawn(async move {
			let response = service.call(request).await;
			count(match &response {
				Ok(response) => response.status(),
				Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
			});
			let response =
				response.map_err(|error| io::Error::other(s3s::StdError::from(error)))?;
			Ok::<_, io::Error>(response.map(|body| Held { body, _turn: turn }))
		});
		answered.await.map_err(io::Error::other)?
	}
}

/// Whether it is a form. `s3s` would read its file into memory before anybody asks whose it is.
fn is_form(method: &Method, headers: &HeaderMap) -> bool {
	let mut types = headers.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
	*method == Method::POST
		&& types.any(|name| {
			name.get(..FORM.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(FORM))
		})
}

/// The answer to a form, whose body is not read.
fn no_forms() -> Response<Held<s3s::Body>> {
	let body = s3s::Body::from(Bytes::from_static(NO_FORMS.as_bytes()));
	let mut response = Response::new(Held { body, _turn: None });
	*response.status_mut() = StatusCode::NOT_IMPLEMENTED;
	let headers = response.headers_mut();
	headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
	headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
	response
}

/// How long something may make no progress.
struct Patience {
	within: Duration,
	/// Until when, while there is none.
	until: Option<Pin<Box<Sleep>>>,
}

impl Patience {
	fn new(within: Duration) -> Self {
		Self { within, until: None }
	}

	/// Whether what was polled has been pending for too long.
	fn is_over<T>(&mut self, context: &mut Context<'_>, polled: &Poll<T>) -> bool {
		if polled.is_ready() {
			self.until = None;
			return false;
		}
		let within = self.within;
		let until = self.until.get_or_insert_with(|| Box::pin(sleep(within)));
		until.as_mut().poll(context).is_ready()
	}
}

fn timed_out() -> io::Error {
	io::ErrorKind::TimedOut.into()
}

/// A connection whose other side has to take what it is sent. It may be silent for as long as it
/// likes.
struct Sending<S> {
	stream: S,
	patience: Patience,
}

impl<S> Sending<S> {
	fn new(stream: S, within: Duration) -> Self {
		Self { stream, patience: Patience::new(within) }
	}

	fn in_time<T>(
		&mut self,
		context: &mut Context<'_>,
		sent: Poll<io::Result<T>>,
	) -> Poll<io::Result<T>> {
		if self.patience.is_over(context, &sent) { Poll::Ready(Err(timed_out())) } else { sent }
	}
}

impl<S: AsyncRead + Unpin> AsyncRead for Sending<S> {
	fn poll_read(
		mut self: Pin<&mut Self>,
		context: &mut Context<'_>,
		to: &mut ReadBuf<'_>,
	) -> Poll<io::Result<()>> {
		Pin::new(&mut self.stream).poll_read(context, to)
	}
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sending<S> {
	fn poll_write(
		mut self: Pin<&mut Self>,
		context: &mut Context<'_>,
		bytes: &[u8],
	) -> Poll<io::Result<usize>> {
		let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
		self.in_time(context, sent)
	}

	fn poll_write_vectored(
		mut self: Pin<&mut Self>,
		context: &mut Context<'_>,
		parts: &[IoSlice<'_>],
	) -> Poll<io::Result<usize>> {
		let sent = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
		self.in_time(context, sent)
	}

	fn is_write_vectored(&self) -> bool {
		self.stream.is_write_vectored()
	}

	fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
		let sent = Pin::new(&mut self.stream).poll_flush(context);
		self.in_time(context, sent)
	}

	fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
		Pin::new(&mut self.stream).poll_shutdown(context)
	}
}

/// A request's body, of which something has to come while it is waited for.
struct Arriving<B> {
	body: B,
	patience: Patience,
}

impl<B> Arriving<B> {
	fn new(body: B, within: Duration) -> Self {
		Self { body, patience: Patience::new(within) }
	}
}

impl<B> http_body::Body for Arriving<B>
where
	B: http_body::Body + Unpin,
	B::Error: Into<s3s::StdError>,
{
	type Data = B::Data;
	type Error = s3s::StdError;

	fn poll_frame(
		mut self: Pin<&mut Self>,
		context: &mut Context<'_>,
	) -> Poll<Option<Result<Frame<B::Data>, s3s::StdError>>> {
		let frame = Pin::new(&mut self.body).poll_frame(context);
		if self.patience.is_over(context, &frame) {
			return Poll::Ready(Some(Err(timed_out().into())));
		}
		frame.map_err(Into::into)
	}

	fn is_end_stream(&self) -> bool {
		self.body.is_end_stream()
	}

	fn size_hint(&self) -> SizeHint {
		self.body.size_hint()
	}
}

/// A body that is being sent, with the turn its request has.
struct Held<B> {
	body: B,
	_turn: Option<OwnedSemaphorePermit>,
}

impl<B: http_body::Body + Unpin> http_body::Body for Held<B> {
	type Data = B::Data;
	type Error = B::Error;

	fn poll_frame(
		mut self: Pin<&mut Self>,
		context: &mut Context<'_>,
	) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
		Pin::new(&mut self.body).poll_frame(context)
	}

	fn is_end_stream(&self) -> bool {
		self.body.is_end_stream()
	}

	fn size_hint(&self) -> SizeHint {
		self.body.size_hint()
	}
}

/// Accepts connections until it is told to stop, and lets those that are open end, and what else is
/// among their tasks.
async fn accept<S, B>(listener: TcpListener, stop: &Stop, tasks: TaskTracker, service: S)
where
	S: hyper::service::Service<http::Request<Incoming>, Response = Response<B>, Error = io::Error>
		+ Clone
		+ Send
		+ 'static,
	S::Future: Send + 'static,
	B: http_body::Body + Send + 'static,
	B::Data: Send,
	B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
	loop {
		let stream = tokio::select! {
			() = stop.cancelled() => break,
			accepted = listener.accept() => match accepted {
				Ok((stream, _)) => stream,
				Err(error) => {
					// Out of file descriptors, for example.
					tracing::warn!(%error, "cannot accept a connection");
					tokio::time::sleep(Duration::from_millis(100)).await;
					continue;
				},
			},
		};
		let _ = stream.set_nodelay(true);
		let mut builder = Builder::new(TokioExecutor::new()).http1_only();
		builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
		let stream = TokioIo::new(Sending::new(stream, PROGRESS_WITHIN));
		let connection = builder.serve_connection(stream, service.clone());
		let connection = connection.into_owned();
		let stop = stop.clone();
		tasks.spawn(async move {
			let mut connection = pin!(connection);
			let ended = tokio::select! {
				ended = connection.as_mut() => ended,
				() = stop.cancelled() => {
					connection.as_mut().graceful_shutdown();
					connection.await
				},
			};
			if let Err(error) = ended {
				tracing::debug!(%error, "a connection broke");
			}
		});
	}
	drop(listener);
	tasks.close();
	let _ = tokio::time::timeout(LAST_REQUESTS, tasks.wait()).await;
}

#[cfg(test)]
mod tests {
	use super::*;
	use futures::stream;
	use http_body_util::{BodyExt, Full, StreamBody};
	use tokio::{
		io::{AsyncReadExt, AsyncWriteExt, duplex},
		time::timeout,
	};

	const SHORT: Duration = Duration::from_millis(50);

	#[tokio::test]
	async fn who_takes_nothing_is_given_up() {
		let (near, far) = duplex(16);
		let mut near = Sending::new(near, SHORT);
		near.write_all(&[0; 16]).await.expect("there is room");
		assert!(timeout(4 * SHORT, near.read_u8()).await.is_err(), "all was taken");
		let error = near.write_all(&[0]).await.expect_err("there is no room");
		assert_eq!(error.kind(), io::ErrorKind::TimedOut);
		drop(far);
	}

	#[tokio::test]
	async fn who_takes_a_little_at_a_time_is_not() {
		let (near, mut far) = duplex(1);
		let mut near = Sending::new(near, 20 * SHORT);
		let taking = async {
			for _ in 0..15 {
				sleep(2 * SHORT).await;
				far.read_u8().await.expect("it was sent");
			}
		};
		let (sent, ()) = tokio::join!(near.write_all(&[0; 15]), taking);
		sent.expect("it was taken");
	}

	#[tokio::test]
	async fn a_body_of_which_nothing_comes_breaks() {
		let nothing = stream::pending::<io::Result<Frame<Bytes>>>();
		let mut body = Arriving::new(StreamBody::new(nothing), SHORT);
		let error = body.frame().await.expect("it breaks").expect_err("nothing came");
		assert_eq!(error.to_string(), "timed out");
		let body = Arriving::new(Full::new(Bytes::from_static(b"all")), SHORT);
		assert_eq!(body.collect().await.expect("it came").to_bytes(), &b"all"[..]);
	}
}
