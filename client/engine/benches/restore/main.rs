// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How fast one miner restores over loopback, and how much is read for it.
//!
//! Real transfers and real stores on the disk, all miners in this process; only the chain is a
//! table. Segments of `4+8`, 8 MiB fragments:
//!
//! - a copy of one fragment of each segment from a holder that leaves,
//! - the same fragments rebuilt, their holder being gone,
//! - four fragments of each segment gone, restored by four miners at once.
//!
//! The baseline of each speed is raw iroh in the same run, right before it: the speed at which the
//! bytes that are read alone could come. `…-cpu` is what all miners of the run together computed,
//! `…-raw-cpu` what raw iroh did, both ends.
//!
//! Prints a table, or with `--json` one JSON object per line. A number sets how many segments
//! there are (default 16, at most 64; each takes 96 MiB of disk, and 32 MiB while it is restored);
//! `copy`, `rebuild` and `cooperative` run that alone.

mod raw;

use async_trait::async_trait;
use planaria_engine::{
	At, Chain, ChainError, Changes, Engine, EngineConfig, EngineHandle, FileRow, Heads, Mailbox,
	MinerRow, OrderRow, Service,
};
use planaria_erasure::Coder;
use planaria_primitives::{
	CodingParams, FileIndex, FileSpec, FragmentId, FragmentName, Hash, MAX_FRAGMENT_LEN, MinerId,
	Segment, SegmentId,
	mailbox::{DONE, Done, Job, JobKind, WANTED, Wanted, pack, unpack},
};
use planaria_runtime_api::{
	FileLife, FragmentRecord, MinerStanding, MinerStatus, NetworkStatus, SegmentClaim,
	VerdictStatus,
};
use planaria_store::{DiskOptions, DiskStore, FragmentStore, FragmentStoreExt, FragmentUse};
use planaria_transfer::{EndpointConfig, PeerAddr, Transfer, TransferConfig};
use std::{
	collections::{BTreeMap, HashMap},
	error::Error,
	io::Read,
	net::SocketAddr,
	path::Path,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant},
};
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const KINDS: [&str; 3] = ["copy", "rebuild", "cooperative"];
/// Endpoints that serve what is stored, each for some of the holders.
const SERVERS: u32 = 4;
/// The first of the miners that restore.
const FIRST: u32 = 100;
const MISSING: u8 = 4;
const DEADLINE: u32 = 100_000;

#[tokio::main]
async fn main() -> Result<()> {
	let args: Vec<String> = std::env::args().skip(1).collect();
	let json = args.iter().any(|arg| arg == "--json");
	let segments = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(16).clamp(1, 64);
	let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
	let file = File::store(dir.path(), segments)?;
	let servers = Servers::start(&file).await?;

	for (name, standing, missing, read) in [
		(KINDS[0], MinerStanding::Leaving, 1, 1.02),
		(KINDS[1], MinerStanding::Absent, 1, 4.08),
		(KINDS[2], MinerStanding::Absent, MISSING, 1.3),
	] {
		let is_other = |arg: &String| KINDS.contains(&arg.as_str()) && arg != name;
		if args.iter().any(is_other) && !args.iter().any(|arg| arg == name) {
			continue;
		}
		let computed = cpu_seconds()?;
		let raw = raw::speed(SERVERS, 4 * segments).await?;
		let bytes = f64::from(4 * segments) * f64::from(MAX_FRAGMENT_LEN);
		let cpu = (cpu_seconds()? - computed) * 1000.0 * f64::from(1 << 20) / bytes;
		row(json, &format!("restore/{name}-raw-cpu"), "ms/MiB", cpu, None, None);
		let outcome = file.run(&servers, dir.path(), standing, missing).await?;
		outcome.rows(json, name, raw, read);
	}
	Ok(())
}

/// What a run came to.
struct Outcome {
	seconds: f64,
	cpu: f64,
	restored: u64,
	read: u64,
	passed: u64,
}

