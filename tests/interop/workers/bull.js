// A worker of BullMQ, for test_workers.py: a job makes a file, and each line of standard input adds one.
const fs = require('fs');
const readline = require('readline');
const folder = process.env.BULLMQ_FOLDER;
const { Queue, Worker } = require(require.resolve('bullmq', { paths: [folder] }));

const connection = {
  sentinels: [{ host: '127.0.0.1', port: Number(process.env.SENTINEL_PORT) }],
  name: 'mymaster',
  maxRetriesPerRequest: null,
};
const worker = new Worker('bull', async (job) => fs.writeFileSync(job.data.path, ''), { connection });
worker.on('error', (error) => console.error('worker:', error.message));
const queue = new Queue('bull', { connection });
queue.on('error', (error) => console.error('queue:', error.message));
readline.createInterface({ input: process.stdin }).on('line', (path) => queue.add('make', { path }));
