import { ponteHome } from '#cli/home.ts';
import { localReset } from '#local/machine.ts';

await localReset({ home: ponteHome(), log: console.log });
console.log('everything is forgotten but the installed packages');
