// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What one can write behind `planaria-node`.

use crate::pace::{CheckEvery, RestoreProfile, RestoreRate};
use clap::{Args, Parser, Subcommand};
use pallet_planaria_miners::Addresses;
use planaria_primitives::size::Size;
use sc_cli::{OffchainWorkerEnabled, RunCmd};
use std::{
	net::{Ipv4Addr, SocketAddr},
	path::PathBuf,
};

/// Where the transfer of fragments listens unless told otherwise.
const TRANSFER_PORT: u16 = 30500;

/// An address as others are told of it, on chain.
type Address = <Addresses as IntoIterator>::Item;

/// A command, or none: then the node runs.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
	#[command(subcommand)]
	pub subcommand: Option<Command>,

	#[command(flatten)]
	pub run: RunCmd,

	#[command(flatten)]
	pub miner: MinerArgs,
}

/// What makes the node a storage miner.
#[derive(Args, Debug)]
#[command(next_help_heading = "Storage miner")]
pub struct MinerArgs {
	/// Store fragments for others: run a storage miner.
	#[arg(long, requires_all = ["store", "capacity"])]
	pub miner: bool,

	/// Directory in which the fragments are kept.
	#[arg(long, value_name = "DIR", requires = "miner")]
	pub store: Option<PathBuf>,

	/// How much may be stored there, for example 1TiB or 500GB.
	#[arg(long, value_name = "SIZE", value_parser = capacity, requires = "miner")]
	pub capacity: Option<Size>,

	/// Make the store's manifest anew from the fragments on disk before it is used.
	#[arg(long, requires = "miner")]
	pub rebuild_store: bool,

	/// Start with whatever store is in that directory, or make an empty one, although the node had
	/// another one before. Otherwise it refuses to: the file system may not be mounted.
	#[arg(long, requires = "miner")]
	pub new_store: bool,

	/// How much of the machine restorations and self-checks may take. By default what was set last
	/// while the node ran, or else balanced.
	#[arg(long, value_enum, value_name = "PROFILE", requires = "miner")]
	pub restore_profile: Option<RestoreProfile>,

	/// How fast fragments are read from other miners to restore them, at most, for example 20MB/s;
	/// none takes a limit away that was set while the node ran.
	#[arg(long, value_name = "RATE", requires = "miner")]
	pub restore_rate: Option<RestoreRate>,

	/// In which time every stored fragment is hashed again, for example 14d.
	#[arg(long, value_name = "TIME", requires = "miner")]
	pub check_every: Option<CheckEvery>,

	/// Address on which fragments are given and taken.
	#[arg(
		long,
		value_name = "ADDRESS",
		default_value_t = SocketAddr::from((Ipv4Addr::UNSPECIFIED, TRANSFER_PORT)),
	)]
	pub transfer_listen: SocketAddr,

	/// Address at which others reach it, if it is not the one it listens on. May be repeated.
	#[arg(long, value_name = "ADDRESS", requires = "miner")]
	pub transfer_addr: Vec<SocketAddr>,

	/// Relays that help to reach it behind NAT, with commas between them. Others are told of them:
	/// whoever has relays on too, these or any, reaches it there, and nobody else. Off by default.
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		value_parser = relay,
		requires = "miner"
	)]
	pub relays: Vec<String>,

	/// File with the key that others know this miner by. Created where it is missing. By default it
	/// is kept with the chain's data.
	#[arg(long, value_name = "FILE", requires = "miner")]
	pub endpoint_key_file: Option<PathBuf>,
}

/// How the node is to mine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MinerConfig {
	/// Where fragments are kept.
	pub store: PathBuf,
	/// How much may be kept there.
	pub capacity: Size,
	/// Whether the store's manifest is made anew.
	pub rebuild_store: bool,
	/// Whether it may be another store than before.
	pub new_store: bool,
	/// How much of the machine restorations and self-checks may take; `None`: as it was set last.
	pub restore_profile: Option<RestoreProfile>,
	/// How fast they may read from others; `None`: as it was set last.
	pub restore_rate: Option<RestoreRate>,
	/// In which time everything stored is hashed again; `None`: the engine's default.
	pub check_every: Option<CheckEvery>,
	/// Where the transfer listens.
	pub transfer_listen: SocketAddr,
	/// Where others reach it, if elsewhere.
	pub transfer_addrs: Vec<SocketAddr>,
	/// The relays that others reach it through.
	pub relays: Vec<String>,
	/// Where its key is, if not with the chain's data.
	pub endpoint_key_file: Option<PathBuf>,
}

