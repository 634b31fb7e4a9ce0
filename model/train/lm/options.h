// Hyperparameters of the language model and its training.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRAIN_LM_OPTIONS_H_
#define ALIGNSAE_MODEL_TRAIN_LM_OPTIONS_H_

#include <cstdint>
#include <string>

#include "model/train/common/option_fields.h"

namespace alignsae {

struct LmOptions {
  // Shape; ignored with an initial model.
  int layers = 6;
  int heads = 4;
  int width = 128;
  int context = 128;
  int vocab_size = 4096;

  int epochs = 40;
  double learning_rate = 2e-3;
  double floor_ratio = 0.05;
  int warmup_steps = 200;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double clip_norm = 1.0;
  int biography_batch = 32;
  int question_batch = 96;
  int wordings_per_epoch = 2;
  uint64_t seed = 1;

  std::string matmul = "f32";

  int probe_every = 5;
  int probe_people = 60;
  int checkpoint_every = 1;
  int keep_every = 0;

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("layers", self.layers, Range{1, 96}, "Transformer blocks");
    visit("heads", self.heads, Range{1, 96}, "Attention heads per block");
    visit("width", self.width, Range{1, 8192},
          "Residual width; a multiple of the heads");
    visit("context", self.context, Range{16, 8192}, "Positions");
    visit("vocab_size", self.vocab_size, Range{257, 65536},
          "Most entries of a vocabulary trained on the data");
    visit("epochs", self.epochs, Range{1, 100000}, "Passes over the data");
    visit("learning_rate", self.learning_rate, Range{0, 1}, "Peak of AdamW's");
    visit("floor_ratio", self.floor_ratio, Range{0, 1},
          "Last learning rate as a part of the peak");
    visit("warmup_steps", self.warmup_steps, Range{0, 1e9},
          "Steps of linear warm-up");
    visit("weight_decay", self.weight_decay, Range{0, 10}, "On matrices only");
    visit("beta1", self.beta1, Range{0, 0.999999}, "AdamW's first moment");
    visit("beta2", self.beta2, Range{0, 0.999999}, "AdamW's second moment");
    visit("clip_norm", self.clip_norm, Range{0, 1e9},
          "Largest gradient norm; 0: no clipping");
    visit("biography_batch", self.biography_batch, Range{1, 65536},
          "Biographies in a batch");
    visit("question_batch", self.question_batch, Range{1, 65536},
          "Questions in a batch");
    visit("wordings_per_epoch", self.wordings_per_epoch, Range{1, 1000},
          "Wordings of each question that an epoch draws, as far as there are "
          "so many");
    visit("seed", self.seed, kSeedRange, "Of the weights and the data order");
    visit("matmul", self.matmul, Choices{"f32", "tf32"},
          "What a GPU multiplies: float32, or float32 rounded to TF32");
    visit("probe_every", self.probe_every, Range{0, 100000},
          "Epochs between accuracy probes; 0: only at the end");
    visit("probe_people", self.probe_people, Range{1, 100000},
          "People of each half in a probe");
    visit("checkpoint_every", self.checkpoint_every, Range{1, 100000},
          "Epochs between checkpoints");
    visit("keep_every", self.keep_every, Range{0, 100000},
          "Epochs between models that are kept, in kept/; 0: none");
  }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_OPTIONS_H_
