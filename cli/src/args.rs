// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a user may type.

use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
use planaria_sdk::{
	AccountId32, Target,
	primitives::{CodingParams, FileIndex, MinerId},
	units::{Amount, Size},
};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  planaria put photo.jpg --coding standard --key //Alice
  planaria file status 7
  planaria get 7 -o photo.jpg
  planaria miner register --stash //Bob --collateral '100 PLAN'
  planaria restore watch --json

Exit codes:
  0  done
  1  failed: see the message
  2  wrong usage
  3  not found
  4  the chain or the node refused
  5  no connection, or not in time
  6  the data cannot be restored now

Every command takes --json and then prints one JSON document (watch: one per line) to standard
output, and an error as a JSON document to standard error. Amounts are in PLAN (12 decimals) as
'10' or '1.5 PLAN'; in JSON they are decimal text in the smallest unit. Sizes are '1GiB', '10 MB'
or bytes.";

/// Stores files in the Planaria network, reads them, and shows what becomes of them.
#[derive(Debug, Parser)]
#[command(name = "planaria", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
	#[command(flatten)]
	pub global: Global,
	#[command(subcommand)]
	pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
	/// The node to talk to.
	#[arg(
		long,
		global = true,
		env = "PLANARIA_URL",
		default_value = "ws://127.0.0.1:9944",
		value_hint = ValueHint::Url,
		help_heading = "Global options"
	)]
	pub url: String,
	/// The key to sign with: //Alice, 12 to 24 words, a seed 0x…, or the path of a key file.
	///
	/// On a shared machine use a file or PLANARIA_KEY: others can see a command's arguments.
	#[arg(
		long,
		global = true,
		env = "PLANARIA_KEY",
		hide_env_values = true,
		help_heading = "Global options"
	)]
	pub key: Option<String>,
	/// Print JSON.
	#[arg(long, global = true, help_heading = "Global options")]
	pub json: bool,
	/// Say more on standard error; twice for still more.
	#[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
	pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
	/// Store a file.
	Put(PutArgs),
	/// Read a file.
	Get(GetArgs),
	/// See, list and delete stored files.
	#[command(subcommand)]
	File(FileCommand),
	/// Run a storage miner: register, watch its state, leave.
	#[command(subcommand)]
	Miner(MinerCommand),
	/// See what the network restores.
	#[command(subcommand)]
	Restore(RestoreCommand),
	/// Accounts, balances and keys.
	#[command(subcommand)]
	Account(AccountCommand),
	/// The chain and its clock.
	#[command(subcommand)]
	Chain(ChainCommand),
	/// Print a completion script for a shell.
	Completions {
		/// Which shell.
		shell: clap_complete::Shell,
	},
}

/// How fast and by which way fragments move.
#[derive(Clone, Debug, Args)]
pub struct TransferArgs {
	/// Relays that help to reach miners behind NAT, with commas between them.
	#[arg(long, env = "PLANARIA_RELAYS", value_delimiter = ',', value_name = "URL")]
	pub relays: Vec<String>,
	/// The most bytes per second to move, for example 10MiB/s.
	#[arg(long, value_name = "SIZE/s", value_parser = rate)]
	pub rate: Option<Size>,
}

/// Store a file.
///
/// The file is read twice: once for its id, once to send its fragments to miners. It is stored when
/// every fragment is confirmed on chain. A put that was broken off goes on where it stopped when
/// the same file is put again by the same account with the same coding.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  planaria put photo.jpg --key //Alice
  planaria put backup.tar --coding lean --label 'backup of May' --key ~/key.json
  planaria put film.mkv --coding copies:3 --avoid 4,7 --no-wait

Codings (stored bytes per byte; how many fragments of a segment may be lost):
  standard    4+8, 3.0x, any 8 of 12
  lean        2+1, 1.5x, any 1 of 3
  copies:N    N whole copies, any N-1
  bitdust:N   N/2+N/2, 2.0x, any half
  D+P         D source and P parity fragments, at most 64 together")]
