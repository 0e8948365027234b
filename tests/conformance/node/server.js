// A server of the integration guide in JavaScript: what the guide promises, and little more.
//
//   node server.js --port 8080 --feed ws://localhost:4509 --state FOLDER
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { randomUUID } = require('node:crypto');
const { parseArgs } = require('node:util');
const { WebSocketServer } = require('../../guide/node_modules/ws');
const { follow, readTime } = require('./feed.js');
const { INSTRUMENTS, find, named, india, sessionAt, status, quote } = require('./market.js');

const HEARTBEAT = '350';
const LOGON_ANSWER = '102';
const TOUCHLINE = '209';
const MAX_STEP_MS = 60_000;
const ACTIONS = ['subscribe', 'unsubscribe', 'get_subscriptions', 'market_status', 'ping'];
const STRING = { type: 'string' };

const { values: options } = parseArgs({
  options: { port: { ...STRING, default: '8080' }, feed: STRING, state: { ...STRING, default: '.' } },
});

// --- sessions: instruments by key, oldest first, in one file that is replaced whole

const file = path.join(options.state, 'sessions.json');
const sessions = new Map();
if (fs.existsSync(file)) {
  for (const [id, stocks] of Object.entries(JSON.parse(fs.readFileSync(file)))) {
    sessions.set(id, new Map(stocks.map((name) => [find(name).key, find(name)])));
  }
}

function save() {
  const kept = [...sessions].filter(([, stocks]) => stocks.size > 0);
  const names = kept.map(([id, stocks]) => [
    id,
    [...stocks.values()].map((one) => `${one.exchange}:${one.token}`),
  ]);
  fs.writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(names)));
  fs.renameSync(`${file}.new`, file);
}

// --- the market, by the feed's time

const clients = new Map();
const quotes = new Map();
let now = null;
let session;

function passTime() {
  const before = session;
  session = now === null ? undefined : sessionAt(now);
  if (before === session) return;
  if (before) tellAll('market_closed', 'Market is now closed', false);
  if (session) tellAll('market_opened', 'Market is now open', true);
}

function tellAll(event, message, isOpen) {
  const data = { event, ...status(now), market_open: isOpen };
  for (const client of clients.values()) send(client, 'market_status', 'info', { message, data });
}

function readFeed(fields) {
  const told = readTime(fields.get('66'));
  const jumps = [HEARTBEAT, LOGON_ANSWER].includes(fields.get('64'));
  if (told && (jumps || (now !== null && told > now && told <= now + MAX_STEP_MS))) {
    if (now !== null && told < now) quotes.clear();
    now = told;
    passTime();
  }
  if (fields.get('64') !== TOUCHLINE || now === null || !Number(fields.get('8'))) return;
  const one = INSTRUMENTS.find((i) => i.key === `${fields.get('1')}:${fields.get('7')}`);
  if (!one) return;
  const data = quote(one, fields, now);
  quotes.set(one.key, data);
  if (!session) return;
  for (const client of clients.values()) if (client.stocks.has(one.key)) sendQuote(client, data);
}

function sendQuote(client, data) {
  const { symbol, token, exchange } = data;
  const message = { type: 'market_data', symbol, token, exchange, data, timestamp: now };
  client.socket.send(JSON.stringify(message));
}

function sendLastQuotes(client, keys) {
  const today = now !== null && india(now).slice(0, 10);
  for (const key of keys) {
    const last = quotes.get(key);
    if (session && last && last.last_updated.startsWith(today)) sendQuote(client, last);
  }
}

// --- replies

function send(client, type, state, { message, code, data, requestId } = {}) {
  const envelope = { type, status: state, message, code, data };
  const rest = { client_id: client.id, request_id: requestId, timestamp: now };
  client.socket.send(JSON.stringify({ ...envelope, ...rest }));
}

function refuse(client, code, message, requestId) {
  send(client, 'error', 'error', { code, message, requestId });
}

