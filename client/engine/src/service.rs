// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Serves what is stored, and takes what the chain assigns to this miner.

use crate::{
	chain::{At, Chain},
	check::{CompareError, blocking, holder, is_assigned, is_leaving, is_unconfirmed},
	engine::{EngineHandle, Event},
};
use planaria_primitives::{FileSpec, FragmentHash, FragmentName};
use planaria_runtime_api::MinerStanding;
use planaria_store::{
	BeginError, Begun, CommitError, FragmentStore, FragmentUse, ReadError as StoreReadError,
	StoreError, WriteError, Writer,
};
use planaria_transfer::{
	FragmentService, FragmentSink, GROUP_LEN, OpenError, PeerKey, PutOffer, ReadError, Stored,
	Verdict,
};
use std::{io, sync::Arc};

/// The server's view of chain and store.
pub struct Service {
	chain: Arc<dyn Chain>,
	store: Arc<dyn FragmentStore>,
	engine: EngineHandle,
}

impl std::fmt::Debug for Service {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Service").field("store", &self.store).finish_non_exhaustive()
	}
}

impl Service {
	/// Serves `store` for the miner that `engine` works for.
	pub fn new(chain: Arc<dyn Chain>, store: Arc<dyn FragmentStore>, engine: EngineHandle) -> Self {
		Self { chain, store, engine }
	}

	async fn verdict(&self, offer: &PutOffer) -> Result<Verdict, CompareError> {
		let heads = *self.chain.heads().borrow();
		let not_yet = Verdict::NotYet { best: heads.best };
		let Some(me) = self.chain.me(At::Best).await? else { return Ok(not_yet) };
		let located = self.chain.locate(At::Best, vec![offer.name]).await?;
		let Some(record) = located.into_iter().next().flatten() else { return Ok(not_yet) };
		if !is_assigned(&record, me.miner) {
			// An unplaced fragment may be placed in a block that is still to come.
			let verdict = match holder(&record) {
				None => not_yet,
				Some(_) => Verdict::NotAssigned { at: heads.best },
			};
			return Ok(verdict);
		}
		if is_leaving(me.standing) && is_unconfirmed(&record, me.miner) {
			return self.verdict_of_leaver(me.standing, offer).await;
		}
		let Ok(spec) = FileSpec::new(record.size, record.coding) else {
			return Ok(Verdict::Unwanted);
		};
		// Whether it is here already is seen when it is opened: the store then looks at the disk.
		Ok(Verdict::Assigned(spec))
	}

	/// What a miner that leaves says to what was placed with it before.
	///
	/// It would have to be taken off it again once it is confirmed: whoever placed much could keep
	/// the miner by sending one after another. Of the refusals this is the one after which a sender
	/// turns to another miner at once. What is durable already has been acknowledged, and is
	/// confirmed as ever.
	async fn verdict_of_leaver(
		&self,
		standing: MinerStanding,
		offer: &PutOffer,
	) -> Result<Verdict, CompareError> {
		// One that has left confirms nothing.
		if standing == MinerStanding::Departed {
			return Ok(Verdict::Full);
		}
		let (name, hash) = (offer.name, offer.hash);
		let have = blocking(&self.store, move |store| {
			let entry = store.entry(&name)?;
			Ok(entry.is_some_and(|entry| entry.hash == hash && !entry.broken))
		})
		.await?;
		if !have {
			return Ok(Verdict::Full);
		}
		self.engine.send(Event::Stored(name));
		Ok(Verdict::Have)
	}
}

impl FragmentService for Service {
	type Sink = StoreSink;

	async fn judge(&self, _: &PeerKey, offer: &PutOffer) -> Verdict {
		self.verdict(offer).await.unwrap_or_else(|error| {
			tracing::warn!(name = %offer.name, %error, "could not judge an offer");
			Verdict::Busy
		})
	}