pub struct PutArgs {
	/// The file to store.
	#[arg(value_hint = ValueHint::FilePath)]
	pub file: PathBuf,
	/// The erasure code.
	#[arg(long, default_value = "standard")]
	pub coding: CodingParams,
	/// A note of at most 64 bytes that everyone can read on chain.
	#[arg(long, default_value = "", hide_default_value = true, value_parser = label)]
	pub label: String,
	/// The account whose file it shall be, if it authorised the key's account.
	#[arg(long, value_name = "ADDRESS")]
	pub payer: Option<AccountId32>,
	/// Return when all fragments are on their holders' disks, before they are confirmed on chain.
	#[arg(long)]
	pub no_wait: bool,
	/// Store it once more though the account has stored it already.
	#[arg(long)]
	pub again: bool,
	/// Miners to use first.
	#[arg(long, value_delimiter = ',', value_name = "MINERS")]
	pub prefer: Vec<MinerId>,
	/// Miners not to use.
	#[arg(long, value_delimiter = ',', value_name = "MINERS")]
	pub avoid: Vec<MinerId>,
	/// The only miners to use.
	#[arg(long, value_delimiter = ',', value_name = "MINERS")]
	pub only: Vec<MinerId>,
	#[command(flatten)]
	pub transfer: TransferArgs,
}

/// Read a file.
///
/// Any sufficient part of each segment's fragments will do; every byte is verified against the
/// file's id. The output appears under its name when it is complete and on disk.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  planaria get 7 -o photo.jpg
  planaria get 3f…e1 -o - | tar x          (64 digits: any stored instance of this content)")]
pub struct GetArgs {
	/// The file's number, or its id of 64 hexadecimal digits.
	pub file: Target,
	/// Where to write it; - is standard output.
	#[arg(long, short, value_hint = ValueHint::FilePath)]
	pub output: PathBuf,
	/// Overwrite an existing file.
	#[arg(long)]
	pub force: bool,
	#[command(flatten)]
	pub transfer: TransferArgs,
}

#[derive(Debug, Subcommand)]
pub enum FileCommand {
	/// Show a file and the health of its segments.
	///
	/// The spare of a segment is how many more of its fragments may go missing before it cannot be
	/// restored; the file's is that of its weakest segment.
	#[command(after_help = "\
Examples:
  planaria file status 7
  planaria file status 7 --all        (every segment, fragment and holder)
  planaria file status 3f…e1 --json   (every instance of this content)")]
	Status {
		/// The file's number, or its id of 64 hexadecimal digits.
		file: Target,
		/// Show every segment and its fragments.
		#[arg(long)]
		all: bool,
	},
	/// List an account's files.
	List {
		/// Whose; without it the key's account.
		#[arg(long, value_name = "ADDRESS")]
		owner: Option<AccountId32>,
	},
	/// Delete a file. The deposit is returned; the bytes are removed by and by.
	Delete {
		/// The file's number.
		file: FileIndex,
	},
	/// Compute the id a file would have, without a chain.
	#[command(after_help = "Example:\n  planaria file id photo.jpg --coding lean")]
	Id {
		/// The file.
		#[arg(value_hint = ValueHint::FilePath)]
		path: PathBuf,
		/// The erasure code, which is part of the id.
		#[arg(long, default_value = "standard")]
		coding: CodingParams,
	},
}

/// Which key owns a miner's collateral.
#[derive(Clone, Debug, Args)]
pub struct StashArgs {
	/// The stash's key: a secret URI or key file; without it --key.
	#[arg(long, env = "PLANARIA_STASH", hide_env_values = true, value_name = "KEY")]
	pub stash: Option<String>,
}

/// How much of the machine restorations and self-checks may take.
#[derive(
	Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
	/// As little as keeps up with the deadlines.
	Quiet,
	/// Leaves room for serving.
	Balanced,
	/// All there is.
	Fast,
}

