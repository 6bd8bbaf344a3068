import { ponteHome } from '#cli/home.ts';
import { localDown } from '#local/machine.ts';

await localDown({ home: ponteHome(), log: console.log });
console.log('nothing of Ponte runs any more; npm start goes on where it was');
