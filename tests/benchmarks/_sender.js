// The same work with Node.js and the package "ws": the frames of a turn corked for each client.
//
//     node _sender.js WS CLIENTS BURST HEADS TURNS_PER_S SECONDS STAMPS
//
// WS is the folder of the package. Arguments, output and what starts it are those of _sender.c; it
// writes no stamps.
"use strict";
const fs = require("fs");
const [folder, clients, burst, headsFile, rate, seconds] = process.argv.slice(2);
const { WebSocketServer } = require(folder);
const heads = fs.readFileSync(headsFile, "utf8").split("\n").slice(0, Number(burst));
const HIGH_WATER = 256 * 1024;
const sockets = [];
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false }, () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
server.on("connection", (socket) => {
  sockets.push(socket);
  socket.once("message", () => socket.send('{"type":"subscription_response"}'));
});

function run() {
  const began = process.hrtime.bigint();
  const until = began + BigInt(Math.round(Number(seconds) * 1e9));
  const cpu = process.cpuUsage();
  let turn = 0;
  function finish() {
    const used = process.cpuUsage(cpu);
    const wall = Number(process.hrtime.bigint() - began) / 1e9;
    console.log(JSON.stringify({ turns: turn, cpu_s: (used.user + used.system) / 1e6, wall_s: wall }));
    for (const socket of sockets) socket.close();
    server.close(() => process.exit(0));
  }
  function next() {
    const now = process.hrtime.bigint();
    if (now >= until) return finish();
    const due = Number(rate) ? began + BigInt(Math.round((turn * 1e9) / Number(rate))) : now;
    if (now < due || sockets.some((socket) => socket.bufferedAmount > HIGH_WATER)) {
      return setImmediate(next);
    }
    turn += 1;
    // Text becomes bytes once, not once for each client.
    const messages = heads.map((head) => Buffer.from(head + turn + "}"));
    for (const socket of sockets) {
      socket._socket.cork();
      for (const message of messages) socket.send(message, { binary: false });
      socket._socket.uncork();
    }
    setImmediate(next);
  }
  next();
}

process.stdin.once("data", run);
