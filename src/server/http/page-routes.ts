/** What people and their tools look at: figures for Prometheus, the description of the routes, and two small pages without anything from elsewhere. */
import type { Handler, Room } from './exchange.ts';
import type { Gauge } from './metrics.ts';
import { writeConsolePage } from './page.ts';
import { jsonType, replyText } from './reply.ts';

const htmlType = 'text/html; charset=utf-8';
/** The pages hold no scripts and load nothing. */
const pageHeaders = { 'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'", 'X-Content-Type-Options': 'nosniff' };

export const metrics: Handler = async (_exchange, room) =>
  replyText(200, 'text/plain; version=0.0.4; charset=utf-8', room.metrics.write(await readGauges(room)));

async function readGauges({ engine, queue, loads, facts, connections }: Room): Promise<readonly Gauge[]> {
  const engineFacts = await engine.readFacts();
  const queueFacts = queue?.facts();
  const gauges: Gauge[] = [
    gauge('sluice_database_bytes', 'Size of the database file.', engineFacts.sizeBytes),
    gauge('sluice_database_wal_bytes', 'Size of its write-ahead log.', engineFacts.walSizeBytes),
    counter('sluice_writes_total', 'Write requests that were applied.', engineFacts.appliedIndex),
    gauge('sluice_loads_running', 'Loads that run.', loads.count),
    gauge('sluice_http_connections', 'Open connections.', connections()),
    gauge('sluice_uptime_seconds', 'Since the start.', (Date.now() - facts.startedAt.getTime()) / 1000),
    gauge('process_resident_memory_bytes', 'Memory of the process.', process.memoryUsage.rss()),
    counter('process_cpu_seconds_total', 'Processor time of the process.', (process.cpuUsage().user + process.cpuUsage().system) / 1e6),
  ];
  if (engineFacts.statementCount !== undefined) {
    gauges.push(counter('sluice_statements_total', 'Statements that were run.', engineFacts.statementCount));
  }
  if (engineFacts.rowCount !== undefined) gauges.push(counter('sluice_rows_total', 'Rows that were given back.', engineFacts.rowCount));
  if (queueFacts !== undefined) {
    gauges.push(
      gauge('sluice_queue_depth', 'Requests that are durable and not yet applied.', queueFacts.depth),
      gauge('sluice_queue_depth_bytes', 'Their bytes.', queueFacts.depthBytes),
      gauge('sluice_queue_waiting', 'Requests that wait for room or for the disk.', queueFacts.waiting),
      counter('sluice_queue_appended_total', 'Requests that were made durable.', queueFacts.appendedRequests),
      counter('sluice_queue_applied_total', 'Requests that were applied.', queueFacts.appliedRequests),
      counter('sluice_queue_refused_total', 'Requests that found no room.', queueFacts.refusedRequests),
      counter('sluice_queue_syncs_total', 'Times that the disk was waited for.', queueFacts.syncs),
    );
  }
  return gauges;
}

function gauge(name: string, help: string, value: number): Gauge {
  return { name, help, kind: 'gauge', value };
}

function counter(name: string, help: string, value: number): Gauge {
  return { name, help, kind: 'counter', value };
}

export const description: Handler = (_exchange, { pages }) => replyText(200, jsonType, pages.description);

export const docsPage: Handler = (_exchange, { pages }) => ({ ...replyText(200, htmlType, pages.docs), headers: pageHeaders });

export const consolePage: Handler = (_exchange, { facts, counters }) => {
  counters.ui++;
  return { ...replyText(200, htmlType, writeConsolePage(facts)), headers: pageHeaders };
};