/// Which miner.
#[derive(Clone, Debug, Args)]
pub struct MinerArg {
	/// The miner's number; without it the miner of the key's account.
	pub miner: Option<MinerId>,
}

#[derive(Debug, Subcommand)]
pub enum MinerCommand {
	/// Register a miner.
	///
	/// The node (started with --miner) signs with its own keys that the stash may register it; it
	/// answers that only on a local or otherwise safe connection. The stash then signs the
	/// registration and locks the collateral.
	#[command(after_help = "\
Examples:
  planaria miner register --stash //Alice --collateral '100 PLAN'
  planaria miner register --stash ~/stash.json --node ws://127.0.0.1:9945 \\
      --declared 4TiB --payee 5Grwva… --collateral 500")]
	Register {
		#[command(flatten)]
		stash: StashArgs,
		/// The miner's node; without it --url.
		#[arg(long, value_name = "URL")]
		node: Option<String>,
		/// The bytes to offer; without it the node's --capacity.
		#[arg(long, value_name = "SIZE")]
		declared: Option<Size>,
		/// Who receives what the miner earns; without it the stash.
		#[arg(long, value_name = "ADDRESS")]
		payee: Option<AccountId32>,
		/// How much the stash puts at stake.
		#[arg(long, value_name = "AMOUNT")]
		collateral: Amount,
	},
	/// Show a miner as the chain sees it, or with --node what the miner itself is doing.
	#[command(after_help = "\
Examples:
  planaria miner status 3
  planaria miner status --key //Bob
  planaria miner status --node ws://127.0.0.1:9945    (disk, restores, self-check)")]
	Status {
		#[command(flatten)]
		miner: MinerArg,
		/// The miner's own node, to be asked what only it knows.
		#[arg(long, value_name = "URL", conflicts_with = "miner")]
		node: Option<String>,
	},
	/// List all miners.
	List,
	/// Leave: others restore what the miner holds, until it holds nothing. Keep the node running:
	/// copies are read from it.
	Exit(StashArgs),
	/// Disconnect a miner that left and holds nothing any more.
	Finish(MinerArg),
	/// Add to the collateral.
	TopUp {
		/// How much.
		amount: Amount,
		#[command(flatten)]
		stash: StashArgs,
	},
	/// Take from the collateral what is not required; all of it once the miner has departed and the
	/// cooldown is over.
	Withdraw {
		/// How much.
		amount: Amount,
		#[command(flatten)]
		stash: StashArgs,
	},
	/// Offer another number of bytes.
	SetDeclared {
		/// How many.
		bytes: Size,
		#[command(flatten)]
		stash: StashArgs,
	},
	/// Register the node's present endpoint in place of the former one.
	SetEndpoint {
		#[command(flatten)]
		stash: StashArgs,
		/// The miner's node; without it --url.
		#[arg(long, value_name = "URL")]
		node: Option<String>,
	},
	/// Register the node's present hot key in place of the former one.
	SetHotKey {
		#[command(flatten)]
		stash: StashArgs,
		/// The miner's node; without it --url.
		#[arg(long, value_name = "URL")]
		node: Option<String>,
	},
	/// Have another account receive what the miner earns.
	SetPayee {
		/// Which account.
		payee: AccountId32,
		#[command(flatten)]
		stash: StashArgs,
	},
	/// Have the node check itself: every stored fragment is read, hashed and compared with the
	/// chain.
	Check {
		/// The miner's node; without it --url.
		#[arg(long, value_name = "URL")]
		node: Option<String>,
		/// Return when the check has begun.
		#[arg(long, conflicts_with = "watch")]
		no_wait: bool,
		/// Print how far it is, line by line.
		#[arg(long)]
		watch: bool,
	},
	/// Show or set how fast the node may restore and check itself, while it runs.
	#[command(after_help = "\
Examples:
  planaria miner throttle                      (shows it)
  planaria miner throttle quiet --cap 20MB/s
  planaria miner throttle fast                 (without a cap)")]
	Throttle {
		/// How much of the machine it may take; without it the profile stays.
		profile: Option<Profile>,
		/// The most bytes per second to read from other miners and from the disk; without it there
		/// is no cap.
		#[arg(long, value_name = "SIZE/s", value_parser = rate)]
		cap: Option<Size>,
		/// The miner's node; without it --url.
		#[arg(long, value_name = "URL")]
		node: Option<String>,
	},
	/// List the fragments that the chain assigns to a miner, or with --node those on its disk.
	///
	/// The chain has no such list: every file of the network is looked at. For a large network ask
	/// the miner's own node.
	Fragments {
		#[command(flatten)]
		miner: MinerArg,
		/// The miner's own node.
		#[arg(long, value_name = "URL", conflicts_with = "miner")]
		node: Option<String>,
	},
}

