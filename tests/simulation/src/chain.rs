// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chain: the real runtime, block by block, without consensus, signatures, fees and roots.
//!
//! BABE's part is played by two storage items: the slot, and randomness from the run's seed. Each
//! slot has a block, so the clock ticks with every one. Transactions come in the pool's order,
//! Operational ones first, as long as the block's weight and length have room; what is left waits.

use crate::state::State;
use anyhow::{Context, Result, anyhow};
use codec::Encode;
use frame_support::{
	dispatch::{DispatchClass, GetDispatchInfo},
	traits::{GetCallMetadata, Hooks, OnPoll},
	weights::{Weight, WeightMeter},
};
use frame_system::RawOrigin;
use pallet_planaria_miners::Params as MinersParams;
use pallet_planaria_restore::Params as RestoreParams;
use planaria_primitives::MinerId;
use planaria_runtime::{
	AccountId, Balance, Clock, Files, FilesConfig, Hash, MinersConfig, Restore, RestoreConfig,
	RewardsConfig, Runtime, RuntimeCall, RuntimeEvent, RuntimeGenesisConfig, RuntimeOrigin,
	SpaceConfig, System,
	configs::system::{BLOCK_BYTES, BLOCK_WEIGHT, NORMAL_SHARE},
	presets,
	time::DAYS,
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sp_consensus_babe::Slot;
use sp_runtime::{BuildStorage, DispatchError, traits::Dispatchable};
use std::collections::VecDeque;

/// What a signed transaction has around its call: version, address, signature, extensions.
const SIGNED_OVERHEAD: usize = 4 + 1 + 33 + 65 + 12;

/// What an authorized one has: version, extensions, and the signature within the call.
const DUTY_OVERHEAD: usize = 4 + 1 + 12 + 64;

/// A transaction in the pool.
#[derive(Debug)]
pub struct Tx {
	/// Who sent it: a miner's node, or anybody else.
	pub by: Option<MinerId>,
	/// Who signed it; nobody signed a duty.
	pub signer: Option<AccountId>,
	/// What it does.
	pub call: RuntimeCall,
}

impl Tx {
	fn len(&self) -> usize {
		let overhead = if self.signer.is_some() { SIGNED_OVERHEAD } else { DUTY_OVERHEAD };
		self.call.encoded_size() + overhead
	}
}

/// A transaction that got into a block.
#[derive(Debug)]
pub struct Included {
	/// Who sent it.
	pub by: Option<MinerId>,
	/// Which call of which pallet.
	pub call: (&'static str, &'static str),
	/// Its length in bytes.
	pub len: usize,
	/// What became of it.
	pub result: Result<(), DispatchError>,
}

/// What a block did.
#[derive(Debug, Default)]
pub struct Block {
	/// What happened.
	pub events: Vec<RuntimeEvent>,
	/// What it contains.
	pub included: Vec<Included>,
}

/// The chain.
#[derive(Debug)]
pub struct Chain {
	state: State,
	height: u32,
	parent: Hash,
	rng: ChaCha8Rng,
	duties: VecDeque<Tx>,
	signed: VecDeque<Tx>,
	fork: Option<Fork>,
}

/// A block to be built, with all that takes; meanwhile there is no chain to look at.
#[derive(Debug)]
pub struct Building {
	state: State,
	height: u32,
	parent: Hash,
	vrf: [u8; 32],
	duties: VecDeque<Tx>,
	signed: VecDeque<Tx>,
}

/// What the losing branch began from.
#[derive(Debug)]
struct Fork {
	height: u32,
	parent: Hash,
}

impl Chain {
	/// A chain with the rules of a public network, at its genesis.
	pub fn new(seed: u64, balances: Vec<(AccountId, Balance)>) -> Result<Self> {
		// The first of them stores what the others hold.
		let space = |(owner, _): &(AccountId, Balance)| (owner.clone(), 1 << 50, 900 * DAYS);
		let spaces = balances.iter().take(1).map(space).collect();
		let genesis = RuntimeGenesisConfig {
			space: SpaceConfig { params: presets::production_space(), spaces },
			rewards: RewardsConfig { params: presets::production_rewards(), ..Default::default() },
			balances: planaria_runtime::BalancesConfig { balances, ..Default::default() },
			audit: planaria_runtime::AuditConfig { params: presets::production_audit() },
			files: FilesConfig { params: presets::production_files() },
			miners: MinersConfig { params: presets::production_miners() },
			restore: RestoreConfig { params: presets::production_restore() },
			..Default::default()
		};
		let storage = genesis.build_storage().map_err(|error| anyhow!("genesis: {error}"))?;
		let mut state = State::new(storage);
		let parent = state.run(|| System::block_hash(0));
		let rng = ChaCha8Rng::seed_from_u64(seed);
		let (duties, signed) = Default::default();
		Ok(Self { state, height: 0, parent, rng, duties, signed, fork: None })
	}

	/// The height of the best block.
	pub fn height(&self) -> u32 {
		self.height
	}

	/// The rules for miners.
	pub fn miners_params() -> MinersParams<Balance> {
		presets::production_miners()
	}

	/// The rules for restore orders.
	pub fn restore_params() -> RestoreParams<Balance> {
		presets::production_restore()
	}

	/// Looks at the state after the best block.
	pub fn best<R>(&self, f: impl FnOnce() -> R) -> R {
		assert!(!self.state.is_empty(), "nobody looks while a block is built");
		self.state.look(f)
	}

	/// Looks at the state after the last finalized block.
	///
	/// Finality follows the best block at once, except on a fork: it stays where that began.
	pub fn finalized<R>(&self, f: impl FnOnce() -> R) -> R {
		self.state.look_at_base(f)
	}

	/// Whether the best block is on a branch that will lose.
	pub fn is_forked(&self) -> bool {
		self.fork.is_some()
	}

	/// From the next block on, blocks are on a branch that will lose.
	pub fn begin_fork(&mut self) {
		if self.fork.is_none() {
			self.fork = Some(Fork { height: self.height, parent: self.parent });
			self.state.fork();
		}
	}

	/// The losing branch is forgotten; the winning one has as many blocks, all of them empty.
	/// Whatever the losing one contained is forgotten, too: it was anchored to it.
	pub fn end_fork(&mut self) -> Vec<Block> {
		let Some(fork) = self.fork.take() else { return Vec::new() };
		self.state.end_fork();
		let blocks = self.height - fork.height;
		(self.height, self.parent) = (fork.height, fork.parent);
		(0..blocks).map(|_| self.build(false)).collect()
	}

	/// Puts a transaction into the pool.
	pub fn submit(&mut self, tx: Tx) {
		if tx.signer.is_some() {
			self.signed.push_back(tx);
		} else {
			self.duties.push_back(tx);
		}
	}

	/// Takes back what a node has in the pool: it was cut off before it could spread.
	pub fn retract(&mut self, by: MinerId) {
		self.duties.retain(|tx| tx.by != Some(by));
		self.signed.retain(|tx| tx.by != Some(by));
	}

	/// The next block.
	pub fn next_block(&mut self) -> Block {
		self.build(true)
	}

	/// Does something to the state that no transaction does, between two blocks of the setup.
	pub fn apply(&mut self, signer: AccountId, call: impl Into<RuntimeCall>) -> Result<()> {
		let call = call.into();
		let metadata = call.get_call_metadata();
		let result = self.state.run(|| call.dispatch(RuntimeOrigin::signed(signer)));
		result
			.map(drop)
			.map_err(|error| anyhow!("{:?}", error.error))
			.with_context(|| format!("{}.{}", metadata.pallet_name, metadata.function_name))
	}

	fn build(&mut self, with_pool: bool) -> Block {
		let mut building = self.begin_block();
		let block = building.build(with_pool);
		self.end_block(building);
		block
	}

	/// Begins to build the next block. Until it is done nothing is submitted or taken back.
	pub fn begin_block(&mut self) -> Building {
		let mut vrf = [0; 32];
		self.rng.fill_bytes(&mut vrf);
		Building {
			state: std::mem::take(&mut self.state),
			height: self.height + 1,
			parent: self.parent,
			vrf,
			duties: std::mem::take(&mut self.duties),
			signed: std::mem::take(&mut self.signed),
		}
	}

	/// The block that was built is the best one.
	pub fn end_block(&mut self, building: Building) {
		let Building { state, height, parent, duties, signed, .. } = building;
		(self.state, self.height, self.parent) = (state, height, parent);
		(self.duties, self.signed) = (duties, signed);
	}

	/// What must hold of the state, in each pallet and across them.
	pub fn check(&self) -> Result<()> {
		type Check = fn() -> Result<(), DispatchError>;
		let checks: [(&str, Check); 6] = [
			("clock", Clock::do_try_state),
			("miners", planaria_runtime::Miners::do_try_state),
			("files", Files::do_try_state),
			("restore", Restore::do_try_state),
			("audit", planaria_runtime::Audit::do_try_state),
			("across the pallets", planaria_runtime::invariants::check),
		];
		let check = |(what, check): &(&'static str, fn() -> Result<(), DispatchError>)| {
			self.state.look(check).map_err(|error| anyhow!("{error:?}")).context(*what)
		};
		// By all threads; the first in the list that fails is the one that is told.
		let results: Vec<Result<()>> = checks.par_iter().map(check).collect();
		results.into_iter().collect()
	}
}

impl Building {
	/// Builds it, out of what is in the pool or out of nothing.
	pub fn build(&mut self, with_pool: bool) -> Block {
		let (height, parent, vrf) = (self.height, self.parent, self.vrf);
		let (duties, signed) = (&mut self.duties, &mut self.signed);
		let (block, hash) = self.state.run(|| {
			System::reset_events();
			System::initialize(&height, &parent, &Default::default());
			pallet_babe::CurrentSlot::<Runtime>::put(Slot::from(u64::from(height)));
			Clock::on_initialize(height);
			let base = <Runtime as frame_system::Config>::BlockWeights::get().base_block;
			System::register_extra_weight_unchecked(base, DispatchClass::Mandatory);
			System::note_finished_initialize();
			let mut meter = WeightMeter::with_limit(BLOCK_WEIGHT);
			<Files as OnPoll<_>>::on_poll(height, &mut meter);
			<Restore as OnPoll<_>>::on_poll(height, &mut meter);
			System::register_extra_weight_unchecked(meter.consumed(), DispatchClass::Mandatory);

			let mut block = Block::default();
			if with_pool {
				let mut room = Room::new(meter.consumed());
				include(duties, &mut room, BLOCK_WEIGHT, BLOCK_BYTES as usize, &mut block);
				let (weight, bytes) = (NORMAL_SHARE * BLOCK_WEIGHT, NORMAL_SHARE * BLOCK_BYTES);
				include(signed, &mut room, weight, bytes as usize, &mut block);
			}
			System::note_finished_extrinsics();
			Clock::on_finalize(height);
			// What BABE leaves for the next block.
			pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(vrf));
			let header = System::finalize();
			block.events = System::read_events_no_consensus().map(|record| record.event).collect();
			(block, header.hash())
		});
		self.parent = hash;
		block
	}
}

