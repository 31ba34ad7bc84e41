/** Counts requests and writes them as Prometheus text: by route and status, with how long they took. Nothing grows but with routes and statuses. */

/** Upper bounds in seconds: 100 µs is one small statement, 10 s a large load. */
const boundsS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

interface RouteCounts {
  readonly byStatus: Map<number, number>;
  /** Requests by the first bound that they stay under; the last place is for those above all. */
  readonly buckets: Float64Array;
  sumMs: number;
}

/** A figure that is read when it is asked for. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge' | 'counter';
  readonly value: number;
}

export interface Metrics {
  count(route: string, status: number, durationMs: number): void;
  /** All figures, in the text format of Prometheus. */
  write(gauges: readonly Gauge[]): string;
}

export function openMetrics(): Metrics {
  const routes = new Map<string, RouteCounts>();
  return {
    count: (route, status, durationMs) => {
      const counts = routes.get(route) ?? addRoute(routes, route);
      counts.byStatus.set(status, (counts.byStatus.get(status) ?? 0) + 1);
      const place = findBucket(durationMs / 1000);
      counts.buckets[place] = (counts.buckets[place] ?? 0) + 1;
      counts.sumMs += durationMs;
    },
    write: (gauges) => `${[...writeCounts(routes), ...writeDurations(routes), ...gauges.flatMap(writeGauge)].join('\n')}\n`,
  };
}

function addRoute(routes: Map<string, RouteCounts>, route: string): RouteCounts {
  const counts = { byStatus: new Map<number, number>(), buckets: new Float64Array(boundsS.length + 1), sumMs: 0 };
  routes.set(route, counts);
  return counts;
}

function findBucket(seconds: number): number {
  let place = 0;
  while (place < boundsS.length && seconds > (boundsS[place] ?? 0)) place++;
  return place;
}

function writeCounts(routes: ReadonlyMap<string, RouteCounts>): readonly string[] {
  const lines = [...routes].flatMap(([route, counts]) =>
    [...counts.byStatus].map(([status, count]) => `sluice_http_requests_total{route="${route}",status="${status}"} ${count}`),
  );
  return ['# HELP sluice_http_requests_total Requests that were answered.', '# TYPE sluice_http_requests_total counter', ...lines];
}

function writeDurations(routes: ReadonlyMap<string, RouteCounts>): readonly string[] {
  const lines = [...routes].flatMap(([route, { buckets, sumMs }]) => {
    let below = 0;
    const counted = boundsS.map((bound, place) => {
      below += buckets[place] ?? 0;
      return `sluice_http_request_duration_seconds_bucket{route="${route}",le="${bound}"} ${below}`;
    });
    const all = below + (buckets[boundsS.length] ?? 0);
    return [
      ...counted,
      `sluice_http_request_duration_seconds_bucket{route="${route}",le="+Inf"} ${all}`,
      `sluice_http_request_duration_seconds_sum{route="${route}"} ${sumMs / 1000}`,
      `sluice_http_request_duration_seconds_count{route="${route}"} ${all}`,
    ];
  });
  return [
    '# HELP sluice_http_request_duration_seconds From the headers of a request to the end of its answer.',
    '# TYPE sluice_http_request_duration_seconds histogram',
    ...lines,
  ];
}

function writeGauge({ name, help, kind, value }: Gauge): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, `${name} ${value}`];
}