/// What of it.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Part {
	/// Only what this miner holds or has claimed.
	#[arg(long)]
	pub miner: Option<MinerId>,
	/// Only what belongs to this file.
	#[arg(long, conflicts_with = "miner")]
	pub file: Option<FileIndex>,
}

#[derive(Debug, Subcommand)]
pub enum RestoreCommand {
	/// List restore orders, in the order of their urgency.
	///
	/// The spare of a segment is how many more of its fragments may go missing before it cannot be
	/// restored. An order is disputed when several miners restored something that was not the
	/// fragment.
	Orders(Part),
	/// List the miners that data moves away from, with the time that takes.
	Targets {
		/// Only this one.
		#[arg(long)]
		miner: Option<MinerId>,
	},
	/// Show what is left to restore, how fast that goes, and which segments are in danger.
	///
	/// Time left is what is left over the speed of the last claim period. It is unknown until
	/// something was restored while the node looked, and stalled when nothing was for that long.
	#[command(after_help = "\
Examples:
  planaria restore status
  planaria restore status --miner 3    (what it has claimed, and what still moves away from it)
  planaria restore status --file 7     (its segments, orders, and dangers)")]
	Status(Part),
	/// Tell what changes, block by block, until it is interrupted.
	#[command(after_help = "\
Examples:
  planaria restore watch --file 7
  planaria restore watch --json | jq -c 'select(.event == \"restored\")'
  planaria restore watch --json | jq 'select(.event == \"progress\").network.eta_secs'")]
	Watch(Part),
}

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
	/// Show an account's balance.
	Show {
		/// Whose; without it the key's account.
		address: Option<AccountId32>,
	},
	/// Send tokens.
	Transfer {
		/// To whom.
		to: AccountId32,
		/// How much.
		amount: Amount,
	},
	/// Make a new key.
	#[command(after_help = "\
Examples:
  planaria account new -o key.json     (only its owner can read the file)
  planaria account new                 (prints the words)")]
	New {
		/// The file to write it to.
		#[arg(long, short, value_hint = ValueHint::FilePath)]
		output: Option<PathBuf>,
	},
	/// Show the address of the key.
	Address,
}

#[derive(Debug, Subcommand)]
pub enum ChainCommand {
	/// Show the chain, its blocks and its clock.
	Info,
}

/// A completion script.
pub fn completions(shell: clap_complete::Shell) -> String {
	let mut script = Vec::new();
	clap_complete::generate(shell, &mut Cli::command(), "planaria", &mut script);
	String::from_utf8_lossy(&script).into_owned()
}

/// Bytes per second: `20MB/s` or `20MB`.
fn rate(text: &str) -> Result<Size, String> {
	let size = text.trim().strip_suffix("/s").unwrap_or(text);
	match size.parse() {
		Ok(Size(0)) => Err("that is nothing at all".into()),
		Ok(size) => Ok(size),
		Err(error) => Err(format!("{error}")),
	}
}

