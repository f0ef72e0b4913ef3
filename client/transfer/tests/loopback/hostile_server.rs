// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Honest clients against servers that lie, stall or die.

use crate::fixture::*;
use iroh::endpoint::{Connection, RecvStream, SendStream};
use planaria_primitives::Sidecar;
use planaria_transfer::{
	Fetch, GROUP_LEN, PeerAddr, PutOutcome, TransferError, VERSION,
	protocol::{GetAnswer, GetRequest, Hello, PutAnswer, PutDone, Request},
};
use std::{
	future::Future,
	sync::{
		Arc,
		atomic::{AtomicUsize, Ordering::SeqCst},
	},
	time::Duration,
};
use tokio::{sync::watch, time::sleep};

/// A server that answers every request as `answer` does, which also gets the request's number.
async fn liar<F, A>(answer: A) -> PeerAddr
where
	A: Fn(usize, Request, SendStream, RecvStream, Connection) -> F + Send + Sync + 'static,
	F: Future<Output = ()> + Send + 'static,
{
	let endpoint = raw_endpoint().await;
	let addr = raw_addr(&endpoint);
	let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
	tokio::spawn(async move {
		while let Some(incoming) = endpoint.accept().await {
			let (answer, count) = (answer.clone(), count.clone());
			tokio::spawn(async move {
				let connection = incoming.await.unwrap();
				let (mut send, mut recv) = connection.accept_bi().await.unwrap();
				let _: Hello = read_frame(&mut recv).await;
				write_frame(&mut send, &Hello { version: VERSION, genesis: GENESIS }).await;
				while let Ok((send, mut recv)) = connection.accept_bi().await {
					let request = read_frame(&mut recv).await;
					let number = count.fetch_add(1, SeqCst);
					let connection = connection.clone();
					tokio::spawn(answer(number, request, send, recv, connection));
				}
			});
		}
	});
	addr
}

fn found(file: &File, index: u8) -> GetAnswer {
	let sidecar = file.sidecars[usize::from(index)].clone();
	GetAnswer::Found { hash: file.hash(index), len: file.len(), sidecar }
}

fn asked(request: &Request) -> GetRequest {
	let Request::Get(request) = request else { panic!("{request:?}") };
	*request
}

#[tokio::test]
async fn a_wrong_byte_stops_the_transfer_at_its_group_and_an_honest_peer_goes_on() {
	let file = File::new(50 * GROUP_LEN + 64);
	let honest = serve(&Store::new(&file, [0])).await;
	for wrong in [0, 1, GROUP_LEN, 7 * GROUP_LEN + 5, 32 * GROUP_LEN, file.len() - 1] {
		let lying = file.clone();
		let addr = liar(move |_, request, mut send, _, _| {
			let file = lying.clone();
			async move {
				let range = asked(&request);
				write_frame(&mut send, &found(&file, 0)).await;
				let bytes = &file.fragments[0];
				let mut stream = file.stream(0, range.start..range.end);
				let at = find_group(&stream, bytes, wrong);
				stream[at] ^= 0x10;
				let _ = send.write_all(&stream).await;
			}
		})
		.await;
		let client = bind().await;
		let mut fetch = Fetch::new(file.name(0), file.spec);
		let error = client.client().fetch(&addr, &mut fetch).await.unwrap_err();
		let group = wrong / GROUP_LEN * GROUP_LEN;
		assert!(
			matches!(error, TransferError::WrongBytes { offset } if offset == group),
			"{error:?}"
		);
		assert!(error.is_peers_fault());
		assert_eq!(fetch.verified(), group);
		let metrics = client.metrics();
		assert_eq!(metrics.wrong_bytes_by_peer, [(addr.key, 1)]);
		assert_eq!(metrics.bytes_in, u64::from(group));

		let before = honest.transfer.metrics().bytes_out;
		client.client().fetch(&honest.addr, &mut fetch).await.unwrap();
		let sent = honest.transfer.metrics().bytes_out - before;
		let rest = u64::from(file.len() - group);
		assert!((rest..rest + 64 * 60).contains(&sent), "{sent} for {rest}");
		assert!(fetch.finish().unwrap().bytes == file.fragments[0]);
	}
}

