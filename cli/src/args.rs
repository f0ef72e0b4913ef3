// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a user may type.

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use planaria_gateway::config::PeerUrl;
use planaria_sdk::{
	AccountId32, ByteRange, Target,
	primitives::{CodingParams, FileId, FileIndex, MinerId, PlacementRule},
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
	/// Buy the space that files are stored in, and let others use it.
	#[command(subcommand)]
	Space(SpaceCommand),
	/// Run a storage miner: register, watch its state, leave.
	#[command(subcommand)]
	Miner(MinerCommand),
	/// See what the network restores.
	#[command(subcommand)]
	Restore(RestoreCommand),
	/// Run a gateway: S3 in front, miners behind.
	#[command(subcommand)]
	Gateway(GatewayCommand),
	/// Accounts, balances and their keys.
	#[command(subcommand)]
	Account(AccountCommand),
	/// Keys that files are encrypted with.
	#[command(subcommand)]
	Keys(KeysCommand),
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
	/// Relays that help to reach miners behind NAT, with commas between them. With any of them
	/// such a miner is reached, through the relay that it names itself; with none it is not.
	#[arg(long, env = "PLANARIA_RELAYS", value_delimiter = ',', value_name = "URL")]
	pub relays: Vec<String>,
	/// The most bytes per second to move, for example 10MiB/s.
	#[arg(long, value_name = "SIZE/s", value_parser = rate)]
	pub rate: Option<Size>,
}

/// Which key files are encrypted with.
#[derive(Clone, Debug, Args)]
pub struct EncryptionArgs {
	/// The file with the encryption key; without it planaria/encryption.key in the user's
	/// configuration (~/.config), which the first put makes.
	#[arg(
		long,
		env = "PLANARIA_ENCRYPTION_KEY_FILE",
		value_name = "FILE",
		value_hint = ValueHint::FilePath
	)]
	pub key_file: Option<PathBuf>,
}

/// Store a file.
///
/// The file is encrypted for your encryption key unless it shall be --public: others then learn its
/// size and nothing else of its content.
///
/// It is read three times (a public one twice): for its encryption, for its id, and to send its
/// fragments to miners. It is stored when every fragment is confirmed on chain. A put that was broken
/// off goes on where it stopped when the same file is put again by the same account with the same
/// coding, label and encryption key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  planaria put photo.jpg --key //Alice
  planaria put backup.tar --coding lean --label 'backup of May' --key ~/key.json
  planaria put film.mkv --coding copies:3 --avoid 4,7 --no-wait
  planaria put press-kit.zip --public      (everybody can read it)

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
	/// Store it as it is, for everybody to read.
	#[arg(long, conflicts_with = "key_file")]
	pub public: bool,
	#[command(flatten)]
	pub encryption: EncryptionArgs,
	/// The account whose file it shall be, if it authorised the key's account.
	#[arg(long, value_name = "ADDRESS")]
	pub payer: Option<AccountId32>,
	/// Return when all fragments are on their holders' disks, before they are confirmed on chain.
	#[arg(long)]
	pub no_wait: bool,
	/// Store it once more though the account has stored it already, with this label.
	#[arg(long)]
	pub again: bool,
	/// How its holders are found: among all miners, or among four that the chain draws for each
	/// fragment. Drawn unless the network is small; in a large one only the owner may choose.
	#[arg(long, value_enum, value_name = "HOW")]
	pub placement: Option<PlacementArg>,
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

/// How the holders of a file are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum PlacementArg {
	/// Among all miners.
	Chosen,
	/// Among those the chain draws.
	Drawn,
}

impl From<PlacementArg> for PlacementRule {
	fn from(arg: PlacementArg) -> Self {
		match arg {
			PlacementArg::Chosen => Self::Chosen,
			PlacementArg::Drawn => Self::Drawn,
		}
	}
}

/// Where what is read goes, and which part of it.
#[derive(Debug, Args)]
pub struct OutputArgs {
	/// Where to write it; - is standard output.
	#[arg(long, short, value_hint = ValueHint::FilePath)]
	pub output: PathBuf,
	/// Overwrite an existing file.
	#[arg(long)]
	pub force: bool,
	/// Only these bytes: from A to B, both included.
	#[arg(long, value_name = "A-B", allow_hyphen_values = true)]
	pub range: Option<ByteRange>,
}

/// Read a file.
///
/// Any sufficient part of each segment's fragments will do; every byte is verified against the
/// file's id, and decrypted if the file is encrypted. The output appears under its name when it is complete and on disk.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  planaria get 7 -o photo.jpg
  planaria get 3f…e1 -o - | tar x          (64 digits: any stored instance of this content)
  planaria get 7 -o - --range 0-1023       (the first KiB; 1024- is the rest, -1024 the last)")]
