// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers
//
// Works with a Planaria network through polkadot.js alone: no type is defined here, everything is
// decoded by the metadata that the chain hands out, and every value that is decoded is encoded again
// and compared with its bytes.
//
// Usage: node network.mjs register --url URL --node URL --stash //Name [--payer //Alice]
//        node network.mjs exit     --url URL --stash //Name
//
// register  registers the miner of --node with a stash that --payer funds
// exit      has it leave, and follows orders, targets and events until it has disconnected
//
// Each prints one JSON document per line.

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { stringPascalCase, u8aToHex } from '@polkadot/util';
import { strict as assert } from 'node:assert';
import { parseArgs } from 'node:util';

const PALLETS = ['clock', 'miners', 'files', 'restore'];
const APIS = ['minersApi', 'filesApi', 'restoreApi'];
const PLAN = 10n ** 12n;
const PAGE = 256;

const { values: options, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		url: { type: 'string', default: 'ws://127.0.0.1:9944' },
		node: { type: 'string' },
		stash: { type: 'string' },
		payer: { type: 'string', default: '//Alice' },
	},
});

const say = (document) => console.log(JSON.stringify(document));

async function connect(url) {
	const provider = new WsProvider(url);
	const api = await ApiPromise.create({ provider, noInitWarn: true, throwOnConnect: true });
	const send = (method, ...params) => provider.send(method, params);
	return { api, provider, send };
}

// Signs, submits and waits until the transaction is in a block; gives the events of its own.
function submit(api, call, signer) {
	return new Promise((resolve, reject) => {
		call.signAndSend(signer, ({ dispatchError, events, status }) => {
			if (dispatchError?.isModule) {
				const { section, name, docs } = api.registry.findMetaError(dispatchError.asModule);
				reject(new Error(`${section}.${name}: ${docs.join(' ')}`));
			} else if (dispatchError) {
				reject(new Error(dispatchError.toString()));
			} else if (status.isInBlock) {
				resolve(events.map(({ event }) => event));
			} else if (status.isInvalid || status.isDropped || status.isUsurped) {
				reject(new Error(`the transaction was not taken in: ${status.type}`));
			}
		}).catch(reject);
	});
}

// What an event says, with the names that the metadata gives its fields.
function told(event) {
	const fields = event.data.names
		? Object.fromEntries(event.data.names.map((name, i) => [name, event.data[i].toJSON()]))
		: event.data.toJSON();
	return { event: `${event.section}.${event.method}`, ...fields };
}

// Every type of the runtime can be made from the metadata.
function checkTypes(api) {
	const { types } = api.registry.lookup;
	for (const { id } of types) {
		api.registry.createType(api.registry.createLookupType(id));
	}
	return types.length;
}

// Every value in the storage of these pallets is encoded to what it was decoded from.
async function checkStorage({ api, send }, hash) {
	const at = await api.at(hash);
	const counts = {};
	for (const pallet of PALLETS) {
		for (const [name, entry] of Object.entries(at.query[pallet])) {
			const { type } = entry.creator.meta;
			const pairs = type.isMap
				? await entry.entries()
				: [[{ toHex: () => entry.key() }, await entry()]];
			for (const [key, value] of pairs) {
				const bytes = await send('state_getStorage', key.toHex(), hash);
				if (bytes === null) continue; // The default of a value that was never set.
				const decoded = entry.creator.meta.modifier.isOptional ? value.unwrap() : value;
				assert.equal(u8aToHex(decoded.toU8a()), bytes, `${pallet}.${name}`);
				counts[`${pallet}.${name}`] = (counts[`${pallet}.${name}`] ?? 0) + 1;
			}
		}
	}
	return counts;
}

