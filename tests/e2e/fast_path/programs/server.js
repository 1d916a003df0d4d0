// server.js PORT: Node's http server: /node/size/N is a body of so many bytes, POST /node/echo says how many came.
const http = require('http');
const pattern = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251));
const kept = new Map();
http.createServer((request, response) => {
  const words = request.url.split('/');
  let count = 0;
  request.on('data', (piece) => { count += piece.length; });
  request.on('end', () => {
    response.setHeader('X-Target', request.url);
    if (words[2] === 'size') {
      const size = +words[3];
      if (!kept.has(size)) kept.set(size, pattern(size));
      response.setHeader('Content-Length', size);
      response.end(kept.get(size));
    } else if (words[2] === 'chunked') {
      response.write(pattern(+words[3]));
      response.end();
    } else {
      response.end(String(count));
    }
  });
}).listen(+process.argv[2], '127.0.0.1', () => console.log('ready'));
