// A client of the ODIN feed: logs on, subscribes touchlines, hands on texts as maps of tag to value.
'use strict';

const zlib = require('node:zlib');
const WebSocket = require('../../guide/node_modules/ws');

const REDIAL_AFTER_MS = 250;
const AT_ONCE = 50;

function encode(text) {
  const packed = zlib.deflateSync(Buffer.from(text, 'ascii'));
  return Buffer.concat([Buffer.from(`\x05${String(packed.length).padStart(5, '0')}`), packed]);
}

// Returns the texts of one frame; throws if it is none.
function decode(frame) {
  const end = 6 + Number(frame.toString('ascii', 1, 6));
  let body = zlib.inflateSync(frame.subarray(6, end));
  const texts = [];
  while (body.length > 6) {
    const next = 6 + Number(body.toString('ascii', 1, 6));
    texts.push(body.toString('ascii', 6, next));
    body = body.subarray(next);
  }
  return texts;
}

function parse(text) {
  const fields = new Map();
  for (const field of text.split('|')) {
    const at = field.indexOf('=');
    if (at > 0) fields.set(field.slice(0, at), field.slice(at + 1));
  }
  return fields;
}

// Times are Indian: `DDMMYYYY HHMMSS` or `YYYY-MM-DD HHMMSS`. Returns milliseconds since 1970, or 0.
function readTime(text) {
  let found = /^(\d\d)(\d\d)(\d{4}) (\d\d)(\d\d)(\d\d)$/.exec(text ?? '');
  if (found) found = [0, found[3], found[2], found[1], found[4], found[5], found[6]];
  else found = /^(\d{4})-(\d\d)-(\d\d) (\d\d)(\d\d)(\d\d)$/.exec(text ?? '');
  if (!found) return 0;
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number);
  return Math.max(0, Date.UTC(year, month - 1, day, hour, minute, second) - 19_800_000);
}

function follow(url, instruments, onFields) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const pairs = instruments.map((one) => `1=${one.segment}$7=${one.token}`);
  socket.on('open', () => {
    socket.send(encode('63=FT3.0|64=101|65=74|66=09:00:00|67=ODIN|68='));
    for (let at = 0; at < pairs.length; at += AT_ONCE) {
      const wanted = pairs.slice(at, at + AT_ONCE).join('|');
      socket.send(encode(`63=FT3.0|64=206|65=84|66=09:00:00|200=0|${wanted}|230=1`));
    }
  });
  socket.on('message', (frame) => {
    let texts = [];
    try {
      texts = decode(frame);
    } catch {
      return; // Lost, as a broken frame is; the next ones are read.
    }
    for (const text of texts) onFields(parse(text));
  });
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => follow(url, instruments, onFields), REDIAL_AFTER_MS));
}

module.exports = { follow, readTime };
