// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What the gateway knows: buckets, objects, uploads, contents, and what is still to be done.
//!
//! One database file, `catalog.redb`. A change is a transaction that is on disk when it returns;
//! only then anything is acknowledged. Objects are names; what they name is a [`Content`], which
//! several may share (copies do). Tables:
//!
//! | table | key | value |
//! |---|---|---|
//! | buckets | name | [`Bucket`] |
//! | objects | bucket, key | [`Object`] |
//! | uploads | bucket, key, upload | [`Upload`] |
//! | parts | upload, number | [`Part`] |
//! | contents | number | [`Content`] |
//! | waiting | group, content | how many bytes; those of a group may be in the same pack |
//! | small | group, pack | ; active packs that are to be put together |
//! | packed | pack, offset | the content that is there |
//! | fragments | content, segment | [`FragmentState`]s |
//! | files | file on chain | how many contents are in it |
//! | ids | file's id, content | |
//! | counts | state | how many contents, and their bytes |
//! | miners | miner | [`Conduct`] |
//! | measured | miner | [`Measured`] |
//! | doomed | file on chain | ; it is being deleted there, and no content becomes it |
//! | undeleted | file on chain | [`Undeleted`] |
//! | jobs | number | [`Job`] |

mod contents;

pub mod journal;

mod listing;

mod miners;

mod objects;

mod packs;

mod records;

pub mod reserve;

mod uploads;

pub use listing::{Listed, Listing, Page};
pub use miners::quality;
pub use packs::{Group, Located, Packing};
pub use records::{
	BlobId, Bucket, Conduct, Content, FragmentPhase, FragmentState, Headers, Job, Kind, Life,
	Measured, Object, Pack, Part, Piece, Place, Stored, Undeleted, Upload, now_millis,
};
pub use uploads::Listable;

