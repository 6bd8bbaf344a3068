import { MemoryTable } from '#adapters/memory-table.ts';
import { tableContract } from '#test/contracts/table.ts';

tableContract('MemoryTable', () => new MemoryTable());
