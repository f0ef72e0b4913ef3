// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where the miners are, as read from the chain a moment ago.

use crate::{
	chain::{At, Chain, ChainError},
	sources::Source,
};
use planaria_primitives::MinerId;
use planaria_runtime_api::MinerStanding;
use planaria_transfer::PeerAddr;
use std::{
	collections::HashMap,
	sync::{Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::time::Instant;

/// How long what was read is believed.
const AGE: Duration = Duration::from_secs(60);

/// How many are remembered.
const MAX_CONTACTS: usize = 4096;

/// A miner as a source.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
	pub(crate) addr: PeerAddr,
	pub(crate) source: Source,
}

/// Miners that were looked up lately.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<HashMap<MinerId, (Instant, Option<Contact>)>>);

impl Contacts {
	/// The miner; `None` if there is none.
	pub(crate) async fn get(
		&self,
		chain: &dyn Chain,
		miner: MinerId,
	) -> Result<Option<Contact>, ChainError> {
		let known = self.lock().get(&miner).cloned();
		if let Some((_, contact)) = known.filter(|(at, _)| at.elapsed() < AGE) {
			return Ok(contact);
		}
		let contact = chain.miner(At::Best, miner).await?.map(|status| Contact {
			addr: PeerAddr { key: status.endpoint_key, addrs: status.endpoint_addrs },
			source: match status.standing {
				MinerStanding::Serving | MinerStanding::Suspended => Source::Serves,
				MinerStanding::Leaving => Source::Leaves,
				MinerStanding::Absent | MinerStanding::Expelled | MinerStanding::Departed => {
					Source::Gone
				},
			},
		});
		let mut contacts = self.lock();
		if contacts.len() >= MAX_CONTACTS {
			contacts.clear();
		}
		contacts.insert(miner, (Instant::now(), contact.clone()));
		Ok(contact)
	}

	fn lock(&self) -> MutexGuard<'_, HashMap<MinerId, (Instant, Option<Contact>)>> {
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}