// Every runtime API answers, and its answer is encoded to what it was decoded from.
async function checkApis({ api, send }, hash, miner) {
	const at = await api.at(hash);
	const [status] = await at.call.filesApi.filesOf(new Keyring({ type: 'sr25519' })
		.addFromUri(options.payer).address, null, PAGE);
	const number = (await at.query.system.number()).toNumber();
	const fragment = { segment: status.firstSegment, index: 0 };
	const name = { fileId: status.id, file: status.file, segment: 0, index: 0 };
	const stash = (await at.call.minersApi.miner(miner)).unwrap().stash;
	const args = {
		'minersApi.miner': [miner],
		'minersApi.minerByAccount': [stash],
		'minersApi.miners': [null, PAGE],
		'minersApi.network': [],
		'filesApi.file': [status.file],
		'filesApi.filesById': [status.id, null, PAGE],
		'filesApi.filesOf': [status.owner, null, PAGE],
		'filesApi.segments': [status.file, 0, PAGE],
		'filesApi.locate': [[name]],
		'filesApi.records': [[fragment]],
		'restoreApi.orders': [null, PAGE],
		'restoreApi.claims': [miner, null, PAGE],
		'restoreApi.targets': [null, PAGE],
		'restoreApi.verdicts': [null, PAGE],
		'restoreApi.beacon': [number],
	};
	const calls = APIS.flatMap((name) =>
		Object.entries(at.call[name]).map(([method, call]) => [`${name}.${method}`, call]));
	for (const [path, call] of calls) {
		assert(args[path], `${path} is new: say here what to ask it`);
		const { meta } = call;
		const answer = await call(...args[path]);
		const input = meta.params.map(({ type }, i) =>
			u8aToHex(api.registry.createType(type, args[path][i]).toU8a()).slice(2)).join('');
		// minersApi.minerByAccount is MinersApi_miner_by_account.
		const [section, method] = [stringPascalCase(meta.section), snakeCase(meta.method)];
		const bytes = await send('state_call', `${section}_${method}`, `0x${input}`, hash);
		assert.equal(u8aToHex(answer.toU8a()), bytes, path);
		assert(!answer.isNone && !(path === 'filesApi.locate' && answer[0].isNone), `${path} is empty`);
	}
	return calls.length;
}

// Transactions and events of a block.
async function checkBlock({ api, send }, hash) {
	const { block } = await send('chain_getBlock', hash);
	const calls = [];
	for (const sent of block.extrinsics) {
		// Some versions of Substrate send text, some a list of numbers.
		const bytes = typeof sent === 'string' ? sent : u8aToHex(Uint8Array.from(sent));
		const extrinsic = api.registry.createType('Extrinsic', bytes);
		// The call stands at the end. (polkadot.js 16 decodes general transactions, which duties are,
		// but encodes them with a second length before them.)
		assert(bytes.endsWith(extrinsic.method.toHex().slice(2)), 'extrinsic');
		calls.push(`${extrinsic.method.section}.${extrinsic.method.method}`);
	}
	const at = await api.at(hash);
	const events = await at.query.system.events();
	const bytes = await send('state_getStorage', api.query.system.events.key(), hash);
	assert.equal(u8aToHex(events.toU8a()), bytes, 'events');
	return { calls, events: events.map(({ event }) => event) };
}

