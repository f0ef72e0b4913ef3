// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Transactions: signed, submitted, and watched until they are in a block.

use super::{Block, Call, Chain, ChainError, Config, Refusal};
use crate::{AccountId32, Secret};
use std::{sync::Arc, time::Duration};
use subxt::{
	config::{DefaultExtrinsicParamsBuilder, Hasher, substrate::BlakeTwo256},
	dynamic::Value,
	error::DispatchError,
	events::Phase,
	ext::scale_value::{Composite, Primitive, ValueDef},
	rpcs::{
		client::RpcSubscription,
		methods::legacy::{Bytes, TransactionStatus},
	},
	utils::H256,
};
use tokio::{
	sync::Mutex,
	time::{Instant, sleep, timeout_at},
};
use tracing::{debug, info};

/// For how many blocks a transaction can be included.
const MORTALITY: u64 = 64;
/// How far behind the best block a transaction is anchored, so that a fork does not void it.
const ANCHOR_DEPTH: u32 = 4;
/// How often a transaction is signed anew when its nonce was used up in between.
const NONCE_ATTEMPTS: u32 = 4;
/// How often new blocks are looked at when the node no longer says what became of a transaction.
const POLL: Duration = Duration::from_secs(1);

/// What is needed of a block. subxt's own type knows extrinsics only as hexadecimal text.
#[derive(Debug, serde::Deserialize)]
struct Body {
	block: Extrinsics,
}

#[derive(Debug, serde::Deserialize)]
struct Extrinsics {
	extrinsics: Vec<Extrinsic>,
}

/// An encoded extrinsic. Nodes of polkadot-sdk 2609 show it as a list of numbers, others as text.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum Extrinsic {
	Text(Bytes),
	Numbers(Vec<u8>),
}

impl AsRef<[u8]> for Extrinsic {
	fn as_ref(&self) -> &[u8] {
		match self {
			Self::Text(bytes) => &bytes.0,
			Self::Numbers(bytes) => bytes,
		}
	}
}

/// How sure a transaction has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Level {
	/// In the best block: a fork may undo it.
	#[default]
	Best,
	/// In a finalized block.
	Finalized,
}

/// What to wait for, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait {
	/// How sure the transaction has to be.
	pub level: Level,
	/// When to stop waiting.
	pub timeout: Duration,
}

impl Default for Wait {
	/// A best block, for as long as a transaction can be included.
	fn default() -> Self {
		Self { level: Level::Best, timeout: Duration::from_secs(400) }
	}
}

impl Wait {
	/// The same, until a finalized block.
	pub fn finalized() -> Self {
		Self { level: Level::Finalized, ..Self::default() }
	}
}

/// A key that signs transactions for a chain. Several can be on their way at once.
#[derive(Clone, Debug)]
pub struct Account {
	chain: Chain,
	secret: Secret,
	/// Held from asking for the nonce until the transaction that uses it is in the pool.
	turn: Arc<Mutex<()>>,
}

/// A transaction in the node's pool.
#[derive(Debug)]
pub struct Pending {
	submitted: Submitted,
	watch: RpcSubscription<TransactionStatus<H256>>,
}

#[derive(Clone, Debug)]
struct Submitted {
	chain: Chain,
	call: String,
	hash: H256,
	/// The block it was signed at.
	from: Block,
}

/// A transaction that succeeded.
#[derive(Clone, PartialEq, Debug)]
pub struct Included {
	/// The transaction's hash.
	pub hash: H256,
	/// The block it is in.
	pub block: Block,
	/// Whether that block is finalized.
	pub finalized: bool,
	/// What happened.
	pub events: Vec<ChainEvent>,
}

impl Included {
	/// The first event of this name.
	pub fn event(&self, pallet: &str, name: &str) -> Option<&ChainEvent> {
		self.events.iter().find(|event| event.pallet == pallet && event.name == name)
	}

	/// A number in the first event of this name.
	pub fn number(&self, pallet: &str, name: &str, field: &str) -> Result<u64, ChainError> {
		let number = u64::try_from(self.amount(pallet, name, field)?);
		number.map_err(|_| {
			ChainError::Incompatible(format!("{field} of {pallet}.{name} is too high"))
		})
	}

