// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What speaks for a miner whose node does not run.

use crate::{Network, network::id};
use anyhow::{Context, Result, ensure};
use planaria_erasure::{Coder, commit};
use planaria_primitives::{FileSpec, FragmentId, FragmentProof, Sidecar};
use planaria_sdk::chain::Call;
use std::collections::BTreeSet;
use subxt::dynamic::Value;

/// Says in a miner's name that it is there, and answers what it is asked about one file, of which
/// it has the bytes. It serves nothing, and restores nothing.
#[derive(Debug)]
pub struct Cheat {
	miner: u32,
	file: String,
	spec: FileSpec,
	/// Every fragment of every segment.
	fragments: Vec<Vec<(Vec<u8>, Sidecar)>>,
	seen: u32,
	asked: BTreeSet<(FragmentId, u32)>,
}

impl Network {
	/// A miner's stash says that the miner is there.
	pub fn say_alive(&self, miner: u32) -> Result<()> {
		let anchor = Value::u128(self.height()?.into());
		let call = Call::new(
			"Miners",
			"alive",
			[("miner", Value::u128(id(miner).0.into())), ("anchor", anchor), ("signature", none())],
		);
		self.submit(&crate::chain::stash(miner), &call).map(drop)
	}
}

impl Cheat {
	/// Speaks for a miner that does not run from now on. `content` is the file's.
	pub fn in_place_of(network: &Network, miner: u32, file: &str, content: &[u8]) -> Result<Self> {
		ensure!(!network.runs(miner), "miner {miner} runs");
		let spec = FileSpec::new(content.len() as u64, network.file(file)?.coding)?;
		let commitment = commit(&spec, content)?;
		let coder = Coder::new(spec);
		let mut fragments = Vec::new();
		let mut rest = content;
		for number in 0..spec.segments() {
			let (bytes, more) = rest.split_at(usize::try_from(spec.segment_len(number))?);
			rest = more;
			let segment = coder.encode(number, bytes)?;
			let coded = (0..spec.fragments()).map(|index| {
				let bytes = segment.fragment(index).context("a fragment of this coding")?;
				anyhow::Ok((bytes.to_vec(), commitment.sidecar(&segment, index)?))
			});
			fragments.push(coded.collect::<Result<_>>()?);
		}
		let (file, seen) = (file.to_owned(), network.height()?);
		Ok(Self { miner, file, spec, fragments, seen, asked: BTreeSet::new() })
	}

	/// Does what is due: says that it is there, or answers what it was asked since the last time.
	/// Returns how many challenges it has answered by now.
	pub fn act(&mut self, network: &Network) -> Result<usize> {
		let height = network.height()?;
		let mut answers = Vec::new();
		for event in network.events(self.seen)? {
			if event.name != "Audit.Challenged" || !event.is("miner", self.miner) {
				continue;
			}
			let fragment = event.fragment().context("a challenge is about a fragment")?;
			let chunk = event.fields["chunk"].as_u64().context("and a chunk")?;
			let chunk = u32::try_from(chunk)?;
			if let Some(proof) = self.proof(network, fragment, chunk)?
				&& self.asked.insert((fragment, chunk))
			{
				answers.push(answer(fragment, &proof));
			}
		}
		if answers.is_empty() {
			network.say_alive(self.miner)?;
		} else {
			let call = Call::new(
				"Audit",
				"answer",
				[
					("miner", Value::u128(self.miner.into())),
					("anchor", Value::u128(height.into())),
					("answers", Value::unnamed_composite(answers)),
					("signature", none()),
				],
			);
			network.submit(&crate::chain::stash(self.miner), &call)?;
		}
		self.seen = height.saturating_add(1);
		Ok(self.asked.len())
	}

	fn proof(
		&self,
		network: &Network,
		fragment: FragmentId,
		chunk: u32,
	) -> Result<Option<FragmentProof>> {
		let segments = network.segments(&self.file)?;
		let Some(number) = segments.iter().position(|segment| segment.id == fragment.segment)
		else {
			return Ok(None);
		};
		let coded = self.fragments.get(number).and_then(|s| s.get(usize::from(fragment.index)));
		let (bytes, sidecar) = coded.with_context(|| format!("{:?} has it", self.spec))?;
		Ok(FragmentProof::new(bytes, chunk, sidecar))
	}
}

fn none() -> Value {
	Value::unnamed_variant("None", [])
}

fn answer(fragment: FragmentId, proof: &FragmentProof) -> Value {
	let fragment = Value::named_composite([
		("segment", Value::u128(fragment.segment.0.into())),
		("index", Value::u128(fragment.index.into())),
	]);
	Value::named_composite([("fragment", fragment), ("proof", Value::from_bytes(&proof.0))])
}
