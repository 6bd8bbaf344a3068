/**
 * The wording of all documents of a delivery that are made from facts: felis.yaml, README.md, DELIVERY_NOTE.md. Raise
 * it with any change of one of them, or of what schemas/photoz-columns.json says of a column. A verifier compares their
 * texts where the packet says its own version, and what does not hang on words where it says another.
 */
export const TEXTS_VERSION = 2;
