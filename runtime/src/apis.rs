// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a node asks of the runtime.

use crate::{
	AccountId, Babe, Balance, Block, Executive, Grandpa, InherentDataExt, Nonce, Runtime,
	RuntimeCall, RuntimeGenesisConfig, SessionKeys, System, TransactionPayment, VERSION,
	configs::consensus::EPOCH_CONFIG, presets, queries, time::EPOCH_SLOTS,
};
use alloc::vec::Vec;
use frame_support::{
	genesis_builder_helper::{build_state, get_preset},
	view_functions,
	weights::Weight,
};
use pallet_transaction_payment::{FeeDetails, RuntimeDispatchInfo};
use planaria_primitives::{FileId, FileIndex, FragmentId, FragmentName, MinerId, SegmentId, Tick};
use planaria_runtime_api::{
	EarningsStatus, FileStatus, FragmentRecord, MinerStatus, NetworkStatus, OrderStatus,
	SegmentStatus, SegmentVerdict, SpaceStatus, SpaceTerms, TargetStatus,
};
use sp_consensus_grandpa::{AuthorityId as GrandpaId, AuthorityList};
use sp_core::{OpaqueMetadata, crypto::KeyTypeId};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
	ApplyExtrinsicResult, ExtrinsicInclusionMode,
	traits::{Block as BlockT, NumberFor},
	transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_session::OpaqueGeneratedSessionKeys;
use sp_version::RuntimeVersion;

