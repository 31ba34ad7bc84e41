/** Opens the library when a command runs; before that nothing of it is loaded, so that help and mistakes are answered at once. */
import type {
  LoadOptions,
  LoadPlan,
  LoadReport,
  LoadStatus,
  RejectCause,
  RejectRecord,
  ResumeOptions,
  VerifyReport,
} from '../load/options.ts';
import type { Decision, Metric, SearchHit } from '../target/driver.ts';

interface Selection {
  readonly in: string;
  readonly load?: string;
}

export interface SearchOptions {
  readonly in: string;
  readonly table: string;
  readonly query: string;
  readonly k?: number | undefined;
  readonly column?: string | undefined;
  readonly where?: string | undefined;
  readonly columns?: readonly string[] | undefined;
  readonly metric?: Metric | undefined;
  readonly embed?: { readonly with: string; readonly dimensions?: number | undefined } | undefined;
  readonly way?: 'auto' | 'exact' | 'index' | undefined;
  readonly recall?: boolean | undefined;
}

export interface SearchResult {
  readonly hits: readonly SearchHit[];
  readonly explain: readonly Decision[];
  readonly recall?: number | undefined;
  readonly tookMs: number;
}

/** What the commands need of the library's public surface. */
export interface Library {
  load(options: LoadOptions): Promise<LoadReport>;
  plan(options: LoadOptions): Promise<LoadPlan>;
  resume(options: ResumeOptions): Promise<LoadReport>;
  retry(options: Omit<ResumeOptions, 'from'> & { readonly from?: string }): Promise<LoadReport>;
  status(selection: Selection): Promise<readonly LoadStatus[]>;
  rejects(selection: Selection): AsyncIterable<RejectRecord>;
  rejectSummary(selection: Selection): Promise<readonly RejectCause[]>;
  verify(selection: Selection & { readonly table?: string }): Promise<VerifyReport>;
  search(options: SearchOptions): Promise<SearchResult>;
}

const libraryUrl = new URL('../index.ts', import.meta.url);

/** The library's public surface, the same that programs import. */
export async function openLibrary(): Promise<Library> {
  return import(libraryUrl.href) as Promise<Library>;
}
