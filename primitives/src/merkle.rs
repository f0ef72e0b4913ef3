// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Left-balanced Merkle trees whose shape follows from the number of leaves alone.
//!
//! The left subtree of `n` leaves has the largest power of two below `n`, as in RFC 9162 and in
//! BLAKE3 itself. Leaves and nodes of both levels are hashed in four different domains, so an
//! inner node can never be shown as a leaf, nor a segment's tree as a file's.

use crate::Hash;
use alloc::vec::Vec;
use blake3::{
	Hasher,
	hazmat::{ContextKey, HasherExt},
};

/// Which of the two trees between a fragment and its file a hash belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
	/// Over a segment's fragment hashes.
	Segment,
	/// Over a file's segment roots.
	File,
}

impl Level {
	const fn contexts(self) -> (&'static str, &'static str) {
		match self {
			Self::Segment => ("planaria 2026 segment leaf", "planaria 2026 segment node"),
			Self::File => ("planaria 2026 file leaf", "planaria 2026 file node"),
		}
	}

	/// The hash functions of this level, their contexts hashed once.
	pub fn hashing(self) -> Hashing {
		let (leaf, node) = self.contexts();
		Hashing {
			leaf: blake3::hazmat::hash_derive_key_context(leaf),
			node: blake3::hazmat::hash_derive_key_context(node),
		}
	}
}

/// Hashes the leaves and nodes of one level.
#[derive(Clone, Debug)]
pub struct Hashing {
	leaf: ContextKey,
	node: ContextKey,
}

impl Hashing {
	fn leaf(&self, leaf: &Hash) -> Hash {
		*Hasher::new_from_context_key(&self.leaf).update(leaf).finalize().as_bytes()
	}

	fn node(&self, left: &Hash, right: &Hash) -> Hash {
		*Hasher::new_from_context_key(&self.node).update(left).update(right).finalize().as_bytes()
	}
}

/// A side of the path's next step: where the sibling stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
	/// The sibling is the left child.
	Left,
	/// The sibling is the right child.
	Right,
}

/// The sides of the siblings of leaf `index` in a tree of `count` leaves, from the leaf to the
/// root. Empty where there is no such leaf, and for a tree of one leaf.
pub fn sides(index: u32, count: u32) -> impl Iterator<Item = Side> {
	// `position` among `last + 1` nodes of the current height; a node without a sibling rises.
	let (mut position, mut last) = if index < count { (index, count - 1) } else { (0, 0) };
	core::iter::from_fn(move || {
		if last == 0 {
			return None;
		}
		while position == last && position % 2 == 0 {
			position /= 2;
			last /= 2;
		}
		let side = if position % 2 == 1 { Side::Left } else { Side::Right };
		position /= 2;
		last /= 2;
		Some(side)
	})
}

/// How many siblings the path of leaf `index` has in a tree of `count` leaves.
pub fn path_len(index: u32, count: u32) -> usize {
	sides(index, count).count()
}

/// The root that `leaf` at `index` of `count` leaves and its `path` lead to; `None` where the path
/// does not have exactly the one length that fits, or there is no such leaf.
///
/// `path` is hashes of 32 bytes one after the other, from the leaf's sibling to the root's child.
pub fn root_from_path(
	level: Level,
	leaf: &Hash,
	index: u32,
	count: u32,
	path: &[u8],
) -> Option<Hash> {
	let (siblings, rest) = path.as_chunks::<32>();
	if index >= count || !rest.is_empty() || siblings.len() != path_len(index, count) {
		return None;
	}
	let hashing = level.hashing();
	Some(sides(index, count).zip(siblings).fold(hashing.leaf(leaf), |hash, (side, sibling)| {
		match side {
			Side::Left => hashing.node(sibling, &hash),
			Side::Right => hashing.node(&hash, sibling),
		}
	}))
}

/// A whole tree in memory: 64 bytes per leaf.
#[derive(Clone, Debug)]
pub struct Tree {
	/// From the hashed leaves to the root. An odd node at a height's end rises unchanged.
	heights: Vec<Vec<Hash>>,
}

