// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A network that several tests use one after another.

use crate::Network;
use anyhow::Result;
use std::sync::{Mutex, PoisonError};

/// A network that is started by the first test that needs it. A test that fails takes it down, so
/// that the next one gets another; otherwise it ends with the process of the tests.
#[derive(Debug)]
pub struct Shared {
	port: u16,
	miners: u32,
	network: Mutex<Option<Network>>,
}

impl Shared {
	/// A network of one validator and so many miners, whose ports begin at `port`.
	pub const fn new(port: u16, miners: u32) -> Self {
		Self { port, miners, network: Mutex::new(None) }
	}

	/// Runs a test on the network, once the one before has ended.
	pub fn with(&self, test: impl FnOnce(&Network) -> Result<()>) -> Result<()> {
		let mut slot = self.network.lock().unwrap_or_else(PoisonError::into_inner);
		let network = match slot.take() {
			Some(network) => network,
			None => Network::up(self.port, self.miners)?,
		};
		test(&network)?;
		*slot = Some(network);
		Ok(())
	}
}
