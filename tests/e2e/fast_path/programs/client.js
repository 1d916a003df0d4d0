// client.js URL REQUESTS CONCURRENCY: Node's agent with keep-alive; every answer is looked at.
const http = require('http');
const [url, requests, concurrency] = [process.argv[2], +process.argv[3], +process.argv[4]];
const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
const pattern = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251));
const bodies = new Map([0, 300, 1000, 65536, 2000000].map((size) => [size, pattern(size)]));
let answers = 0;

function ask(method, target, size, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url + target, { agent, method, headers: { Host: 'echo' } }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const got = Buffer.concat(pieces);
        const right = response.statusCode === 200 && response.headers['x-target'] === target &&
          (size === undefined || got.equals(bodies.get(size)));
        if (!right) return reject(new Error(`${target}: ${response.statusCode} ${response.headers['x-target']} ${got.length}`));
        answers += 1;
        resolve();
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function work(which) {
  for (let i = 0; i < requests; i++) {
    const name = `node-${which}-${i}`;
    if (i % 50 === 49) await ask('GET', `/v1/size/2000000/${name}`, 2000000);
    else if (i % 4 === 1) await ask('POST', `/v1/echo/${name}`, undefined, bodies.get(300));
    else if (i % 4 === 3) await ask('GET', `/v2/size/65536/${name}`, 65536);
    else await ask('GET', `/v1/size/1000/${name}`, 1000);
  }
}

Promise.all(Array.from({ length: concurrency }, (_, which) => work(which))).then(
  () => { console.log(JSON.stringify({ answers })); process.exit(0); },
  (error) => { console.error(error); process.exit(1); });