	/// An amount in an event of the transaction.
	pub fn amount(&self, pallet: &str, name: &str, field: &str) -> Result<u128, ChainError> {
		let number = self.event(pallet, name).and_then(|event| event.number(field));
		number.ok_or_else(|| {
			ChainError::Incompatible(format!("there is no {field} in an event {pallet}.{name}"))
		})
	}
}

/// An event that a transaction caused.
#[derive(Clone, PartialEq, Debug)]
pub struct ChainEvent {
	/// The pallet it is from.
	pub pallet: String,
	/// Its name.
	pub name: String,
	/// Its fields.
	pub fields: Composite<()>,
}

impl ChainEvent {
	/// The field of this name, as a number.
	pub fn number(&self, field: &str) -> Option<u128> {
		let Composite::Named(fields) = &self.fields else { return None };
		fields.iter().find(|(name, _)| name == field).and_then(|(_, value)| as_number(value))
	}
}

/// A number, perhaps inside newtypes.
fn as_number(value: &Value) -> Option<u128> {
	match &value.value {
		ValueDef::Primitive(Primitive::U128(number)) => Some(*number),
		ValueDef::Composite(fields) if fields.len() == 1 => {
			fields.values().next().and_then(as_number)
		},
		_ => None,
	}
}

impl Account {
	/// The account of this key on this chain.
	pub fn new(chain: Chain, secret: Secret) -> Self {
		Self { chain, secret, turn: Arc::default() }
	}

	/// The chain.
	pub fn chain(&self) -> &Chain {
		&self.chain
	}

	/// The account.
	pub fn id(&self) -> AccountId32 {
		self.secret.account()
	}

	/// Signs and submits a call and waits until it is in a block. That it failed there is an error.
	pub async fn submit(&self, call: &Call, wait: Wait) -> Result<Included, ChainError> {
		self.send(call).await?.included(wait).await
	}

	/// Signs a call and submits it to the node's pool.
	pub async fn send(&self, call: &Call) -> Result<Pending, ChainError> {
		let _turn = self.turn.lock().await;
		let mut attempt = 1;
		loop {
			match self.try_send(call).await {
				Err(ChainError::Rpc { code, message, .. })
					if is_nonce_race(code, &message) && attempt < NONCE_ATTEMPTS =>
				{
					debug!(%call, message, attempt, "signing again");
					attempt += 1;
					sleep(POLL).await;
				},
				Err(ChainError::Rpc { code, message, .. }) if (1000..1100).contains(&code) => {
					return Err(ChainError::Rejected(explained(&message)));
				},
				done => return done,
			}
		}
	}

	async fn try_send(&self, call: &Call) -> Result<Pending, ChainError> {
		let chain = &self.chain;
		let url = chain.url();
		let best = chain.best().await?;
		// A transaction that names a finalized block, or one that few forks undo, stays valid.
		let anchor = best.number.saturating_sub(ANCHOR_DEPTH);
		let anchor = chain.block(anchor).await?.unwrap_or(best);
		let account = subxt::utils::AccountId32(*self.id().as_ref());
		let nonce = chain
			.inner
			.legacy
			.system_account_next_index(&account)
			.await
			.map_err(|error| chain.rpc_error("system_accountNextIndex", error))?;
		let params = DefaultExtrinsicParamsBuilder::<Config>::new()
			.nonce(nonce)
			.mortal_from_unchecked(MORTALITY, u64::from(anchor.number), anchor.hash)
			.build();
		let args = call.args.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
		let payload = subxt::dynamic::tx(call.pallet, call.name, Composite::Named(args.collect()));
		let encoded = chain
			.at(best)
			.await?
			.transactions()
			.create_signable_offline(&payload, params)
			.and_then(|mut signable| signable.sign(self.secret.pair()))
			.map_err(|error| ChainError::Incompatible(format!("{call}: {error}")))?
			.into_encoded();
		let hash = BlakeTwo256.hash(&encoded);
		let watch = chain
			.inner
			.legacy
			.author_submit_and_watch_extrinsic(&encoded)
			.await
			.map_err(|error| ChainError::rpc(url, "author_submitAndWatchExtrinsic", error))?;
		info!(%call, nonce, hash = ?hash, "submitted");
		let submitted =
			Submitted { chain: chain.clone(), call: call.to_string(), hash, from: best };
		Ok(Pending { submitted, watch })
	}
}

