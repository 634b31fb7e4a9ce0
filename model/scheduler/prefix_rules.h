// What of a prompt's beginning one sequence may take from another, and what it
// leaves to others. A position with an edit, and all behind it, is the
// sequence's own: an edit at any hook changes keys and values above it, and at
// later positions.
//
// Thread-safety: pure functions, of specs as their parser made them.

#ifndef ALIGNSAE_MODEL_SCHEDULER_PREFIX_RULES_H_
#define ALIGNSAE_MODEL_SCHEDULER_PREFIX_RULES_H_

#include "model/scheduler/request.h"
#include "model/steering/catalog.h"

namespace alignsae {

// How many tokens of the prompt may be taken: those before the first that is
// edited, read or scored, and never the last one, behind which the sequence
// samples or where it is read.
int TakeableTokens(const SequenceSpec& spec);

// How many positions, of prompt and answer, may be left to others: INT_MAX
// where nothing is edited.
int UneditedPositions(const SequenceSpec& spec);

// Blocks that the prompt is run through: all, or for a readout those before the
// last hook that it reads.
int BlocksOf(const SequenceSpec& spec, const Catalog& catalog);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_PREFIX_RULES_H_
