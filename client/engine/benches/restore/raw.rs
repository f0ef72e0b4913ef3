// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Raw iroh: as many bytes from as many endpoints to one, and nothing done with them. No
//! restoration that reads them can be faster.

use crate::Result;
use bytes::Bytes;
use futures::{StreamExt, stream};
use iroh::{
	Endpoint, EndpointAddr, RelayMode, SecretKey,
	endpoint::{QuicTransportConfig, presets},
};
use planaria_primitives::MAX_FRAGMENT_LEN;
use std::{net::SocketAddr, time::Instant};

const ALPN: &[u8] = b"planaria/bench/raw";
/// As many as a miner that restores four fragments from four sources each.
const STREAMS: usize = 16;

/// Bytes per second of `fragments` of 8 MiB from `servers` endpoints.
pub async fn speed(servers: u32, fragments: u32) -> Result<f64> {
	let client = endpoint(200).await?;
	let mut connections = Vec::new();
	for number in 0..servers {
		let server = endpoint(201 + u8::try_from(number)?).await?;
		let addr = server.bound_sockets().first().copied().ok_or("not bound")?;
		let addr = EndpointAddr::new(server.id()).with_ip_addr(addr);
		tokio::spawn(serve(server));
		connections.push(client.connect(addr, ALPN).await?);
	}
	let began = Instant::now();
	let gets = (0..fragments).map(|number| {
		let connection = connections[(number % servers) as usize].clone();
		async move {
			let (mut send, mut recv) = connection.open_bi().await?;
			send.write_all(b"get").await?;
			send.finish()?;
			let mut chunks = vec![Bytes::new(); 64];
			while recv.read_many_chunks(&mut chunks).await?.is_some() {}
			Result::Ok(())
		}
	});
	let mut gets = stream::iter(gets).buffer_unordered(STREAMS);
	while let Some(got) = gets.next().await {
		got?;
	}
	let bytes = f64::from(fragments) * f64::from(MAX_FRAGMENT_LEN);
	Ok(bytes / began.elapsed().as_secs_f64())
}

async fn serve(server: Endpoint) -> Result<()> {
	let fragment = Bytes::from(vec![0x5a; MAX_FRAGMENT_LEN as usize]);
	while let Some(incoming) = server.accept().await {
		let fragment = fragment.clone();
		tokio::spawn(async move {
			let connection = incoming.await?;
			while let Ok((mut send, mut recv)) = connection.accept_bi().await {
				let fragment = fragment.clone();
				tokio::spawn(async move {
					recv.read_to_end(8).await?;
					send.write_chunk(fragment).await?;
					send.finish()?;
					Result::Ok(())
				});
			}
			Result::Ok(())
		});
	}
	Ok(())
}

async fn endpoint(seed: u8) -> Result<Endpoint> {
	Ok(Endpoint::builder(presets::Minimal)
		.secret_key(SecretKey::from_bytes(&[seed; 32]))
		.alpns(vec![ALPN.to_vec()])
		.relay_mode(RelayMode::Disabled)
		.transport_config(QuicTransportConfig::default())
		.clear_ip_transports()
		.bind_addr(SocketAddr::from(([127, 0, 0, 1], 0)))?
		.bind()
		.await?)
}
