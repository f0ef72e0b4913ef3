// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the hot key's account has: it pays for what the miner starts itself.

use super::NodeChain;
use crate::service::{FullBackend, FullClient};
use codec::Decode;
use pallet_planaria_support::hot_key::KEY_TYPE;
use planaria_engine::{At, Chain};
use planaria_runtime::{AccountId, Balance, Runtime, currency::UNIT};
use sc_client_api::{HeaderBackend, StorageProvider};
use serde::Serialize;
use sp_core::storage::StorageKey;
use sp_keystore::KeystorePtr;
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

/// Below this an operator is warned.
const LOW: Balance = UNIT;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// How often a warning is repeated.
const WARN_EVERY: Duration = Duration::from_secs(3600);

/// What an account has for fees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Funds {
	/// The hot key's account.
	pub account: AccountId,
	/// What it can spend, in the smallest unit, as text: JavaScript's numbers end at 2^53.
	#[serde(serialize_with = "text")]
	pub free: Balance,
	/// Whether that is little: restore orders can soon neither be opened nor claimed.
	pub low: bool,
}

fn text<S: serde::Serializer>(amount: &Balance, to: S) -> Result<S::Ok, S::Error> {
	to.collect_str(amount)
}

impl Funds {
	fn new(account: AccountId, free: Balance) -> Self {
		Self { account, free, low: free < LOW }
	}

	/// What `account`, or else the first hot key in the keystore, has in the best block. Executes
	/// nothing, but touches the disk.
	pub fn of(
		client: &FullClient,
		keystore: &KeystorePtr,
		account: Option<AccountId>,
	) -> Result<Option<Self>, String> {
		let first = || keystore.sr25519_public_keys(KEY_TYPE).first().map(|key| key.0.into());
		let Some(account) = account.or_else(first) else { return Ok(None) };
		let key = frame_system::Account::<Runtime>::hashed_key_for(&account);
		let value = StorageProvider::<_, FullBackend>::storage(
			client,
			client.info().best_hash,
			&StorageKey(key),
		)
		.map_err(|error| error.to_string())?;
		let Some(value) = value else { return Ok(Some(Self::new(account, 0))) };
		type Info = frame_system::AccountInfo<
			<Runtime as frame_system::Config>::Nonce,
			<Runtime as frame_system::Config>::AccountData,
		>;
		let info = Info::decode(&mut &value.0[..]).map_err(|error| error.to_string())?;
		Ok(Some(Self::new(account, info.data.free)))
	}
}

/// Warns in the log while a registered miner has little.
pub async fn warn(chain: NodeChain, client: Arc<FullClient>, keystore: KeystorePtr) {
	let mut warned: Option<Instant> = None;
	let mut interval = tokio::time::interval(EVERY);
	loop {
		interval.tick().await;
		let Ok(Some(me)) = chain.me(At::Best).await else { continue };
		let (client, keystore) = (client.clone(), keystore.clone());
		let read = move || Funds::of(&client, &keystore, Some(me.hot_key));
		let Ok(Ok(Some(funds))) = tokio::task::spawn_blocking(read).await else { continue };
		if !funds.low {
			warned = None;
		} else if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
			warned = Some(Instant::now());
			tracing::warn!(
				account = %funds.account,
				"the hot key's account has less than 1 PLAN: without fees the miner can neither \
				 open nor claim restore orders; send it some",
			);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn little_is_low_and_amounts_are_text() {
		let funds = |free| Funds::new(AccountId::new([1; 32]), free);
		assert!(funds(0).low && funds(LOW - 1).low && !funds(LOW).low);
		let json = serde_json::to_value(funds(u128::MAX)).expect("serialises");
		assert_eq!(json["free"], u128::MAX.to_string());
		assert_eq!(json["low"], false);
	}
}