pub struct GetArgs {
	/// The file's number, or its id of 64 hexadecimal digits.
	pub file: Target,
	#[command(flatten)]
	pub to: OutputArgs,
	/// Read an encrypted file as it is stored.
	#[arg(long)]
	pub raw: bool,
	#[command(flatten)]
	pub encryption: EncryptionArgs,
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
	///
	/// Of an encrypted one it depends on your encryption key.
	#[command(after_help = "\
Examples:
  planaria file id photo.jpg --coding lean --public
  planaria file id photo.jpg --key-file ~/encryption.key")]
	Id {
		/// The file.
		#[arg(value_hint = ValueHint::FilePath)]
		path: PathBuf,
		/// The erasure code, which is part of the id.
		#[arg(long, default_value = "standard")]
		coding: CodingParams,
		/// The id of the file as it is.
		#[arg(long, conflicts_with = "key_file")]
		public: bool,
		#[command(flatten)]
		encryption: EncryptionArgs,
	},
}

#[derive(Debug, Subcommand)]
pub enum SpaceCommand {
	/// Show what an account has bought, and what is left of it.
	Show {
		/// Whose; without it the key's account.
		#[arg(long, value_name = "ADDRESS")]
		owner: Option<AccountId32>,
	},
	/// Show what space would cost.
	Quote {
		/// How many stored bytes.
		bytes: Size,
		/// For how long.
		#[arg(long = "for", value_name = "TIME")]
		time: humantime::Duration,
	},
	/// Buy space, and pay for it in advance.
	///
	/// Only what is stored is paid for: what is left of the payment counts when the space is renewed
	/// or grows, and returns in the end. The bytes are stored bytes: a file with the coding
	/// 'standard' takes three times its size. In the last days nothing new can be stored; then all
	/// files are removed.
	#[command(after_help = "\
Examples:
  planaria space quote 3TiB --for 1y
  planaria space buy 3TiB --for 1y --key ~/key.json
  planaria space renew 90d")]
	Buy {
		/// How many stored bytes.
		bytes: Size,
		/// For how long: '90d', '1y', '2weeks'; at least as long, on a healthy chain.
		#[arg(long = "for", value_name = "TIME")]
		time: humantime::Duration,
	},
	/// Add bytes to the space, for as long as it lasts.
	Grow {
		/// How many more stored bytes.
		bytes: Size,
	},
	/// Add time to the space, for all of its bytes.
	Renew {
		/// How much longer.
		time: humantime::Duration,
	},
	/// Let an account, for example a gateway's, order storage in the key's name, or say anew how much
	/// and how long.
	#[command(after_help = "\
Example:
  planaria space authorise 5Grwva… --bytes 500GiB --for 30d
  planaria put photo.jpg --payer 5FHneW… --key gateway.json   (what it may do then)")]
	Authorise {
		/// Which account.
		operator: AccountId32,
		/// How many stored bytes it may order from now on.
		#[arg(long, value_name = "SIZE")]
		bytes: Size,
		/// For how long.
		#[arg(long = "for", value_name = "TIME")]
		time: humantime::Duration,
	},
	/// Let an account order nothing more. What it has ordered stays.
	Revoke {
		/// Which account.
		operator: AccountId32,
	},
	/// Give back a space in which nothing is stored: what is left of the payments returns.
	Close,
}

/// Which key owns a miner's collateral.
#[derive(Clone, Debug, Args)]
pub struct StashArgs {
	/// The stash's key: a secret URI or key file; without it --key.
	#[arg(long, env = "PLANARIA_STASH", hide_env_values = true, value_name = "KEY")]
	pub stash: Option<String>,
}

/// How much of the machine restorations and self-checks may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, serde::Serialize, serde::Deserialize)]
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
	/// Have the payee paid what the miner has earned. Anybody may.
	Claim(MinerArg),
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
pub enum KeysCommand {
	/// The key that what you store is encrypted for.
	#[command(subcommand)]
	Encryption(EncryptionCommand),
}

#[derive(Debug, Subcommand)]
pub enum EncryptionCommand {
	/// Make a new key, in a file that only its owner can read.
	#[command(after_help = "Example:\n  planaria keys encryption generate -o encryption.key")]
	Generate {
		/// The file to write it to, which must not exist; without it planaria/encryption.key in the
		/// user's configuration (~/.config).
		#[arg(long, short, value_hint = ValueHint::FilePath)]
		output: Option<PathBuf>,
	},
}

