// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{fixture::*, get::LENS};
use planaria_primitives::{FileSpec, FragmentName, Sidecar};
use planaria_transfer::{Fragment, GROUP_LEN, Put, PutOutcome, Refusal, TransferError, Verdict};
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test]
async fn what_is_put_is_stored() {
	let client = bind().await;
	for len in LENS {
		let file = File::new(len);
		let store = Store::new(&file, []);
		let host = serve(&store).await;
		for index in 0..3 {
			let outcome = client.client().put(&host.addr, &file.put(index)).await.unwrap();
			assert_eq!(outcome, PutOutcome::Stored { sent: len });
			let held = store.held.lock().unwrap()[&file.name(index)].clone();
			assert!(held.bytes == file.fragments[usize::from(index)]);
			assert_eq!(held.sidecar, file.sidecars[usize::from(index)]);
			let outcome = client.client().put(&host.addr, &file.put(index)).await.unwrap();
			assert_eq!(outcome, PutOutcome::Have);
		}
		assert_eq!(host.transfer.metrics().bytes_in, 3 * u64::from(len));
	}
}

#[tokio::test]
async fn the_acknowledgement_comes_after_the_commit() {
	let file = File::new(1 << 20);
	let store = Store::new(&file, []);
	let (host, client) = (serve(&store).await, bind().await);
	store.hold.store(true, SeqCst);
	let put = file.put(0);
	let putting = client.client().put(&host.addr, &put);
	tokio::pin!(putting);
	// What is asked on the same connection after the commit began is answered before the put is.
	let asked_later = async {
		eventually("it commits", || store.commits.load(SeqCst) == 1).await;
		client.client().list(&host.addr, None, 1).await.unwrap()
	};
	tokio::select! {
		biased;
		outcome = &mut putting => panic!("{outcome:?}"),
		names = asked_later => assert_eq!(names, []),
	}
	assert_eq!(host.transfer.metrics().bytes_in, 1 << 20);
	assert!(!store.holds(&file.name(0)));
	store.hold.store(false, SeqCst);
	assert_eq!(putting.await.unwrap(), PutOutcome::Stored { sent: 1 << 20 });
	assert!(store.holds(&file.name(0)));
}

#[tokio::test]
async fn what_the_chain_says_is_passed_on() {
	let file = File::new(1024);
	let client = bind().await;
	for (verdict, expected) in [
		(Verdict::NotYet { best: 5 }, PutOutcome::NotYet { best: 5 }),
		(Verdict::NotAssigned { at: 6 }, PutOutcome::NotAssigned { at: 6 }),
		(Verdict::Busy, PutOutcome::Busy),
		(Verdict::Full, PutOutcome::Full),
		(Verdict::Have, PutOutcome::Have),
		(Verdict::Unwanted, PutOutcome::Refused(Refusal::Unwanted)),
	] {
		let store = Store::new(&file, []).judging(verdict);
		let host = serve(&store).await;
		assert_eq!(client.client().put(&host.addr, &file.put(0)).await.unwrap(), expected);
		assert!(!store.holds(&file.name(0)));
		assert_eq!(host.transfer.metrics().bytes_in, 0);
	}
}

