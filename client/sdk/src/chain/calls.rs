// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The runtime's calls.
//!
//! Arguments are named and encoded by the types in the chain's metadata, so a runtime that renames
//! or adds one is noticed before anything is signed.

use crate::{AccountId32, Placement};
use planaria_primitives::{
	CodingParams, FileId, FileIndex, FragmentId, MinerId, PlacementRule, Tick,
};
use subxt::dynamic::Value;

/// A call, not yet encoded.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
	pub(crate) pallet: &'static str,
	pub(crate) name: &'static str,
	pub(crate) args: Vec<(&'static str, Value)>,
}

impl Call {
	/// A call of this pallet with these arguments.
	pub fn new(
		pallet: &'static str,
		name: &'static str,
		args: impl IntoIterator<Item = (&'static str, Value)>,
	) -> Self {
		Self { pallet, name, args: args.into_iter().collect() }
	}
}

/// `Pallet.call`.
impl std::fmt::Display for Call {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "{}.{}", self.pallet, self.name)
	}
}

fn number(value: impl Into<u128>) -> Value {
	Value::u128(value.into())
}

fn bytes(value: impl AsRef<[u8]>) -> Value {
	Value::from_bytes(value)
}

fn account(who: &AccountId32) -> Value {
	bytes(who)
}

fn miner(miner: MinerId) -> Value {
	number(miner.0)
}

fn optional(value: Option<Value>) -> Value {
	match value {
		Some(value) => Value::unnamed_variant("Some", [value]),
		None => Value::unnamed_variant("None", []),
	}
}

fn list(values: impl IntoIterator<Item = Value>) -> Value {
	Value::unnamed_composite(values)
}

fn fragment(fragment: &FragmentId) -> Value {
	Value::named_composite([
		("segment", number(fragment.segment.0)),
		("index", number(fragment.index)),
	])
}

/// Where a miner's transfer endpoint is, with the key that proves it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
	/// The ed25519 key, `0x` and 64 digits as text.
	#[serde(with = "hex_array")]
	pub key: [u8; 32],
	/// `ip:port` or the URL of a relay, each.
	pub addrs: Vec<String>,
}

impl Endpoint {
	fn value(&self) -> Value {
		Value::named_composite([
			("key", bytes(self.key)),
			("addrs", list(self.addrs.iter().map(bytes))),
		])
	}
}

/// What a node's own keys say to be registered as a miner by a stash.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct RegistrationProofs {
	/// The sr25519 key the node signs duties with.
	#[serde(with = "hex_array")]
	pub hot_key: [u8; 32],
	/// Its signature of the registration.
	#[serde(with = "hex_array")]
	pub hot_proof: [u8; 64],
	/// Where fragments are transferred.
	pub endpoint: Endpoint,
	/// The endpoint key's signature of the registration.
	#[serde(with = "hex_array")]
	pub endpoint_proof: [u8; 64],
	/// The bytes the node was started with.
	pub capacity: u64,
}

/// Orders the storage of a file.
pub fn order(
	id: &FileId,
	size: u64,
	coding: CodingParams,
	label: &[u8],
	payer: Option<&AccountId32>,
	placement: PlacementRule,
) -> Call {
	let placement = match placement {
		PlacementRule::Chosen => "Chosen",
		PlacementRule::Drawn => "Drawn",
	};
	let coding = Value::named_composite([
		("codec", number(coding.codec)),
		("data", number(coding.data)),
		("parity", number(coding.parity)),
	]);
	Call::new(
		"Files",
		"order",
		[
			("id", bytes(id)),
			("size", number(size)),
			("coding", coding),
			("label", bytes(label)),
			("payer", optional(payer.map(account))),
			("placement", Value::unnamed_variant(placement, [])),
		],
	)
}

