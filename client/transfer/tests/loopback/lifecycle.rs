// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::fixture::*;
use planaria_transfer::{
	AddressError, BindError, EndpointConfig, Fetch, PeerAddr, Transfer, TransferConfig,
	TransferError,
};
use std::{
	num::NonZeroU64,
	sync::{Arc, atomic::Ordering::SeqCst, mpsc},
	time::Duration,
};
use tokio::{
	runtime::Runtime,
	time::{sleep, timeout},
};

#[tokio::test]
async fn a_server_killed_in_the_middle_is_noticed_and_its_work_goes_on_elsewhere() {
	let file = File::new(8 << 20);
	let (sender, receiver) = mpsc::channel::<PeerAddr>();
	let runtime = Runtime::new().unwrap();
	let killed = file.clone();
	runtime.spawn(async move {
		let mut slow = config();
		slow.upload_rate = NonZeroU64::new(4 << 20);
		let host = serve_with(&Store::new(&killed, [0]), slow).await;
		sender.send(host.addr.clone()).unwrap();
		std::future::pending::<()>().await;
	});
	let addr = receiver.recv().unwrap();
	let client = bind().await;
	let mut fetch = Fetch::new(file.name(0), file.spec);
	{
		let fetching = client.client().fetch(&addr, &mut fetch);
		tokio::pin!(fetching);
		tokio::select! {
			outcome = &mut fetching => panic!("{outcome:?}"),
			() = eventually("a part", || client.metrics().bytes_in > 2 << 20) => {},
		}
		// No goodbye: the sockets are gone at once.
		runtime.shutdown_background();
		let error = fetching.await.unwrap_err();
		assert!(error.is_interrupted(), "{error:?}");
	}
	let verified = fetch.verified();
	assert!(verified > 2 << 20 && verified < 8 << 20, "{verified}");

	let other = serve(&Store::new(&file, [0])).await;
	client.client().fetch(&other.addr, &mut fetch).await.unwrap();
	let sent = other.transfer.metrics().bytes_out;
	let rest = u64::from(file.len() - verified);
	assert!((rest..rest + (64 << 10)).contains(&sent), "{sent} for {rest}");
	assert!(fetch.finish().unwrap().bytes == file.fragments[0]);
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
	let file = File::new(1024);
	let store = Store::new(&file, [0]);
	let bind_to = |addr: &str| EndpointConfig {
		secret_key: [3; 32],
		genesis: GENESIS,
		bind: vec![addr.parse().unwrap()],
		relays: Vec::new(),
	};
	let client = bind().await;
	let transfer = Transfer::bind(bind_to("127.0.0.1:0"), config()).await.unwrap();
	let addr = loopback(&transfer);
	for _ in 0..3 {
		let server = transfer.serve(Arc::new(Service(store.clone())));
		let fetch = Fetch::new(file.name(0), file.spec);
		client.client().get(&addr, fetch).await.unwrap();
		assert!(server.shutdown(Duration::from_secs(1)).await);
	}
	transfer.close().await;
	drop(transfer);
	// The sockets are closed when the last of the tasks that used them has ended.
	let rebound = async {
		loop {
			match Transfer::bind(bind_to(&addr.addrs[0]), config()).await {
				Ok(transfer) => break transfer,
				Err(BindError::Socket { .. }) => sleep(Duration::from_millis(20)).await,
				Err(error) => panic!("{error:?}"),
			}
		}
	};
	let transfer = timeout(Duration::from_secs(60), rebound).await.unwrap();
	let _server = transfer.serve(Arc::new(Service(store.clone())));
	let fetch = Fetch::new(file.name(0), file.spec);
	client.client().get(&addr, fetch).await.unwrap();
}

/// None of the servers takes, and refuses, a connection that is meant for the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_follow_each_other_refuse_nobody() {
	let file = File::new(64);
	let store = Store::new(&file, [0]);
	let transfer = bind().await;
	let addr = loopback(&transfer);
	let client = bind().await;
	for _ in 0..200 {
		let server = transfer.serve(Arc::new(Service(store.clone())));
		let fetch = Fetch::new(file.name(0), file.spec);
		client.client().get(&addr, fetch).await.unwrap();
		drop(server);
	}
	assert_eq!(transfer.metrics().busy, 0);
}

#[tokio::test]
async fn shutting_down_lets_transfers_end() {
	let file = File::new(4 << 20);
	let store = Store::new(&file, [0]);
	let mut slow = config();
	slow.upload_rate = NonZeroU64::new(256 << 10);
	let host = serve_with(&store, slow).await;
	let client = bind().await;
	let get = client.client().get(&host.addr, Fetch::new(file.name(0), file.spec));
	let other = client.client().clone();
	let shutdown = async {
		eventually("it began", || host.transfer.metrics().bytes_out > 0).await;
		let late = async {
			let late = other.list(&host.addr, None, 1).await;
			assert!(matches!(late, Err(TransferError::Busy)), "{late:?}");
			host.transfer.set_rates(None, None);
		};
		tokio::join!(host.server.shutdown(Duration::from_secs(60)), late).0
	};
	let (got, drained) = tokio::join!(get, shutdown);
	assert!(drained && got.unwrap().bytes == file.fragments[0]);
	host.transfer.close().await;
}

#[tokio::test]
async fn shutting_down_does_not_wait_forever() {
	let file = File::new(1024);
	let store = Store::new(&file, [0]);
	let host = serve(&store).await;
	store.hold.store(true, SeqCst);
	let client = bind().await;
	let get = client.client().get(&host.addr, Fetch::new(file.name(0), file.spec));
	let shutdown = async {
		eventually("it began", || host.transfer.metrics().active == 1).await;
		host.server.shutdown(Duration::from_millis(300)).await
	};
	let (got, drained) = tokio::join!(get, shutdown);
	assert!(!drained);
	assert!(got.unwrap_err().is_interrupted());
	store.hold.store(false, SeqCst);
}

