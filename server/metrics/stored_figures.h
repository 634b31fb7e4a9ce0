// What a dashboard wants of a bundle's stored evaluation: a few figures under
// fixed names, and how the evaluation's prompts are spread over the concepts.
//
// Both forms of `alignsae-train` are read: that of the synthetic people
// (`test`, `unseen`) and that of labelled prompts (`prompts`). The evaluation
// is free form: what is not there, or is no number in its range, is left out.
//
// Thread-safety: value types; free functions.

#ifndef ALIGNSAE_SERVER_METRICS_STORED_FIGURES_H_
#define ALIGNSAE_SERVER_METRICS_STORED_FIGURES_H_

#include <map>
#include <string>

namespace alignsae {

struct StoredFigures {
  // read_accuracy        the readout names the asked concept
  // bound                some slot reaches its threshold where one is asked
  // margin               mean probability of the asked concept minus the next
  // silent               no slot does where none is asked
  // swap_success         swaps that give the whole other answer
  // swap_success_worst   of the target with the fewest
  // unseen_read_accuracy, unseen_swap_success   on wordings that the language
  //                      model never saw
  std::map<std::string, double> figures;
  // Share of the prompts on which this concept is on top and some slot is
  // bound; with none_share they add up to 1. Empty: unknown.
  std::map<std::string, double> top_shares;
  double none_share = 0;
};

// `evaluation_json`: CheckpointInfo's; may be empty or no JSON at all.
StoredFigures ReadStoredFigures(const std::string& evaluation_json);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_STORED_FIGURES_H_