/// Places segments of a file from number `first` on.
pub fn place(file: FileIndex, first: u32, segments: &[Placement]) -> Call {
	let choice = |choice: &Option<u8>| optional(choice.map(number));
	let placement = |placement: &Placement| match placement {
		Placement::Chosen(miners) => {
			Value::unnamed_variant("Chosen", [list(miners.iter().copied().map(miner))])
		},
		Placement::Drawn(choices) => {
			Value::unnamed_variant("Drawn", [list(choices.iter().map(choice))])
		},
	};
	Call::new(
		"Files",
		"place",
		[
			("file", number(file.0)),
			("first", number(first)),
			("placements", list(segments.iter().map(placement))),
		],
	)
}

/// Deletes a file.
pub fn delete(file: FileIndex) -> Call {
	Call::new("Files", "delete", [("file", number(file.0))])
}

/// Registers a miner, whose stash the signer is.
pub fn register(
	proofs: &RegistrationProofs,
	declared: u64,
	payee: &AccountId32,
	collateral: u128,
) -> Call {
	Call::new(
		"Miners",
		"register",
		[
			("hot_key", bytes(proofs.hot_key)),
			("hot_proof", bytes(proofs.hot_proof)),
			("endpoint", proofs.endpoint.value()),
			("endpoint_proof", bytes(proofs.endpoint_proof)),
			("declared", number(declared)),
			("payee", account(payee)),
			("collateral", number(collateral)),
		],
	)
}

/// Moves the signer's miner to another endpoint.
pub fn set_endpoint(endpoint: &Endpoint, proof: &[u8; 64]) -> Call {
	Call::new("Miners", "set_endpoint", [("endpoint", endpoint.value()), ("proof", bytes(proof))])
}

/// Gives the signer's miner another hot key.
pub fn set_hot_key(key: &[u8; 32], proof: &[u8; 64]) -> Call {
	Call::new("Miners", "set_hot_key", [("hot_key", bytes(key)), ("proof", bytes(proof))])
}

/// Has another account receive what the signer's miner earns.
pub fn set_payee(payee: &AccountId32) -> Call {
	Call::new("Miners", "set_payee", [("payee", account(payee))])
}

/// Changes how many bytes the signer's miner offers.
pub fn set_declared(declared: u64) -> Call {
	Call::new("Miners", "set_declared", [("bytes", number(declared))])
}

/// Adds to the collateral of the signer's miner.
pub fn top_up(amount: u128) -> Call {
	Call::new("Miners", "top_up", [("amount", number(amount))])
}

/// Takes from the collateral of the signer's miner.
pub fn withdraw(amount: u128) -> Call {
	Call::new("Miners", "withdraw", [("amount", number(amount))])
}

/// Has the signer's miner leave.
pub fn exit() -> Call {
	Call::new("Miners", "exit", [])
}

/// Disconnects a miner that left and holds nothing any more.
pub fn finish(who: MinerId) -> Call {
	Call::new("Miners", "finish", [("miner", miner(who))])
}

/// Evaluates the loss verdict of a segment.
pub fn check_segment(segment: planaria_primitives::SegmentId) -> Call {
	Call::new("Restore", "check_segment", [("segment", number(segment.0))])
}

/// Opens restore orders.
pub fn open(fragments: &[FragmentId]) -> Call {
	Call::new("Restore", "open", [("fragments", list(fragments.iter().map(fragment)))])
}

/// Pays a miner's payee what the miner has earned.
pub fn claim_earnings(of: MinerId) -> Call {
	Call::new("Rewards", "claim", [("miner", miner(of))])
}

/// Buys space: stored bytes, for so many ticks.
pub fn buy(bytes: u64, ticks: Tick) -> Call {
	Call::new("Space", "buy", [("bytes", number(bytes)), ("ticks", number(ticks))])
}

/// Adds bytes to the signer's space.
pub fn grow(bytes: u64) -> Call {
	Call::new("Space", "grow", [("bytes", number(bytes))])
}

/// Adds time to the signer's space.
pub fn renew(ticks: Tick) -> Call {
	Call::new("Space", "renew", [("ticks", number(ticks))])
}

/// Lets an account order so many stored bytes in the signer's name, up to and including a tick.
pub fn authorise(operator: &AccountId32, bytes: u64, until: Tick) -> Call {
	let operator = ("operator", account(operator));
	let limits = [("bytes", number(bytes)), ("until", number(until))];
	Call::new("Space", "authorise", [operator].into_iter().chain(limits))
}

