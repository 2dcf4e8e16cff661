// An OpenID provider on loopback: node provider.mjs PORT, run from a directory with oidc-provider installed.
//
// It says "ready" when it serves, and "GET /path" for what it is asked. A line on its standard input changes its keys:
// "rotate" puts a new one before the old, which then signs; "withdraw" takes all but the newest away. As operators do,
// it starts anew with other keys each time; the port stays open. "say JSON" has it speak as another provider does: its
// access tokens have these fields in "header" and "payload" from then on, but for those that are null.
import crypto from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

const installed = createRequire(path.join(process.cwd(), 'package.json'));
const { Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));
const port = Number(process.argv[2]);
const resources = ['https://shop.example', 'https://other.example'];

function newKey() {
  const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: crypto.randomUUID(), alg: 'RS256', use: 'sig' };
}

function serveWith(keys) {
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
      client_id: 'robot',
      client_secret: 'secret-of-the-robot',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    }],
    jwks: { keys },
    ttl: { ClientCredentials: 3600 },
    formats: {
      customizers: {
        jwt: (_, __, token) => {
          for (const part of ['header', 'payload']) {
            for (const [name, value] of Object.entries(says[part] ?? {})) {
              if (value === null) delete token[part][name];
              else (token[part] ??= {})[name] = value;
            }
          }
        },
      },
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resources[0],
        getResourceServerInfo: (_, resource) => {
          if (!resources.includes(resource)) throw new Error(`no such resource: ${resource}`);
          return {
            scope: 'orders.read orders.write',
            audience: resource,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'RS256' } },
          };
        },
      },
    },
  });
  return provider.callback();
}

let says = {};
let keys = [newKey()];
let answer = serveWith(keys);

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  if (line.startsWith('say ')) {
    says = JSON.parse(line.slice(4));
  } else {
    keys = line === 'rotate' ? [newKey(), ...keys] : keys.slice(0, 1);
    answer = serveWith(keys);
  }
  console.log(`done ${line}`);
}).on('close', () => process.exit(0));

http.createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  answer(request, response);
}).listen(port, '127.0.0.1', () => console.log('ready'));