#[tokio::test]
async fn idle_connections_are_closed_and_opened_again() {
	let file = File::new(1024);
	let store = Store::new(&file, [0]);
	let idle = |millis| TransferConfig { idle_timeout: Duration::from_millis(millis), ..config() };
	for (server, client) in [(60_000, 300), (150, 60_000)] {
		let host = serve_with(&store, idle(server)).await;
		let client = bind_with(GENESIS, idle(client)).await;
		for _ in 0..2 {
			let fetch = Fetch::new(file.name(0), file.spec);
			client.client().get(&host.addr, fetch).await.unwrap();
			eventually("it was closed", || {
				client.metrics().connections == 0 && host.transfer.metrics().connections == 0
			})
			.await;
		}
	}
}

#[tokio::test]
async fn a_client_lets_go_of_the_longest_idle_peer() {
	let file = File::new(1024);
	let store = Store::new(&file, [0]);
	let client = bind_with(GENESIS, TransferConfig { max_pooled_peers: 2, ..config() }).await;
	let mut hosts = Vec::new();
	for _ in 0..4 {
		let host = serve(&store).await;
		let fetch = Fetch::new(file.name(0), file.spec);
		client.client().get(&host.addr, fetch).await.unwrap();
		hosts.push(host);
	}
	eventually("two are left", || client.metrics().connections == 2).await;
	eventually("the first are closed", || {
		let open: Vec<_> = hosts.iter().map(|host| host.transfer.metrics().connections).collect();
		open == [0, 0, 1, 1]
	})
	.await;
}

#[tokio::test]
async fn a_port_in_use_and_a_bad_relay_are_said() {
	let taken = bind().await;
	let id = EndpointConfig {
		secret_key: secret(),
		genesis: GENESIS,
		bind: taken.bound(),
		relays: Vec::new(),
	};
	let error = Transfer::bind(id.clone(), config()).await.unwrap_err();
	assert!(matches!(error, BindError::Socket { .. }), "{error:?}");
	assert!(error.to_string().contains(&taken.bound()[0].to_string()));
	for relay in ["not a url", "relay.example:443"] {
		let id = EndpointConfig { relays: vec![relay.into()], ..id.clone() };
		let error = Transfer::bind(id, config()).await.unwrap_err();
		assert!(matches!(error, BindError::BadRelay(_)), "{error:?}");
	}
}

#[tokio::test]
async fn a_closed_endpoint_says_so() {
	let file = File::new(1024);
	let host = serve(&Store::new(&file, [0])).await;
	let client = bind().await;
	client.close().await;
	let fetch = Fetch::new(file.name(0), file.spec);
	let error = client.client().get(&host.addr, fetch).await.unwrap_err();
	assert!(matches!(error, TransferError::Closed), "{error:?}");
}

#[tokio::test]
async fn both_ends_can_serve_and_ask() {
	let file = File::new(1 << 20);
	let (one, other) = (serve(&Store::new(&file, [0])).await, serve(&Store::new(&file, [1])).await);
	let (there, back) = tokio::join!(
		one.transfer.client().get(&other.addr, Fetch::new(file.name(1), file.spec)),
		other.transfer.client().get(&one.addr, Fetch::new(file.name(0), file.spec)),
	);
	assert_eq!((there.unwrap().hash, back.unwrap().hash), (file.hash(1), file.hash(0)));
}

/// Nothing is contacted but what is dialled: no relay is known, and the endpoint's address has none.
#[tokio::test]
async fn relays_are_off_unless_given() {
	let addr = bind().await.addr();
	assert!(addr.addrs.iter().all(|text| text.starts_with("127.0.0.1:")), "{addr:?}");
}

/// Where no relay listens.
const NO_RELAY: &str = "http://127.0.0.1:1/";

async fn with_relay(config: TransferConfig) -> Transfer {
	let id = EndpointConfig {
		secret_key: secret(),
		genesis: GENESIS,
		bind: vec!["127.0.0.1:0".parse().unwrap()],
		relays: vec![NO_RELAY.into()],
	};
	Transfer::bind(id, config).await.unwrap()
}

#[tokio::test]
async fn a_relay_that_does_not_answer_is_in_nobodys_way() {
	let file = File::new(1024);
	let host = with_relay(config()).await;
	let _server = host.serve(Arc::new(Service(Store::new(&file, [0]))));
	let mut addr = loopback(&host);
	addr.addrs.push(NO_RELAY.into());
	for client in [bind().await, with_relay(config()).await] {
		let fetch = Fetch::new(file.name(0), file.spec);
		client.client().get(&addr, fetch).await.unwrap();
	}
	assert!(timeout(Duration::from_millis(200), host.relayed()).await.is_err());
}

#[tokio::test]
async fn who_is_reached_through_a_relay_is_dialled_by_those_who_have_relays_on() {
	let file = File::new(1024);
	let host = serve(&Store::new(&file, [0])).await;
	let addr = PeerAddr { key: host.addr.key, addrs: vec![NO_RELAY.into()] };
	let get = async |client: Transfer| {
		let fetch = Fetch::new(file.name(0), file.spec);
		client.client().get(&addr, fetch).await.unwrap_err()
	};
	let error = get(bind().await).await;
	assert!(matches!(error, TransferError::Address(AddressError::OnlyRelays)), "{error:?}");
	let hasty = TransferConfig { handshake_timeout: Duration::from_millis(300), ..config() };
	let error = get(with_relay(hasty).await).await;
	assert!(matches!(error, TransferError::Connect(_)), "{error:?}");
}
