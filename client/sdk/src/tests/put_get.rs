// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use super::network::{Manner, Network};
use crate::{
	Content, Destination, GetError, GetOptions, GetReport, Preferences, PutError, PutOptions,
	PutReport, Target, get,
	progress::{self, GetEvent, PutEvent},
	put, put_content,
	retry::Patience,
};
use bytes::Bytes;
use planaria_primitives::{CodingParams, FileIndex, MinerId, PlacementRule, placement::Draw};
use planaria_runtime_api::{FileLife, FragmentStatus};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
	collections::{BTreeSet, HashSet},
	fs, io,
	path::{Path, PathBuf},
	sync::{
		Arc, Mutex,
		atomic::{AtomicU32, Ordering},
	},
	time::Duration,
};
use tempfile::TempDir;

/// Random bytes in a file.
pub struct Sample {
	pub dir: TempDir,
	pub path: PathBuf,
	pub bytes: Vec<u8>,
}

pub fn content(len: usize) -> Sample {
	let dir = tempfile::tempdir().expect("a directory");
	let path = dir.path().join("in");
	let mut bytes = vec![0; len];
	StdRng::seed_from_u64(len as u64).fill(&mut bytes[..]);
	fs::write(&path, &bytes).expect("written");
	Sample { dir, path, bytes }
}

pub fn options(coding: CodingParams) -> PutOptions {
	PutOptions { coding, ..PutOptions::default() }
}

pub async fn store(
	network: &Network,
	path: &Path,
	options: PutOptions,
) -> Result<PutReport, PutError> {
	let chain = Arc::new(network.chain.clone());
	put(chain, network.transport.clone(), path, options, progress::silent()).await
}

async fn read(network: &Network, target: Target, to: &Path) -> Result<GetReport, GetError> {
	let chain = Arc::new(network.chain.clone());
	let destination = Destination::File { path: to.into(), overwrite: false };
	let options = GetOptions { attempts: 1, ..GetOptions::default() };
	let transport = network.transport.clone();
	get(chain, transport, target, destination, options, progress::silent()).await
}

/// Two segments and a bit.
pub const LEN: usize = (33 << 20) + 17;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_got() {
	let network = Network::new(6).await;
	for (len, coding) in [
		(1, CodingParams::LEAN),
		(100_000, CodingParams::new(2, 4).expect("valid")),
		(LEN, CodingParams::LEAN),
		(70_000, CodingParams::copies(3).expect("valid")),
	] {
		let file = content(len);
		let stored = store(&network, &file.path, options(coding)).await.expect("stored");
		assert!(stored.active && !stored.resumed && stored.replaced == 0);
		let fragments = u64::from(stored.segments) * u64::from(coding.fragments());
		assert_eq!(stored.sent_fragments, fragments);
		assert_eq!(stored.sent_bytes, stored.stored_bytes);
		for (target, name) in [(Target::File(stored.file), "a"), (Target::Id(stored.id), "b")] {
			let out = file.dir.path().join(name);
			let report = read(&network, target, &out).await.expect("read");
			assert!(fs::read(&out).expect("there") == file.bytes);
			assert_eq!((report.rebuilt_segments, report.failures), (0, 0));
			let data = u64::from(stored.segments) * u64::from(coding.data);
			assert_eq!(report.fetched_fragments, data);
		}
	}
	assert_eq!(network.held().iter().sum::<usize>(), 3 + 6 + 9 + 3);
}

/// Bytes that are others from the second time on that they are read.
#[derive(Debug)]
struct Fickle(AtomicU32);

impl Content for Fickle {
	fn size(&self) -> u64 {
		1000
	}

	fn read_at(&self, _: u64, to: &mut [u8]) -> io::Result<()> {
		to.fill(u8::from(self.0.fetch_add(1, Ordering::Relaxed) > 0));
		Ok(())
	}

