// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! A chain in memory and miners with real transfer endpoints.

use super::miner;
use crate::{
	AccountId32, ChainError, Ledger, Orders, Placement, TransferTransport,
	chain::Refusal,
	ledger::NewOrder,
	placement::Terms,
	transport::{TransportOptions, peer},
};
use async_trait::async_trait;
use bytes::Bytes;
use planaria_primitives::{
	FileId, FileIndex, FileSpec, FragmentHash, FragmentName, MinerId, PlacementRule, SegmentId,
	Sidecar,
};
use planaria_runtime_api::{
	FileLife, FileStatus, FragmentStatus, MinerStanding, MinerStatus, PlacementStatus,
	SegmentStatus,
};
use planaria_transfer::{
	EndpointConfig, FragmentService, FragmentSink, OpenError, PeerKey, PutOffer, ReadError, Server,
	Stored, Transfer, TransferConfig, Verdict,
};
use std::{
	collections::{BTreeMap, HashMap},
	io,
	sync::{Arc, Mutex, MutexGuard},
};

pub const GENESIS: [u8; 32] = [42; 32];
pub const OWNER: [u8; 32] = [7; 32];

/// How a miner behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Manner {
	#[default]
	Honest,
	/// Says that it has no room.
	Full,
	/// Does not see a placement the first so many times it is asked.
	Late(u32),
	/// Takes fragments, never confirms them.
	Silent,
	/// Has to be asked so often before it is not busy.
	Busy(u32),
}

#[derive(Debug, Default)]
pub struct State {
	pub height: u32,
	pub miners: BTreeMap<MinerId, MinerStatus>,
	pub manners: HashMap<MinerId, Manner>,
	pub files: BTreeMap<FileIndex, FileStatus>,
	pub segments: BTreeMap<(FileIndex, u32), SegmentStatus>,
	/// How many orders and placements there were.
	pub orders: u32,
	pub places: u32,
	/// What candidates are drawn by.
	pub seed: u8,
	/// How often a file is looked at before its seed is there.
	pub unseeded: u32,
	/// How often it is before each fragment has eight candidates instead of four.
	pub more_in: u32,
	/// With so many miners holders are drawn where nothing is said.
	pub drawn_from: Option<u32>,
	/// How many of the next placements fail.
	pub refuse: u32,
	/// What the miners' disks hold.
	pub disks: HashMap<MinerId, HashMap<FragmentName, Stored>>,
}

impl State {
	/// How a file is placed whose holders are drawn.
	pub fn drawn(&self) -> PlacementStatus {
		PlacementStatus::Drawn {
			seed: (self.unseeded == 0).then_some([self.seed; 32]),
			ids: self.miners.len() as u32,
			candidates: if self.more_in == 0 { 8 } else { 4 },
			more_at: (self.more_in > 0).then_some(99),
		}
	}
}

/// The chain. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Fake(Arc<Mutex<State>>);

impl Fake {
	pub fn state(&self) -> MutexGuard<'_, State> {
		self.0.lock().expect("no test panicked with it")
	}

	fn confirm(&self, miner: MinerId, name: &FragmentName) {
		let mut state = self.state();
		if state.manners.get(&miner) == Some(&Manner::Silent) {
			return;
		}
		let Some(segment) = state.segments.get_mut(&(name.file, name.segment)) else { return };
		let fragment = &mut segment.fragments[usize::from(name.index)];
		if fragment.holder != Some(miner) || fragment.confirmed {
			return;
		}
		fragment.confirmed = true;
		segment.present += 1;
		let file = state.files.get_mut(&name.file).expect("there is such a file");
		file.unconfirmed -= 1;
		if file.unconfirmed == 0 {
			file.state = FileLife::Active;
		}
	}
}

#[async_trait]
impl Ledger for Fake {
	async fn height(&self) -> Result<u32, ChainError> {
		Ok(self.state().height)
	}

	async fn miners(&self) -> Result<Vec<MinerStatus>, ChainError> {
		Ok(self.state().miners.values().cloned().collect())
	}

	async fn terms(&self) -> Result<Terms, ChainError> {
		let drawn_from = self.state().drawn_from.unwrap_or(u32::MAX);
		Ok(Terms { drawn_from, ..Terms::default() })
	}

	async fn file(&self, file: FileIndex) -> Result<Option<FileStatus>, ChainError> {
		let mut state = self.state();
		let Some(mut status) = state.files.get(&file).cloned() else { return Ok(None) };
		if status.placement != PlacementStatus::Chosen {
			status.placement = state.drawn();
			state.unseeded = state.unseeded.saturating_sub(1);
			state.more_in = state.more_in.saturating_sub(1);
		}
		Ok(Some(status))
	}

