// The bare handler of test/bench/bare in Node.js with the AWS SDK v3: one client,
// one read at start, one at each event, over the same Runtime API. The loop is
// ours because AWS's own runtime client for Node.js builds native code when it is
// installed; it does less than theirs, so what it takes is a lower bound.
import http from 'node:http';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';

const client = new DynamoDBClient({});
const read = async () => {
  const out = await client.send(new GetItemCommand({ TableName: process.env.DOUDI_TABLE, Key: { pk: { S: 'NOBODY' }, sk: { S: 'NOBODY' } } }));
  return out.Item ? Object.keys(out.Item).length : 0;
};

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const call = (method, path, body) =>
  new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: '/2018-06-01/runtime' + path, agent }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.headers));
    });
    request.on('error', reject);
    request.end(body);
  });

await read();
for (;;) {
  const headers = await call('GET', '/invocation/next');
  await call('POST', `/invocation/${headers['lambda-runtime-aws-request-id']}/response`, JSON.stringify(await read()));
}
