import { type PhotozColumn, photozColumns, posteriorColumns, type TableShape } from '#core/hats/columns.ts';
import { APPROVED_PAGE, DELIVERY_NOTE, DOCUMENTATION, INGEST_MANIFEST, MANIFEST, PACKET } from '#core/hats/layout.ts';
import { type Packet, renderPacket } from '#core/hats/packet.ts';
import { UNPUBLISHED } from '#core/publication.ts';

/** Every document that is made from the facts alone, by its path in the collection. */
export function packetDocuments(packet: Packet, shape: TableShape): Readonly<Record<string, string>> {
  return {
    [PACKET]: renderPacket(packet),
    [DOCUMENTATION]: documentation(packet, shape),
    [DELIVERY_NOTE]: deliveryNote(packet),
  };
}

/** For the astronomer: what is in this very table and how to open it. */
function documentation(packet: Packet, shape: TableShape): string {
  return page([
    `# ${line(packet.title)}`,
    `Photometric redshifts of ${packet.rows} objects of \`${packet.release}\`, by ${packet.algorithms.map(({ name }) => `\`${name}\``).join(', ')}: a HATS collection of ${packet.partitions} partitions. Version \`${packet.campaign}\`.`,
    '## Open it',
    `\`\`\`python\nimport lsdb\n\ncatalogue = lsdb.open_catalog("${packet.collection}", columns="all")\ncone = catalogue.cone_search(ra=RA, dec=DEC, radius_arcsec=60).compute()\n\`\`\``,
    `Without \`columns\` the keys and the best estimates come. \`${MANIFEST}\` lists every file with its sha256.`,
    '## Columns',
    'A value that could not be estimated is missing (NULL), never 0 or a sentinel.',
    columnTable(photozColumns(shape)),
    ...(packet.contents.length > 1 ? ['With `load_extension("pz")` also:', columnTable(addedColumns(shape))] : []),
    '## Algorithms',
    'The digest of a configuration covers everything in it that changes a result.',
    table(
      ['algorithm', 'configuration', 'model'],
      packet.algorithms.map((each) => [
        code(each.name),
        each.configurationDigest ?? 'none',
        each.modelSha256 ?? 'none',
      ]),
    ),
    ...packet.algorithms.flatMap(configurationOf),
    '## Where it comes from',
    table(['what', 'which'], provenance(packet)),
    '## Known limitations',
    ...limitations(packet),
    '## Licence, code and contacts',
    ...publication(packet),
  ]);
}

/** For the site that takes the table in: what, how much, who. */
function deliveryNote(packet: Packet): string {
  return page([
    `# Delivery Note: ${line(packet.title)}`,
    table(
      ['what', 'which'],
      [
        ['collection', code(packet.collection)],
        ['version', code(packet.campaign)],
        ['previous version', packet.previous ?? 'none'],
        ['made at', packet.createdAt],
        ['release', code(packet.release)],
        ['rows', String(packet.rows)],
        ['partitions', String(packet.partitions)],
        ['bytes', String(packet.contents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))],
        ['approved at', packet.approval?.at ?? 'never'],
      ],
    ),
    '## Contents',
    'The digest of a catalogue is the sha256 of the lines that `sha256sum` prints for its files, in the order of their paths.',
    table(
      ['catalogue', 'files', 'bytes', 'sha256'],
      packet.contents.map((each) => [code(each.folder), String(each.files), String(each.sizeBytes), each.sha256]),
    ),
    `\`${MANIFEST}\` has every file; its own digest is in \`PUBLISHED.json\`, beside the versions. \`ponte verify\` checks all of it. \`${INGEST_MANIFEST}\` is for databases, \`${DOCUMENTATION}\` for astronomers.`,
    '## Licence, code and contacts',
    ...publication(packet),
  ]);
}

const addedColumns = (shape: TableShape) => posteriorColumns(shape).filter(({ algorithm }) => algorithm !== null);

const columnTable = (columns: readonly PhotozColumn[]) =>
  table(
    ['column', 'type', 'unit', 'UCD', 'meaning'],
    columns.map(({ name, datatype, unit, ucd, description }) => [code(name), datatype, unit ?? '', ucd, description]),
  );