#[allow(clippy::cast_precision_loss)] // byte counts are far below 2^53
impl Outcome {
	fn rows(&self, json: bool, name: &str, raw: f64, most_read: f64) {
		let (mib, restored) = (f64::from(1 << 20), self.restored as f64);
		let read = self.read as f64 / restored;
		let moved = read + self.passed as f64 / restored;
		let speed = restored / self.seconds / mib;
		let bound = Some(raw / moved / mib);
		row(json, &format!("restore/{name}"), "MiB/s", speed, bound, Some((60.0, speed >= 60.0)));
		let met = Some((most_read, read <= most_read));
		row(json, &format!("restore/{name}-read"), "B/B", read, None, met);
		row(json, &format!("restore/{name}-moved"), "B/B", moved, None, None);
		let cpu = self.cpu * 1000.0 * mib / restored;
		row(json, &format!("restore/{name}-cpu"), "ms/MiB", cpu, None, None);
	}
}

fn row(
	json: bool,
	name: &str,
	unit: &str,
	value: f64,
	baseline: Option<f64>,
	goal: Option<(f64, bool)>,
) {
	let ratio = baseline.map(|baseline| value / baseline);
	let number = |number: Option<f64>, none: &str| {
		number.map_or(none.to_owned(), |number| format!("{number:.3}"))
	};
	let (goal, met) = goal.unzip();
	if json {
		println!(
			r#"{{"name":"{name}","value":{value:.3},"unit":"{unit}","baseline":{},"ratio":{},"goal":{},"met":{}}}"#,
			number(baseline, "null"),
			number(ratio, "null"),
			goal.map_or("null".to_owned(), |goal| goal.to_string()),
			met.map_or("null".to_owned(), |met| met.to_string()),
		);
	} else {
		println!(
			"{name:<30} {value:>9.2}  {unit:<7} baseline {:>8} ratio {:>6} goal {:>5} {}",
			number(baseline, ""),
			number(ratio, ""),
			goal.map_or(String::new(), |goal| goal.to_string()),
			met.map_or("", |met| if met { "yes" } else { "NO" }),
		);
	}
}

/// The seconds that this process has computed.
fn cpu_seconds() -> Result<f64> {
	let stat = std::fs::read_to_string("/proc/self/stat")?;
	let (_, fields) = stat.rsplit_once(')').ok_or("no statistics")?;
	// User and system time, in hundredths: fields 14 and 15, of which two stand before.
	let times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
	Ok(f64::from(times.sum::<std::result::Result<u32, _>>()?) / 100.0)
}

/// One file, all of its fragments in one store.
struct File {
	spec: FileSpec,
	names: Vec<FragmentName>,
	store: Arc<DiskStore>,
}

impl File {
	fn store(dir: &Path, segments: u32) -> Result<Self> {
		let coding = CodingParams::new(4, 8)?;
		let spec = FileSpec::new(u64::from(segments) * coding.segment_capacity(), coding)?;
		let store = Arc::new(open(&dir.join("held"))?);
		let coder = Coder::new(spec);
		let content = || blake3::Hasher::new().finalize_xof().take(spec.size());
		let commitment = coder.commit(content())?;
		let mut names = Vec::new();
		for segment in coder.segments(content()) {
			let segment = segment?;
			let (file_id, file) = (*commitment.id(), FileIndex(0));
			for (index, bytes) in (0..).zip(segment.fragments()) {
				let name = FragmentName { file_id, file, segment: segment.number(), index };
				let sidecar = commitment.sidecar(&segment, index)?;
				let of = FragmentUse { name, spec, sidecar };
				store.put_bytes(segment.hashes()[usize::from(index)], &of, bytes)?;
			}
			names.push(FragmentName { file_id, file, segment: segment.number(), index: 0 });
		}
		Ok(Self { spec, names, store })
	}

