// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Storage maps read without the runtime: where an identity hasher keeps the keys as they are, a
//! page of a map is a walk along its trie.

use codec::{Decode, Encode};
use sp_state_machine::{Backend, IterArgs, StorageIterator};

/// At most `limit` entries of the map at `prefix` whose encoded keys begin with `within`, behind
/// the key `after`, in the order of the encoded keys.
pub(crate) fn page<S, H, K, V>(
	state: &S,
	prefix: &[u8],
	within: &[u8],
	after: Option<&K>,
	limit: u32,
) -> Result<Vec<(K, V)>, String>
where
	S: Backend<H>,
	H: sp_core::Hasher,
	K: Encode + Decode,
	V: Decode,
{
	let range = [prefix, within].concat();
	let after = after.map(|key| key.using_encoded(|key| [prefix, key].concat()));
	let mut args = IterArgs::default();
	args.prefix = Some(&range);
	args.start_at = after.as_deref();
	args.start_at_exclusive = true;
	let mut iter = state.raw_iter(args).map_err(text)?;
	let mut page = Vec::new();
	while page.len() < limit as usize
		&& let Some(pair) = iter.next_pair(state)
	{
		let (key, value) = pair.map_err(text)?;
		let key = K::decode(&mut key.get(prefix.len()..).unwrap_or_default()).map_err(text)?;
		page.push((key, V::decode(&mut &value[..]).map_err(text)?));
	}
	Ok(page)
}

/// The entry of the map at `prefix` with this key.
pub(crate) fn get<S, H, K, V>(state: &S, prefix: &[u8], key: &K) -> Result<Option<V>, String>
where
	S: Backend<H>,
	H: sp_core::Hasher,
	K: Encode,
	V: Decode,
{
	let key = key.using_encoded(|key| [prefix, key].concat());
	let value = state.storage(&key).map_err(text)?;
	value.map(|value| V::decode(&mut &value[..]).map_err(text)).transpose()
}

fn text(error: impl std::fmt::Display) -> String {
	error.to_string()
}