/** One algorithm: where its code is, what it works on, and its parameters. */
function configurationOf({ name, configuration }: Packet['algorithms'][number]): readonly string[] {
  if (configuration === null) {
    return [`### ${name}`, 'Its parameters are not known here: see the code at the time of the registration.'];
  }
  const { title, references, packages, bands, grid, notDetected, parameters } = configuration;
  const versions = Object.entries(packages).map(([each, version]) => `${each} ${version}`);
  const limits = Object.entries(notDetected.limits).map(([band, magnitude]) => `${band} ${magnitude}`);
  return [
    `### ${name}`,
    table(
      ['what', 'which'],
      [
        ['method', title],
        ...references.map((reference) => ['reference', reference]),
        ['estimator', code(configuration.estimator)],
        ['packages', versions.join(', ')],
        ['bands', `${bands.join(', ')}; reference band ${configuration.referenceBand}`],
        ['grid of p(z)', `${grid.points} values of z from ${grid.zMin} to ${grid.zMax}`],
        ...(limits.length > 0 ? [['limiting magnitudes, AB', limits.join(', ')]] : []),
        ['a band that is not detected', notDetected.meaning],
      ],
    ),
    parameters.length === 0
      ? 'It has no parameters.'
      : table(
          ['parameter', 'value', 'used to', 'meaning'],
          parameters.map((each) => [
            code(each.name),
            each.unit === null ? each.value : `${each.value} ${each.unit}`,
            each.stages.join(', '),
            each.meaning,
          ]),
        ),
  ];
}

function provenance({ training, ...packet }: Packet): readonly (readonly string[])[] {
  const { heldOut } = training;
  return [
    ['campaign', code(packet.campaign)],
    ['chunks of the release', `${packet.chunks.used} used, ${packet.chunks.quarantined} in quarantine`],
    ['profile and recipe', `${packet.profile}, ${packet.recipe}`],
    ['training set, sha256', training.sha256],
    ['training set, cut', training.cut ?? 'none'],
    ['training set, source', training.source ?? 'not stated'],
    ['training set, licence', training.licence ?? 'not stated'],
    ['held out of training', `a share of ${heldOut.fraction}, seed ${heldOut.seed}`],
    ['Python packages, sha256 of their list', packet.environmentDigest],
    ['validation report, sha256', packet.approval?.reportSha256 ?? 'none'],
  ];
}

/** The targets for photo-z in DMTN-049, for 0 < z < 2 and i < 25. */
const TARGETS = [
  { metric: 'sigma_mad', words: 'scatter (sigma MAD)', below: 0.05 },
  { metric: 'outlier_share_015', words: 'share of outliers (|e| > 0.15)', below: 0.1 },
] as const;

/** What the validation on held-out objects found, and what is missing. */
function limitations({ algorithms, chunks, approval }: Packet): readonly string[] {
  const missed = algorithms.flatMap(({ name, metrics }) =>
    TARGETS.flatMap(({ metric, words, below }) => {
      const value = metrics?.[metric] ?? null;
      if (value === null) return [`- \`${name}\`: ${words} was not computed.`];
      return value < below ? [] : [`- \`${name}\`: ${words} is ${value.toPrecision(3)}; the target is below ${below}.`];
    }),
  );
  const names = [...new Set(algorithms.flatMap(({ metrics }) => Object.keys(metrics ?? {})))];
  const figure = (value: number | null | undefined) => (value == null ? 'not computed' : value.toPrecision(3));
  return [
    [
      ...(chunks.quarantined > 0 ? [`- The rows of ${chunks.quarantined} refused chunks are missing.`] : []),
      ...missed,
      '- Estimates hold for objects like those trained on; flag 64 marks magnitudes outside them.',
    ].join('\n'),
    ...(names.length > 0
      ? [
          'On objects that were held out of training:',
          table(
            ['metric', ...algorithms.map(({ name }) => code(name))],
            names.map((name) => [code(name), ...algorithms.map(({ metrics }) => figure(metrics?.[name]))]),
          ),
        ]
      : []),
    approval ? `The whole report is \`${APPROVED_PAGE}\`.` : 'There is no validation report.',
  ];
}

function publication({ publication: known }: Packet): readonly string[] {
  if (known === null) return [`**Missing.** ${UNPUBLISHED}`];
  const people = known.contacts.map(({ name, email }) => `${name} <${email}>`);
  return [
    table(
      ['what', 'which'],
      [
        ['licence', known.licence],
        ['documentation', known.documentation],
        ...known.repositories.map((url) => ['code', url]),
        ...people.map((person) => ['support', person]),
      ],
    ),
  ];
}

/** One paragraph of text from people. */
const line = (text: string) => text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_[\]<>#|]/g, '\\$&');

/** A name of ours: letters, digits and `._-`. */
const code = (name: string) => `\`${name}\``;

const cell = (text: string) => (/^`[\w.-]+`$/.test(text) ? text : line(text));

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]) => `| ${row.join(' | ')} |`.replaceAll('|  |', '| |');
  return [cells(head), `|${head.map(() => '---').join('|')}|`, ...rows.map((row) => cells(row.map(cell)))].join('\n');
}

const page = (paragraphs: readonly string[]) => `${paragraphs.join('\n\n')}\n`;
