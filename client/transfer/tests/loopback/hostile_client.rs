// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Honest servers against clients that lie, stall or send what is no message.

use crate::{fixture::*, handshake::closed_with};
use codec::Encode;
use planaria_transfer::{
	Fetch, GROUP_LEN, PutOutcome, VERSION,
	protocol::{GetAnswer, GetRequest, Hello, PutAnswer, PutDone, Request, close},
};
use std::time::Duration;

#[tokio::test]
async fn a_wrong_byte_is_refused_at_its_group_and_what_came_before_is_kept() {
	let file = File::new(3 << 20);
	let client = bind().await;
	for group in [0u32, 1, 50, 191] {
		let store = Store::new(&file, []);
		let host = serve(&store).await;
		let endpoint = raw_endpoint().await;
		let connection = raw_client(&endpoint, &host.addr).await;
		let (mut send, mut recv) = connection.open_bi().await.unwrap();
		write_frame(&mut send, &Request::Put(file.offer(0))).await;
		assert_eq!(read_frame::<PutAnswer>(&mut recv).await, PutAnswer::Accepted { offset: 0 });
		let mut stream = file.stream(0, 0..file.len());
		let start = (group * GROUP_LEN) as usize;
		let sample = &file.fragments[0][start..start + 64];
		let at = stream.windows(64).position(|window| window == sample).unwrap();
		stream[at + 3000] ^= 1;
		let _ = send.write_all(&stream).await;
		let offset = group * GROUP_LEN;
		assert_eq!(read_frame::<PutDone>(&mut recv).await, PutDone::WrongBytes { offset });
		assert!(!store.holds(&file.name(0)));
		assert_eq!(store.partial_len(&file.name(0)), start);
		let blamed = [(*endpoint.id().as_bytes(), 1)];
		let seen = || host.transfer.metrics().wrong_bytes_by_peer == blamed;
		eventually("it is counted", seen).await;

		let outcome = client.client().put(&host.addr, &file.put(0)).await.unwrap();
		assert_eq!(outcome, PutOutcome::Stored { sent: file.len() - offset });
		assert!(store.holds(&file.name(0)));
	}
}

#[tokio::test]
async fn a_put_that_breaks_or_stalls_is_not_stored() {
	let file = File::new(3 << 20);
	for way in 0..4 {
		let store = Store::new(&file, []);
		let host = serve(&store).await;
		let endpoint = raw_endpoint().await;
		let connection = raw_client(&endpoint, &host.addr).await;
		let (mut send, mut recv) = connection.open_bi().await.unwrap();
		write_frame(&mut send, &Request::Put(file.offer(0))).await;
		assert_eq!(read_frame::<PutAnswer>(&mut recv).await, PutAnswer::Accepted { offset: 0 });
		let stream = file.stream(0, 0..file.len());
		send.write_all(&stream[..stream.len() / 2]).await.unwrap();
		let arrived = || host.transfer.metrics().bytes_in > 1 << 20;
		eventually("half has arrived", arrived).await;
		match way {
			0 => send.finish().unwrap(),
			1 => connection.close(0u32.into(), b"gone"),
			2 => send.reset(0u32.into()).unwrap(),
			_ => assert_eq!(read_frame::<PutDone>(&mut recv).await, PutDone::Stalled),
		}
		eventually("it was abandoned", || store.partial_len(&file.name(0)) > 0).await;
		assert!(!store.holds(&file.name(0)));
		eventually("its end is counted", || host.transfer.metrics().active == 0).await;
		let metrics = host.transfer.metrics();
		assert_eq!((metrics.stalled, metrics.interrupted), if way == 3 { (1, 0) } else { (0, 1) });
	}
}

