#!/usr/bin/env node
/** The command line of RootStream Runtime. */
import { run } from './bootstrap.mjs'

run('src/cli/main.ts', process.argv.slice(2))
