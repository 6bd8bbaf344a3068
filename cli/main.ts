import { ponteProgram } from '#cli/program.ts';

await ponteProgram().parseAsync();
