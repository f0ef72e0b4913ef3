// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Which miners may fail together: those of one operator, and those in one network.

use crate::AccountId32;
use planaria_runtime_api::MinerStatus;
use std::{
	collections::HashMap,
	hash::Hash,
	net::{IpAddr, SocketAddr},
};

/// A network: the first 24 bits of an IPv4 address, the first 48 of an IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Site {
	V4([u8; 3]),
	V6([u16; 3]),
}

impl Site {
	fn of(address: IpAddr) -> Self {
		match address {
			IpAddr::V4(address) => {
				let [a, b, c, _] = address.octets();
				Self::V4([a, b, c])
			},
			IpAddr::V6(address) => {
				let [a, b, c, ..] = address.segments();
				Self::V6([a, b, c])
			},
		}
	}
}

/// Whether an address says where in the world a machine is.
fn is_public(address: IpAddr) -> bool {
	match address {
		IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local()),
		IpAddr::V6(ip) => !(ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local()),
	}
}

/// What a miner may share with others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ties {
	/// Its operator: who owns its collateral, and who is paid.
	accounts: Vec<AccountId32>,
	/// Where it can be reached. Private addresses count where it has no others: behind NAT
	/// strangers have the same.
	sites: Vec<Site>,
}

impl Ties {
	/// Those of a miner.
	pub fn of(status: &MinerStatus) -> Self {
		let mut accounts = vec![status.stash.clone()];
		accounts.extend(Some(&status.payee).filter(|payee| **payee != status.stash).cloned());
		let addresses = status.endpoint_addrs.iter().filter_map(|text| {
			let address: SocketAddr = text.parse().ok()?;
			Some(address.ip().to_canonical())
		});
		let addresses: Vec<_> = addresses.collect();
		let any_public = addresses.iter().copied().any(is_public);
		let mut sites = Vec::new();
		for address in addresses.into_iter().filter(|ip| !any_public || is_public(*ip)) {
			let site = Site::of(address);
			if !sites.contains(&site) {
				sites.push(site);
			}
		}
		Self { accounts, sites }
	}
}

/// How much of a segment is with whom, and where.
#[derive(Clone, Debug, Default)]
pub struct Spread<'a> {
	accounts: HashMap<&'a AccountId32, u32>,
	sites: HashMap<&'a Site, u32>,
}

impl<'a> Spread<'a> {
	/// A miner with these ties has a fragment.
	pub fn add(&mut self, ties: &'a Ties) {
		ties.accounts.iter().for_each(|account| *self.accounts.entry(account).or_default() += 1);
		ties.sites.iter().for_each(|site| *self.sites.entry(site).or_default() += 1);
	}

	/// With how many fragments another one would share the operator, and with how many the network,
	/// if a miner with these ties got it.
	pub fn shared(&self, ties: &Ties) -> (u32, u32) {
		(most(&self.accounts, &ties.accounts), most(&self.sites, &ties.sites))
	}
}

fn most<T: Eq + Hash>(counts: &HashMap<&T, u32>, of: &[T]) -> u32 {
	of.iter().filter_map(|one| counts.get(one)).copied().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::tests::miner;

	fn at(addresses: &[&str]) -> Ties {
		let endpoint_addrs = addresses.iter().map(|text| (*text).into()).collect();
		Ties::of(&MinerStatus { endpoint_addrs, ..miner(0) })
	}

	fn share_a_network(one: &[&str], other: &[&str]) -> bool {
		let (one, other) = (at(one), at(other));
		let mut spread = Spread::default();
		spread.add(&one);
		spread.shared(&other).1 > 0
	}

	#[test]
	fn networks_are_those_of_public_addresses() {
		for (one, other, expected) in [
			("5.6.7.8:1", "5.6.7.9:2", true),
			("5.6.7.8:1", "5.6.8.8:1", false),
			("[::ffff:5.6.7.8]:1", "5.6.7.9:1", true),
			("[2a01:4f8:1:2::1]:1", "[2a01:4f8:1:9::1]:1", true),
			("[2a01:4f8:1:2::1]:1", "[2a01:4f8:2:2::1]:1", false),
			("https://relay.example", "https://relay.example", false),
			("127.0.0.1:1", "127.0.0.1:2", true),
		] {
			assert_eq!(share_a_network(&[one], &[other]), expected, "{one} {other}");
		}
		// Half of all machines have that address.
		let private = "172.17.0.1:1";
		assert!(!share_a_network(&["5.6.7.8:1", private], &["5.6.8.8:1", private]));
		assert!(share_a_network(&["5.6.7.8:1", "7.7.7.7:1"], &["8.8.8.8:1", "7.7.7.9:1"]));
	}

	#[test]
	fn an_operator_is_who_owns_or_is_paid() {
		let of = |stash: u8, payee: u8| {
			let (stash, payee) = (AccountId32::new([stash; 32]), AccountId32::new([payee; 32]));
			Ties::of(&MinerStatus { stash, payee, ..miner(0) })
		};
		let (one, other) = (of(1, 9), of(2, 9));
		let mut spread = Spread::default();
		spread.add(&one);
		for (ties, expected) in
			[(of(1, 1), 1), (of(1, 9), 1), (of(3, 9), 1), (of(9, 3), 1), (of(2, 2), 0)]
		{
			assert_eq!(spread.shared(&ties), (expected, 0));
		}
		spread.add(&other);
		assert_eq!((spread.shared(&of(1, 1)), spread.shared(&of(4, 9))), ((1, 0), (2, 0)));
	}
}
