// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::fixture::*;
use codec::Encode;
use iroh::endpoint::{Connection, ConnectionError};
use planaria_transfer::{
	Fetch, TransferConfig, TransferError, VERSION,
	protocol::{Hello, close},
};
use std::time::Duration;

pub fn closed_with(error: &ConnectionError) -> Option<u64> {
	match error {
		ConnectionError::ApplicationClosed(reason) => Some(reason.error_code.into_inner()),
		_ => None,
	}
}

async fn code(connection: &Connection) -> Option<u64> {
	closed_with(&connection.closed().await)
}

#[tokio::test]
async fn another_chain_is_refused_on_both_sides() {
	let file = File::new(1024);
	let host = serve(&Store::new(&file, [0])).await;
	let client = bind_with([8; 32], config()).await;
	let fetch = Fetch::new(file.name(0), file.spec);
	let error = client.client().get(&host.addr, fetch).await.unwrap_err();
	assert!(matches!(error, TransferError::WrongGenesis { theirs: Some(GENESIS) }), "{error:?}");
	assert_eq!(client.metrics().wrong_genesis, 1);
	eventually("the server has seen it", || host.transfer.metrics().wrong_genesis == 1).await;
	eventually("it is closed", || host.transfer.metrics().connections == 0).await;

	// What the raw connection is closed with.
	let endpoint = raw_endpoint().await;
	let connection = raw_connect(&endpoint, &host.addr).await;
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	write_frame(&mut send, &Hello { version: VERSION, genesis: [8; 32] }).await;
	assert_eq!(read_frame::<Hello>(&mut recv).await.genesis, GENESIS);
	drop((send, recv));
	assert_eq!(code(&connection).await, Some(close::WRONG_GENESIS.into_inner()));
}

#[tokio::test]
async fn another_version_is_refused_whatever_else_its_hello_says() {
	let file = File::new(1024);
	let host = serve(&Store::new(&file, [0])).await;
	let endpoint = raw_endpoint().await;
	for hello in [(VERSION + 1, GENESIS).encode(), (0u16, "something else").encode()] {
		let connection = raw_connect(&endpoint, &host.addr).await;
		let (mut send, mut recv) = connection.open_bi().await.unwrap();
		send.write_all(&(hello.len() as u32).to_le_bytes()).await.unwrap();
		send.write_all(&hello).await.unwrap();
		assert_eq!(read_frame::<Hello>(&mut recv).await.version, VERSION);
		drop((send, recv));
		assert_eq!(code(&connection).await, Some(close::WRONG_VERSION.into_inner()));
	}
	assert_eq!(host.transfer.metrics().wrong_version, 2);
}

#[tokio::test]
async fn a_server_of_another_version_or_chain_is_refused() {
	let file = File::new(1024);
	let client = bind().await;
	for hello in [
		Hello { version: VERSION + 1, genesis: GENESIS },
		Hello { version: VERSION, genesis: [9; 32] },
	] {
		let endpoint = raw_endpoint().await;
		let addr = raw_addr(&endpoint);
		let server = tokio::spawn(async move {
			let connection = endpoint.accept().await.unwrap().await.unwrap();
			let (mut send, _recv) = connection.accept_bi().await.unwrap();
			write_frame(&mut send, &hello).await;
			code(&connection).await
		});
		let fetch = Fetch::new(file.name(0), file.spec);
		let error = client.client().get(&addr, fetch).await.unwrap_err();
		let expected = match error {
			TransferError::WrongVersion { theirs: Some(theirs) } => {
				assert_eq!(theirs, VERSION + 1);
				close::WRONG_VERSION
			},
			TransferError::WrongGenesis { theirs: Some(theirs) } => {
				assert_eq!(theirs, [9; 32]);
				close::WRONG_GENESIS
			},
			other => panic!("{other:?}"),
		};
		assert_eq!(server.await.unwrap(), Some(expected.into_inner()));
	}
}

#[tokio::test]
async fn who_does_not_shake_hands_is_cut() {
	let file = File::new(1024);
	let short = TransferConfig { handshake_timeout: Duration::from_millis(500), ..config() };
	let host = serve_with(&Store::new(&file, [0]), short).await;
	let endpoint = raw_endpoint().await;
	let silent = raw_connect(&endpoint, &host.addr).await;
	assert_eq!(code(&silent).await, Some(close::TIMEOUT.into_inner()));

	let host = serve(&Store::new(&file, [0])).await;
	for garbage in [&[0, 0, 0, 0][..], &[1, 0, 0, 0, 1], &[255; 8]] {
		let connection = raw_connect(&endpoint, &host.addr).await;
		let (mut send, _recv) = connection.open_bi().await.unwrap();
		send.write_all(garbage).await.unwrap();
		assert_eq!(code(&connection).await, Some(close::MALFORMED.into_inner()));
	}
	// Version and genesis, and more.
	let connection = raw_connect(&endpoint, &host.addr).await;
	let (mut send, _recv) = connection.open_bi().await.unwrap();
	write_frame(&mut send, &(VERSION, GENESIS, 0u8)).await;
	assert_eq!(code(&connection).await, Some(close::MALFORMED.into_inner()));
}