/// Where in a stream the byte at `offset` of a fragment stands.
fn find_group(stream: &[u8], bytes: &[u8], offset: u32) -> usize {
	let start = (offset / GROUP_LEN * GROUP_LEN) as usize;
	let sample = &bytes[start..start + 64];
	let at = stream.windows(64).position(|window| window == sample).unwrap();
	at + offset as usize - start
}

#[tokio::test]
async fn a_wrong_inner_hash_stops_the_transfer() {
	let file = File::new(8 * GROUP_LEN);
	let lying = file.clone();
	let addr = liar(move |_, _, mut send, _, _| {
		let file = lying.clone();
		async move {
			write_frame(&mut send, &found(&file, 0)).await;
			let mut stream = file.stream(0, 0..file.len());
			stream[40] ^= 1;
			let _ = send.write_all(&stream).await;
		}
	})
	.await;
	let client = bind().await;
	let fetch = Fetch::new(file.name(0), file.spec);
	let error = client.client().get(&addr, fetch).await.unwrap_err();
	assert!(matches!(error, TransferError::WrongBytes { offset: 0 }), "{error:?}");
}

#[tokio::test]
async fn no_byte_is_taken_without_a_sidecar_that_leads_to_the_file() {
	let file = File::new(2 * GROUP_LEN);
	let hash = file.hash(0);
	let len = file.len();
	let good = file.sidecars[0].clone();
	let answers = [
		// Another fragment of the file, truly proven; nothing; a cut one; one that is too long.
		GetAnswer::Found { hash: file.hash(1), len, sidecar: file.sidecars[1].clone() },
		GetAnswer::Found { hash: file.hash(1), len, sidecar: good.clone() },
		GetAnswer::Found { hash, len, sidecar: file.sidecars[1].clone() },
		GetAnswer::Found { hash, len, sidecar: Sidecar::default() },
		GetAnswer::Found { hash, len, sidecar: Sidecar(good.0[32..].to_vec()) },
		GetAnswer::Found { hash, len, sidecar: Sidecar([&good.0[..], &[0; 32]].concat()) },
		GetAnswer::Found { hash, len: len - 64, sidecar: good.clone() },
		GetAnswer::Found { hash, len: u32::MAX, sidecar: good.clone() },
		GetAnswer::Found { hash, len: 0, sidecar: good },
	];
	for answer in answers {
		let (lying, said) = (file.clone(), answer.clone());
		let addr = liar(move |_, _, mut send, _, _| {
			let (file, said) = (lying.clone(), said.clone());
			async move {
				write_frame(&mut send, &said).await;
				let _ = send.write_all(&file.stream(0, 0..file.len())).await;
			}
		})
		.await;
		let client = bind().await;
		let mut fetch = Fetch::new(file.name(0), file.spec);
		let error = client.client().fetch(&addr, &mut fetch).await.unwrap_err();
		let wrong_len = matches!(answer, GetAnswer::Found { len, .. } if len != file.len());
		match error {
			TransferError::WrongLength { .. } => assert!(wrong_len, "{answer:?}"),
			TransferError::WrongSidecar(_) => assert!(!wrong_len, "{answer:?}"),
			other => panic!("{other:?} for {answer:?}"),
		}
		assert_eq!((fetch.verified(), client.metrics().bytes_in), (0, 0));
		assert!(fetch.finish().is_none());
	}
}

