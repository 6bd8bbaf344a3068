import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { objectStoreContract } from '#test/contracts/object-store.ts';

objectStoreContract('MemoryObjectStore', () => new MemoryObjectStore());