	/// The first `missing` fragments of each segment are restored by as many miners, while their
	/// holders are as said.
	async fn run(
		&self,
		servers: &Servers,
		dir: &Path,
		standing: MinerStanding,
		missing: u8,
	) -> Result<Outcome> {
		let mut addrs = servers.addrs.clone();
		let mut restorers = Vec::new();
		for index in 0..missing {
			let miner = MinerId(FIRST + u32::from(index));
			let transfer = endpoint(100 + index).await?;
			addrs.insert(miner, addr(&transfer));
			restorers.push((miner, index, transfer));
		}
		let table = Arc::new(Table {
			spec: self.spec,
			names: self.names.clone(),
			addrs,
			missing,
			standing,
			heads: watch::channel(Heads { best: 10, finalized: 9, syncing: false }).0,
		});
		let stop = CancellationToken::new();
		let mut running = Vec::new();
		for (miner, index, transfer) in restorers {
			let path = dir.join(format!("{standing:?}-{missing}-{index}"));
			let store: Arc<dyn FragmentStore> = Arc::new(open(&path)?);
			let node = Arc::new(Node { me: miner, ..Node::new(&table) });
			let (engine, handle) = Engine::new(
				node.clone(),
				store.clone(),
				Arc::new(transfer.client().clone()),
				node.clone(),
				EngineConfig {
					compare_every: Duration::from_secs(3600),
					..EngineConfig::default()
				},
			);
			let server =
				transfer.serve(Arc::new(Service::new(node.clone(), store, handle.clone())));
			let task = tokio::spawn(engine.run(stop.clone()));
			running.push((node, index, handle, task, server, transfer));
		}
		let (began, computed) = (Instant::now(), cpu_seconds()?);
		for (node, index, ..) in &running {
			node.want(*index);
		}
		let all = self.names.len();
		while running.iter().any(|(node, ..)| node.done().restored.len() < all) {
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
		let seconds = began.elapsed().as_secs_f64();
		let restored = (all * running.len()) as u64 * u64::from(MAX_FRAGMENT_LEN);
		let cpu = cpu_seconds()? - computed;
		let mut outcome = Outcome { seconds, cpu, restored, read: 0, passed: 0 };
		for (_, _, handle, ..) in &running {
			let totals = told(handle, all as u64 * u64::from(MAX_FRAGMENT_LEN)).await?;
			outcome.read += totals.bytes_read;
			outcome.passed += totals.bytes_cooperated;
		}
		stop.cancel();
		for (_, _, _, task, server, transfer) in running {
			task.await?;
			drop(server);
			drop(transfer);
		}
		Ok(outcome)
	}
}

/// The totals, once they tell of so many bytes restored.
async fn told(handle: &EngineHandle, restored: u64) -> Result<planaria_engine::Totals> {
	let mut status = handle.watch();
	let status = status.wait_for(|status| status.totals.bytes_restored >= restored).await?;
	Ok(status.totals)
}

fn open(path: &Path) -> Result<DiskStore> {
	Ok(DiskStore::open(path, DiskOptions::new(1 << 40))?)
}

async fn endpoint(seed: u8) -> Result<Transfer> {
	let id = EndpointConfig {
		secret_key: [seed; 32],
		genesis: [0; 32],
		bind: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
		relays: Vec::new(),
	};
	Ok(Transfer::bind(id, TransferConfig::default()).await?)
}

fn addr(transfer: &Transfer) -> PeerAddr {
	let addrs = transfer.bound().iter().map(ToString::to_string).collect();
	PeerAddr { key: transfer.key(), addrs }
}

/// Who serves what is stored.
struct Servers {
	addrs: BTreeMap<MinerId, PeerAddr>,
	_running: Vec<(planaria_transfer::Server, Transfer)>,
}

impl Servers {
	async fn start(file: &File) -> Result<Self> {
		let table = Arc::new(Table {
			spec: file.spec,
			names: file.names.clone(),
			addrs: BTreeMap::new(),
			missing: 0,
			standing: MinerStanding::Serving,
			heads: watch::channel(Heads::default()).0,
		});
		let (mut addrs, mut running) = (Vec::new(), Vec::new());
		for server in 0..SERVERS {
			let transfer = endpoint(1 + u8::try_from(server)?).await?;
			addrs.push(addr(&transfer));
			let node = Arc::new(Node::new(&table));
			let store: Arc<dyn FragmentStore> = file.store.clone();
			// An engine that never runs: only what it serves is wanted.
			let (_, handle) = Engine::new(
				node.clone(),
				store.clone(),
				Arc::new(transfer.client().clone()),
				node.clone(),
				EngineConfig::default(),
			);
			let service = Arc::new(Service::new(node, store, handle));
			running.push((transfer.serve(service), transfer));
		}
		let holders = 0..u32::from(file.spec.fragments());
		let addrs =
			holders.map(|miner| (MinerId(miner), addrs[(miner % SERVERS) as usize].clone()));
		Ok(Self { addrs: addrs.collect(), _running: running })
	}
}

/// The chain: segment `k` is that of the file, fragment `i` is held by miner `i`, and the first
/// `missing` ones are claimed.
struct Table {
	spec: FileSpec,
	names: Vec<FragmentName>,
	addrs: BTreeMap<MinerId, PeerAddr>,
	missing: u8,
	/// That of the holders of what is missing.
	standing: MinerStanding,
	heads: watch::Sender<Heads>,
}

/// What one engine sees.
struct Node {
	table: Arc<Table>,
	me: MinerId,
	values: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
	bell: Arc<Notify>,
}

impl Node {
	fn new(table: &Arc<Table>) -> Self {
		Self {
			table: table.clone(),
			me: MinerId(0),
			values: Mutex::default(),
			bell: Arc::default(),
		}
	}