impl Cli {
	/// How the node is to mine, if it is.
	pub fn miner_config(&self) -> Result<Option<MinerConfig>, String> {
		let MinerArgs { miner, store, capacity, .. } = &self.miner;
		// clap has seen to it that a miner has both.
		let (true, Some(store), Some(capacity)) = (miner, store, capacity) else {
			return Ok(None);
		};
		if matches!(self.run.offchain_worker_params.enabled, OffchainWorkerEnabled::Never) {
			return Err("a miner does its duties in the offchain worker: --miner and \
				--offchain-worker never exclude each other"
				.into());
		}
		let addrs = self.miner.transfer_addr.len() + self.miner.relays.len();
		if addrs > Addresses::bound() {
			return Err(format!(
				"others are told {} addresses at most: --transfer-addr and --relays name {addrs}",
				Addresses::bound()
			));
		}
		Ok(Some(MinerConfig {
			store: store.clone(),
			capacity: *capacity,
			rebuild_store: self.miner.rebuild_store,
			new_store: self.miner.new_store,
			restore_profile: self.miner.restore_profile,
			restore_rate: self.miner.restore_rate,
			check_every: self.miner.check_every,
			transfer_listen: self.miner.transfer_listen,
			transfer_addrs: self.miner.transfer_addr.clone(),
			relays: self.miner.relays.clone(),
			endpoint_key_file: self.miner.endpoint_key_file.clone(),
		}))
	}
}

fn capacity(text: &str) -> Result<Size, String> {
	match text.parse() {
		Ok(Size(0)) => Err("a capacity is at least one byte".into()),
		Ok(size) => Ok(size),
		Err(error) => Err(format!("{error}; write for example 1TiB or 500GB")),
	}
}

/// The URL of a relay, as others are told of it.
fn relay(text: &str) -> Result<String, String> {
	match planaria_transfer::relay_url(text) {
		None => Err("expected a URL such as https://relay.example".into()),
		Some(url) if url.len() > Address::bound() => {
			Err(format!("others are told {} characters at most", Address::bound()))
		},
		// A relay may want a token there.
		Some(url) if url.contains(['@', '?', '#']) => {
			Err("it is published on chain: give scheme, host and port alone".into())
		},
		Some(url) => Ok(url),
	}
}

/// What can be done beside running.
#[derive(Debug, Subcommand)]
pub enum Command {
	/// Make, look at and insert keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Write a chain spec (the older way).
	#[allow(deprecated)]
	BuildSpec(sc_cli::BuildSpecCmd),

	/// Write a chain spec.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Check a block again.
	CheckBlock(sc_cli::CheckBlockCmd),

	/// Write blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Read blocks from a file.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Remove the whole chain.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Take back blocks that are not final.
	Revert(sc_cli::RevertCmd),

	/// Show how far the database is.
	ChainInfo(sc_cli::ChainInfoCmd),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;
	use clap::CommandFactory;

	fn parse(line: &str) -> Result<Cli, clap::Error> {
		Cli::try_parse_from(line.split_whitespace())
	}

	fn miner(line: &str) -> Result<Option<MinerConfig>, String> {
		parse(line).map_err(|error| error.to_string())?.miner_config()
	}

	#[test]
	fn is_consistent() {
		Cli::command().debug_assert();
	}

	#[test]
	fn a_node_does_not_mine_unless_told() {
		assert_eq!(miner("planaria-node --dev"), Ok(None));
	}

