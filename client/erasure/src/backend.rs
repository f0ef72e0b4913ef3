// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The two implementations of the same code.

use reed_solomon_erasure::galois_8::ReedSolomon;
use rusty_erasure::compat::reed_solomon_erasure_matrix;

/// Who multiplies. All of them make the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Backend {
	/// The fastest one: `rusty_erasure` with the instructions that this CPU has, chosen at run
	/// time.
	#[default]
	Fast,
	/// The one that defines the bytes: `reed-solomon-erasure`, plain Rust.
	Portable,
}

/// Codes columns: the same bytes of every fragment, all of one length.
#[derive(Debug)]
pub(crate) enum Kernel {
	Fast(rusty_erasure::Coder),
	Portable(Box<ReedSolomon>),
}

/// What a [`Kernel`] prepares once to recover the same fragments of many columns.
#[derive(Debug)]
pub(crate) enum Plan {
	Fast(rusty_erasure::DecodePlan),
	Portable { wanted: Vec<usize> },
}

impl Kernel {
	/// The caller has checked that `data` and `parity` are at least 1 and together at most 64.
	pub(crate) fn new(data: usize, parity: usize, backend: Backend) -> Self {
		match backend {
			Backend::Fast => {
				let matrix = reed_solomon_erasure_matrix(data, parity).expect("checked; qed");
				Self::Fast(rusty_erasure::coder(matrix).expect("there is parity; qed"))
			},
			Backend::Portable => {
				Self::Portable(Box::new(ReedSolomon::new(data, parity).expect("checked; qed")))
			},
		}
	}

	/// Fills the parity part of a column from its source part.
	pub(crate) fn encode(&self, source: &[&[u8]], parity: &mut [&mut [u8]]) {
		match self {
			Self::Fast(coder) => coder.encode(source, parity).expect("one length; qed"),
			Self::Portable(coder) => coder.encode_sep(source, parity).expect("one length; qed"),
		}
	}

	/// Prepares the recovery of `wanted` from the fragments that are `present`, at least as many
	/// as needed.
	pub(crate) fn plan(&self, present: &[bool], wanted: &[usize]) -> Plan {
		match self {
			Self::Fast(coder) => {
				Plan::Fast(coder.decode_plan(present, wanted).expect("enough are present; qed"))
			},
			Self::Portable(_) => Plan::Portable { wanted: wanted.to_vec() },
		}
	}

	/// Recovers the wanted parts of a column, into `out` in the order of the plan. What is present
	/// is as the plan was told.
	pub(crate) fn recover(&self, plan: &Plan, column: &[Option<&[u8]>], out: &mut [&mut [u8]]) {
		match (self, plan) {
			(Self::Fast(coder), Plan::Fast(plan)) => {
				coder.recover_with(plan, column, out).expect("as planned; qed");
			},
			(Self::Portable(coder), Plan::Portable { wanted }) => {
				let mut column: Vec<_> =
					column.iter().map(|part| part.map(<[u8]>::to_vec)).collect();
				coder.reconstruct(&mut column).expect("enough are present; qed");
				for (part, index) in out.iter_mut().zip(wanted) {
					part.copy_from_slice(column[*index].as_deref().expect("recovered; qed"));
				}
			},
			_ => unreachable!("a plan is used with the kernel that made it"),
		}
	}
}