	fn want(&self, index: u8) {
		let job = |name: &FragmentName| {
			let name = FragmentName { index, ..*name };
			let fragment = FragmentId { segment: SegmentId(name.segment.into()), index };
			Job::from(JobKind::Restore { fragment, name, deadline: DEADLINE })
		};
		let jobs = self.table.names.iter().map(job).collect();
		let wanted = Wanted { miner: self.me, height: 10, jobs };
		if let Some(wanted) = pack(&wanted) {
			self.set(WANTED, wanted);
		}
		self.bell.notify_one();
	}

	fn done(&self) -> Done {
		Mailbox::get(self, DONE).and_then(|bytes| unpack(&bytes)).unwrap_or_default()
	}
}

impl Table {
	fn record(&self, fragment: FragmentId) -> Option<FragmentRecord> {
		let name = self.names.get(usize::try_from(fragment.segment.0).ok()?)?;
		let fragments = self.spec.fragments();
		Some(FragmentRecord {
			fragment,
			name: FragmentName { index: fragment.index, ..*name },
			size: self.spec.size(),
			coding: self.spec.coding(),
			state: FileLife::Active,
			holders: (0..fragments).map(|index| Some(MinerId(index.into()))).collect(),
			confirmed: (1 << fragments) - 1,
			restoring: (1 << self.missing) - 1,
			claims: (0..self.missing)
				.map(|index| SegmentClaim {
					index,
					by: MinerId(FIRST + u32::from(index)),
					deadline: DEADLINE,
					ready: false,
				})
				.collect(),
			spare: 8 - i16::from(self.missing),
			verdict: None,
		})
	}
}

#[async_trait]
impl Chain for Node {
	fn genesis(&self) -> Hash {
		[0; 32]
	}

	fn heads(&self) -> watch::Receiver<Heads> {
		self.table.heads.subscribe()
	}