	fn name(&self) -> String {
		"fickle".into()
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_put_as_well_unless_it_changes() {
	let network = Network::new(3).await;
	let store = |content: Arc<dyn Content>| {
		let (chain, transport) = (Arc::new(network.chain.clone()), network.transport.clone());
		put_content(chain, transport, content, options(CodingParams::LEAN), progress::silent())
	};
	let file = content(LEN);
	let stored = store(Arc::new(Bytes::from(file.bytes.clone()))).await.expect("stored");
	let out = file.dir.path().join("out");
	read(&network, Target::File(stored.file), &out).await.expect("read");
	assert!(fs::read(&out).expect("there") == file.bytes);

	let error = store(Arc::new(Fickle(AtomicU32::new(0)))).await.expect_err("it changed");
	assert!(matches!(error, PutError::Changed), "{error}");
	assert_eq!(network.held().iter().sum::<usize>(), 9);
	let error = store(Arc::new(Bytes::new())).await.expect_err("it is empty");
	assert!(matches!(error, PutError::Spec(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_with_as_many_dead_holders_as_the_code_tolerates() {
	let mut network = Network::new(12).await;
	let file = content(300_000);
	let stored = store(&network, &file.path, options(CodingParams::STANDARD)).await.expect("put");
	// Every holder but four is gone; three of those the chain knows about.
	for id in 0..8 {
		network.kill(id).await;
	}
	(0..3).for_each(|id| network.mark_absent(id));
	let out = file.dir.path().join("out");
	read(&network, Target::File(stored.file), &out).await.expect("read");
	assert!(fs::read(&out).expect("there") == file.bytes);

	network.kill(8).await;
	let gone = file.dir.path().join("gone");
	let error = read(&network, Target::File(stored.file), &gone).await.expect_err("too few");
	match error {
		GetError::Unrestorable { segment: 0, have: 3, need: 4, reasons } => {
			assert!(reasons.len() >= 9, "{reasons:?}");
		},
		other => panic!("{other}"),
	}
	assert!(!gone.exists());
	assert_eq!(fs::read_dir(file.dir.path()).expect("a directory").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_gets_the_bytes_in_order() {
	let network = Network::new(3).await;
	let file = content(LEN);
	let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	let (ours, theirs) = tokio::io::duplex(1 << 16);
	let reading = tokio::spawn(async move {
		use tokio::io::AsyncReadExt;
		let mut bytes = Vec::new();
		{ theirs }.read_to_end(&mut bytes).await.expect("read");
		bytes
	});
	let told = Arc::new(Mutex::new(Vec::new()));
	let listener = told.clone();
	get(
		Arc::new(network.chain.clone()),
		network.transport.clone(),
		Target::File(stored.file),
		Destination::Stream(Box::new(ours)),
		GetOptions::default(),
		Arc::new(move |event| listener.lock().expect("no panic").push(event)),
	)
	.await
	.expect("read");
	assert!(reading.await.expect("read") == file.bytes);
	let told = told.lock().expect("no panic");
	assert_eq!(told[0], GetEvent::Found { file: stored.file, size: LEN as u64 });
	assert_eq!(told.last(), Some(&GetEvent::Written { bytes: LEN as u64 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn holders_that_do_not_take_a_fragment_are_replaced() {
	let mut network = Network::new(3).await;
	network.join(3, Manner::Full).await;
	network.join(4, Manner::Honest).await;
	network.kill(4).await;
	network.join(5, Manner::Late(2)).await;
	network.join(6, Manner::Busy(2)).await;
	let file = content(200_000);
	let told = Arc::new(Mutex::new(Vec::new()));
	let listener = told.clone();
	let prefer = Preferences { prefer: [3, 4, 5, 6].map(MinerId).into(), ..Preferences::default() };
	let stored = put(
		Arc::new(network.chain.clone()),
		network.transport.clone(),
		&file.path,
		PutOptions { preferences: prefer, ..options(CodingParams::new(2, 2).expect("valid")) },
		Arc::new(move |event| listener.lock().expect("no panic").push(event)),
	)
	.await
	.expect("stored");
	assert!(stored.active);
	assert_eq!(stored.replaced, 2);
	let replaced: Vec<_> = told
		.lock()
		.expect("no panic")
		.iter()
		.filter_map(|event| match event {
			PutEvent::Replaced { from, .. } => Some(from.0),
			_ => None,
		})
		.collect();
	assert!(replaced.contains(&3) && replaced.contains(&4), "{replaced:?}");
	// Those that are late or busy for a while are not to blame.
	let blamed: BTreeSet<_> = told
		.lock()
		.expect("no panic")
		.iter()
		.filter_map(|event| match event {
			PutEvent::Blamed { miner, .. } => Some(miner.0),
			_ => None,
		})
		.collect();
	assert_eq!(blamed, [3, 4].into());
	let held = network.held();
	assert_eq!((held[3], held[4], held[5], held[6]), (0, 0, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_never_confirms_is_replaced() {
	let mut network = Network::new(3).await;
	network.join(3, Manner::Silent).await;
	let file = content(1000);
	let prefer = Preferences { prefer: [MinerId(3)].into(), ..Preferences::default() };
	let options = PutOptions {
		preferences: prefer,
		confirm_within: Duration::from_millis(100),
		..options(CodingParams::LEAN)
	};
	let stored = store(&network, &file.path, options).await.expect("stored");
	assert!(stored.active);
	// Its holder was offered the fragment once more first, and had it.
	assert_eq!((stored.replaced, stored.sent_fragments), (1, 4));
	let state = network.chain.state();
	let holders = &state.segments[&(stored.file, 0)].fragments;
	assert!(holders.iter().all(|fragment| fragment.holder != Some(MinerId(3))));
}

/// The holders of a file's first segment, of which each must be a candidate.
fn candidates_of(network: &Network, file: FileIndex) -> Vec<MinerId> {
	let state = network.chain.state();
	let draw = state.drawn().draw().expect("the seed is there");
	let holder = |(index, fragment): (u8, &FragmentStatus)| {
		let holder = fragment.holder.expect("it is placed");
		assert!(draw.of(0, index).any(|miner| miner == holder), "{holder} was drawn");
		holder
	};
	(0..).zip(&state.segments[&(file, 0)].fragments).map(holder).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_large_network_holders_are_candidates() {
	let network = Network::new(12).await;
	network.chain.state().drawn_from = Some(12);
	network.chain.state().unseeded = 2;
	let file = content(1000);
	let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	assert_eq!((stored.active, stored.placement), (true, PlacementRule::Drawn));
	candidates_of(&network, stored.file);
	// Who wishes another way gets it, beside.
	let chosen =
		PutOptions { placement: Some(PlacementRule::Chosen), ..options(CodingParams::LEAN) };
	let other = store(&network, &file.path, chosen).await.expect("stored");
	assert_eq!((other.active, other.placement), (true, PlacementRule::Chosen));
	assert_ne!(other.file, stored.file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_fails_is_replaced_by_another_one_as_soon_as_there_is_one() {
	// Of the first four of each fragment nobody takes any; of the next four somebody else may.
	const MINERS: u32 = 20;
	let candidates = |seed: u8, index: u8, skip: usize| {
		let draw = Draw { seed: [seed; 32], ids: MINERS, candidates: 8 };
		draw.of(0, index).skip(skip).take(4).collect::<HashSet<_>>()
	};
	let first = |seed| (0..3).flat_map(|index| candidates(seed, index, 0)).collect();
	let more_help = |seed: &u8| {
		let first: HashSet<MinerId> = first(*seed);
		let next = |index| &candidates(*seed, index, 4) - &first;
		(0..3).all(|index| next(index).len() > usize::from(index))
	};
	let seed = (0..=u8::MAX).find(more_help).expect("there is one");
	let full: HashSet<MinerId> = first(seed);
	let network = Network::new(MINERS).await;
	network.chain.state().seed = seed;
	for miner in &full {
		network.chain.state().manners.insert(*miner, Manner::Full);
	}
	network.chain.state().more_in = 10;
	let file = content(1000);
	let told = Arc::new(Mutex::new(Vec::new()));
	let listener = told.clone();
	let drawn = PutOptions {
		placement: Some(PlacementRule::Drawn),
		patience: Patience { replacements: 8, ..Patience::default() },
		..options(CodingParams::LEAN)
	};
	let stored = put(
		Arc::new(network.chain.clone()),
		network.transport.clone(),
		&file.path,
		drawn,
		Arc::new(move |event| listener.lock().expect("no panic").push(event)),
	)
	.await
	.expect("stored");
	assert!(stored.active);
	let waited = PutEvent::Waiting { segment: 0, until: 99 };
	let times = told.lock().expect("no panic").iter().filter(|event| **event == waited).count();
	assert_eq!(times, 1);
	let holders = candidates_of(&network, stored.file);
	assert!(holders.iter().all(|holder| !full.contains(holder)));

	// Where no more come, that is said.
	for miner in (0..MINERS).map(MinerId) {
		network.chain.state().manners.insert(miner, Manner::Full);
	}
	let again = PutOptions {
		placement: Some(PlacementRule::Drawn),
		patience: Patience { replacements: 8, ..Patience::default() },
		again: true,
		..options(CodingParams::LEAN)
	};
	let error = store(&network, &file.path, again).await.expect_err("all are full");
	assert!(matches!(error, PutError::NoCandidates { segment: 0, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_broke_off_goes_on_with_what_is_missing() {
	let mut network = Network::new(2).await;
	network.join(2, Manner::Silent).await;
	let file = content(LEN);
	let without_waiting = PutOptions { wait: false, ..options(CodingParams::LEAN) };
	let first = store(&network, &file.path, without_waiting.clone()).await.expect("sent");
	assert!(!first.active && first.sent_fragments == 9);
	assert_eq!(network.chain.state().files[&first.file].state, FileLife::Pending);

	// It has them all on its disk; now it confirms when it is asked again.
	network.chain.state().manners.insert(MinerId(2), Manner::Honest);
	network.chain.state().disks.remove(&MinerId(2));
	let second = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	assert!(second.active && second.resumed);
	assert_eq!((second.file, second.sent_fragments), (first.file, 3));
	let (orders, places) = {
		let state = network.chain.state();
		(state.orders, state.places)
	};
	assert_eq!((orders, places), (1, 1));

	// Once it is stored, putting it again changes nothing, unless it shall.
	let third = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	assert_eq!((third.file, third.sent_fragments, third.active), (first.file, 0, true));
	let again = PutOptions { again: true, ..options(CodingParams::LEAN) };
	let fourth = store(&network, &file.path, again).await.expect("stored");
	assert_eq!((fourth.file, fourth.sent_fragments), (FileIndex(2), 9));
	assert_eq!(fourth.id, first.id);
	// What has another label is another's, who may delete it.
	let labelled = PutOptions { label: b"mine".to_vec(), ..options(CodingParams::LEAN) };
	let fifth = store(&network, &file.path, labelled.clone()).await.expect("stored");
	assert_eq!((fifth.file, fifth.sent_fragments), (FileIndex(3), 9));
	let sixth = store(&network, &file.path, labelled).await.expect("stored");
	assert_eq!((sixth.file, sixth.sent_fragments), (FileIndex(3), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_goes_on_offers_nothing_to_who_is_to_be_avoided() {
	let mut network = Network::new(2).await;
	network.join(2, Manner::Silent).await;
	let file = content(LEN);
	let without_waiting = PutOptions { wait: false, ..options(CodingParams::LEAN) };
	store(&network, &file.path, without_waiting).await.expect("sent");
	network.chain.state().disks.remove(&MinerId(2));
	network.chain.state().manners.insert(MinerId(2), Manner::Honest);
	let avoid = Preferences { avoid: [MinerId(2)].into(), ..Preferences::default() };
	let avoiding = PutOptions { preferences: avoid, ..options(CodingParams::LEAN) };

	// Nobody else can have it.
	let error = store(&network, &file.path, avoiding.clone()).await.expect_err("too few");
	assert!(error.lacks_miners(), "{error}");
	assert_eq!(network.held(), [3, 3, 0]);
	network.join(3, Manner::Honest).await;
	let stored = store(&network, &file.path, avoiding).await.expect("stored");
	assert!(stored.active && stored.resumed);
	assert_eq!((stored.replaced, stored.sent_fragments), (3, 3));
	assert_eq!((network.held(), network.chain.state().places), (vec![3, 3, 0, 3], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_placement_is_planned_again() {
	let network = Network::new(3).await;
	network.chain.state().refuse = 1;
	let file = content(10);
	let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	assert!(stored.active);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_is_said_before_anything_is_ordered() {
	let network = Network::new(3).await;
	let file = content(10);
	let error = store(&network, &file.path, options(CodingParams::STANDARD)).await;
	assert!(matches!(error, Err(PutError::Placement(_))), "{error:?}");
	let empty = content(0);
	let error = store(&network, &empty.path, options(CodingParams::LEAN)).await;
	assert!(matches!(error, Err(PutError::Spec(_))), "{error:?}");
	let error = store(&network, file.dir.path(), options(CodingParams::LEAN)).await;
	assert!(matches!(error, Err(PutError::NotAFile(_))), "{error:?}");
	let error = store(&network, Path::new("/no/such/file"), options(CodingParams::LEAN)).await;
	assert!(matches!(error, Err(PutError::Unreadable { .. })), "{error:?}");
	assert_eq!(network.chain.state().orders, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_takes_is_given_up() {
	let mut network = Network::new(0).await;
	for id in 0..4 {
		network.join(id, Manner::Full).await;
	}
	let file = content(10);
	let patience = Patience { replacements: 1, ..Patience::default() };
	let options = PutOptions { patience, ..options(CodingParams::LEAN) };
	let error = store(&network, &file.path, options).await.expect_err("all are full");
	assert!(matches!(error, PutError::Placement(_) | PutError::NoHolder { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_file_and_an_existing_destination_are_errors() {
	let network = Network::new(3).await;
	let file = content(10);
	let out = file.dir.path().join("out");
	let error = read(&network, Target::File(FileIndex(9)), &out).await.expect_err("unknown");
	assert!(matches!(error, GetError::NotFound(_)));
	let stored = store(&network, &file.path, options(CodingParams::LEAN)).await.expect("stored");
	let error = read(&network, Target::Id(stored.id), &file.path).await.expect_err("exists");
	assert!(matches!(error, GetError::Exists(_)));
	assert!(fs::read(&file.path).expect("there") == file.bytes);
}