#[tokio::test]
async fn a_broken_get_goes_on_behind_what_was_verified() {
	let file = File::new(64 * GROUP_LEN);
	let lying = file.clone();
	// The first answer ends after 20 groups and a half, the second is complete.
	let asked_for = Arc::new(std::sync::Mutex::new(Vec::new()));
	let seen = asked_for.clone();
	let addr = liar(move |number, request, mut send, _, _| {
		let (file, seen) = (lying.clone(), seen.clone());
		async move {
			let range = asked(&request);
			seen.lock().unwrap().push(range.start..range.end);
			write_frame(&mut send, &found(&file, 0)).await;
			let mut stream = file.stream(0, range.start..range.end);
			if number == 0 {
				let at = find_group(&stream, &file.fragments[0], 20 * GROUP_LEN);
				stream.truncate(at + 100);
			}
			send.write_all(&stream).await.unwrap();
			send.finish().unwrap();
			let _ = send.stopped().await;
		}
	})
	.await;
	let mut resuming = config();
	resuming.resume_attempts = 1;
	let client = bind_with(GENESIS, resuming).await;
	let fetch = Fetch::new(file.name(0), file.spec);
	let data = client.client().get(&addr, fetch).await.unwrap();
	assert!(data.bytes == file.fragments[0]);
	let (len, verified) = (file.len(), 20 * GROUP_LEN);
	assert_eq!(*asked_for.lock().unwrap(), [0..len, verified..len]);
	assert_eq!(client.metrics().bytes_in, u64::from(len));
	assert_eq!(client.metrics().interrupted, 1);
}

#[tokio::test]
async fn a_server_that_goes_away_is_an_interruption() {
	let file = File::new(64 * GROUP_LEN);
	for way in 0..3 {
		let lying = file.clone();
		let (verified, seen) = watch::channel(0);
		let addr = liar(move |_, _, mut send, _, connection| {
			let (file, mut seen) = (lying.clone(), seen.clone());
			async move {
				if way == 2 {
					return connection.close(99u32.into(), b"before the answer");
				}
				write_frame(&mut send, &found(&file, 0)).await;
				let stream = file.stream(0, 0..file.len());
				send.write_all(&stream[..stream.len() / 2]).await.unwrap();
				seen.wait_for(|verified| *verified > 20 * GROUP_LEN).await.unwrap();
				if way == 0 {
					connection.close(99u32.into(), b"gone");
				} else {
					send.reset(5u32.into()).unwrap();
				}
			}
		})
		.await;
		let client = bind().await;
		let fetch = Fetch::new(file.name(0), file.spec);
		let mut fetch = fetch.on_progress(move |bytes| {
			verified.send_replace(bytes);
		});
		let error = client.client().fetch(&addr, &mut fetch).await.unwrap_err();
		assert!(matches!(error, TransferError::Interrupted(_)), "{error:?}");
		assert_eq!(fetch.verified() > 20 * GROUP_LEN, way != 2);
	}
}

#[tokio::test]
async fn a_server_that_stalls_or_drips_is_cut() {
	let file = File::new(1 << 20);
	for drips in [false, true] {
		let lying = file.clone();
		let addr = liar(move |_, _, mut send, _, _| {
			let file = lying.clone();
			async move {
				write_frame(&mut send, &found(&file, 0)).await;
				let stream = file.stream(0, 0..file.len());
				send.write_all(&stream[..300_000]).await.unwrap();
				for byte in &stream[300_000..] {
					sleep(Duration::from_millis(20)).await;
					if drips && send.write_all(&[*byte]).await.is_err() {
						return;
					}
				}
			}
		})
		.await;
		let client = bind().await;
		let mut fetch = Fetch::new(file.name(0), file.spec);
		let error = client.client().fetch(&addr, &mut fetch).await.unwrap_err();
		assert!(matches!(error, TransferError::Stalled), "{error:?}");
		assert!(fetch.verified() >= 270_000);
		assert_eq!(client.metrics().stalled, 1);
	}
}

