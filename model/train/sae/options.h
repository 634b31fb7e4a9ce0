// Hyperparameters of one AlignSAE's training.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_OPTIONS_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_OPTIONS_H_

#include <cstdint>
#include <string>

#include "model/train/common/option_fields.h"

namespace alignsae {

struct SaeOptions {
  int free_features = 1500;
  std::string activation = "relu";
  int k = 32;
  // Whose questions train the SAE. "all": the never-asked people's too (their
  // answers are unseen by the language model's question loss either way).
  std::string people = "all";
  std::string span = "last";

  int stage1_epochs = 20;
  int stage2_epochs = 60;
  int batch_size = 128;
  double learning_rate = 1e-3;
  double weight_decay = 0;

  double recon = 1;
  double sparse = 1e-2;
  double align = 1;
  int align_rise = 0;
  double perp = 1;
  double val = 0.5;
  double indep = 0;
  double prefix = 0;
  double write = 0;
  double l0 = 0;
  double aux = 0;
  int aux_k = 64;
  int dead_after = 10000;
  std::string recon_form = "sum";
  std::string perp_form = "covariance";
  std::string align_form = "ce";
  std::string align_on = "pre";
  std::string sparse_form = "sum";
  std::string sparse_norm = "none";
  std::string sparse_stages = "both";
  std::string init = "random";
  std::string scale = "norm";
  int value_hidden = 256;

  uint64_t seed = 1;
  int checkpoint_every = 20;

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("free_features", self.free_features, Range{1, 1e7},
          "Features beside the concept slots (K)");
    visit("activation", self.activation,
          Choices{"identity", "relu", "topk", "batchtopk", "jumprelu"},
          "Of the free features; concept slots keep relu (or identity)");
    visit("k", self.k, Range{1, 1e7},
          "Free features kept per row (topk), or per row of a batch on average "
          "(batchtopk)");
    visit("people", self.people, Choices{"all", "asked"},
          "Whose questions train the SAE");
    visit("span", self.span, Choices{"last", "mean"},
          "Where a prompt's position is a text: its last token trains the SAE "
          "and is read, or all its tokens do and their mean is read");
    visit("stage1_epochs", self.stage1_epochs, Range{0, 100000},
          "Epochs of reconstruction and sparsity alone");
    visit("stage2_epochs", self.stage2_epochs, Range{0, 100000},
          "Epochs with all terms");
    visit("batch_size", self.batch_size, Range{2, 65536}, "Rows of a batch");
    visit("learning_rate", self.learning_rate, Range{0, 1}, "Of AdamW");
    visit("weight_decay", self.weight_decay, Range{0, 10}, "On matrices only");
    VisitWeights(self, visit);
    VisitForms(self, visit);
    visit("value_hidden", self.value_hidden, Range{1, 65536},
          "Hidden units of a value head");
    visit("seed", self.seed, kSeedRange, "Of the weights and the data order");
    visit("checkpoint_every", self.checkpoint_every, Range{1, 100000},
          "Epochs between checkpoints");
  }

 private:
  // Of the loss terms, and what belongs to some of them.
  template <typename Self, typename Visitor>
  static void VisitWeights(Self& self, Visitor& visit) {
    visit("recon", self.recon, Range{0, 1e9}, "Weight of the reconstruction");
    visit("sparse", self.sparse, Range{0, 1e9},
          "Weight of the free features' L1 norm");
    visit("align", self.align, Range{0, 1e9},
          "Weight of binding concepts to slots");
    visit("align_rise", self.align_rise, Range{0, 100000},
          "Epochs of stage 2 over which align rises from 0; 0: it does not");
    visit("perp", self.perp, Range{0, 1e9},
          "Weight of the cross-covariance of slots and free features");
    visit("val", self.val, Range{0, 1e9},
          "Weight of predicting the answer's first token from the slot");
    visit("indep", self.indep, Range{0, 1e9},
          "Weight of the free features' covariance");
    visit("prefix", self.prefix, Range{0, 1e9},
          "Weight of the reconstruction by concept slots alone");
    visit("write", self.write, Range{0, 1e9},
          "Weight of what the slots' directions lack to those of their "
          "class means");
    visit("l0", self.l0, Range{0, 1e9},
          "Weight of the number of active free features; jumprelu only");
    visit("aux", self.aux, Range{0, 1e9},
          "Weight of what dead free features make of the reconstruction's "
          "error; topk and batchtopk only");
    visit("aux_k", self.aux_k, Range{1, 1e7},
          "Dead features that aux uses per row");
    visit("dead_after", self.dead_after, Range{1, 1e9},
          "Rows after which a free feature that never fired is dead, for aux");
  }

  // What the terms are and where the weights start.
  template <typename Self, typename Visitor>
  static void VisitForms(Self& self, Visitor& visit) {
    visit("recon_form", self.recon_form, Choices{"sum", "mean"},
          "Whether recon sums over the width or averages");
    visit("align_form", self.align_form, Choices{"ce", "mse"},
          "Cross-entropy over the slots, or squared error to a one-hot");
    visit("align_on", self.align_on, Choices{"pre", "z"},
          "Whether align is of pre-activations or of activations");
    visit("sparse_form", self.sparse_form, Choices{"sum", "mean"},
          "Whether sparse sums over the free features or averages");
    visit("sparse_norm", self.sparse_norm, Choices{"none", "decoder"},
          "Whether sparse weighs each feature by the norm of its decoder row");
    visit("sparse_stages", self.sparse_stages, Choices{"both", "second"},
          "Stages with the sparsity terms (sparse, l0)");
    visit("init", self.init, Choices{"random", "linear", "class_means"},
          "Start of the weights: decoder rows of norm 1; torch's Linear; rows "
          "of norm 1, the concepts' at their class means");
    visit("scale", self.scale, Choices{"norm", "none"},
          "Whether residuals are divided by their mean norm");
    visit("perp_form", self.perp_form, Choices{"covariance", "correlation"},
          "Whether perp divides by the standard deviations");
  }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_OPTIONS_H_