#[tokio::test]
async fn a_wrong_offer_is_refused_before_any_byte() {
	let file = File::new(2 * GROUP_LEN);
	let other = File::new(GROUP_LEN);
	let store = Store::new(&file, []);
	let (host, client) = (serve(&store).await, bind().await);
	let good = file.put(0);
	let cut = Sidecar(good.sidecar.0[32..].to_vec());
	let long = Sidecar(vec![0; 2000]);
	let wrong_sidecars = [
		Put { sidecar: file.sidecars[1].clone(), ..good.clone() },
		Put { sidecar: Sidecar::default(), ..good.clone() },
		Put { sidecar: cut, ..good.clone() },
		Put { sidecar: long, ..good.clone() },
		Put { fragment: Fragment::new(file.fragments[1].clone()), ..good.clone() },
		Put { name: file.name(1), ..good.clone() },
		Put { name: FragmentName { index: 9, ..file.name(0) }, ..good.clone() },
	];
	for put in wrong_sidecars {
		let outcome = client.client().put(&host.addr, &put).await.unwrap();
		assert_eq!(outcome, PutOutcome::Refused(Refusal::WrongSidecar));
	}
	let wrong_lengths = [
		Put { fragment: Fragment::new(other.fragments[0].clone()), ..good.clone() },
		Put { fragment: Fragment::new(vec![]), ..good.clone() },
		Put { fragment: Fragment::new(vec![0; (8 << 20) + 64]), ..good.clone() },
		Put { name: FragmentName { segment: 1, ..file.name(0) }, ..good.clone() },
	];
	for put in wrong_lengths {
		let outcome = client.client().put(&host.addr, &put).await.unwrap();
		assert_eq!(outcome, PutOutcome::Refused(Refusal::WrongLength));
	}
	// The chain's geometry counts, not the message's.
	let spec = FileSpec::new(4 * u64::from(GROUP_LEN) - 64, file.spec.coding()).unwrap();
	*store.verdict.lock().unwrap() = Some(Verdict::Assigned(spec));
	let outcome = client.client().put(&host.addr, &good).await.unwrap();
	assert_eq!(outcome, PutOutcome::Refused(Refusal::WrongSidecar));

	let metrics = host.transfer.metrics();
	assert_eq!((metrics.bytes_in, metrics.refused, metrics.puts_stored), (0, 12, 0));
	assert!(store.held.lock().unwrap().is_empty() && store.partial.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_store_that_fails_acknowledges_nothing() {
	let file = File::new(3 << 20);
	let store = Store::new(&file, []);
	let (host, client) = (serve(&store).await, bind().await);
	store.set_fault(Fault::WriteFull);
	let outcome = client.client().put(&host.addr, &file.put(0)).await.unwrap();
	assert_eq!(outcome, PutOutcome::Full);
	store.set_fault(Fault::CommitFails);
	let error = client.client().put(&host.addr, &file.put(0)).await.unwrap_err();
	assert!(matches!(error, TransferError::PeerFailed), "{error:?}");
	assert!(!store.holds(&file.name(0)));
	store.set_fault(Fault::None);
	assert!(client.client().put(&host.addr, &file.put(0)).await.unwrap().is_held());
	let metrics = host.transfer.metrics();
	assert_eq!((metrics.store_errors, metrics.puts_stored), (1, 1));
}

#[tokio::test]
async fn a_cancelled_put_goes_on_where_it_stopped() {
	let file = File::new(8 << 20);
	let store = Store::new(&file, []);
	let mut slow = config();
	slow.download_rate = std::num::NonZeroU64::new(4 << 20);
	slow.connection_window = 256 << 10;
	let host = serve_with(&store, slow).await;
	let client = bind().await;
	let put = file.put(0);
	{
		let putting = client.client().put(&host.addr, &put);
		tokio::pin!(putting);
		let half = || host.transfer.metrics().bytes_in > 3 << 20;
		tokio::select! {
			outcome = &mut putting => panic!("{outcome:?}"),
			() = eventually("half is there", half) => {},
		}
	}
	eventually("the rest is kept", || store.partial_len(&file.name(0)) > 0).await;
	assert!(!store.holds(&file.name(0)));
	host.transfer.set_rates(None, None);
	let kept = store.partial_len(&file.name(0)) as u32;
	assert!(kept > 3 << 20 && kept < 8 << 20);
	let before = host.transfer.metrics().bytes_in;
	let outcome = client.client().put(&host.addr, &put).await.unwrap();
	assert_eq!(outcome, PutOutcome::Stored { sent: file.len() - kept });
	assert_eq!(host.transfer.metrics().bytes_in - before, u64::from(file.len() - kept));
	assert!(store.holds(&file.name(0)));

	// Everything was there already, only the commit was missing.
	let name = file.name(1);
	store.partial.lock().unwrap().insert(name, file.fragments[1].to_vec());
	let outcome = client.client().put(&host.addr, &file.put(1)).await.unwrap();
	assert_eq!(outcome, PutOutcome::Stored { sent: 0 });
	assert!(store.holds(&name));
}
