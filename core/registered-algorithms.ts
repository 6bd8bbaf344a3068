import { type Algorithm, algorithmSchema, configurationDigest } from '#core/algorithm.ts';
import type { Digest } from '#core/digest.ts';
import bpz from '#schemas/algorithms/bpz.json' with { type: 'json' };
import cmnn from '#schemas/algorithms/cmnn.json' with { type: 'json' };
import dnf from '#schemas/algorithms/dnf.json' with { type: 'json' };
import fzboost from '#schemas/algorithms/fzboost.json' with { type: 'json' };
import gpz from '#schemas/algorithms/gpz.json' with { type: 'json' };
import knn from '#schemas/algorithms/knn.json' with { type: 'json' };
import lephare from '#schemas/algorithms/lephare.json' with { type: 'json' };
import tpz from '#schemas/algorithms/tpz.json' with { type: 'json' };
import trainz from '#schemas/algorithms/trainz.json' with { type: 'json' };

/** The files of schemas/algorithms, for code that runs where there is no such folder. */
export const REGISTERED = [bpz, cmnn, dnf, fzboost, gpz, knn, lephare, tpz, trainz];

/**
 * What a registered configuration says, by the digest that a campaign runs it under; null where this code has another
 * one of that name, as after a change that came between the registration and now.
 */
export function registeredConfiguration(name: string, digest: Digest | null): Algorithm | null {
  const found = REGISTERED.find((each) => each.name === name);
  if (!found) return null;
  const algorithm = algorithmSchema.parse(found);
  return configurationDigest(algorithm) === digest ? algorithm : null;
}
