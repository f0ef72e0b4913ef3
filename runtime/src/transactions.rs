// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The transactions the runtime makes itself, in its offchain worker.

use crate::{
	AccountId, Balance, Nonce, Runtime, RuntimeCall, Signature, System, UncheckedExtrinsic,
};
use codec::Encode;
use frame_system::offchain::{
	CreateAuthorizedTransaction, CreateTransaction, CreateTransactionBase,
};
use sp_runtime::generic::{Era, SignedPayload};

/// What every transaction carries beside its call, in this order.
pub type TxExtension = (
	frame_system::AuthorizeCall<Runtime>,
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckEra<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);

/// For how many blocks a transaction signed by the offchain worker is valid.
pub const SIGNED_PERIOD: u64 = 64;

/// The extension of a transaction with these properties, without the metadata's hash.
pub fn tx_extension(era: Era, nonce: Nonce, tip: Balance) -> TxExtension {
	(
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(era),
		frame_system::CheckNonce::from(nonce),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(tip),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	)
}

/// An ordinary transaction of `account`, valid for [`SIGNED_PERIOD`] blocks from the parent of the
/// block at hand. `sign` signs the payload; `None` where it does.
pub fn signed_transaction(
	call: RuntimeCall,
	account: AccountId,
	nonce: Nonce,
	sign: impl FnOnce(&[u8]) -> Option<Signature>,
) -> Option<UncheckedExtrinsic> {
	let birth = System::block_number().saturating_sub(1);
	let extension = tx_extension(Era::mortal(SIGNED_PERIOD, birth.into()), nonce, 0);
	let payload = SignedPayload::new(call, extension).ok()?;
	let signature = payload.using_encoded(sign)?;
	let (call, extension, _implicit) = payload.deconstruct();
	Some(UncheckedExtrinsic::new_signed(call, account.into(), signature, extension))
}

impl<LocalCall> CreateTransactionBase<LocalCall> for Runtime
where
	RuntimeCall: From<LocalCall>,
{
	type Extrinsic = UncheckedExtrinsic;
	type RuntimeCall = RuntimeCall;
}

impl<LocalCall> CreateTransaction<LocalCall> for Runtime
where
	RuntimeCall: From<LocalCall>,
{
	type Extension = TxExtension;

	fn create_transaction(call: RuntimeCall, extension: TxExtension) -> UncheckedExtrinsic {
		UncheckedExtrinsic::new_transaction(call, extension)
	}
}

impl<LocalCall> CreateAuthorizedTransaction<LocalCall> for Runtime
where
	RuntimeCall: From<LocalCall>,
{
	/// Nothing in it is signed; what an authorised call is bound to stands in the call.
	fn create_extension() -> TxExtension {
		tx_extension(Era::Immortal, 0, 0)
	}
}