/// Whether the pool's answer only means that another transaction took the nonce.
fn is_nonce_race(code: i32, message: &str) -> bool {
	const TOO_LOW_PRIORITY: i32 = 1014;
	const ALREADY_IMPORTED: i32 = 1013;
	matches!(code, TOO_LOW_PRIORITY | ALREADY_IMPORTED)
		|| (code == 1010 && (message.contains("outdated") || message.contains("stale")))
}

/// The pool's answer, with what to do about it.
fn explained(message: &str) -> String {
	let advice = if message.contains("pay some fees") {
		": the account has too little free balance"
	} else if message.contains("bad signature") || message.contains("bad proof") {
		": the runtime was upgraded, or the transaction waited too long; try again"
	} else {
		""
	};
	format!("{message}{advice}")
}

/// What a status means for who waits.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Verdict {
	/// Not there yet.
	Wait,
	/// In this block, finalized or not.
	In(H256, bool),
	/// It will not be included.
	Gone(&'static str),
}

/// Judges a status of a transaction.
fn judge(status: &TransactionStatus<H256>, level: Level) -> Verdict {
	match status {
		TransactionStatus::InBlock(hash) if level == Level::Best => Verdict::In(*hash, false),
		TransactionStatus::Finalized(hash) => Verdict::In(*hash, true),
		TransactionStatus::Usurped(_) => {
			Verdict::Gone("another transaction with the same nonce took its place")
		},
		TransactionStatus::Dropped => Verdict::Gone("the node's pool is full; try again later"),
		TransactionStatus::Invalid => {
			Verdict::Gone("it became invalid before it was included; try again")
		},
		TransactionStatus::Future
		| TransactionStatus::Ready
		| TransactionStatus::Broadcast(_)
		| TransactionStatus::InBlock(_)
		| TransactionStatus::Retracted(_)
		| TransactionStatus::FinalityTimeout(_) => Verdict::Wait,
	}
}

impl Pending {
	/// The transaction's hash.
	pub fn hash(&self) -> H256 {
		self.submitted.hash
	}

	/// Waits until the transaction is in a block. That it failed there is an error.
	pub async fn included(self, wait: Wait) -> Result<Included, ChainError> {
		let deadline = Instant::now() + wait.timeout;
		let late = |_| ChainError::Timeout(wait.timeout);
		let Self { submitted, mut watch } = self;
		loop {
			let verdict = match timeout_at(deadline, watch.next()).await.map_err(late)? {
				Some(Ok(status)) => judge(&status, wait.level),
				// The connection broke, or the node tells no more: look for ourselves.
				Some(Err(_)) | None => {
					debug!(call = submitted.call, "no longer told about the transaction, looking");
					let found = timeout_at(deadline, submitted.look_for(wait.level)).await;
					return found.map_err(late)?;
				},
			};
			match verdict {
				Verdict::Wait => {},
				Verdict::Gone(why) => return Err(ChainError::Rejected(why.into())),
				Verdict::In(hash, finalized) => {
					let chain = &submitted.chain;
					let block = chain.header(Some(hash)).await?;
					let block = block.ok_or_else(|| chain.incompatible("the block is unknown"))?;
					if let Some(index) = submitted.index_in(block).await? {
						return submitted.outcome(block, index, finalized).await;
					}
				},
			}
		}
	}
}

impl Submitted {
	/// Searches block after block until the transaction can no longer be included.
	async fn look_for(&self, level: Level) -> Result<Included, ChainError> {
		let mut next = self.from.number.saturating_sub(1);
		let last = u64::from(self.from.number) + MORTALITY;
		loop {
			let newest = match level {
				Level::Best => self.chain.best().await,
				Level::Finalized => self.chain.finalized().await,
			};
			match newest {
				Ok(newest) => {
					while next <= newest.number {
						let Some(block) = self.chain.block(next).await? else { break };
						if let Some(index) = self.index_in(block).await? {
							return self.outcome(block, index, level == Level::Finalized).await;
						}
						next += 1;
					}
					if u64::from(next) > last {
						return Err(ChainError::Rejected("it was not included in time".into()));
					}
				},
				Err(error) if error.is_transient() => debug!(%error, "still looking"),
				Err(error) => return Err(error),
			}
			sleep(POLL).await;
		}
	}

