// Reads {policies: {function: document}, requests: [{action, resource, account, context}]} and prints,
// for each function, the answer to each request, in order.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.argv[2] + '/')
const { runSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')))
const { policies, requests, partition, account } = JSON.parse(readFileSync(0))
// KMS decides by the key's own policy first, and ours hands the decision to IAM, as infra/data.yaml has it.
const keyPolicy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:${partition}:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }] }
const out = {}
for (const [name, policy] of Object.entries(policies)) {
  out[name] = []
  for (const r of requests) {
    const answer = await runSimulation({
      request: { principal: `arn:${partition}:iam::${account}:role/${name}`, action: r.action,
        resource: { resource: r.resource, accountId: account }, contextVariables: r.context },
      identityPolicies: [{ name: 'only', policy }], serviceControlPolicies: [], resourceControlPolicies: [],
      ...(r.action.startsWith('kms:') ? { resourcePolicy: keyPolicy } : {})
    }, {})
    out[name].push(answer.resultType === 'error' ? 'error: ' + JSON.stringify(answer.errors) : answer.overallResult ?? JSON.stringify(answer))
  }
}
process.stdout.write(JSON.stringify(out))
