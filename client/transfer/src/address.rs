// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where a peer is.

use iroh::{EndpointAddr, PublicKey, RelayUrl, TransportAddr};
use std::net::SocketAddr;
use tracing::debug;

/// The ed25519 public key by which a peer is known.
pub type PeerKey = [u8; 32];

/// A peer's key and where it may be reached, as a miner's record on chain says it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PeerAddr {
	/// The key its endpoint proves on connecting.
	pub key: PeerKey,
	/// Each `ip:port` or the URL of a relay. What is neither is skipped.
	pub addrs: Vec<String>,
}

impl PeerAddr {
	/// What iroh dials; relay addresses are left out where relays are off.
	pub(crate) fn resolve(&self, relays: bool) -> Result<EndpointAddr, AddressError> {
		let key = PublicKey::from_bytes(&self.key).map_err(|_| AddressError::BadKey)?;
		let mut relayed = false;
		let addrs = self.addrs.iter().filter_map(|text| match parse(text) {
			Some(TransportAddr::Relay(_)) if !relays => {
				relayed = true;
				debug!(peer = %short(&self.key), addr = text, "relays are off, address skipped");
				None
			},
			None => {
				debug!(peer = %short(&self.key), addr = text, "address not understood, skipped");
				None
			},
			usable => usable,
		});
		let addr = EndpointAddr::from_parts(key, addrs);
		match (addr.is_empty(), relayed) {
			(false, _) => Ok(addr),
			(true, true) => Err(AddressError::OnlyRelays),
			(true, false) => Err(AddressError::NoneUsable),
		}
	}
}

/// The URL of a relay in the form in which a record names it; `None` if the text is none.
pub fn relay_url(text: &str) -> Option<String> {
	parse_relay(text).map(|url| url.to_string())
}

pub(crate) fn parse_relay(text: &str) -> Option<RelayUrl> {
	text.parse::<RelayUrl>().ok().filter(|url| matches!(url.scheme(), "https" | "http"))
}

fn parse(text: &str) -> Option<TransportAddr> {
	if let Some(relay) = parse_relay(text) {
		return Some(TransportAddr::Relay(relay));
	}
	let addr: SocketAddr = text.parse().ok()?;
	let ip = addr.ip();
	(addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast())
		.then_some(TransportAddr::Ip(addr))
}

/// The first bytes of a key, for logs.
pub(crate) fn short(key: &PeerKey) -> String {
	key.iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}

/// Why a peer cannot be dialled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
	/// The key is not a point of ed25519.
	#[error("the peer's key is not an ed25519 public key")]
	BadKey,
	/// No address of the peer can be used.
	#[error("none of the peer's addresses can be used")]
	NoneUsable,
	/// The peer is reached through relays only, and relays are off.
	#[error("the peer is reached through a relay only, and relays are off here")]
	OnlyRelays,
}

#[cfg(test)]
mod tests {
	use super::*;
	use iroh::SecretKey;

	fn peer(addrs: &[&str]) -> PeerAddr {
		let key = *SecretKey::from_bytes(&[1; 32]).public().as_bytes();
		PeerAddr { key, addrs: addrs.iter().map(|text| (*text).into()).collect() }
	}

	#[test]
	fn usable_addresses_are_kept() {
		let mixed =
			peer(&["", "rubbish", "127.0.0.1:7", "[::1]:8", "https://relay.example", "1:2"]);
		assert_eq!(mixed.resolve(true).map(|addr| addr.addrs.len()), Ok(3));
		assert_eq!(mixed.resolve(false).map(|addr| addr.addrs.len()), Ok(2));
	}

	#[test]
	fn nothing_usable_is_an_error() {
		let all_bad =
			["", "localhost:1", "127.0.0.1", "127.0.0.1:0", "0.0.0.0:1", "ftp://a", "a:b"];
		for addrs in [&[][..], &all_bad[..]] {
			assert_eq!(peer(addrs).resolve(true), Err(AddressError::NoneUsable));
		}
		let relayed = peer(&["https://relay.example"]);
		assert!(relayed.resolve(true).is_ok());
		assert_eq!(relayed.resolve(false), Err(AddressError::OnlyRelays));
	}

	#[test]
	fn the_url_of_a_relay_is_written_in_one_way() {
		for text in ["https://relay.example", "https://relay.example/", "HTTPS://Relay.example"] {
			assert_eq!(relay_url(text).as_deref(), Some("https://relay.example/"), "{text}");
		}
		assert_eq!(relay_url("http://10.0.0.1:3340").as_deref(), Some("http://10.0.0.1:3340/"));
		for text in ["", "relay.example", "relay.example:443", "https://", "ftp://a", "1.2.3.4:5"] {
			assert_eq!(relay_url(text), None, "{text}");
		}
	}

	#[test]
	fn a_bad_key_is_an_error() {
		let bad = (0..=255)
			.map(|byte| PeerAddr { key: [byte; 32], addrs: vec!["127.0.0.1:1".into()] })
			.find(|peer| peer.resolve(false) == Err(AddressError::BadKey));
		assert!(bad.is_some());
	}
}
