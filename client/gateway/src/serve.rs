// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The gateway as a program: listeners, and an end without breaking anything off.

use crate::{
	gateway::{Gateway, StartError},
	s3,
};
use http::Response;
use hyper::{
	body::{Frame, Incoming, SizeHint},
	service::service_fn,
};
use hyper_util::{
	rt::{TokioExecutor, TokioIo, TokioTimer},
	server::conn::auto::Builder,
};
use std::{
	io,
	net::SocketAddr,
	pin::{Pin, pin},
	sync::Arc,
	task::{Context, Poll},
	time::Duration,
};
use tokio::{
	net::TcpListener,
	sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long requests may go on once the gateway is to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(20);
/// How long a client may take to send a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);

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
	let requests = Arc::new(Semaphore::new(gateway.config.requests_at_once.max(1)));
	let s3_gateway = gateway.clone();
	let s3_requests = requests.clone();
	let s3 = accept(
		listeners.s3,
		&stop,
		service_fn(move |request: http::Request<Incoming>| {
			let (service, gateway, requests) =
				(service.clone(), s3_gateway.clone(), s3_requests.clone());
			async move {
				let turn = requests.acquire_owned().await.ok();
				let response = hyper::service::Service::call(&service, request).await;
				let status = match &response {
					Ok(response) => response.status().as_u16(),
					Err(_) => 500,
				};
				let status = status.to_string();
				gateway.metrics.requests.with_label_values(&["s3", &status]).inc();
				let response =
					response.map_err(|error| io::Error::other(s3s::StdError::from(error)))?;
				Ok::<_, io::Error>(response.map(|body| Held { body, _turn: turn }))
			}
		}),
	);
	let plain = accept(
		listeners.plain,
		&stop,
		service_fn(move |request: http::Request<Incoming>| {
			let (gateway, requests) = (gateway.clone(), requests.clone());
			async move {
				let turn = requests.acquire_owned().await.ok();
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

/// Accepts connections until it is told to stop, and lets those that are open end.
async fn accept<S, B>(listener: TcpListener, stop: &Stop, service: S)
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
	let connections = TaskTracker::new();
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
		let connection = builder.serve_connection(TokioIo::new(stream), service.clone());
		let connection = connection.into_owned();
		let stop = stop.clone();
		connections.spawn(async move {
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
	connections.close();
	let _ = tokio::time::timeout(LAST_REQUESTS, connections.wait()).await;
}
