// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Whole-network tests: real `planaria-node` processes on 127.0.0.1, driven by the `planaria`
//! command line and JSON-RPC as their users drive them.
//!
//! - [`Network`]: the processes. `scripts/localnet.sh` starts and stops them.
//! - Its chain: what is stored there, what happened, and transactions beyond the command line's.
//! - [`Liar`]: a miner's endpoint that answers with wrong bytes.
//! - [`Cheat`]: what speaks for a miner whose node does not run.
//! - [`Gateway`]: a gateway's process in front of a network.
//! - [`ObjectStore`]: what several gateways may share.
//! - [`Shared`]: one network for several tests.
//!
//! Nothing here waits for a fixed time: it waits until something has happened, with a generous
//! limit.

mod chain;
mod cheat;
mod gateway;
mod liar;
mod network;
mod objects;
mod shared;

pub use chain::{Duty, Happened};
pub use cheat::Cheat;
pub use gateway::Gateway;
pub use liar::Liar;
pub use network::{Network, Node, binary, root};
pub use objects::ObjectStore;
pub use shared::Shared;

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long anything may take on a slow machine.
pub const LIMIT: Duration = Duration::from_secs(400);

/// Waits until `holds` is true.
pub fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
	until_some(what, || Ok(holds()?.then_some(())))
}

/// Waits until there is something to find, and returns it.
pub fn until_some<T>(what: &str, mut found: impl FnMut() -> Result<Option<T>>) -> Result<T> {
	let begun = Instant::now();
	let mut waited = Duration::from_millis(100);
	loop {
		match found() {
			Ok(Some(found)) => {
				eprintln!("    {what} ({:.1} s)", begun.elapsed().as_secs_f32());
				return Ok(found);
			},
			Err(error) if begun.elapsed() > LIMIT => return Err(error.context(what.to_owned())),
			Ok(None) if begun.elapsed() > LIMIT => bail!("never happened: {what}"),
			_ => std::thread::sleep(waited),
		}
		waited = (waited * 2).min(Duration::from_millis(500));
	}
}

/// Bytes that do not repeat, the same every time for a seed.
pub fn content(seed: u64, len: usize) -> Vec<u8> {
	let mut bytes = vec![0; len];
	let mut hasher = blake3::Hasher::new();
	hasher.update(&seed.to_le_bytes());
	hasher.finalize_xof().fill(&mut bytes);
	bytes
}
