// Reads the concept of a question, then swaps it: AlignSAE from Node.
//
//   npm install @grpc/grpc-js @grpc/proto-loader
//   node client/node/read_and_swap.js 127.0.0.1:50051 employer "Where was Ada Lunt born?"
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [server, target, question] = process.argv.slice(2);
if (!question) {
  console.error('usage: read_and_swap.js HOST:PORT CONCEPT QUESTION');
  process.exit(64);
}

const protos = process.env.ALIGNSAE_PROTO || path.join(__dirname, '../../proto');
const api = grpc.loadPackageDefinition(loader.loadSync(
    ['alignsae/v1/concept_service.proto', 'alignsae/v1/steering_service.proto'],
    {includeDirs: [protos], keepCase: true, longs: String, enums: String})).alignsae.v1;
const credentials = grpc.credentials.createInsecure();

// A call as a promise, with a deadline.
const call = (service, method, request) => new Promise((resolve, reject) => {
  const deadline = new Date(Date.now() + 30000);
  new api[service](server, credentials)[method](
      request, {deadline}, (error, answer) => (error ? reject(error) : resolve(answer)));
});

(async () => {
  const read = await call('ConceptService', 'ReadConcepts', {prompts: [{question}]});
  console.log(`top concept: ${read.readings[0].reading.top_concept}`);
  const swap = await call('SteeringService', 'Swap',
                          {prompt: {question}, target: {name: target}});
  console.log(`baseline: ${swap.baseline.text.trim()}`);
  console.log(`steered: ${swap.steered.text.trim()}`);
})().catch((error) => {
  console.error(`${grpc.status[error.code] || error.code}: ${error.details || error.message}`);
  process.exit(1);
});
