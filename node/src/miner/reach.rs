// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where others reach this miner.

use pallet_planaria_miners::Addresses;
use planaria_transfer::Transfer;
use std::{
	net::{IpAddr, SocketAddr},
	time::Duration,
};
use tokio::time::timeout;

/// How long a relay may take before an operator is warned.
const RELAY_WAIT: Duration = Duration::from_secs(30);

/// What others are told: the addresses that were `named`, else the endpoint's `own`, and the
/// relays. With relays, own addresses count only if they lead here from everywhere: behind NAT they
/// lead nowhere, or to another machine.
pub fn advertised(named: &[SocketAddr], own: Vec<String>, relays: &[String]) -> Vec<String> {
	let mut addrs: Vec<String> = match (named.is_empty(), relays.is_empty()) {
		(false, _) => named.iter().map(ToString::to_string).collect(),
		(true, true) => own,
		(true, false) => {
			let room = Addresses::bound().saturating_sub(relays.len());
			own.into_iter().filter(|addr| is_public(addr)).take(room).collect()
		},
	};
	addrs.extend_from_slice(relays);
	addrs
}

/// Whether it is an address that leads to the same machine from everywhere.
fn is_public(addr: &str) -> bool {
	match addr.parse().map(|addr: SocketAddr| addr.ip().to_canonical()) {
		Ok(IpAddr::V4(ip)) => {
			// Between a provider's customers and its own NAT.
			let is_shared = matches!(ip.octets(), [100, 64..=127, ..]);
			!(is_shared || ip.is_private() || ip.is_loopback() || ip.is_link_local())
		},
		Ok(IpAddr::V6(ip)) => {
			!(ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local())
		},
		Err(_) => false,
	}
}

/// Says when the miner is reached through a relay, and if it is not.
pub async fn say_relay(transfer: Transfer, relays: Vec<String>) {
	if timeout(RELAY_WAIT, transfer.relayed()).await.is_err() {
		tracing::warn!(?relays, "no relay answers: through them nobody reaches the miner");
		transfer.relayed().await;
	}
	tracing::info!("the miner is reached through a relay");
}

#[cfg(test)]
mod tests {
	use super::*;

	fn told(named: &[&str], own: &[&str], relays: &[&str]) -> Vec<String> {
		let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
		let named: Vec<SocketAddr> =
			named.iter().map(|addr| addr.parse().expect("an address")).collect();
		advertised(&named, texts(own), &texts(relays))
	}

	const RELAY: &str = "https://relay.example/";

	#[test]
	fn without_relays_others_are_told_what_was_named_or_else_what_it_listens_on() {
		let own = ["127.0.0.1:1", "192.168.1.5:1", "5.6.7.8:1"];
		assert_eq!(told(&[], &own, &[]), own);
		assert_eq!(told(&["192.168.1.5:2"], &own, &[]), ["192.168.1.5:2"]);
	}

	#[test]
	fn relays_come_behind_what_was_named() {
		assert_eq!(told(&["10.0.0.1:2"], &["5.6.7.8:1"], &[RELAY]), ["10.0.0.1:2", RELAY]);
	}

	#[test]
	fn with_relays_only_public_addresses_of_its_own_are_told() {
		let private = ["10.1.2.3:1", "100.64.0.1:1", "127.0.0.1:1", "169.254.1.1:1", "[fe80::1]:1"];
		assert_eq!(told(&[], &private, &[RELAY]), [RELAY]);
		// The endpoint may know its relay already.
		assert_eq!(told(&[], &["5.6.7.8:1", RELAY], &[RELAY]), ["5.6.7.8:1", RELAY]);
		assert_eq!(told(&[], &["[2a01:4f8::1]:1"], &[RELAY]), ["[2a01:4f8::1]:1", RELAY]);
	}

	#[test]
	fn no_more_is_told_than_there_is_room_for() {
		let own = ["5.0.0.1:1", "5.0.0.2:1", "5.0.0.3:1", "5.0.0.4:1"];
		assert_eq!(told(&[], &own, &[RELAY, RELAY]), ["5.0.0.1:1", "5.0.0.2:1", RELAY, RELAY]);
	}
}
