// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain as a miner's worker sees it: the runtime's own view, except that fragments, which
//! workers look at most, are put together from the index where that is certain.

use crate::{
	mirror::{Mirror, Unclaimed},
	world::World,
};
use planaria_primitives::{FragmentId, MinerId, Tick, mailbox::Chore};
use planaria_runtime::offchain;
use planaria_worker::{BatchView, ChainView, ChallengeView, FragmentView, Me, OrderView};

/// The best block, for one miner. To be used on its state.
#[derive(Debug)]
pub struct View<'a> {
	world: &'a World,
	chain: offchain::Chain,
}

impl<'a> View<'a> {
	/// As the worker of this machine sees it.
	pub fn new(world: &'a World, node: usize) -> Self {
		let machine = &world.nodes[node];
		let chain = offchain::Chain { miner: machine.id, account: machine.hot.clone() };
		Self { world, chain }
	}

	/// Whether the runtime says the same of a fragment.
	pub fn is_right_of(&self, id: FragmentId) -> bool {
		let spare = || self.spare(id) == self.chain.spare(id);
		let known = self.fragment(id);
		known == self.chain.fragment(id) && known.is_none_or(|known| !known.alive || spare())
	}

	fn mirror(&self) -> &Mirror {
		&self.world.mirror
	}

	/// The fragment's order; the inner `None` says that there is none, the outer that it is not
	/// known.
	fn order(&self, id: FragmentId, restoring: bool) -> Option<Option<OrderView>> {
		if !restoring {
			return Some(None);
		}
		let claim = self.mirror().claim(id).filter(|claim| self.world.tick <= claim.deadline);
		if let Some(claim) = claim {
			let (by, deadline, ready) = (claim.by, claim.deadline, claim.ready);
			return Some(Some(OrderView::Claimed { by, deadline, ready }));
		}
		self.mirror().unclaimed(id).map(|order| {
			Some(match order {
				Unclaimed::Open => OrderView::Unclaimed,
				Unclaimed::Void => OrderView::Void,
			})
		})
	}
}

impl ChainView for View<'_> {
	fn height(&self) -> u32 {
		self.chain.height()
	}

	fn now(&self) -> Tick {
		self.chain.now()
	}

	fn me(&self) -> Option<Me> {
		self.chain.me()
	}

	fn fragment(&self, id: FragmentId) -> Option<FragmentView> {
		let (segment, alive) = self.mirror().known(id.segment)?;
		if id.index >= segment.fragments() {
			return None;
		}
		let me: MinerId = self.chain.miner;
		let Some(order) = self.order(id, segment.is_restoring(id.index)) else {
			return self.chain.fragment(id);
		};
		Some(FragmentView {
			name: self.world.name(id),
			holder: segment.holder(id.index),
			confirmed: segment.is_confirmed(id.index),
			alive,
			holds_sibling: segment.index_of(me).is_some_and(|index| index != id.index),
			order,
		})
	}

	fn is_takeable(&self, id: FragmentId) -> bool {
		self.chain.is_takeable(id)
	}

	fn spare(&self, id: FragmentId) -> i16 {
		match self.mirror().known(id.segment) {
			Some((_, true)) => self.mirror().spare(id.segment),
			_ => self.chain.spare(id),
		}
	}

	fn claims(&self) -> Vec<FragmentId> {
		self.chain.claims()
	}

	fn batches(&self) -> Vec<BatchView> {
		self.chain.batches()
	}

	fn challenges(&self) -> Vec<ChallengeView> {
		self.chain.challenges()
	}

	fn is_due(&self, chore: &Chore) -> bool {
		self.chain.is_due(chore)
	}

	fn nonce(&self) -> u32 {
		self.chain.nonce()
	}
}
