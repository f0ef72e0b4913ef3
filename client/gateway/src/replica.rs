// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a gateway has acknowledged, a second time, in an object store: whoever starts a gateway of
//! the same name without data goes on where it was.
//!
//! | name under `gateways/<name>/` | what |
//! |---|---|
//! | `claims/<number>` | who is this gateway from this moment on: 16 bytes, which its data directory has as well |
//! | `log/<number>/0` | its catalog's file at a moment |
//! | `log/<number>/<n>` | the changes of that file behind it, in order |
//! | `spool/<piece>` | bytes that the network does not have yet |
//!
//! A change of the catalog is acknowledged when it is in the log and nobody has claimed a higher
//! number since: whoever does that reads the log afterwards. So of two gateways of one name only the
//! later one acknowledges anything.

use crate::{
	backend::{Backend, BackendError},
	catalog::{
		BlobId, Piece,
		journal::{Change, Journal, Taken},
	},
};
use codec::{DecodeAll, Encode};
use futures::{StreamExt, TryStreamExt, stream};
use planaria_durable::{self as durable, Mode};
use std::{
	collections::{BTreeMap, BTreeSet, HashSet},
	fs::{self, File},
	io,
	path::{Path, PathBuf},
	sync::Arc,
};
use tokio::{sync::Mutex, task::spawn_blocking};
use tracing::{info, warn};

/// After so many bytes of changes the catalog is written anew, if it is not larger.
const LONG_LOG: u64 = 64 << 20;
/// How many pieces are moved at once.
const MOVED_AT_ONCE: usize = 4;

type Result<T> = std::result::Result<T, BackendError>;

#[derive(Debug)]
struct State {
	/// The highest number that this gateway claimed.
	claimed: u64,
	/// The number of the log that is written; `None` if it has to be begun.
	log: Option<u64>,
	/// What is written next to it.
	next: u64,
	/// How many changes of the catalog are in it.
	shipped: u64,
	/// How many bytes are in it behind the catalog.
	bytes: u64,
	/// How long the catalog was when it was begun.
	begun: u64,
	/// What was noted and not written yet, and after how many changes that is.
	unsent: Option<(Vec<u8>, u64)>,
}

#[derive(Debug)]
struct Inner {
	backend: Backend,
	name: String,
	data: PathBuf,
	token: [u8; 16],
	state: Mutex<State>,
}

/// A gateway's copy in an object store. Clones are the same.
#[derive(Clone, Debug)]
pub struct Replica(Arc<Inner>);

async fn on_disk<R: Send + 'static>(
	run: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> Result<R> {
	Ok(spawn_blocking(run).await.map_err(|_| BackendError::Stopping)??)
}