	async fn network(&self, _: At) -> std::result::Result<NetworkStatus, ChainError> {
		Ok(NetworkStatus {
			height: 10,
			tick: 10,
			running: true,
			slot_millis: 6000,
			claim_period: 600,
			absent_after: 1200,
			files_ever: 1,
			segments_ever: self.table.names.len() as u64,
			braked: false,
			absent_max: 43_200,
			miners: 12,
		})
	}

	async fn me(&self, at: At) -> std::result::Result<Option<MinerStatus>, ChainError> {
		self.miner(at, self.me).await
	}

	async fn miner(
		&self,
		_: At,
		miner: MinerId,
	) -> std::result::Result<Option<MinerStatus>, ChainError> {
		let Some(addr) = self.table.addrs.get(&miner).cloned() else { return Ok(None) };
		let account = planaria_runtime_api::AccountId32::from([0; 32]);
		let missing = miner.0 < u32::from(self.table.missing);
		Ok(Some(MinerStatus {
			miner,
			stash: account.clone(),
			payee: account.clone(),
			hot_key: account,
			endpoint_key: addr.key,
			endpoint_addrs: addr.addrs,
			standing: if missing { self.table.standing } else { MinerStanding::Serving },
			since: 0,
			declared: 1 << 40,
			held: 0,
			reserved: 0,
			fragments: 0,
			claims: 0,
			last_seen: 0,
			collateral: 0,
			required: 0,
			free_at: None,
			audit: Default::default(),
		}))
	}

	async fn locate(
		&self,
		at: At,
		names: Vec<FragmentName>,
	) -> std::result::Result<Vec<Option<FragmentRecord>>, ChainError> {
		let id = |name: &FragmentName| FragmentId {
			segment: SegmentId(name.segment.into()),
			index: name.index,
		};
		self.records(at, names.iter().map(id).collect()).await
	}

	async fn records(
		&self,
		_: At,
		fragments: Vec<FragmentId>,
	) -> std::result::Result<Vec<Option<FragmentRecord>>, ChainError> {
		Ok(fragments.into_iter().map(|id| self.table.record(id)).collect())
	}

	async fn miners(
		&self,
		_: At,
		_: Option<MinerId>,
		_: u32,
	) -> std::result::Result<Vec<MinerRow>, ChainError> {
		Ok(Vec::new())
	}

	async fn files(
		&self,
		_: At,
		_: Vec<FileIndex>,
	) -> std::result::Result<Vec<Option<FileRow>>, ChainError> {
		Ok(Vec::new())
	}

	async fn orders(
		&self,
		_: At,
		_: Option<FragmentId>,
		_: u32,
	) -> std::result::Result<Vec<(FragmentId, OrderRow)>, ChainError> {
		Ok(Vec::new())
	}

	async fn verdicts(
		&self,
		_: At,
		_: Option<SegmentId>,
		_: u32,
	) -> std::result::Result<Vec<(SegmentId, VerdictStatus)>, ChainError> {
		Ok(Vec::new())
	}

	async fn segments(
		&self,
		_: At,
		_: Vec<SegmentId>,
	) -> std::result::Result<Vec<Option<Segment>>, ChainError> {
		Ok(Vec::new())
	}

	async fn class(
		&self,
		_: At,
		_: u8,
		_: Option<SegmentId>,
		_: u32,
	) -> std::result::Result<Vec<(SegmentId, Segment)>, ChainError> {
		Ok(Vec::new())
	}

	fn changes(&self) -> broadcast::Receiver<Arc<Changes>> {
		broadcast::Sender::new(1).subscribe()
	}

	async fn beacon(&self, _: At, _: u32) -> std::result::Result<Option<Hash>, ChainError> {
		Ok(None)
	}
}

impl Mailbox for Node {
	fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
		self.values.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
	}

	fn set(&self, key: &[u8], value: Vec<u8>) {
		let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
		values.insert(key.to_vec(), value);
	}

	fn rings(&self) -> Arc<Notify> {
		self.bell.clone()
	}
}