function receive(client, text) {
  let request;
  try {
    request = JSON.parse(text);
  } catch (error) {
    return refuse(client, 'invalid_json', `Not JSON: ${error.message}`);
  }
  if (request === null || typeof request !== 'object' || Array.isArray(request)) {
    return refuse(client, 'invalid_json', 'Expected one JSON object');
  }
  const { action, stocks, request_id: requestId } = request;
  if (typeof action !== 'string') {
    return refuse(client, 'invalid_request', `Expected an action of ${ACTIONS}`, requestId);
  }
  if (stocks !== undefined && stocks !== null && !Array.isArray(stocks)) {
    return refuse(client, 'invalid_request', 'Expected a list of stocks', requestId);
  }
  switch (action) {
    case 'subscribe':
      return subscribe(client, stocks ?? [], requestId);
    case 'unsubscribe':
      return unsubscribe(client, stocks ?? [], requestId);
    case 'get_subscriptions':
      return listSubscriptions(client, requestId);
    case 'market_status':
      return send(client, 'market_status', 'success', { data: status(now), requestId });
    case 'ping':
      return send(client, 'pong', 'alive', { requestId });
    default:
      return refuse(client, 'unknown_action', `Expected an action of ${ACTIONS}`, requestId);
  }
}

function subscribe(client, stocks, requestId) {
  if (!stocks.length) {
    return refuse(client, 'empty_request', 'No stocks provided for subscription', requestId);
  }
  const names = new Map();
  const added = [];
  const failed = [];
  for (const item of stocks) {
    const one = find(item);
    if (!one) {
      failed.push(typeof item === 'string' ? item : JSON.stringify(item));
      continue;
    }
    if (!client.stocks.has(one.key)) added.push(one.key);
    client.stocks.set(one.key, one);
    if (!names.has(one.key)) names.set(one.key, named(item, one));
  }
  save();
  const known = names.size > 0;
  const data = {
    action: 'subscribe',
    subscribed_stocks: [...names.values()],
    failed_stocks: failed,
    total_subscribed: client.stocks.size,
  };
  const code = known ? (session ? undefined : 'market_closed') : 'invalid_stock';
  const message = { invalid_stock: 'No known stock', market_closed: 'Market is closed' }[code];
  const state = known ? 'success' : 'error';
  send(client, 'subscription_response', state, { code, message, data, requestId });
  sendLastQuotes(client, added);
}

function unsubscribe(client, stocks, requestId) {
  if (!stocks.length) {
    return refuse(client, 'empty_request', 'No stocks provided for unsubscription', requestId);
  }
  const gone = [];
  const failed = [];
  for (const item of stocks) {
    const one = find(item);
    if (one && client.stocks.delete(one.key)) gone.push(named(item, one));
    else failed.push(typeof item === 'string' ? item : JSON.stringify(item));
  }
  save();
  const data = {
    action: 'unsubscribe',
    unsubscribed_stocks: gone,
    failed_stocks: failed,
    total_subscribed: client.stocks.size,
  };
  send(client, 'subscription_response', 'success', { data, requestId });
}

function listSubscriptions(client, requestId) {
  const stocks = [...client.stocks.values()];
  const data = {
    subscribed_tokens: stocks.map((one) => one.token),
    subscribed_symbols: stocks.map((one) => one.symbol),
    total_subscribed: stocks.length,
  };
  send(client, 'subscriptions', 'success', { data, requestId });
}

// --- connections

function welcome(socket, request) {
  const given = new URL(request.url, 'http://localhost').searchParams.get('client_id');
  const id = given || `client_${randomUUID()}`;
  if (!sessions.has(id)) sessions.set(id, new Map());
  const client = { id, socket, stocks: sessions.get(id) };
  clients.get(id)?.socket.close(4501, 'replaced');
  clients.set(id, client);
  const { market_open, market_hours, current_time } = status(now);
  const data = {
    message: 'Welcome',
    client_id: id,
    features: ['symbol_subscription', 'token_subscription', 'persistent_sessions'],
    market_hours,
    market_open,
    current_time: current_time && current_time.slice(11),
    subscribed_stocks: client.stocks.size,
    instructions: Object.fromEntries(ACTIONS.map((action) => [action, { action }])),
  };
  send(client, 'welcome', 'connected', { data });
  sendLastQuotes(client, client.stocks.keys());
  socket.on('message', (text) => receive(client, text.toString()));
  socket.on('error', () => {});
  socket.on('close', () => {
    if (clients.get(id) === client) clients.delete(id);
  });
}

const server = http.createServer((request, response) => response.writeHead(426).end());
const sockets = new WebSocketServer({ server, path: '/enhanced-stream', maxPayload: 256 * 1024 });
sockets.on('connection', welcome);
server.listen(Number(options.port), 'localhost', () => {
  console.log(`listening ws://localhost:${server.address().port}/enhanced-stream`);
});
if (options.feed) follow(options.feed, INSTRUMENTS, readFeed);
process.on('SIGTERM', () => process.exit(0));