	#[test]
	fn a_miner_has_a_store_and_a_capacity() {
		let config = miner("planaria-node --miner --store /srv/p --capacity 1TiB").unwrap();
		assert_eq!(
			config,
			Some(MinerConfig {
				store: "/srv/p".into(),
				capacity: "1TiB".parse().unwrap(),
				rebuild_store: false,
				new_store: false,
				restore_profile: None,
				restore_rate: None,
				check_every: None,
				transfer_listen: "0.0.0.0:30500".parse().unwrap(),
				transfer_addrs: vec![],
				relays: vec![],
				endpoint_key_file: None,
			})
		);
		for line in [
			"planaria-node --miner",
			"planaria-node --miner --store /srv/p",
			"planaria-node --miner --capacity 1TiB",
			"planaria-node --store /srv/p --capacity 1TiB",
			"planaria-node --transfer-addr 1.2.3.4:5",
			"planaria-node --relays https://relay.example",
			"planaria-node --new-store",
		] {
			assert!(miner(line).is_err(), "{line}");
		}
	}

	#[test]
	fn says_what_is_wrong_with_a_capacity() {
		let error = |capacity: &str| {
			miner(&format!("planaria-node --miner --store /srv/p --capacity {capacity}"))
				.unwrap_err()
		};
		assert!(error("1TB/s").contains("unknown unit \"TB/s\""), "{}", error("1TB/s"));
		assert!(error("0GiB").contains("at least one byte"));
	}

	#[test]
	fn says_how_fast_to_restore_and_to_check() {
		let line = "planaria-node --miner --store s --capacity 1GB";
		let config = miner(&format!(
			"{line} --restore-profile quiet --restore-rate 20MB/s --check-every 7d"
		));
		let config = config.unwrap().unwrap();
		assert_eq!(config.restore_profile, Some(RestoreProfile::Quiet));
		assert_eq!(config.restore_rate, "20MB/s".parse().ok());
		assert_eq!(config.check_every, "7d".parse().ok());
		for (flag, why) in [
			("--restore-profile slow", "possible values: quiet, balanced, fast"),
			("--restore-rate 1KB/s", "use the profile quiet"),
			("--check-every 1s", "between a minute and a year"),
		] {
			let error = miner(&format!("{line} {flag}")).unwrap_err();
			assert!(error.contains(why), "{error}");
		}
		assert!(miner("planaria-node --check-every 7d").is_err());
	}

	#[test]
	fn a_miner_needs_its_offchain_worker() {
		let line = "planaria-node --miner --store /srv/p --capacity 1TiB --offchain-worker never";
		assert!(miner(line).unwrap_err().contains("exclude each other"));
	}

	#[test]
	fn advertises_several_addresses() {
		let config = miner(
			"planaria-node --miner --store s --capacity 1GB --transfer-listen 127.0.0.1:0 \
			 --transfer-addr 192.0.2.1:1 --transfer-addr [2001:db8::1]:2",
		);
		let config = config.unwrap().unwrap();
		assert_eq!(config.transfer_listen, "127.0.0.1:0".parse().unwrap());
		assert_eq!(config.transfer_addrs.len(), 2);
	}

	#[test]
	fn names_its_relays() {
		let line = "planaria-node --miner --store s --capacity 1GB";
		let relays = |args: &str| {
			miner(&format!("{line} {args}")).map(|config| config.unwrap().relays).unwrap()
		};
		let both = ["https://a.example/", "http://10.0.0.1:3340/"];
		assert_eq!(relays("--relays https://a.example,http://10.0.0.1:3340"), both);
		assert_eq!(relays("--relays https://A.example/ --relays http://10.0.0.1:3340"), both);
		let long = format!("--relays https://relay.example/{}", "a".repeat(128));
		for (args, why) in [
			("--relays relay.example:443", "expected a URL such as https://relay.example"),
			("--relays https://a.example,10.0.0.1:80", "expected a URL"),
			(long.as_str(), "128 characters at most"),
			("--relays https://relay.example/?token=1", "it is published on chain"),
			("--relays https://me:secret@relay.example", "it is published on chain"),
			(
				"--relays http://a,http://b,http://c \
				 --transfer-addr 1.2.3.4:5 --transfer-addr 1.2.3.4:6",
				"4 addresses at most: --transfer-addr and --relays name 5",
			),
		] {
			let error = miner(&format!("{line} {args}")).unwrap_err();
			assert!(error.contains(why), "{error}");
		}
	}
}
