// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The engine's side of the mailbox.

use planaria_primitives::mailbox::{
	self, DONE, Done, PROOF_PAGES, ProofItem, Proofs, WANTED, Wanted, pack, proofs_key, unpack,
};
use std::sync::Arc;
use tokio::sync::Notify;

/// The values that the offchain worker and the engine share.
pub trait Mailbox: Send + Sync + 'static {
	/// A value.
	fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

	/// Sets a value.
	fn set(&self, key: &[u8], value: Vec<u8>);

	/// Rings when the worker has written [`WANTED`].
	fn rings(&self) -> Arc<Notify>;
}

/// What the worker wants now.
pub(crate) fn wanted(mailbox: &dyn Mailbox) -> Option<Wanted> {
	unpack(&mailbox.get(WANTED)?)
}

/// Tells the worker what is done; returns whether that is anything new.
pub(crate) fn set_done(mailbox: &dyn Mailbox, done: &Done) -> bool {
	set(mailbox, DONE, pack(done))
}

/// Hands the worker these proofs and no others; returns whether any is new.
///
/// What does not fit is left out: there is room for more than a report can carry.
pub(crate) fn set_proofs(mailbox: &dyn Mailbox, proofs: &[ProofItem]) -> bool {
	let mut pages = proofs.chunks(Proofs::PER_PAGE);
	let mut changed = false;
	for page in 0..PROOF_PAGES {
		let items = pages.next().unwrap_or_default();
		changed |= set(mailbox, &proofs_key(page), pack(&Proofs(items.to_vec())));
	}
	changed
}

fn set(mailbox: &dyn Mailbox, key: &[u8], value: Option<Vec<u8>>) -> bool {
	debug_assert!(value.is_some(), "values are built to fit");
	match value {
		Some(value) if mailbox.get(key).as_ref() != Some(&value) => {
			mailbox.set(key, value);
			true
		},
		_ => false,
	}
}

/// How many proofs fit.
pub(crate) const MAX_PROOFS: usize = Proofs::PER_PAGE * mailbox::PROOF_PAGES as usize;
