// CheckpointSource: where a checkpoint lies that is put beside those of a
// loaded model. Free of LibTorch.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_BUNDLE_CHECKPOINT_SOURCE_H_
#define ALIGNSAE_MODEL_BUNDLE_CHECKPOINT_SOURCE_H_

#include <string>

namespace alignsae {

struct CheckpointSource {
  std::string directory;  // Of the checkpoint (cfg.json), or of a bundle.
  std::string sae;   // Which one of the bundle; empty: the only one it has.
  std::string name;  // To be served under; empty: as the source calls it.
  // A checkpoint of that name that is there stays; `name` is not empty then.
  bool only_if_absent = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_CHECKPOINT_SOURCE_H_