	fn open(&self, offer: &PutOffer, spec: FileSpec) -> Result<(StoreSink, u32), OpenError> {
		let of = FragmentUse { name: offer.name, spec, sidecar: offer.sidecar.clone() };
		match self.store.begin(offer.hash, &of) {
			Ok(Begun::Have) => {
				self.engine.send(Event::Stored(offer.name));
				Err(OpenError::Have)
			},
			Ok(Begun::Write(mut writer)) => {
				// The transfer goes on at whole groups only.
				if writer.offset() % GROUP_LEN != 0 && writer.offset() != writer.len() {
					writer.restart().map_err(io::Error::other)?;
				}
				let offset = writer.offset();
				let sink = StoreSink { writer, name: offer.name, engine: self.engine.clone() };
				Ok((sink, offset))
			},
			Err(BeginError::Busy(_)) => Err(OpenError::Busy),
			Err(error) if error.is_full() => Err(OpenError::Full),
			Err(error) => Err(OpenError::Io(io::Error::other(error))),
		}
	}

	fn read(&self, _: &PeerKey, name: &FragmentName) -> Result<Option<Stored>, ReadError> {
		let made_for_others = || Ok(self.engine.siblings().serve(name));
		let Some(entry) = self.store.entry(name).map_err(failed)? else {
			return made_for_others();
		};
		let unreadable = |error| {
			self.engine.send(Event::Unreadable(entry.hash));
			ReadError::Io(error)
		};
		let reader = match self.store.open(&entry.hash) {
			Ok(reader) => reader,
			Err(StoreReadError::Unknown(_)) => return made_for_others(),
			Err(StoreReadError::Broken(_)) => return Err(ReadError::Damaged),
			Err(error) => return Err(unreadable(io::Error::other(error))),
		};
		let bytes = reader.read_vec(reader.len() as usize, 0).map_err(unreadable)?.into();
		Ok(Some(Stored { hash: entry.hash, sidecar: entry.of.sidecar, bytes }))
	}

	fn list(
		&self,
		_: &PeerKey,
		after: Option<&FragmentName>,
		limit: usize,
	) -> io::Result<Vec<FragmentName>> {
		let page = self.store.entries(after, limit).map_err(io::Error::other)?;
		Ok(page.into_iter().map(|entry| entry.of.name).collect())
	}

	fn damaged(&self, name: &FragmentName, hash: &FragmentHash) {
		match self.store.quarantine(hash) {
			Ok(verdict) if verdict.is_whole() => (),
			Ok(verdict) => {
				tracing::warn!(%name, ?verdict, "a stored fragment is not whole");
				self.engine.send(Event::Broken(*name));
			},
			Err(error) => tracing::error!(%name, %error, "could not quarantine a fragment"),
		}
	}
}

fn failed(error: StoreError) -> ReadError {
	ReadError::Io(io_error(error))
}

/// A full disk stays one in the kind of the error, for the answer to the peer.
fn io_error(error: StoreError) -> io::Error {
	match error {
		StoreError::DiskFull { .. } => io::Error::new(io::ErrorKind::StorageFull, error),
		error => io::Error::other(error),
	}
}

/// Writes a put into the store and tells the engine when it is durable.
pub struct StoreSink {
	writer: Writer,
	name: FragmentName,
	engine: EngineHandle,
}

impl std::fmt::Debug for StoreSink {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("StoreSink").field("name", &self.name).finish_non_exhaustive()
	}
}

impl FragmentSink for StoreSink {
	fn write(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
		if offset != self.writer.offset() {
			return Err(io::Error::other("bytes out of order"));
		}
		self.writer.write(bytes).map_err(|error| match error {
			WriteError::Store(error) => io_error(error),
			error => io::Error::other(error),
		})
	}

	fn commit(self) -> io::Result<()> {
		self.writer.commit().map_err(|error| match error {
			CommitError::Store(error) => io_error(error),
			error => io::Error::other(error),
		})?;
		self.engine.send(Event::Stored(self.name));
		Ok(())
	}

	fn abandon(self) {
		if let Err(error) = self.writer.keep() {
			tracing::debug!(name = %self.name, %error, "a broken put is not kept");
		}
	}
}