	async fn files_by_id(&self, id: &FileId) -> Result<Vec<FileStatus>, ChainError> {
		Ok(self.state().files.values().filter(|file| file.id == *id).cloned().collect())
	}

	async fn segments(
		&self,
		file: FileIndex,
		first: u32,
		limit: u32,
	) -> Result<Vec<SegmentStatus>, ChainError> {
		let state = self.state();
		let range = (file, first)..(file, first + limit.min(256));
		Ok(state.segments.range(range).map(|(_, segment)| segment.clone()).collect())
	}
}

#[async_trait]
impl Orders for Fake {
	fn account(&self) -> AccountId32 {
		AccountId32::new(OWNER)
	}

	async fn order(&self, order: &NewOrder) -> Result<FileIndex, ChainError> {
		let mut state = self.state();
		state.height += 1;
		state.orders += 1;
		let spec = FileSpec::new(order.size, order.coding).expect("a valid order");
		let file = FileIndex(state.files.len() as u64 + 1);
		let status = FileStatus {
			file,
			id: order.id,
			owner: AccountId32::new(OWNER),
			size: order.size,
			coding: order.coding,
			label: order.label.clone(),
			state: FileLife::Pending,
			first_segment: SegmentId(1000 * file.0),
			segments: spec.segments(),
			unconfirmed: spec.segments() * u32::from(spec.fragments()),
			lost: 0,
			last_progress: 0,
			placement: match order.placement {
				PlacementRule::Chosen => PlacementStatus::Chosen,
				PlacementRule::Drawn => state.drawn(),
			},
			deposit: 0,
		};
		state.files.insert(file, status);
		Ok(file)
	}

	async fn place(
		&self,
		file: FileIndex,
		first: u32,
		segments: &[Placement],
	) -> Result<u32, ChainError> {
		let refusal = |pallet: &str, error: &str| {
			let (pallet, error, docs) = (pallet.into(), error.into(), String::new());
			Err(Refusal { pallet, error, docs }.into())
		};
		let mut state = self.state();
		state.height += 1;
		if state.refuse > 0 {
			state.refuse -= 1;
			return refusal("Miners", "NoRoom");
		}
		assert!(segments.len() <= 256, "the chain takes no more");
		let first_segment = state.files[&file].first_segment;
		let draw = match state.files[&file].placement {
			PlacementStatus::Chosen => None,
			PlacementStatus::Drawn { .. } => {
				Some(state.drawn().draw().expect("placed with a seed"))
			},
		};
		for (number, placement) in (first..).zip(segments) {
			let before = state.segments.get(&(file, number));
			let choice = |(index, choice): (usize, &Option<u8>)| match (choice, &draw) {
				(Some(choice), Some(draw)) => draw.candidate(number, index as u8, *choice),
				(_, _) => before.and_then(|before| before.fragments[index].holder),
			};
			let holders: Vec<MinerId> = match placement {
				Placement::Chosen(miners) => {
					assert_eq!(draw, None, "the chain takes no chosen holders");
					miners.clone()
				},
				Placement::Drawn(choices) => {
					let holders = choices.iter().enumerate().map(choice);
					holders.collect::<Option<_>>().expect("a candidate, or placed before")
				},
			};
			let mut known = holders.clone();
			known.sort();
			known.dedup();
			assert_eq!(known.len(), holders.len(), "all holders of a segment are different");
			assert!(holders.iter().all(|miner| state.miners.contains_key(miner)));
			let old = state.segments.get(&(file, number)).cloned();
			let fragment = |(index, holder): (usize, &MinerId)| {
				let old = old.as_ref().map(|old| old.fragments[index]);
				match old {
					Some(old) if old.confirmed => {
						assert_eq!(old.holder, Some(*holder), "a confirmed fragment stays");
						old
					},
					_ => {
						FragmentStatus { holder: Some(*holder), confirmed: false, restoring: false }
					},
				}
			};
			let fragments = holders.iter().enumerate().map(fragment).collect();
			let segment = SegmentStatus {
				id: SegmentId(first_segment.0 + u64::from(number)),
				number,
				present: 0,
				spare: 0,
				verdict: None,
				fragments,
			};
			state.segments.insert((file, number), segment);
		}
		state.places += 1;
		Ok(state.height)
	}
}

/// A miner's side of transfers.
#[derive(Debug)]
pub struct Service {
	chain: Fake,
	miner: MinerId,
}

impl FragmentService for Service {
	type Sink = Sink;

