// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Writes a fragment to the store while it arrives.
//!
//! Whatever ends it before the fragment is complete, what was written is kept, and the next write
//! of the same fragment, in this process or another, goes on behind it.

use crate::restore::RestoreError;
use bytes::Bytes;
use planaria_store::{WriteError, Writer};
use tokio::task::{JoinHandle, spawn_blocking};

/// A write in progress. One piece is written while the next one arrives.
pub(crate) struct Writing {
	place: Place,
	offset: u32,
	len: u32,
}

enum Place {
	Here(Keeper),
	Busy(JoinHandle<Result<Keeper, WriteError>>),
	Lost,
}

/// Keeps what was written when it is dropped.
struct Keeper(Option<Writer>);

impl Drop for Keeper {
	fn drop(&mut self) {
		if let Some(writer) = self.0.take()
			&& let Err(error) = writer.keep()
		{
			tracing::debug!(%error, "a broken write is not kept");
		}
	}
}

impl Writing {
	pub(crate) fn new(writer: Writer) -> Self {
		let (offset, len) = (writer.offset(), writer.len());
		Self { place: Place::Here(Keeper(Some(writer))), offset, len }
	}

	/// How many bytes are here, or on their way to the disk.
	pub(crate) fn offset(&self) -> u32 {
		self.offset
	}

	/// Whether all are.
	pub(crate) fn is_complete(&self) -> bool {
		self.offset == self.len
	}

	/// Takes the next bytes; waits until those before them are written.
	pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), RestoreError> {
		let mut keeper = self.here().await?;
		self.offset = self.offset.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
		self.place = Place::Busy(spawn_blocking(move || {
			if let Some(writer) = &mut keeper.0 {
				writer.write(&bytes)?;
			}
			Ok(keeper)
		}));
		Ok(())
	}

	/// Makes the complete fragment durable.
	pub(crate) async fn commit(mut self) -> Result<(), RestoreError> {
		let mut keeper = self.here().await?;
		let committed = spawn_blocking(move || keeper.0.take().map_or(Ok(()), Writer::commit));
		Ok(committed.await.map_err(|_| RestoreError::Stopped)??)
	}

	/// Leaves what is here to be continued.
	pub(crate) async fn keep(mut self) {
		if let Ok(keeper) = self.here().await {
			let _ = spawn_blocking(move || drop(keeper)).await;
		}
	}

	async fn here(&mut self) -> Result<Keeper, RestoreError> {
		match std::mem::replace(&mut self.place, Place::Lost) {
			Place::Here(keeper) => Ok(keeper),
			Place::Busy(writing) => Ok(writing.await.map_err(|_| RestoreError::Stopped)??),
			Place::Lost => Err(RestoreError::Stopped),
		}
	}
}