#[tokio::test]
async fn what_is_no_request_closes_the_connection() {
	let file = File::new(1024);
	let host = serve(&Store::new(&file, [0])).await;
	let endpoint = raw_endpoint().await;
	let request = Request::Get(GetRequest { name: file.name(0), start: 0, end: 1024 }).encode();
	let frame = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
	for garbage in [
		(1u32 << 31).to_le_bytes().to_vec(),
		65_537u32.to_le_bytes().to_vec(),
		frame(&[]),
		frame(&[200]),
		frame(&request[..request.len() - 1]),
		frame(&[&request[..], &[0]].concat()),
		frame(&[7; 65_536]),
	] {
		let connection = raw_client(&endpoint, &host.addr).await;
		let (mut send, _recv) = connection.open_bi().await.unwrap();
		let _ = send.write_all(&garbage).await;
		let code = closed_with(&connection.closed().await);
		assert_eq!(code, Some(close::MALFORMED.into_inner()));
	}
	assert_eq!(host.transfer.metrics().malformed, 7);

	// A frame that ends too early only ends its stream.
	let connection = raw_client(&endpoint, &host.addr).await;
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	send.write_all(&frame(&request)[..30]).await.unwrap();
	send.finish().unwrap();
	assert_eq!(recv.read_to_end(100).await.unwrap(), []);
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	send.write_all(&frame(&request)).await.unwrap();
	assert!(matches!(read_frame(&mut recv).await, GetAnswer::Found { len: 1024, .. }));
}

#[tokio::test]
async fn ranges_outside_the_fragment_are_refused() {
	let file = File::new(2 * GROUP_LEN);
	let host = serve(&Store::new(&file, [0])).await;
	let endpoint = raw_endpoint().await;
	let connection = raw_client(&endpoint, &host.addr).await;
	let len = file.len();
	for (start, end) in [(0, 0), (5, 5), (6, 5), (0, len + 1), (len, len + 1), (9, u32::MAX)] {
		let (mut send, mut recv) = connection.open_bi().await.unwrap();
		let request = GetRequest { name: file.name(0), start, end };
		write_frame(&mut send, &Request::Get(request)).await;
		assert_eq!(read_frame::<GetAnswer>(&mut recv).await, GetAnswer::BadRange);
	}
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	let request = GetRequest { name: file.name(0), start: GROUP_LEN + 5, end: GROUP_LEN + 6 };
	write_frame(&mut send, &Request::Get(request)).await;
	assert!(matches!(read_frame(&mut recv).await, GetAnswer::Found { .. }));
	let stream = recv.read_to_end(1 << 20).await.unwrap();
	assert!(stream == file.stream(0, GROUP_LEN..len));
}

#[tokio::test]
async fn who_opens_a_stream_and_says_nothing_costs_little() {
	let file = File::new(1024);
	let mut short = config();
	short.request_timeout = Duration::from_secs(2);
	let host = serve_with(&Store::new(&file, [0]), short).await;
	let endpoint = raw_endpoint().await;
	let connection = raw_client(&endpoint, &host.addr).await;
	let mut streams = Vec::new();
	for _ in 0..10 {
		let (mut send, recv) = connection.open_bi().await.unwrap();
		send.write_all(&[1, 0]).await.unwrap();
		streams.push((send, recv));
	}
	// Others are served meanwhile.
	let fetch = Fetch::new(file.name(0), file.spec);
	assert!(bind().await.client().get(&host.addr, fetch).await.is_ok());
	for (_send, mut recv) in streams {
		assert_eq!(recv.read_to_end(10).await.unwrap(), []);
	}
	assert_eq!(host.transfer.metrics().active, 0);
}

#[tokio::test]
async fn who_does_not_read_is_cut() {
	let file = File::new(8 << 20);
	let mut impatient = config();
	impatient.stall_timeout = Duration::from_millis(500);
	let host = serve_with(&Store::new(&file, [0]), impatient).await;
	let endpoint = raw_endpoint().await;
	let connection = raw_client(&endpoint, &host.addr).await;
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	let request = GetRequest { name: file.name(0), start: 0, end: file.len() };
	write_frame(&mut send, &Request::Get(request)).await;
	assert!(matches!(read_frame(&mut recv).await, GetAnswer::Found { .. }));
	eventually("it was cut", || host.transfer.metrics().stalled == 1).await;
	assert!(recv.read_to_end(10 << 20).await.is_err());
	eventually("its place is free", || host.transfer.metrics().active == 0).await;
}

#[tokio::test]
async fn a_second_handshake_is_no_request() {
	let file = File::new(1024);
	let host = serve(&Store::new(&file, [0])).await;
	let endpoint = raw_endpoint().await;
	let connection = raw_client(&endpoint, &host.addr).await;
	let (mut send, _recv) = connection.open_bi().await.unwrap();
	write_frame(&mut send, &Hello { version: VERSION, genesis: GENESIS }).await;
	let code = closed_with(&connection.closed().await);
	assert_eq!(code, Some(close::MALFORMED.into_inner()));
}