/// Lets an account order nothing more in the signer's name.
pub fn revoke(operator: &AccountId32) -> Call {
	Call::new("Space", "revoke", [("operator", account(operator))])
}

/// Gives the signer's space back, in which nothing is stored.
pub fn close_space() -> Call {
	Call::new("Space", "close", [])
}

/// Moves tokens; the signer's account stays alive.
pub fn transfer(to: &AccountId32, amount: u128) -> Call {
	let to = Value::unnamed_variant("Id", [account(to)]);
	Call::new("Balances", "transfer_keep_alive", [("dest", to), ("value", number(amount))])
}

mod hex_array {
	//! Arrays as hexadecimal text, `0x` before it or not.

	use serde::{Deserialize, Deserializer, Serializer, de::Error};

	pub fn serialize<S: Serializer, const N: usize>(
		bytes: &[u8; N],
		to: S,
	) -> Result<S::Ok, S::Error> {
		to.collect_str(&format_args!("0x{}", hex::encode(bytes)))
	}

	pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
		from: D,
	) -> Result<[u8; N], D::Error> {
		let text = String::deserialize(from)?;
		let mut bytes = [0; N];
		hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(&text), &mut bytes)
			.map_err(D::Error::custom)?;
		Ok(bytes)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Decode;
	use planaria_primitives::SegmentId;
	use scale_info::{PortableRegistry, Registry, TypeInfo};
	use subxt::{dynamic::Value, ext::scale_encode::EncodeAsFields};

	type Vector<T> = planaria_bounded::Bounded<T>;

	/// The shape of FRAME's bounded vectors in metadata.
	mod planaria_bounded {
		use super::*;

		#[derive(TypeInfo, Decode, PartialEq, Debug)]
		pub struct Bounded<T>(pub Vec<T>);
	}

	#[derive(TypeInfo, Decode, PartialEq, Debug)]
	enum ChainPlacement {
		#[codec(index = 0)]
		Chosen(Vector<MinerId>),
		#[codec(index = 1)]
		Drawn(Vector<Option<u8>>),
	}

	#[derive(TypeInfo, Decode, PartialEq, Debug)]
	struct ChainEndpoint {
		key: [u8; 32],
		addrs: Vector<Vector<u8>>,
	}

	#[derive(TypeInfo, Decode, PartialEq, Debug)]
	struct Account([u8; 32]);

	#[allow(non_camel_case_types)]
	#[derive(TypeInfo, Decode, PartialEq, Debug)]
	enum RuntimeCall {
		order {
			id: FileId,
			size: u64,
			coding: CodingParams,
			label: Vector<u8>,
			payer: Option<Account>,
			placement: PlacementRule,
		},
		place {
			file: FileIndex,
			first: u32,
			placements: Vector<ChainPlacement>,
		},
		register {
			hot_key: [u8; 32],
			hot_proof: [u8; 64],
			endpoint: ChainEndpoint,
			endpoint_proof: [u8; 64],
			#[codec(compact)]
			declared: u64,
			payee: Account,
			#[codec(compact)]
			collateral: u128,
		},
		open {
			fragments: Vector<FragmentId>,
		},
	}

	/// Encodes a call as the chain's metadata would have it, then reads it with the chain's types.
	fn sent(call: Call) -> RuntimeCall {
		let mut registry = Registry::new();
		let ty = registry.register_type(&scale_info::meta_type::<RuntimeCall>()).id;
		let types = PortableRegistry::from(registry);
		let scale_info::TypeDef::Variant(calls) = &types.resolve(ty).expect("registered").type_def
		else {
			panic!("not an enum")
		};
		let variant = calls.variants.iter().find(|v| v.name == call.name).expect("a call");
		let mut encoded = vec![variant.index];
		let mut fields = variant
			.fields
			.iter()
			.map(|f| subxt::ext::scale_encode::Field::new(f.ty.id, f.name.as_deref()));
		Value::named_composite(call.args)
			.encode_as_fields_to(&mut fields, &types, &mut encoded)
			.expect("fits the metadata");
		let mut input = &encoded[..];
		let call = RuntimeCall::decode(&mut input).expect("decodes");
		assert!(input.is_empty());
		call
	}

	#[test]
	fn an_order_is_encoded_as_the_chain_reads_it() {
		for label in [&b""[..], b"a", b"two"] {
			let payer = AccountId32::new([9; 32]);
			let rule = PlacementRule::Drawn;
			let (id, coding) = (FileId([7; 32]), CodingParams::STANDARD);
			let call = order(&id, 5, coding, label, Some(&payer), rule);
			let expected = RuntimeCall::order {
				id,
				size: 5,
				coding,
				label: planaria_bounded::Bounded(label.to_vec()),
				payer: Some(Account([9; 32])),
				placement: rule,
			};
			assert_eq!(sent(call), expected);
		}
		let chosen = PlacementRule::Chosen;
		let call = order(&FileId([7; 32]), 5, CodingParams::LEAN, b"", None, chosen);
		let RuntimeCall::order { payer, placement, .. } = sent(call) else { panic!("an order") };
		assert_eq!((payer, placement), (None, chosen));
	}

	#[test]
	fn placements_are_encoded_as_the_chain_reads_them() {
		let (miners, choices) = (vec![MinerId(1), MinerId(2)], vec![Some(3), None]);
		for count in 0..=2 {
			let chosen = vec![Placement::Chosen(miners.clone()); count];
			let drawn = vec![Placement::Drawn(choices.clone()); count];
			let place = |placements: &[Placement]| sent(place(FileIndex(3), 256, placements));
			let expected = |one: &dyn Fn() -> ChainPlacement| RuntimeCall::place {
				file: FileIndex(3),
				first: 256,
				placements: planaria_bounded::Bounded((0..count).map(|_| one()).collect()),
			};
			let one = || ChainPlacement::Chosen(planaria_bounded::Bounded(miners.clone()));
			assert_eq!(place(&chosen), expected(&one));
			let one = || ChainPlacement::Drawn(planaria_bounded::Bounded(choices.clone()));
			assert_eq!(place(&drawn), expected(&one));
		}
	}

	#[test]
	fn a_registration_is_encoded_as_the_chain_reads_it() {
		for addrs in [vec![], vec!["127.0.0.1:1".to_owned()], vec!["1".into(), "22".into()]] {
			let proofs = RegistrationProofs {
				hot_key: [1; 32],
				hot_proof: [2; 64],
				endpoint: Endpoint { key: [3; 32], addrs: addrs.clone() },
				endpoint_proof: [4; 64],
				capacity: 1,
			};
			let json = serde_json::to_value(&proofs).expect("serialises");
			assert_eq!(json["endpoint"]["key"], format!("0x{}", "03".repeat(32)));
			assert_eq!(serde_json::from_value::<RegistrationProofs>(json).expect("reads"), proofs);
			let bounded = |text: &String| planaria_bounded::Bounded(text.clone().into_bytes());
			let expected = RuntimeCall::register {
				hot_key: [1; 32],
				hot_proof: [2; 64],
				endpoint: ChainEndpoint {
					key: [3; 32],
					addrs: planaria_bounded::Bounded(addrs.iter().map(bounded).collect()),
				},
				endpoint_proof: [4; 64],
				declared: 1 << 40,
				payee: Account([5; 32]),
				collateral: 10,
			};
			let payee = AccountId32::new([5; 32]);
			assert_eq!(sent(register(&proofs, 1 << 40, &payee, 10)), expected);
		}
	}

	#[test]
	fn fragments_are_encoded_as_the_chain_reads_them() {
		let fragments = [FragmentId { segment: SegmentId(7), index: 2 }];
		let expected =
			RuntimeCall::open { fragments: planaria_bounded::Bounded(fragments.to_vec()) };
		assert_eq!(sent(open(&fragments)), expected);
	}
}