#[tokio::test]
async fn answers_that_are_no_messages_are_refused() {
	let file = File::new(1024);
	let huge = (1u32 << 30).to_le_bytes().to_vec();
	let over = [&(65_537u32).to_le_bytes()[..], &[0; 65_537]].concat();
	let unknown = vec![1, 0, 0, 0, 77];
	let longer = vec![2, 0, 0, 0, 1, 0];
	for bytes in [huge, over, unknown, longer] {
		let said = bytes.clone();
		let addr = liar(move |_, _, mut send, _, _| {
			let said = said.clone();
			async move {
				let _ = send.write_all(&said).await;
				let _ = send.finish();
				let _ = send.stopped().await;
			}
		})
		.await;
		let client = bind().await;
		let fetch = Fetch::new(file.name(0), file.spec);
		let error = client.client().get(&addr, fetch).await.unwrap_err();
		assert!(matches!(error, TransferError::Protocol(_)), "{error:?}");
		let error = client.client().list(&addr, None, 3).await.unwrap_err();
		assert!(matches!(error, TransferError::Protocol(_)), "{error:?}");
		let error = client.client().put(&addr, &file.put(0)).await.unwrap_err();
		assert!(matches!(error, TransferError::Protocol(_)), "{error:?}");
	}
	// Bytes behind the end of a stream.
	let lying = file.clone();
	let addr = liar(move |_, _, mut send, _, _| {
		let file = lying.clone();
		async move {
			write_frame(&mut send, &found(&file, 0)).await;
			send.write_all(&file.stream(0, 0..file.len())).await.unwrap();
			let _ = send.write_all(b"more").await;
		}
	})
	.await;
	let fetch = Fetch::new(file.name(0), file.spec);
	let error = bind().await.client().get(&addr, fetch).await.unwrap_err();
	assert!(matches!(error, TransferError::Protocol(_)), "{error:?}");
}

#[tokio::test]
async fn a_put_believes_nothing_but_stored() {
	let file = File::new(4 * GROUP_LEN);
	let client = bind().await;
	for offset in [1, GROUP_LEN + 1, 5 * GROUP_LEN] {
		let addr = liar(move |_, _, mut send, _recv, _| async move {
			write_frame(&mut send, &PutAnswer::Accepted { offset }).await;
			let _ = send.stopped().await;
		})
		.await;
		let error = client.client().put(&addr, &file.put(0)).await.unwrap_err();
		assert!(matches!(error, TransferError::Protocol(_)), "{error:?}");
	}
	// It takes everything and says nothing, or goes away.
	for goes in [false, true] {
		let addr = liar(move |_, _, mut send, mut recv, connection| async move {
			write_frame(&mut send, &PutAnswer::Accepted { offset: 0 }).await;
			recv.read_to_end(1 << 20).await.unwrap();
			if goes {
				connection.close(99u32.into(), b"gone");
			}
			sleep(Duration::from_secs(20)).await;
		})
		.await;
		let mut short = config();
		short.commit_timeout = Duration::from_millis(500);
		let client = bind_with(GENESIS, short).await;
		let error = client.client().put(&addr, &file.put(0)).await.unwrap_err();
		assert!(error.is_interrupted(), "{error:?}");
		assert_eq!(matches!(error, TransferError::Stalled), !goes);
	}
	// It says `WrongBytes` in the middle.
	let addr = liar(move |_, _, mut send, mut recv, _| async move {
		write_frame(&mut send, &PutAnswer::Accepted { offset: GROUP_LEN }).await;
		let _ = recv.stop(17u32.into());
		write_frame(&mut send, &PutDone::WrongBytes { offset: 2 * GROUP_LEN }).await;
		send.finish().unwrap();
		let _ = send.stopped().await;
	})
	.await;
	let error = client.client().put(&addr, &file.put(0)).await.unwrap_err();
	assert!(matches!(error, TransferError::WrongBytesSent { offset: 32_768 }), "{error:?}");
	// It wants the rest only, and gets no more.
	let addr = liar(move |_, _, mut send, mut recv, _| async move {
		write_frame(&mut send, &PutAnswer::Accepted { offset: 3 * GROUP_LEN }).await;
		let stream = recv.read_to_end(1 << 20).await.unwrap();
		assert_eq!(stream.len(), 2 * 64 + GROUP_LEN as usize);
		write_frame(&mut send, &PutDone::Stored).await;
		send.finish().unwrap();
		let _ = send.stopped().await;
	})
	.await;
	let outcome = client.client().put(&addr, &file.put(0)).await.unwrap();
	assert_eq!(outcome, PutOutcome::Stored { sent: GROUP_LEN });
}
