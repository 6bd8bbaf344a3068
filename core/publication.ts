import { z } from 'zod';

/**
 * What only people know of a table, and Rubin's guidelines for data on the Science Platform ask for (RTN-105): under
 * what licence it may be used, where it is documented and where the code is, and who answers questions.
 */
export const publicationSchema = z.strictObject({
  /** As SPDX names it, for instance `CC-BY-4.0`, or its title. */
  licence: z.string().min(1),
  /** Where astronomers read about the table. */
  documentation: z.url(),
  repositories: z.array(z.url()).min(1, 'must name at least one repository'),
  contacts: z
    .array(z.strictObject({ name: z.string().min(1), email: z.email() }))
    .min(2, 'must name at least two people, as the guidelines of the Science Platform ask'),
});

/** What a registration without it leaves open, in one sentence. */
export const UNPUBLISHED =
  'The registration has no `publication`: the licence, the documentation, the repositories and the two contacts that RTN-105 asks for are not known.';