/// What a block still has room for.
struct Room {
	used: Weight,
	bytes: usize,
}

impl Room {
	fn new(used: Weight) -> Self {
		Self { used, bytes: 0 }
	}
}

fn include(
	pool: &mut VecDeque<Tx>,
	room: &mut Room,
	max_weight: Weight,
	max_bytes: usize,
	block: &mut Block,
) {
	while let Some(tx) = pool.pop_front() {
		let info = tx.call.get_dispatch_info();
		let len = tx.len();
		let class =
			<Runtime as frame_system::Config>::BlockWeights::get().get(info.class).base_extrinsic;
		let weight = info.call_weight.saturating_add(class);
		let fits =
			room.used.saturating_add(weight).all_lte(max_weight) && room.bytes + len <= max_bytes;
		if !fits {
			pool.push_front(tx);
			return;
		}
		let origin = match tx.signer {
			Some(signer) => {
				System::inc_account_nonce(&signer);
				RuntimeOrigin::signed(signer)
			},
			None => RawOrigin::Authorized.into(),
		};
		let call = {
			let names = tx.call.get_call_metadata();
			(names.pallet_name, names.function_name)
		};
		let result = tx.call.dispatch(origin);
		let post = match &result {
			Ok(post) => post,
			Err(error) => &error.post_info,
		};
		let weight = post.actual_weight.unwrap_or(info.call_weight).saturating_add(class);
		System::register_extra_weight_unchecked(weight, info.class);
		room.used = room.used.saturating_add(weight);
		room.bytes += len;
		let result = result.map(drop).map_err(|error| error.error);
		block.included.push(Included { by: tx.by, call, len, result });
	}
}