function snakeCase(text) {
	return text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const id = ({ segment, index }) => `${segment}.${index}`;
const sorted = (list) => [...list].sort();

// Orders and targets at one block by runtime API, by storage and by RPC: all say the same.
async function restoration({ api, send }) {
	const hash = await send('chain_getBlockHash');
	const at = await api.at(hash);
	const orders = await at.call.restoreApi.orders(null, PAGE);
	const targets = await at.call.restoreApi.targets(null, PAGE);

	const stored = (await at.query.restore.orders.entries()).map(([key]) => key.args[0]);
	assert.deepEqual(sorted(stored.map(id)), sorted(orders.map(({ fragment }) => id(fragment))));
	for (const target of targets) {
		const load = (await at.query.miners.loads(target.miner)).unwrap();
		assert.equal(load.fragments.toNumber(), target.fragments.toNumber());
		assert.equal(load.held.toBigInt(), target.held.toBigInt());
	}

	const byRpc = {
		orders: await send('restore_orders', null, PAGE),
		targets: await send('restore_targets', null, PAGE),
	};
	// RPC answers for the best block, which may be another by now.
	if (hash === (await send('chain_getBlockHash'))) {
		assert.deepEqual(byRpc.orders.map(({ fragment }) => id(fragment)),
			orders.map(({ fragment }) => id(fragment)));
		assert.deepEqual(byRpc.targets.map(({ miner }) => miner),
			targets.map(({ miner }) => miner.toNumber()));
	}
	return { orders: orders.toJSON(), targets: targets.toJSON() };
}

async function register(chain, keys) {
	assert(options.node, 'which --node?');
	const { api } = chain;
	const node = await connect(options.node);
	assert.equal(node.api.genesisHash.toHex(), api.genesisHash.toHex(), 'another chain');
	const stash = keys.addFromUri(options.stash);
	const payer = keys.addFromUri(options.payer);
	const proofs = await node.send('miner_registrationProofs', stash.address);

	await submit(api, api.tx.utility.batchAll([
		api.tx.balances.transferKeepAlive(stash.address, 1000n * PLAN),
		api.tx.balances.transferKeepAlive(proofs.hot_key, 100n * PLAN),
	]), payer);
	const events = await submit(api, api.tx.miners.register(
		proofs.hot_key,
		proofs.hot_proof,
		proofs.endpoint,
		proofs.endpoint_proof,
		proofs.capacity,
		stash.address,
		500n * PLAN,
	), stash);
	const registered = events.find((event) => api.events.miners.Registered.is(event));
	assert(registered, 'there is no event of the registration');
	say(told(registered));
	const miner = registered.data.miner;
	const status = (await api.call.minersApi.miner(miner)).unwrap();
	assert.equal(status.stash.toString(), stash.address);
	assert.equal(status.hotKey.toHex(), proofs.hot_key);
	assert(status.standing.isServing);
	say({ miner: status.toHuman() });
	await node.api.disconnect();
}

async function exit(chain, keys) {
	const { api, provider } = chain;
	const stash = keys.addFromUri(options.stash);
	const miner = (await api.call.minersApi.minerByAccount(stash.address)).unwrap();
	say({ types: checkTypes(api) });

	const [seen, sent] = [new Set(), new Set()];
	const shown = { orders: 0, targets: 0 };
	let checked = 0;
	let last;
	let failure;
	const finished = [];
	// Blocks come while one is looked at: each waits for its predecessor.
	let queue = Promise.resolve();
	const stop = await api.rpc.chain.subscribeNewHeads((head) => {
		queue = queue.then(async () => {
			const hash = head.hash.toHex();
			const { calls, events } = await checkBlock(chain, hash);
			calls.forEach((call) => sent.add(call));
			for (const event of events) {
				if (!PALLETS.includes(event.section)) continue;
				seen.add(`${event.section}.${event.method}`);
				say({ height: head.number.toNumber(), ...told(event) });
				if (api.events.miners.Disconnected.is(event) && event.data.miner.eq(miner)) {
					finished.push(hash);
				}
			}
			last = hash;
		}).catch((error) => { failure ??= error; });
	});

	// What the node makes of it, as it tells by itself.
	let most = 0;
	const live = await provider.subscribe('restore_report', 'restore_subscribe', [], (error, report) => {
		failure ??= error;
		most = Math.max(most, report?.network.fragments_left ?? 0);
	});

	const started = await submit(api, api.tx.miners.exit(), stash);
	assert(started.some((event) => api.events.miners.LeaveStarted.is(event)));
	for (let asked = false; finished.length === 0;) {
		if (failure) throw failure;
		const { orders, targets } = await restoration(chain);
		shown.orders = Math.max(shown.orders, orders.length);
		shown.targets = Math.max(shown.targets, targets.length);
		if (last && orders.length > 0 && checked === 0) {
			say({ storage: await checkStorage(chain, last), apis: await checkApis(chain, last, miner) });
			checked += 1;
		}
		const status = (await api.call.minersApi.miner(miner)).unwrap();
		if (status.fragments.isZero() && status.reserved.isZero() && !asked) {
			asked = true;
			// Its former neighbours may have finished it already.
			await submit(api, api.tx.miners.finish(miner), stash).catch((error) => {
				if (!/NotLeaving|HasDeparted/.test(error.message)) throw error;
			});
		}
		await new Promise((resolve) => setTimeout(resolve, 500));
	}
	stop();
	await provider.unsubscribe('restore_report', 'restore_unsubscribe', live);
	await queue;
	if (failure) throw failure;

	assert(most > 0, 'the node told of nothing that is left to restore');
	assert(checked > 0 && shown.orders > 0 && shown.targets > 0, 'nothing was restored');
	for (const event of ['miners.LeaveStarted', 'restore.OrderOpened', 'restore.OrderClaimed',
		'restore.BatchReady', 'restore.FragmentRestored', 'miners.Disconnected']) {
		assert(seen.has(event), `${event} was not seen`);
	}
	for (const call of ['miners.exit', 'restore.open', 'restore.ready', 'restore.report']) {
		assert(sent.has(call), `${call} was not seen`);
	}
	const departed = (await api.call.minersApi.miner(miner)).unwrap();
	assert(departed.standing.isDeparted);
	say({ done: true, most: shown, events: [...seen].sort(), calls: [...sent].sort() });
}

const commands = { register, exit };
const command = commands[positionals[0]];
assert(command && options.stash, 'usage: network.mjs register|exit --stash //Name (see the file)');
const chain = await connect(options.url);
// The chain's addresses begin like those of any Substrate chain.
const keys = new Keyring({ type: 'sr25519' });
try {
	await command(chain, keys);
} finally {
	await chain.api.disconnect();
}
