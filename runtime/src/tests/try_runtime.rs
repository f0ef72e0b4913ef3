// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What try-runtime is told about a state.

use super::{network::*, *};
use crate::Block;
use frame_try_runtime::{UpgradeCheckSelect, runtime_decl_for_try_runtime::TryRuntime};
use pallet_planaria_miners as miners;
use planaria_primitives::MinerId;

fn upgrade(checks: UpgradeCheckSelect) {
	<Runtime as TryRuntime<Block>>::on_runtime_upgrade(checks);
}

/// The network with a file, of which `change` has changed something.
fn changed(change: impl FnOnce(&mut miners::MinerLoad)) {
	miners::Loads::<Runtime>::mutate(MinerId(0), |load| change(load.as_mut().unwrap()));
}

#[test]
fn a_sound_state_passes() {
	on_network(|chain| {
		TestFile::stored(chain, 1, [0, 1, 2]);
		upgrade(UpgradeCheckSelect::All);
	});
}

/// No pallet alone sees that something is reserved for nothing.
#[test]
#[should_panic(expected = "a miner's load is not the sum of its fragments and claims")]
fn what_only_the_whole_runtime_sees_is_found() {
	on_network(|chain| {
		TestFile::stored(chain, 1, [0, 1, 2]);
		changed(|load| load.reserved += 1);
		upgrade(UpgradeCheckSelect::All);
	});
}

#[test]
fn nothing_is_looked_at_unless_asked() {
	on_network(|_| {
		changed(|load| load.reserved += 1);
		upgrade(UpgradeCheckSelect::None);
	});
}