sp_api::impl_runtime_apis! {
	impl sp_api::Core<Block> for Runtime {
		fn version() -> RuntimeVersion {
			VERSION
		}

		fn execute_block(block: <Block as BlockT>::LazyBlock) {
			Executive::execute_block(block);
		}

		fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
			Executive::initialize_block(header)
		}
	}

	impl sp_api::Metadata<Block> for Runtime {
		fn metadata() -> OpaqueMetadata {
			OpaqueMetadata::new(Runtime::metadata().into())
		}

		fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
			Runtime::metadata_at_version(version)
		}

		fn metadata_versions() -> Vec<u32> {
			Runtime::metadata_versions()
		}
	}

	impl view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
		fn execute_view_function(
			id: view_functions::ViewFunctionId,
			input: Vec<u8>,
		) -> Result<Vec<u8>, view_functions::ViewFunctionDispatchError> {
			Runtime::execute_view_function(id, input)
		}
	}

	impl sp_block_builder::BlockBuilder<Block> for Runtime {
		fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
			Executive::apply_extrinsic(extrinsic)
		}

		fn finalize_block() -> <Block as BlockT>::Header {
			Executive::finalize_block()
		}

		fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
			data.create_extrinsics()
		}

		fn check_inherents(
			block: <Block as BlockT>::LazyBlock,
			data: InherentData,
		) -> CheckInherentsResult {
			data.check_extrinsics(&block)
		}
	}

	impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
		fn validate_transaction(
			source: TransactionSource,
			tx: <Block as BlockT>::Extrinsic,
			block_hash: <Block as BlockT>::Hash,
		) -> TransactionValidity {
			Executive::validate_transaction(source, tx, block_hash)
		}
	}

	impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
		fn offchain_worker(header: &<Block as BlockT>::Header) {
			Executive::offchain_worker(header);
			crate::offchain::run(header);
		}
	}

	impl planaria_runtime_api::MinersApi<Block> for Runtime {
		fn miner(miner: MinerId) -> Option<MinerStatus> {
			queries::miner(miner)
		}

		fn miner_by_account(account: AccountId) -> Option<MinerId> {
			queries::miner_by_account(&account)
		}

		fn miners(after: Option<MinerId>, limit: u32) -> Vec<MinerStatus> {
			queries::miners(after, limit)
		}

		fn network() -> NetworkStatus {
			queries::network()
		}
	}

	impl planaria_runtime_api::FilesApi<Block> for Runtime {
		fn file(file: FileIndex) -> Option<FileStatus> {
			queries::file(file)
		}

		fn files_by_id(id: FileId, after: Option<FileIndex>, limit: u32) -> Vec<FileStatus> {
			queries::files_by_id(id, after, limit)
		}

		fn files_of(owner: AccountId, after: Option<FileIndex>, limit: u32) -> Vec<FileStatus> {
			queries::files_of(&owner, after, limit)
		}

		fn segments(file: FileIndex, first: u32, limit: u32) -> Vec<SegmentStatus> {
			queries::segments(file, first, limit)
		}

		fn locate(names: Vec<FragmentName>) -> Vec<Option<FragmentRecord>> {
			queries::locate(names)
		}

		fn records(fragments: Vec<FragmentId>) -> Vec<Option<FragmentRecord>> {
			queries::records(fragments)
		}
	}

	impl planaria_runtime_api::RestoreApi<Block> for Runtime {
		fn orders(after: Option<FragmentId>, limit: u32) -> Vec<OrderStatus> {
			queries::orders(after, limit)
		}

		fn claims(miner: MinerId, after: Option<FragmentId>, limit: u32) -> Vec<OrderStatus> {
			queries::claims(miner, after, limit)
		}

		fn targets(after: Option<MinerId>, limit: u32) -> Vec<TargetStatus> {
			queries::targets(after, limit)
		}

		fn verdicts(after: Option<SegmentId>, limit: u32) -> Vec<SegmentVerdict> {
			queries::verdicts(after, limit)
		}

		fn beacon(block: u32) -> Option<planaria_primitives::Hash> {
			queries::beacon(block)
		}
	}

	impl planaria_runtime_api::SpaceApi<Block> for Runtime {
		fn space(owner: AccountId) -> Option<SpaceStatus> {
			queries::space(&owner)
		}

		fn space_terms() -> SpaceTerms {
			queries::space_terms()
		}

		fn quote(bytes: u64, ticks: Tick) -> Option<u128> {
			crate::Space::quote(bytes, ticks)
		}

		fn earnings(miner: MinerId) -> Option<EarningsStatus> {
			queries::earnings(miner)
		}
	}

	impl sp_consensus_babe::BabeApi<Block> for Runtime {
		fn configuration() -> sp_consensus_babe::BabeConfiguration {
			let epoch_config = Babe::epoch_config().unwrap_or(EPOCH_CONFIG);
			sp_consensus_babe::BabeConfiguration {
				slot_duration: Babe::slot_duration(),
				epoch_length: EPOCH_SLOTS,
				c: epoch_config.c,
				authorities: Babe::authorities().to_vec(),
				randomness: Babe::randomness(),
				allowed_slots: epoch_config.allowed_slots,
			}
		}

		fn current_epoch_start() -> sp_consensus_babe::Slot {
			Babe::current_epoch_start()
		}

		fn current_epoch() -> sp_consensus_babe::Epoch {
			Babe::current_epoch()
		}

		fn next_epoch() -> sp_consensus_babe::Epoch {
			Babe::next_epoch()
		}

		// Equivocations are not reported: see `configs::consensus`.
		fn generate_key_ownership_proof(
			_slot: sp_consensus_babe::Slot,
			_authority: sp_consensus_babe::AuthorityId,
		) -> Option<sp_consensus_babe::OpaqueKeyOwnershipProof> {
			None
		}

		fn submit_report_equivocation_unsigned_extrinsic(
			_proof: sp_consensus_babe::EquivocationProof<<Block as BlockT>::Header>,
			_key_owner: sp_consensus_babe::OpaqueKeyOwnershipProof,
		) -> Option<()> {
			None
		}
	}

	impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
		fn grandpa_authorities() -> AuthorityList {
			Grandpa::grandpa_authorities()
		}

		fn current_set_id() -> sp_consensus_grandpa::SetId {
			pallet_grandpa::CurrentSetId::<Runtime>::get()
		}

		fn submit_report_equivocation_unsigned_extrinsic(
			_proof: sp_consensus_grandpa::EquivocationProof<
				<Block as BlockT>::Hash,
				NumberFor<Block>,
			>,
			_key_owner: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
		) -> Option<()> {
			None
		}

		fn generate_key_ownership_proof(
			_set_id: sp_consensus_grandpa::SetId,
			_authority: GrandpaId,
		) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
			None
		}
	}

	impl sp_session::SessionKeys<Block> for Runtime {
		fn generate_session_keys(
			owner: Vec<u8>,
			seed: Option<Vec<u8>>,
		) -> OpaqueGeneratedSessionKeys {
			SessionKeys::generate(&owner, seed).into()
		}

		fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
			SessionKeys::decode_into_raw_public_keys(&encoded)
		}
	}

	impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
		fn account_nonce(account: AccountId) -> Nonce {
			System::account_nonce(account)
		}
	}

	impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance>
		for Runtime
	{
		fn query_info(
			tx: <Block as BlockT>::Extrinsic,
			len: u32,
		) -> RuntimeDispatchInfo<Balance> {
			TransactionPayment::query_info(tx, len)
		}

		fn query_fee_details(tx: <Block as BlockT>::Extrinsic, len: u32) -> FeeDetails<Balance> {
			TransactionPayment::query_fee_details(tx, len)
		}

		fn query_weight_to_fee(weight: Weight) -> Balance {
			TransactionPayment::weight_to_fee(weight)
		}

		fn query_length_to_fee(length: u32) -> Balance {
			TransactionPayment::length_to_fee(length)
		}
	}

	impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<
		Block,
		Balance,
		RuntimeCall,
	> for Runtime
	{
		fn query_call_info(call: RuntimeCall, len: u32) -> RuntimeDispatchInfo<Balance> {
			TransactionPayment::query_call_info(call, len)
		}

		fn query_call_fee_details(call: RuntimeCall, len: u32) -> FeeDetails<Balance> {
			TransactionPayment::query_call_fee_details(call, len)
		}

		fn query_weight_to_fee(weight: Weight) -> Balance {
			TransactionPayment::weight_to_fee(weight)
		}

		fn query_length_to_fee(length: u32) -> Balance {
			TransactionPayment::length_to_fee(length)
		}
	}

	impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
		fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
			build_state::<RuntimeGenesisConfig>(config)
		}

		fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
			get_preset::<RuntimeGenesisConfig>(id, presets::get_preset)
		}

		fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
			presets::preset_names()
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	impl frame_benchmarking::Benchmark<Block> for Runtime {
		fn benchmark_metadata(
			extra: bool,
		) -> (Vec<frame_benchmarking::BenchmarkList>, Vec<frame_support::traits::StorageInfo>) {
			use crate::*;
			use frame_benchmarking::{BenchmarkList, baseline::Pallet as BaselineBench};
			use frame_support::traits::StorageInfoTrait;
			use frame_system_benchmarking::{
				Pallet as SystemBench, extensions::Pallet as SystemExtensionsBench,
			};

			let mut list = Vec::<BenchmarkList>::new();
			list_benchmarks!(list, extra);
			(list, AllPalletsWithSystem::storage_info())
		}

		fn dispatch_benchmark(
			config: frame_benchmarking::BenchmarkConfig,
		) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
			use crate::*;
			use frame_benchmarking::{BenchmarkBatch, baseline::Pallet as BaselineBench};
			use frame_support::traits::WhitelistedStorageKeys;
			use frame_system_benchmarking::{
				Pallet as SystemBench, extensions::Pallet as SystemExtensionsBench,
			};

			let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
			let mut batches = Vec::<BenchmarkBatch>::new();
			let params = (&config, &whitelist);
			add_benchmarks!(params, batches);
			Ok(batches)
		}
	}

	#[cfg(feature = "try-runtime")]
	impl frame_try_runtime::TryRuntime<Block> for Runtime {
		fn on_runtime_upgrade(
			checks: frame_try_runtime::UpgradeCheckSelect,
		) -> (Weight, Weight) {
			// A failure here is meant to be seen: this API exists only in test builds.
			#[allow(clippy::unwrap_used)]
			let weight = Executive::try_runtime_upgrade(checks).unwrap();
			if checks.try_state() {
				#[allow(clippy::unwrap_used)]
				crate::invariants::check().unwrap();
			}
			(weight, crate::configs::system::BLOCK_WEIGHT)
		}

		fn execute_block(
			block: <Block as BlockT>::LazyBlock,
			state_root_check: bool,
			signature_check: bool,
			select: frame_try_runtime::TryStateSelect,
		) -> Weight {
			let all = !matches!(select, frame_try_runtime::TryStateSelect::None);
			#[allow(clippy::unwrap_used)]
			let weight =
				Executive::try_execute_block(block, state_root_check, signature_check, select)
					.unwrap();
			if all {
				#[allow(clippy::unwrap_used)]
				crate::invariants::check().unwrap();
			}
			weight
		}
	}
}
