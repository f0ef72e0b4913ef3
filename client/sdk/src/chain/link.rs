// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A connection to a node that is made anew after it broke.

use std::{sync::Arc, time::Duration};
use subxt::rpcs::{
	Error, RpcClient, RpcClientT,
	client::{RawRpcFuture, RawRpcSubscription},
};
use tokio::{sync::Mutex, time::timeout};
use tracing::debug;

type RawJson = Box<serde_json::value::RawValue>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A JSON-RPC client for one URL. After the connection broke the next request makes a new one, and
/// a read that fails with the connection is asked once more. Subscriptions end with it.
#[derive(Debug)]
pub struct Link {
	url: String,
	current: Mutex<Option<Arc<RpcClient>>>,
}

impl Link {
	/// Connects.
	pub async fn connect(url: &str) -> Result<Self, Error> {
		let link = Self { url: url.into(), current: Mutex::new(None) };
		link.client().await?;
		Ok(link)
	}

	async fn client(&self) -> Result<Arc<RpcClient>, Error> {
		let mut current = self.current.lock().await;
		if let Some(client) = &*current {
			return Ok(client.clone());
		}
		debug!(url = self.url, "connecting");
		let client = timeout(CONNECT_TIMEOUT, RpcClient::from_insecure_url(&self.url))
			.await
			.map_err(|_| elapsed("no connection"))??;
		Ok(current.insert(Arc::new(client)).clone())
	}

	/// Forgets a connection that broke, unless it was replaced already.
	async fn forget(&self, broken: &Arc<RpcClient>) {
		let mut current = self.current.lock().await;
		if current.as_ref().is_some_and(|client| Arc::ptr_eq(client, broken)) {
			*current = None;
		}
	}

	async fn request(&self, method: &str, params: Option<RawJson>) -> Result<RawJson, Error> {
		// What was sent twice could be done twice.
		let mut attempts = if method.starts_with("author_") { 1 } else { 2 };
		loop {
			let client = self.client().await?;
			let answer = timeout(REQUEST_TIMEOUT, client.request_raw(method, params.clone()))
				.await
				.unwrap_or_else(|_| Err(elapsed("no answer")));
			attempts -= 1;
			match answer {
				Err(Error::Client(error)) => {
					self.forget(&client).await;
					if attempts == 0 {
						return Err(Error::Client(error));
					}
					debug!(%error, method, "asking again");
				},
				answer => return answer,
			}
		}
	}

	async fn subscribe(
		&self,
		sub: &str,
		params: Option<RawJson>,
		unsub: &str,
	) -> Result<RawRpcSubscription, Error> {
		let client = self.client().await?;
		let answer = timeout(REQUEST_TIMEOUT, client.subscribe_raw(sub, params, unsub))
			.await
			.unwrap_or_else(|_| Err(elapsed("no answer")));
		if let Err(Error::Client(_)) = &answer {
			self.forget(&client).await;
		}
		answer
	}
}

fn elapsed(what: &str) -> Error {
	Error::Client(format!("{what} in time").into())
}

impl RpcClientT for Link {
	fn request_raw<'a>(
		&'a self,
		method: &'a str,
		params: Option<RawJson>,
	) -> RawRpcFuture<'a, RawJson> {
		Box::pin(self.request(method, params))
	}

	fn subscribe_raw<'a>(
		&'a self,
		sub: &'a str,
		params: Option<RawJson>,
		unsub: &'a str,
	) -> RawRpcFuture<'a, RawRpcSubscription> {
		Box::pin(self.subscribe(sub, params, unsub))
	}
}