fn is_name(name: &str) -> bool {
	(1..=64).contains(&name.len())
		&& name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What tells this data directory from others.
fn token(data: &Path) -> io::Result<[u8; 16]> {
	let path = data.join("replica");
	let mut token = [0; 16];
	match fs::read_to_string(&path) {
		Ok(text) => {
			hex::decode_to_slice(text.trim(), &mut token).map_err(io::Error::other)?;
		},
		Err(error) if error.kind() == io::ErrorKind::NotFound => {
			token = rand::random();
			durable::create(&path, hex::encode(token).as_bytes(), Mode::Plain)?;
		},
		Err(error) => return Err(error),
	}
	Ok(token)
}

impl Replica {
	/// Becomes the gateway of this name: with the data that is in the directory, if it is the last
	/// that had the name, or with what the object store has.
	pub async fn take_over(backend: Backend, name: &str, data: &Path) -> Result<Self> {
		if !is_name(name) {
			return Err(BackendError::Name(name.into()));
		}
		if !backend.has_key() {
			return Err(BackendError::NoKey);
		}
		let directory = data.to_owned();
		let token = on_disk(move || token(&directory)).await?;
		let claims = backend.list(&format!("gateways/{name}/claims")).await?;
		let last = claims.iter().filter_map(|number| number.parse().ok()).max().unwrap_or(0);
		let state = State {
			claimed: last,
			log: None,
			next: 0,
			shipped: 0,
			bytes: 0,
			begun: 0,
			unsent: None,
		};
		let (name, data) = (name.to_owned(), data.to_owned());
		let catalog = data.join("catalog.redb");
		let inner = Inner { backend, name, data, token, state: Mutex::new(state) };
		let replica = Self(Arc::new(inner));
		if catalog.exists() {
			let known = replica.0.backend.get(&replica.claim_name(last)).await?;
			if last > 0 && known.as_deref() != Some(&token[..]) {
				return Err(BackendError::TakenOver(replica.0.name.clone()));
			}
			return Ok(replica);
		}
		let mut state = replica.0.state.lock().await;
		replica.claim(&mut state).await?;
		replica.restore(&catalog).await?;
		drop(state);
		Ok(replica)
	}

	fn claim_name(&self, number: u64) -> String {
		format!("gateways/{}/claims/{number}", self.0.name)
	}

	fn log_name(&self, number: u64, next: u64) -> String {
		format!("gateways/{}/log/{number}/{next}", self.0.name)
	}

	fn piece_name(&self, blob: BlobId) -> String {
		format!("gateways/{}/spool/{}", self.0.name, hex::encode(blob.0))
	}

	/// From now on what others of this name write does not count. Claims stay for ever: one that were
	/// gone could be made again by who was passed over.
	async fn claim(&self, state: &mut State) -> Result<()> {
		let number = state.claimed + 1;
		let name = self.claim_name(number);
		let claimed = self.0.backend.put(&name, &self.0.token, true).await?;
		// It may have been claimed by an attempt whose answer was lost.
		if !claimed && self.0.backend.get(&name).await?.as_deref() != Some(&self.0.token[..]) {
			return Err(BackendError::TakenOver(self.0.name.clone()));
		}
		state.claimed = number;
		Ok(())
	}

	async fn is_mine(&self, state: &State) -> Result<()> {
		match self.0.backend.has(&self.claim_name(state.claimed + 1)).await? {
			true => Err(BackendError::TakenOver(self.0.name.clone())),
			false => Ok(()),
		}
	}

	/// The logs that there are, and what is in each.
	async fn logs(&self) -> Result<BTreeMap<u64, BTreeSet<u64>>> {
		let mut logs: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
		for name in self.0.backend.list(&format!("gateways/{}/log", self.0.name)).await? {
			let numbers = name.split_once('/');
			let numbers = numbers.and_then(|(log, n)| Some((log.parse().ok()?, n.parse().ok()?)));
			if let Some((log, n)) = numbers {
				logs.entry(log).or_default().insert(n);
			}
		}
		Ok(logs)
	}

	/// Makes the catalog of what the newest log has, if there is one.
	async fn restore(&self, catalog: &Path) -> Result<()> {
		let logs = self.logs().await?;
		let newest = logs.iter().rev().find(|(_, parts)| parts.contains(&0));
		let Some((log, parts)) = newest else { return Ok(()) };
		let new = catalog.with_extension("new");
		let path = new.clone();
		let file = on_disk(move || File::create(&path)).await?;
		let mut file = self.0.backend.get_file(&self.log_name(*log, 0), file).await?;
		for (n, part) in (0..).zip(parts) {
			let name = self.log_name(*log, n);
			if n != *part {
				return Err(BackendError::Lost(name));
			}
			if n == 0 {
				continue;
			}
			let changes = self.0.backend.get(&name).await?;
			let changes = changes.ok_or_else(|| BackendError::Lost(name.clone()))?;
			let changes = Vec::<Change>::decode_all(&mut &changes[..]);
			let changes = changes.map_err(|_| BackendError::Other(name))?;
			file = on_disk(move || {
				changes.iter().try_for_each(|change| change.apply(&file))?;
				Ok(file)
			})
			.await?;
		}
		info!(
			name = self.0.name,
			log,
			changes = parts.len() - 1,
			"goes on where another gateway was"
		);
		let catalog = catalog.to_owned();
		on_disk(move || {
			file.sync_all()?;
			fs::rename(&new, &catalog)?;
			File::open(catalog.parent().unwrap_or(Path::new(".")))?.sync_all()
		})
		.await
	}

	/// Returns when all changes up to this one are in the log.
	pub async fn ship(&self, journal: &Journal, count: u64) -> Result<()> {
		let mut state = self.0.state.lock().await;
		while state.shipped < count || state.log.is_none() {
			let Some(log) = state.log else {
				self.begin(&mut state, journal).await?;
				continue;
			};
			if state.unsent.is_none() {
				match journal.take() {
					Taken::Changes(changes, upto) => state.unsent = Some((changes.encode(), upto)),
					Taken::TooMuch => {
						state.log = None;
						continue;
					},
				}
			}
			let Some((changes, upto)) = &state.unsent else { continue };
			let name = self.log_name(log, state.next);
			self.0.backend.put(&name, changes, false).await?;
			self.is_mine(&state).await?;
			let (upto, len) = (*upto, changes.len() as u64);
			(state.next, state.shipped, state.bytes) = (state.next + 1, upto, state.bytes + len);
			state.unsent = None;
		}
		if state.bytes > LONG_LOG.max(state.begun)
			&& let Err(error) = self.begin(&mut state, journal).await
		{
			// What was to be acknowledged is in the log before.
			warn!(%error, "cannot write the catalog to the object store");
		}
		Ok(())
	}

	/// Returns when all changes up to this one are in the log and this gateway still has its name.
	pub async fn confirm(&self, journal: &Journal, count: u64) -> Result<()> {
		self.ship(journal, count).await?;
		let state = self.0.state.lock().await;
		self.is_mine(&state).await
	}

	/// Begins a log with the catalog as it is.
	async fn begin(&self, state: &mut State, journal: &Journal) -> Result<()> {
		self.claim(state).await?;
		// What is noted up to here would be missing in the one before.
		state.log = None;
		let (journal, data) = (journal.clone(), self.0.data.clone());
		let (file, (len, count)) = on_disk(move || {
			let file = tempfile::tempfile_in(data)?;
			let copied = journal.copy(&file)?;
			Ok((file, copied))
		})
		.await?;
		let log = state.claimed;
		self.0.backend.put_file(&self.log_name(log, 0), file, len).await?;
		self.is_mine(state).await?;
		*state = State {
			claimed: log,
			log: Some(log),
			next: 1,
			shipped: count,
			bytes: 0,
			begun: len,
			unsent: None,
		};
		let this = self.clone();
		tokio::spawn(async move {
			if let Err(error) = this.remove_before(log).await {
				warn!(%error, "cannot remove old logs from the object store");
			}
		});
		Ok(())
	}

	async fn remove_before(&self, number: u64) -> Result<()> {
		for (log, parts) in self.logs().await?.range(..number) {
			// Without its beginning a log is none.
			for part in parts {
				self.0.backend.remove(&self.log_name(*log, *part)).await?;
			}
		}
		Ok(())
	}

	/// Puts a piece of the spool.
	pub async fn put_piece(&self, piece: Piece, path: &Path) -> Result<()> {
		let path = path.to_owned();
		let file = on_disk(move || File::open(path)).await?;
		self.0.backend.put_file(&self.piece_name(piece.blob), file, piece.len).await
	}

	/// Removes pieces that the catalog does not name any more; those that stay go when the gateway
	/// starts again.
	pub async fn remove_pieces(&self, pieces: &[Piece]) {
		for piece in pieces {
			if let Err(error) = self.0.backend.remove(&self.piece_name(piece.blob)).await {
				warn!(%error, "cannot remove a piece from the object store");
			}
		}
	}

	/// Has every piece that the catalog names both here and there, and removes what it does not name
	/// from there. `path` is where a piece is here.
	pub async fn even_out(&self, pieces: &[Piece], path: impl Fn(BlobId) -> PathBuf) -> Result<()> {
		let there = self.0.backend.list(&format!("gateways/{}/spool", self.0.name)).await?;
		let there: HashSet<String> = there.into_iter().collect();
		let named: HashSet<String> = pieces.iter().map(|piece| hex::encode(piece.blob.0)).collect();
		let moves = pieces.iter().map(|piece| (*piece, path(piece.blob)));
		let moves = moves.map(|(piece, path)| {
			let is_there = there.contains(&hex::encode(piece.blob.0));
			async move {
				match (path.exists(), is_there) {
					(true, true) => Ok(()),
					(true, false) => self.put_piece(piece, &path).await,
					// If it is nowhere, that says so.
					(false, _) => self.get_piece(piece, &path).await,
				}
			}
		});
		stream::iter(moves).buffer_unordered(MOVED_AT_ONCE).try_collect::<()>().await?;
		for name in there.difference(&named) {
			self.0.backend.remove(&format!("gateways/{}/spool/{name}", self.0.name)).await?;
		}
		Ok(())
	}

	async fn get_piece(&self, piece: Piece, path: &Path) -> Result<()> {
		let (path, new) = (path.to_owned(), path.with_extension("new"));
		let open = new.clone();
		let file = on_disk(move || {
			if let Some(directory) = open.parent() {
				fs::create_dir_all(directory)?;
			}
			File::create(open)
		});
		let name = self.piece_name(piece.blob);
		let file = self.0.backend.get_file(&name, file.await?).await?;
		on_disk(move || {
			if file.metadata()?.len() != piece.len {
				return Err(io::ErrorKind::InvalidData.into());
			}
			fs::rename(&new, &path)?;
			let directory = path.parent().unwrap_or(Path::new("."));
			File::open(directory)?.sync_all()?;
			File::open(directory.parent().unwrap_or(Path::new(".")))?.sync_all()
		})
		.await
	}
}
