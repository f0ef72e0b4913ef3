// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Files that are encrypted before they are stored, and decrypted when they are read, without a
//! copy on any disk.
//!
//! [`SealedContent`] is put like any other content, and [`SealedReader`] reads what a [`Reader`]
//! finds sealed. The format is that of [`planaria_seal`]. Both take what the unencrypted way takes
//! of memory, and less than 100 KiB more per thread that seals or range that is read.
//!
//! [`Reader`]: crate::Reader

mod content;

mod reader;

pub use content::SealedContent;
pub use planaria_seal::{
	Cipher, Digest, Digester, KeyError, OpenError, Opening, SealError, UserKey, is_sealed,
};
pub use reader::SealedReader;