	/// The transaction's place in a block.
	async fn index_in(&self, block: Block) -> Result<Option<u32>, ChainError> {
		let hash = serde_json::to_value(block.hash).expect("a hash is text; qed");
		let body: Option<Body> = self.chain.rpc("chain_getBlock", &[hash]).await?;
		let Some(body) = body else { return Ok(None) };
		let hashes = body.block.extrinsics.iter().map(|bytes| BlakeTwo256.hash(bytes.as_ref()));
		Ok((0..).zip(hashes).find(|(_, hash)| *hash == self.hash).map(|(index, _)| index))
	}

	/// What the transaction did.
	async fn outcome(
		&self,
		block: Block,
		index: u32,
		finalized: bool,
	) -> Result<Included, ChainError> {
		let error = |error: subxt::Error| ChainError::subxt(self.chain.url(), error);
		let at = self.chain.at(block).await?;
		let all = at.events().fetch().await.map_err(|e| error(e.into()))?;
		let mut events = Vec::new();
		for event in all.iter() {
			let event = event.map_err(|e| error(e.into()))?;
			if event.phase() != Phase::ApplyExtrinsic(index) {
				continue;
			}
			if event.pallet_name() == "System" && event.event_name() == "ExtrinsicFailed" {
				let failure = DispatchError::decode_from(event.field_bytes(), at.metadata());
				return Err(Refusal::from(failure.map_err(|e| error(e.into()))?).into());
			}
			let fields = event.decode_fields_unchecked_as().map_err(|e| error(e.into()))?;
			events.push(ChainEvent {
				pallet: event.pallet_name().into(),
				name: event.event_name().into(),
				fields,
			});
		}
		info!(call = self.call, block = block.number, "included");
		Ok(Included { hash: self.hash, block, finalized, events })
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn statuses_are_judged() {
		use TransactionStatus::*;
		let hash = H256([1; 32]);
		for status in [Future, Ready, Broadcast(vec![]), Retracted(hash), FinalityTimeout(hash)] {
			assert_eq!(judge(&status, Level::Best), Verdict::Wait);
			assert_eq!(judge(&status, Level::Finalized), Verdict::Wait);
		}
		assert_eq!(judge(&InBlock(hash), Level::Best), Verdict::In(hash, false));
		assert_eq!(judge(&InBlock(hash), Level::Finalized), Verdict::Wait);
		assert_eq!(judge(&Finalized(hash), Level::Best), Verdict::In(hash, true));
		for status in [Usurped(hash), Dropped, Invalid] {
			assert!(matches!(judge(&status, Level::Best), Verdict::Gone(_)));
		}
	}

	#[test]
	fn a_taken_nonce_is_tried_again_and_an_empty_account_is_not() {
		assert!(is_nonce_race(1014, "Priority is too low"));
		assert!(is_nonce_race(1010, "Invalid Transaction: Transaction is outdated"));
		let poor = "Invalid Transaction: Inability to pay some fees";
		assert!(!is_nonce_race(1010, poor));
		assert!(explained(poor).ends_with("too little free balance"));
	}

	#[test]
	fn extrinsics_are_read_in_both_forms() {
		let json =
			r#"{"block":{"header":{},"extrinsics":["0x0105",[1,5],[]]},"justifications":null}"#;
		let body: Body = serde_json::from_str(json).expect("reads");
		let bytes: Vec<&[u8]> = body.block.extrinsics.iter().map(AsRef::as_ref).collect();
		assert_eq!(bytes, [&[1u8, 5][..], &[1, 5], &[]]);
	}

	#[test]
	fn numbers_are_found_in_events() {
		let event = ChainEvent {
			pallet: "Files".into(),
			name: "Ordered".into(),
			fields: Composite::Named(vec![
				("file".into(), Value::unnamed_composite([Value::u128(7)])),
				("segments".into(), Value::u128(2)),
				("who".into(), Value::from_bytes([1, 2])),
			]),
		};
		assert_eq!(event.number("file"), Some(7));
		assert_eq!(event.number("segments"), Some(2));
		assert_eq!((event.number("who"), event.number("none")), (None, None));
	}
}
