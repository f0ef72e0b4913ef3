// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Who validates: the members of the `Validators` pallet, a list that root keeps.
//!
//! A change of the list is planned at the next rotation of the session and is in force from the one
//! after. A member without session keys is left out until it has set them. The set is never empty:
//! when no member has keys, those who validate now go on.

use crate::{AccountId, Runtime, RuntimeCall};
use alloc::vec::Vec;
use frame_support::traits::Contains;
use sp_staking::SessionIndex;

/// Takes the validators of a session from the `Validators` pallet. See [the module](self).
pub struct ValidatorSet;

impl ValidatorSet {
	/// The members that could validate: they have set their session keys.
	fn ready() -> Vec<AccountId> {
		pallet_membership::Members::<Runtime>::get()
			.into_iter()
			.filter(|member| pallet_session::NextKeys::<Runtime>::contains_key(member))
			.collect()
	}
}

impl pallet_session::SessionManager<AccountId> for ValidatorSet {
	/// `None`, "as before", unless somebody joins or leaves: each `Some` makes GRANDPA change its
	/// set.
	fn new_session(_planned: SessionIndex) -> Option<Vec<AccountId>> {
		let next = Self::ready();
		let now = pallet_session::Validators::<Runtime>::get();
		let same = next.len() == now.len() && next.iter().all(|member| now.contains(member));
		(!next.is_empty() && !same).then_some(next)
	}

	fn start_session(_started: SessionIndex) {}

	fn end_session(_ended: SessionIndex) {}
}

/// What nobody may call by themselves, because it would undo what root has decided.
///
/// - `session.purge_keys`: the last validator with keys could end the chain. Root calls it for a
///   validator that was dismissed (`sudo.sudo_as`).
/// - `validators.change_key`: a member could hand its place to a stranger.
pub struct CallFilter;

impl Contains<RuntimeCall> for CallFilter {
	fn contains(call: &RuntimeCall) -> bool {
		!matches!(
			call,
			RuntimeCall::Session(pallet_session::Call::purge_keys { .. })
				| RuntimeCall::Validators(pallet_membership::Call::change_key { .. })
		)
	}
}