fn label(text: &str) -> Result<String, String> {
	const MAX: usize = 64;
	match text.len() {
		len if len > MAX => Err(format!("a label has at most {MAX} bytes, not {len}")),
		_ => Ok(text.into()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::error::ErrorKind;

	fn parse(line: &str) -> Result<Cli, ErrorKind> {
		Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
	}

	#[test]
	fn the_definition_is_sound() {
		Cli::command().debug_assert();
	}

	#[test]
	fn commands_are_read() {
		for line in [
			"planaria put a.txt --coding lean --label x --no-wait --prefer 1,2 --only 3",
			"planaria put a.txt --coding bitdust:8 --key //Alice --url ws://h:1 --json",
			"planaria get 7 -o -",
			"planaria get 7 --output b --force --rate 10MiB -vv",
			"planaria file status 7 --all",
			"planaria file list",
			"planaria file delete 7",
			"planaria file id a.txt --coding 2+1",
			"planaria miner register --stash //Alice --collateral 10 --declared 1TiB",
			"planaria miner top-up 1.5PLAN --stash //Alice",
			"planaria miner withdraw 1",
			"planaria miner status 3",
			"planaria miner list --json",
			"planaria miner exit --stash //Alice",
			"planaria miner finish 3",
			"planaria miner set-declared 2TiB",
			"planaria miner set-endpoint --node ws://127.0.0.1:1",
			"planaria miner set-hot-key --stash //Alice",
			"planaria miner set-payee 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
			"planaria miner check --no-wait",
			"planaria miner check --watch --node ws://127.0.0.1:1",
			"planaria miner throttle",
			"planaria miner throttle quiet --cap 20MB/s",
			"planaria miner throttle --cap 1GiB --json",
			"planaria miner status --node ws://127.0.0.1:1",
			"planaria miner fragments 3",
			"planaria miner fragments --node ws://127.0.0.1:1",
			"planaria restore orders --miner 3",
			"planaria restore orders --file 7",
			"planaria restore targets",
			"planaria restore targets --miner 3",
			"planaria restore status",
			"planaria restore status --file 7",
			"planaria restore watch",
			"planaria restore watch --miner 3",
			"planaria account show 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
			"planaria account transfer 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY 1.5",
			"planaria account new",
			"planaria account address --key //Alice",
			"planaria chain info",
			"planaria completions bash",
		] {
			assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).map(|_| ()));
		}
	}

	#[test]
	fn completions_name_the_commands() {
		let script = completions(clap_complete::Shell::Bash);
		assert!(script.contains("top-up") && script.contains("--coding"));
	}

	#[test]
	fn wrong_usage_is_refused() {
		for line in [
			"planaria",
			"planaria put",
			"planaria put a --coding 0+3",
			"planaria put a --coding bitdust:3",
			"planaria get 7",
			"planaria get seven -o a",
			"planaria miner register --stash //Alice",
			"planaria miner top-up ten",
			"planaria account transfer nobody 1",
			"planaria get 7 -o a --rate fast",
			"planaria get 7 -o a --rate 0",
			"planaria miner throttle slow",
			"planaria miner check --watch --no-wait",
			"planaria restore orders --miner 3 --file 7",
			"planaria miner status 3 --node ws://127.0.0.1:1",
		] {
			assert!(parse(line).is_err(), "{line}");
		}
		assert_eq!(label(&"x".repeat(64)), Ok("x".repeat(64)));
		assert!(label(&"ä".repeat(33)).is_err());
	}

	#[test]
	fn arguments_mean_what_they_say() {
		let cli = parse("planaria put a --avoid 4,7 --coding copies:3 -v").expect("valid");
		assert_eq!(cli.global.verbose, 1);
		let Command::Put(put) = cli.command else { panic!("not put") };
		assert_eq!(put.avoid, [MinerId(4), MinerId(7)]);
		assert_eq!(put.coding, CodingParams::copies(3).expect("valid"));
	}
}
