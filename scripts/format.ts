/** `npm run format`: lays out every file as `npm run check` expects it. */
import process from 'node:process';
import { resolveTool, runStep } from './steps.ts';

process.exit(runStep({ name: 'format', args: [resolveTool('prettier/bin/prettier.cjs'), '--write', '--log-level=warn', '.'] }));