impl Tree {
	/// The tree over `leaves`; `None` where there are none.
	pub fn new(level: Level, leaves: impl IntoIterator<Item = Hash>) -> Option<Self> {
		let hashing = level.hashing();
		let mut nodes: Vec<Hash> = leaves.into_iter().map(|leaf| hashing.leaf(&leaf)).collect();
		if nodes.is_empty() {
			return None;
		}
		let mut heights = Vec::new();
		while nodes.len() > 1 {
			let (pairs, odd) = nodes.as_chunks::<2>();
			let mut above: Vec<Hash> =
				pairs.iter().map(|[left, right]| hashing.node(left, right)).collect();
			above.extend_from_slice(odd);
			heights.push(core::mem::replace(&mut nodes, above));
		}
		heights.push(nodes);
		Some(Self { heights })
	}

	/// The root over all leaves.
	pub fn root(&self) -> Hash {
		*self.heights.last().and_then(|top| top.first()).expect("a tree has at least a leaf; qed")
	}

	/// The siblings of leaf `index` from the leaf to the root; `None` where there is no such leaf.
	pub fn path(&self, index: u32) -> Option<Vec<Hash>> {
		let mut position = usize::try_from(index).ok()?;
		self.heights.first()?.get(position)?;
		let mut path = Vec::with_capacity(self.heights.len());
		for nodes in &self.heights {
			path.extend(nodes.get(position ^ 1));
			position /= 2;
		}
		Some(path)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn leaves(count: u32) -> Vec<Hash> {
		(0..count).map(|i| *blake3::hash(&i.to_le_bytes()).as_bytes()).collect()
	}

	/// The definition, word for word.
	fn root_by_definition(hashing: &Hashing, leaves: &[Hash]) -> Hash {
		if let [leaf] = leaves {
			return hashing.leaf(leaf);
		}
		let split = leaves.len().next_power_of_two() / 2;
		let (left, right) = leaves.split_at(split);
		hashing.node(&root_by_definition(hashing, left), &root_by_definition(hashing, right))
	}

	#[test]
	fn every_path_of_every_small_tree_leads_to_the_root_by_definition() {
		for count in 1..=130 {
			let leaves = leaves(count);
			let tree = Tree::new(Level::File, leaves.iter().copied()).expect("not empty");
			assert_eq!(tree.root(), root_by_definition(&Level::File.hashing(), &leaves));
			for (index, leaf) in (0..).zip(&leaves) {
				let path = tree.path(index).expect("there is such a leaf");
				assert_eq!(path.len(), path_len(index, count));
				let path = path.as_flattened();
				let root =
					|index, count, path| root_from_path(Level::File, leaf, index, count, path);
				assert_eq!(root(index, count, path), Some(tree.root()));
				assert_ne!(
					root_from_path(Level::Segment, leaf, index, count, path),
					Some(tree.root())
				);
				// Another position never leads to the same root.
				for other in (0..count).filter(|other| *other != index) {
					assert_ne!(root(other, count, path), Some(tree.root()));
				}
				assert_eq!(root(count, count, path), None);
				if let Some(short) = path.len().checked_sub(1) {
					assert_eq!(root(index, count, &path[..short]), None);
				}
			}
			assert_eq!(tree.path(count), None);
		}
		assert!(Tree::new(Level::File, []).is_none());
		assert_eq!(path_len(0, 0), 0);
		assert_eq!(path_len((1 << 20) - 1, 1 << 20), 20);
	}

	/// ArFleet's public verifier takes an empty path with `left || right` as the leaf.
	#[test]
	fn an_inner_node_is_not_a_leaf() {
		let leaves = leaves(2);
		let tree = Tree::new(Level::Segment, leaves.iter().copied()).expect("not empty");
		let hashing = Level::Segment.hashing();
		for leaf in [tree.root(), hashing.leaf(&leaves[0]), leaves[0]] {
			assert_eq!(root_from_path(Level::Segment, &leaf, 0, 2, &[]), None);
			assert_ne!(root_from_path(Level::Segment, &leaf, 0, 1, &[]), Some(tree.root()));
		}
		let three = Tree::new(Level::Segment, self::leaves(3)).expect("not empty");
		let inner = hashing.node(&hashing.leaf(&leaves[0]), &hashing.leaf(&leaves[1]));
		let path = three.path(2).expect("there is such a leaf");
		assert_eq!(path, [inner]);
		// The root of three leaves is not the root of the two nodes below it.
		let third = self::leaves(3)[2];
		assert_ne!(root_from_path(Level::Segment, &inner, 0, 2, &third), Some(three.root()));
	}
}