	async fn judge(&self, _: &PeerKey, offer: &PutOffer) -> Verdict {
		let name = offer.name;
		let mut state = self.chain.state();
		let height = state.height;
		match state.manners.get_mut(&self.miner) {
			Some(Manner::Full) => return Verdict::Full,
			Some(Manner::Late(times)) if *times > 0 => {
				*times -= 1;
				return Verdict::NotYet { best: 0 };
			},
			Some(Manner::Busy(times)) if *times > 0 => {
				*times -= 1;
				return Verdict::Busy;
			},
			_ => {},
		}
		let Some(segment) = state.segments.get(&(name.file, name.segment)) else {
			return Verdict::NotYet { best: height };
		};
		if segment.fragments[usize::from(name.index)].holder != Some(self.miner) {
			return Verdict::NotAssigned { at: height };
		}
		if state.disks.get(&self.miner).is_some_and(|disk| disk.contains_key(&name)) {
			return Verdict::Have;
		}
		let file = &state.files[&name.file];
		Verdict::Assigned(FileSpec::new(file.size, file.coding).expect("a valid file"))
	}

	fn open(&self, offer: &PutOffer, _: FileSpec) -> Result<(Sink, u32), OpenError> {
		let PutOffer { name, hash, sidecar, .. } = offer.clone();
		let (chain, miner) = (self.chain.clone(), self.miner);
		Ok((Sink { chain, miner, name, hash, sidecar, bytes: Vec::new() }, 0))
	}

	fn read(&self, _: &PeerKey, name: &FragmentName) -> Result<Option<Stored>, ReadError> {
		let state = self.chain.state();
		Ok(state.disks.get(&self.miner).and_then(|disk| disk.get(name)).cloned())
	}

	fn list(
		&self,
		_: &PeerKey,
		_: Option<&FragmentName>,
		_: usize,
	) -> io::Result<Vec<FragmentName>> {
		Ok(Vec::new())
	}

	fn damaged(&self, _: &FragmentName, _: &FragmentHash) {}
}

#[derive(Debug)]
pub struct Sink {
	chain: Fake,
	miner: MinerId,
	name: FragmentName,
	hash: FragmentHash,
	sidecar: Sidecar,
	bytes: Vec<u8>,
}

impl FragmentSink for Sink {
	fn write(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
		assert_eq!(self.bytes.len(), offset as usize);
		self.bytes.extend_from_slice(bytes);
		Ok(())
	}

	fn commit(self) -> io::Result<()> {
		let Self { chain, miner, name, hash, sidecar, bytes } = self;
		let stored = Stored { hash, sidecar, bytes: Bytes::from(bytes) };
		chain.state().disks.entry(miner).or_default().insert(name, stored);
		chain.confirm(miner, &name);
		Ok(())
	}

	fn abandon(self) {}
}

/// A chain, miners, and a client.
pub struct Network {
	pub chain: Fake,
	pub transport: Arc<TransferTransport>,
	miners: BTreeMap<MinerId, (Transfer, Server)>,
}

impl Network {
	/// A network of so many honest miners.
	pub async fn new(miners: u32) -> Self {
		let bind = vec![([127, 0, 0, 1], 0).into()];
		let options = TransportOptions { bind, ..TransportOptions::default() };
		let transport = TransferTransport::bind_with(GENESIS, options).await.expect("bound");
		let mut network = Self {
			chain: Fake::default(),
			transport: Arc::new(transport),
			miners: BTreeMap::new(),
		};
		for id in 0..miners {
			network.join(id, Manner::Honest).await;
		}
		network
	}

	/// A miner joins.
	pub async fn join(&mut self, id: u32, manner: Manner) {
		let config = EndpointConfig {
			secret_key: [u8::try_from(id + 1).expect("few miners"); 32],
			genesis: GENESIS,
			bind: vec![([127, 0, 0, 1], 0).into()],
			relays: Vec::new(),
		};
		let transfer = Transfer::bind(config, TransferConfig::default()).await.expect("bound");
		let (chain, id) = (self.chain.clone(), MinerId(id));
		let server = transfer.serve(Arc::new(Service { chain, miner: id }));
		let addr = transfer.addr();
		let status =
			MinerStatus { endpoint_key: addr.key, endpoint_addrs: addr.addrs, ..miner(id.0) };
		assert_eq!(peer(&status), transfer.addr());
		let mut state = self.chain.state();
		state.miners.insert(id, status);
		state.manners.insert(id, manner);
		drop(state);
		self.miners.insert(id, (transfer, server));
	}

	/// A miner's machine is gone; the chain does not know yet.
	pub async fn kill(&mut self, id: u32) {
		if let Some((transfer, server)) = self.miners.remove(&MinerId(id)) {
			drop(server);
			transfer.close().await;
		}
	}

	/// The chain notices.
	pub fn mark_absent(&self, id: u32) {
		let mut state = self.chain.state();
		state.miners.get_mut(&MinerId(id)).expect("a miner").standing = MinerStanding::Absent;
	}

	/// How many fragments each miner holds.
	pub fn held(&self) -> Vec<usize> {
		let state = self.chain.state();
		state.miners.keys().map(|id| state.disks.get(id).map_or(0, HashMap::len)).collect()
	}
}
