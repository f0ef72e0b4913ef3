// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Files encrypted for their owner: the format, and the keys.
//!
//! A **sealed** file is a header and frames of 64 KiB, each encrypted by AES-256-GCM under a key of
//! that file alone, which stands in the header, wrapped by the [`UserKey`]. `docs/encryption.md`
//! specifies every byte and says why.
//!
//! - [`Cipher`] is one sealed file: it seals any range of the file's bytes on the fly, so that no
//!   copy of it is needed, and opens any range from the frames it is in.
//! - [`Opening`] opens a range while it arrives.
//! - [`Layout`] is the arithmetic: which sealed bytes hold which of the file's, and back.
//!
//! ```
//! use planaria_seal::{Cipher, UserKey};
//! use std::sync::Arc;
//!
//! let user = UserKey::generate()?;
//! let bytes = b"any bytes".as_slice();
//! let cipher = Cipher::derive(&user, &user.digest_of(bytes), bytes.len() as u64)?;
//! let mut sealed = vec![0; cipher.layout().sealed_len() as usize];
//! cipher.seal_at(0, &mut sealed, |offset, to| {
//!     let start = offset as usize;
//!     to.copy_from_slice(&bytes[start..start + to.len()]);
//!     Ok::<_, std::io::Error>(())
//! })?;
//!
//! let cipher = Arc::new(Cipher::open(&sealed, sealed.len() as u64, &[user])?);
//! let mut opening = cipher.opening(4..9);
//! let frames = &sealed[opening.sealed().start as usize..opening.sealed().end as usize];
//! let opened = opening.push(frames)?;
//! opening.finish()?;
//! assert_eq!(opened.concat(), b"bytes");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Memory
//!
//! A [`Cipher`] takes less than 5 KiB, an [`Opening`] one frame more. Nothing here reads or writes
//! files but [`UserKey::read`], [`UserKey::write`] and [`UserKey::replace`]; everything is
//! synchronous.

mod cipher;

mod error;

mod header;

mod key;

mod layout;

mod opening;

pub use cipher::Cipher;
pub use error::{KeyError, OpenError, SealError};
pub use header::{MAGIC, MAX_HEADER_LEN, is_sealed};
pub use key::{Digest, Digester, UserKey};
pub use layout::{FRAME_LEN, Layout, TAG_LEN};
pub use opening::Opening;

#[cfg(test)]
mod tests;