#[derive(Debug, Subcommand)]
pub enum ChainCommand {
	/// Show the chain, its blocks and its clock.
	Info,
}

#[derive(Debug, Subcommand)]
pub enum GatewayCommand {
	/// Run a gateway, until it is interrupted.
	///
	/// The key is the operator's: it signs storage orders. Objects of other accounts become their
	/// files if they have authorised the operator. What an upload is told is done is on this
	/// machine's disk; 'status' says how much of it the network has.
	#[command(after_help = "\
Examples:
  planaria gateway run --data /srv/gateway --key ~/operator.json
  planaria gateway run --config gateway.toml --listen 0.0.0.0:9000
  aws --endpoint-url http://127.0.0.1:9000 s3 cp photo.jpg s3://photos/

The file is TOML; options override it:
  data = '/srv/gateway'
  listen = '0.0.0.0:9000'      # S3
  http = '127.0.0.1:9001'      # /file/<id>, /status, /metrics
  coding = 'standard'
  spool = '64 GiB'             # what waits for the network
  cache = '16 GiB'
  keep_free = '1 GiB'
  [placement]
  avoid = [7]")]
	Run(GatewayRun),
	/// Say who may use a gateway. It may run meanwhile.
	Keys {
		/// The gateway's data directory.
		#[arg(long, env = "PLANARIA_GATEWAY_DATA", default_value = "gateway", global = true, value_hint = ValueHint::DirPath)]
		data: PathBuf,
		#[command(subcommand)]
		command: GatewayKeys,
	},
	/// Store a file through a gateway.
	///
	/// When this is done the file is on the gateway's disk, which sees to it that the network has it;
	/// 'planaria gateway status' says how far it is. It is sent in parts, each tried again where the
	/// way is bad. The gateway encrypts it unless its configuration says otherwise.
	#[command(after_help = "\
Examples:
  planaria gateway put photo.jpg photos/2026/photo.jpg
  planaria gateway put backup.tar backups/ --s3 http://10.0.0.7:9000

The bucket must be there (aws s3 mb, s3cmd mb, rclone mkdir make one).")]
	Put(GatewayPut),
	/// Read an object through a gateway.
	#[command(after_help = "\
Examples:
  planaria gateway get photos/2026/photo.jpg -o photo.jpg
  planaria gateway get backups/backup.tar -o - | tar x
  planaria gateway get backups/backup.tar -o - --range 0-1023")]
	Get(GatewayGet),
	/// Show how a gateway that runs is, or how far it is with a file.
	#[command(after_help = "\
Examples:
  planaria gateway status
  planaria gateway status --file 3f7c…   (the x-planaria-file-id of an object)")]
	Status {
		/// The id of a file: show where each of its fragments is on its way.
		#[arg(long, value_name = "FILE_ID")]
		file: Option<FileId>,
		/// Where it speaks plain HTTP.
		#[arg(
			long,
			env = "PLANARIA_GATEWAY_HTTP",
			default_value = "http://127.0.0.1:9001",
			value_name = "URL"
		)]
		http: String,
	},
}

/// Which gateway, and who asks it.
#[derive(Debug, Args)]
pub struct GatewayAccess {
	/// Where it speaks S3.
	#[arg(
		long,
		env = "AWS_ENDPOINT_URL",
		default_value = "http://127.0.0.1:9000",
		value_name = "URL"
	)]
	pub s3: String,
	/// The region that it is in.
	#[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
	pub region: String,
	/// The access key that 'planaria gateway keys add' has made.
	#[arg(long, env = "AWS_ACCESS_KEY_ID", value_name = "NAME")]
	pub access_key: String,
	/// Its secret. Best given by the environment, where other users do not see it.
	#[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true, value_name = "SECRET")]
	pub secret_key: String,
}

#[derive(Debug, Args)]
pub struct GatewayPut {
	/// The file.
	#[arg(value_hint = ValueHint::FilePath)]
	pub file: PathBuf,
	/// BUCKET/KEY; a key that ends with a slash, or none, gets the file's name added.
	pub object: String,
	#[command(flatten)]
	pub access: GatewayAccess,
}

#[derive(Debug, Args)]
pub struct GatewayGet {
	/// BUCKET/KEY.
	pub object: String,
	#[command(flatten)]
	pub to: OutputArgs,
	#[command(flatten)]
	pub access: GatewayAccess,
}

