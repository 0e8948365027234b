// When the market is open, what can be subscribed, and how a quote is told.
'use strict';

const { readTime } = require('./feed.js');

const INDIA_MS = 19_800_000;
const DAY_MS = 86_400_000;
const REGULAR = [['09:15', '15:30']];

const HOLIDAYS = new Set(['2024-03-08', '2025-08-15', '2025-08-27', '2025-10-02', '2025-12-25']);
const SPECIAL = {
  '2024-03-02': [['09:15', '10:00'], ['11:30', '12:30']],
  '2024-11-01': [['18:00', '19:00']],
};

const INSTRUMENTS = [];
const WORDS = new Map();
for (const [symbol, nse, bse] of [
  ['SBIN', 3045, 500112], ['RELIANCE', 2885, 500325], ['TCS', 11536, 532540],
  ['INFY', 1594, 500209], ['HDFCBANK', 1333, 500180], ['BHARTIARTL', 10604, 532454],
  ['ICICIBANK', 4963, 532174], ['HINDUNILVR', 1394, 500696], ['ITC', 1660, 500875],
  ['KOTAKBANK', 1922, 500247], ['AXISBANK', 5900, 532215], ['LT', 11483, 500510],
  ['TITAN', 3506, 500114], ['WIPRO', 3787, 507685], ['M&M', 2031, 500520],
  ['BAJAJ-AUTO', 16669, 532977], ['NIFTY 50', 26000, 0], ['NIFTY BANK', 26009, 0],
]) {
  for (const [exchange, segment, token] of [['NSE', 1, nse], ['BSE', 3, bse]]) {
    if (!token) continue;
    const one = { symbol, exchange, segment, token: String(token), key: `${segment}:${token}` };
    INSTRUMENTS.push(one);
    for (const word of [one.token, symbol]) {
      if (!WORDS.has(word)) WORDS.set(word, one);
      WORDS.set(`${exchange}:${word}`, one);
    }
  }
}
// The guide's tokens that are not the exchange's, and customary names.
for (const [alias, word] of [
  ['356', '1394'], ['424', '1660'], ['492', '1922'],
  ['NIFTY', 'NIFTY 50'], ['NIFTY50', 'NIFTY 50'], ['BANKNIFTY', 'NIFTY BANK'],
]) WORDS.set(alias, WORDS.get(word));

function find(item) {
  if (typeof item !== 'string' && !Number.isInteger(item)) return undefined;
  return WORDS.get(String(item).trim().toUpperCase());
}

function named(item, one) {
  const asToken = /^\s*\d+\s*$/.test(item) || String(item).includes(':');
  return asToken ? `${one.symbol} (${one.exchange})` : one.symbol;
}

// Milliseconds since 1970 as `YYYY-MM-DD HH:MM:SS` in India.
function india(now) {
  return new Date(now + INDIA_MS).toISOString().slice(0, 19).replace('T', ' ');
}

function windows(date) {
  if (SPECIAL[date]) return SPECIAL[date];
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay();
  return weekday === 0 || weekday === 6 || HOLIDAYS.has(date) ? [] : REGULAR;
}

// The session under way, from its first moment to just before its last; or undefined.
function sessionAt(now) {
  const [date, clock] = india(now).split(' ');
  const found = windows(date).find(([open, close]) => `${open}:00` <= clock && clock < `${close}:00`);
  return found && `${date} ${found[0]}`;
}

// When the market next opens (0) or closes (1), strictly after now.
function next(now, which) {
  for (let day = now; ; day += DAY_MS) {
    const [date] = india(day).split(' ');
    for (const window of windows(date)) {
      const told = `${date} ${window[which]}:00`;
      if (told > india(now)) return told;
    }
  }
}

function status(now) {
  const base = { market_open: false, market_hours: '09:15 - 15:30 IST', timezone: 'Asia/Kolkata' };
  if (now === null) {
    return { ...base, current_time: null, next_open: null, next_close: null, phase: 'waiting' };
  }
  const day = windows(india(now).slice(0, 10));
  const open = sessionAt(now) !== undefined;
  if (day.length) base.market_hours = `${day.map((window) => window.join(' - ')).join(', ')} IST`;
  return {
    ...base,
    market_open: open,
    current_time: india(now),
    next_open: next(now, 0),
    next_close: next(now, 1),
    phase: open ? 'open' : day.length ? 'closed' : 'holiday',
    streaming_data: open,
  };
}

// A touchline of the feed as the guide's `data`.
function quote(one, fields, now) {
  const number = (tag) => Number(fields.get(tag) || 0);
  const price = (tag) => number(tag) / (number('399') || 100);
  const [ltp, close, high, low] = ['8', '76', '77', '78'].map(price);
  const [yearHigh, yearLow] = [price('93'), price('94')];
  const today = india(now).slice(0, 10);
  const isHigh = yearHigh > 0 && high > yearHigh;
  const isLow = low < yearLow;
  return {
    symbol: one.symbol,
    token: one.token,
    exchange: one.exchange,
    ltp,
    open: price('75') || ltp,
    high: high || ltp,
    low: low || ltp,
    close: close || null,
    prev_close: close || null,
    volume: number('79'),
    percent_change: close ? ((ltp - close) / close) * 100 : 0,
    week_52_high: (isHigh ? high : yearHigh) || null,
    week_52_low: (isLow ? low : yearLow) || null,
    week_52_high_date: isHigh ? today : null,
    week_52_low_date: isLow ? today : null,
    day_high: high || ltp,
    day_low: low || ltp,
    avg_volume_5d: null,
    timestamp: readTime(fields.get('74')) || now,
    last_updated: `${india(now).replace(' ', 'T')}.000000000+05:30`,
    is_new_week_52_high: isHigh,
    is_new_week_52_low: isLow,
  };
}

module.exports = { INSTRUMENTS, find, named, india, sessionAt, status, quote };
