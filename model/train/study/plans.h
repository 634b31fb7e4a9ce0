// The plans that the program has: the files of plans/, by name.
//
// Thread-safety: constant after the first call.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_PLANS_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_PLANS_H_

#include <map>
#include <string>

namespace alignsae {

const std::map<std::string, std::string>& StudyPlanTexts();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_PLANS_H_