use crate::{
	error::{CatalogError, Error, database},
	replica::Replica,
};
use codec::{Decode, Encode};
use journal::Journal;
use redb::{
	Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use reserve::{Guarded, Reserve};
use std::{path::Path, sync::Arc};

/// The version of the tables and records.
pub const VERSION: u64 = 2;

type Records<K> = TableDefinition<'static, K, &'static [u8]>;

const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
const BUCKETS: Records<&str> = Records::new("buckets");
const OBJECTS: Records<(&str, &str)> = Records::new("objects");
const UPLOADS: Records<(&str, &str, &str)> = Records::new("uploads");
const PARTS: Records<(&str, u32)> = Records::new("parts");
const CONTENTS: Records<u64> = Records::new("contents");
const WAITING: TableDefinition<'static, (&[u8], u64), u64> = TableDefinition::new("waiting");
const SMALL: TableDefinition<'static, (&[u8], u64), ()> = TableDefinition::new("small");
const PACKED: TableDefinition<'static, (u64, u64), u64> = TableDefinition::new("packed");
const FRAGMENTS: Records<(u64, u32)> = Records::new("fragments");
const FILES: TableDefinition<'static, u64, u32> = TableDefinition::new("files");
const IDS: TableDefinition<'static, ([u8; 32], u64), ()> = TableDefinition::new("ids");
const COUNTS: TableDefinition<'static, &str, (u64, u64)> = TableDefinition::new("counts");
const MINERS: Records<u32> = Records::new("miners");
const MEASURED: Records<u32> = Records::new("measured");
const UNDELETED: Records<u64> = Records::new("undeleted");
const DOOMED: TableDefinition<'static, u64, ()> = TableDefinition::new("doomed");
const JOBS: Records<u64> = Records::new("jobs");

/// The catalog. Clones are the same.
#[derive(Clone, Debug)]
pub struct Catalog {
	db: Arc<Database>,
	reserve: Reserve,
	/// Where its changes are a second time, and how they get there.
	replica: Option<(Replica, Journal)>,
}

/// The catalog at one moment.
#[expect(missing_debug_implementations)]
pub struct Reader(ReadTransaction);

/// A change of the catalog.
#[expect(missing_debug_implementations)]
pub struct Writer(WriteTransaction);

impl Catalog {
	/// Opens the catalog of the gateway with this data directory, or makes it.
	pub fn open(data: &Path) -> Result<Self, CatalogError> {
		let reserve = Reserve::open(data);
		let failed = |error| CatalogError::database(redb::Error::Io(error));
		let opened = Guarded::open(&data.join("catalog.redb"), reserve.clone());
		let (file, _) = opened.map_err(failed)?;
		let db = Database::builder().create_with_backend(file).map_err(CatalogError::database)?;
		Self::prepared(db, reserve, None)
	}

	/// The same; what is changed is in the replica as well before a change returns.
	pub async fn open_replicated(data: &Path, replica: Replica) -> Result<Self, Error> {
		let data = data.to_owned();
		let opened = blocking(move || {
			let reserve = Reserve::open(&data);
			let journal = Journal::open(&data.join("catalog.redb"), reserve.clone())?;
			let db = Database::builder().create_with_backend(journal.clone()).map_err(database)?;
			Ok(Self::prepared(db, reserve, Some((replica, journal)))?)
		});
		let catalog = opened.await?;
		catalog.ship().await?;
		Ok(catalog)
	}

	fn prepared(
		db: Database,
		reserve: Reserve,
		replica: Option<(Replica, Journal)>,
	) -> Result<Self, CatalogError> {
		let catalog = Self { db: Arc::new(db), reserve, replica };
		catalog.prepare().map_err(|error| match error {
			Error::Catalog(error) => error,
			_ => CatalogError::Corrupt("meta"),
		})?;
		Ok(catalog)
	}

	fn prepare(&self) -> Result<(), Error> {
		let txn = self.db.begin_write().map_err(database)?;
		{
			let mut meta = txn.open_table(META).map_err(database)?;
			let version = meta.get("version").map_err(database)?.map(|version| version.value());
			match version {
				None => drop(meta.insert("version", VERSION).map_err(database)?),
				Some(VERSION) => {},
				Some(other) => return Err(CatalogError::Version(other).into()),
			}
			if meta.get("instance").map_err(database)?.is_none() {
				meta.insert("instance", rand::random::<u64>()).map_err(database)?;
			}
			txn.open_table(BUCKETS).map_err(database)?;
			txn.open_table(OBJECTS).map_err(database)?;
			txn.open_table(UPLOADS).map_err(database)?;
			txn.open_table(PARTS).map_err(database)?;
			txn.open_table(CONTENTS).map_err(database)?;
			txn.open_table(WAITING).map_err(database)?;
			txn.open_table(SMALL).map_err(database)?;
			txn.open_table(PACKED).map_err(database)?;
			txn.open_table(FRAGMENTS).map_err(database)?;
			txn.open_table(FILES).map_err(database)?;
			txn.open_table(IDS).map_err(database)?;
			txn.open_table(COUNTS).map_err(database)?;
			txn.open_table(MINERS).map_err(database)?;
			txn.open_table(MEASURED).map_err(database)?;
			txn.open_table(UNDELETED).map_err(database)?;
			txn.open_table(DOOMED).map_err(database)?;
			txn.open_table(JOBS).map_err(database)?;
		}
		txn.commit().map_err(database)
	}

	/// Reads.
	pub async fn read<R: Send + 'static>(
		&self,
		read: impl FnOnce(&Reader) -> Result<R, Error> + Send + 'static,
	) -> Result<R, Error> {
		let db = self.db.clone();
		blocking(move || read(&Reader(db.begin_read().map_err(database)?))).await
	}

	/// Changes something. When it returns without an error the change is on disk, and in the
	/// replica if there is one; otherwise there is none, but if the replica cannot be written
	/// ([`Error::Backend`]) it is on disk alone.
	pub async fn write<R: Send + 'static>(
		&self,
		write: impl FnOnce(&Writer) -> Result<R, Error> + Send + 'static,
	) -> Result<R, Error> {
		let (db, reserve) = (self.db.clone(), self.reserve.clone());
		// redb syncs with every commit unless it is told otherwise.
		let done = blocking(move || {
			reserve.renew();
			let writer = Writer(db.begin_write().map_err(database)?);
			let done = write(&writer)?;
			writer.0.commit().map_err(database)?;
			Ok(done)
		})
		.await?;
		self.ship().await?;
		Ok(done)
	}

	/// Returns when everything up to now is in the replica, if there is one, and the replica is still
	/// this gateway's: what is done outside then follows from what whoever takes over knows.
	pub async fn confirm(&self) -> Result<(), Error> {
		if let Some((replica, journal)) = &self.replica {
			replica.confirm(journal, journal.count()).await?;
		}
		Ok(())
	}

	/// Returns when everything up to now is in the replica.
	async fn ship(&self) -> Result<(), Error> {
		if let Some((replica, journal)) = &self.replica {
			replica.ship(journal, journal.count()).await?;
		}
		Ok(())
	}

	/// A number by which the files are known on chain that this gateway has ordered.
	pub async fn instance(&self) -> Result<u64, Error> {
		self.read(|reader| {
			let meta = reader.0.open_table(META).map_err(database)?;
			let instance = meta.get("instance").map_err(database)?;
			Ok(instance.ok_or(CatalogError::Corrupt("meta"))?.value())
		})
		.await
	}
}

/// Runs what may block.
pub(crate) async fn blocking<R: Send + 'static>(
	run: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
	tokio::task::spawn_blocking(run).await.unwrap_or(Err(Error::Stopping))
}

/// A record with its version before it.
fn encode(record: &impl Encode) -> Vec<u8> {
	let mut bytes = vec![0];
	record.encode_to(&mut bytes);
	bytes
}

fn decode<R: Decode>(bytes: &[u8], what: &'static str) -> Result<R, Error> {
	match bytes {
		[0, rest @ ..] => R::decode(&mut &*rest),
		_ => Err("another version".into()),
	}
	.map_err(|_| CatalogError::Corrupt(what).into())
}

/// Reads a record.
fn get<'k, K: redb::Key + 'static, R: Decode>(
	table: &impl ReadableTable<K, &'static [u8]>,
	key: impl std::borrow::Borrow<K::SelfType<'k>>,
	what: &'static str,
) -> Result<Option<R>, Error> {
	let found = table.get(key).map_err(database)?;
	found.map(|bytes| decode(bytes.value(), what)).transpose()
}