/// Options override what the file says.
#[derive(Debug, Args)]
pub struct GatewayRun {
	/// A file that says how the gateway is set up.
	#[arg(long, env = "PLANARIA_GATEWAY_CONFIG", value_hint = ValueHint::FilePath)]
	pub config: Option<PathBuf>,
	/// Where it keeps what it knows, and what the network does not have yet.
	#[arg(long, env = "PLANARIA_GATEWAY_DATA", value_hint = ValueHint::DirPath)]
	pub data: Option<PathBuf>,
	/// Where to speak S3 [default: 127.0.0.1:9000].
	#[arg(long, env = "PLANARIA_GATEWAY_LISTEN", value_name = "ADDRESS")]
	pub listen: Option<std::net::SocketAddr>,
	/// Where to speak plain HTTP [default: 127.0.0.1:9001].
	#[arg(long, env = "PLANARIA_GATEWAY_HTTP_LISTEN", value_name = "ADDRESS")]
	pub http: Option<std::net::SocketAddr>,
	/// How objects are coded [default: standard].
	#[arg(long, env = "PLANARIA_GATEWAY_CODING")]
	pub coding: Option<CodingParams>,
	/// The domain whose subdomains are buckets.
	#[arg(long, env = "PLANARIA_GATEWAY_DOMAIN")]
	pub domain: Option<String>,
	/// The region that clients name [default: us-east-1].
	#[arg(long, env = "PLANARIA_GATEWAY_REGION")]
	pub region: Option<String>,
	/// The most bytes that wait for the network [default: 64 GiB].
	#[arg(long, env = "PLANARIA_GATEWAY_SPOOL", value_name = "SIZE")]
	pub spool: Option<Size>,
	/// The most bytes of files that the network has [default: 16 GiB].
	#[arg(long, env = "PLANARIA_GATEWAY_CACHE", value_name = "SIZE")]
	pub cache: Option<Size>,
	/// Other gateways' plain HTTP addresses: their caches are asked before miners.
	#[arg(
		long = "peer",
		env = "PLANARIA_GATEWAY_PEERS",
		value_delimiter = ',',
		value_name = "URLS"
	)]
	pub peers: Vec<PeerUrl>,
	#[command(flatten)]
	pub transfer: TransferArgs,
}

#[derive(Debug, Subcommand)]
pub enum GatewayKeys {
	/// Make an access key. Its secret is shown once.
	#[command(after_help = "\
Examples:
  planaria gateway keys add --owner 5Grwva…           (all buckets of that account)
  planaria gateway keys add --owner 5Grwva… --bucket photos --read music --note 'the album'")]
	Add {
		/// Whose files its objects are; without it the key's account.
		#[arg(long, value_name = "ADDRESS")]
		owner: Option<AccountId32>,
		/// Buckets it may write; if none is named here or by --read, all of the owner's.
		#[arg(long = "bucket", value_delimiter = ',', value_name = "BUCKETS")]
		buckets: Vec<String>,
		/// Buckets it may only read.
		#[arg(long, value_delimiter = ',', value_name = "BUCKETS")]
		read: Vec<String>,
		/// What it is for.
		#[arg(long, default_value = "", hide_default_value = true)]
		note: String,
	},
	/// List the keys, without their secrets.
	List,
	/// Remove a key: from now on it is refused.
	Remove {
		/// Which.
		access_key: String,
	},
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
			"planaria file id a.txt --coding 2+1 --public",
			"planaria put a.txt --public",
			"planaria put a.txt --key-file b",
			"planaria get 7 -o b --raw --range 0-5",
			"planaria get 7 -o b --range -5 --key-file c",
			"planaria keys encryption generate -o b",
			"planaria miner register --stash //Alice --collateral 10 --declared 1TiB",
			"planaria miner top-up 1.5PLAN --stash //Alice",
			"planaria miner withdraw 1",
			"planaria miner status 3",
			"planaria miner list --json",
			"planaria miner exit --stash //Alice",
			"planaria miner finish 3",
			"planaria miner claim 3",
			"planaria space show",
			"planaria space show --owner 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json",
			"planaria space quote 1TiB --for 30d",
			"planaria space buy 1TiB --for 1y",
			"planaria space grow 10GiB",
			"planaria space renew 90d",
			"planaria space authorise 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --bytes 1GiB \
			 --for 7days",
			"planaria space revoke 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
			"planaria space close",
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
			"planaria gateway status --http http://a:1",
			"planaria gateway status --file \
			 0101010101010101010101010101010101010101010101010101010101010101 --json",
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
			"planaria space buy 1TiB",
			"planaria space buy 1TiB --for ever",
			"planaria account transfer nobody 1",
			"planaria get 7 -o a --range 5-4",
			"planaria gateway status --file 7",
			"planaria put a --public --key-file b",
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
