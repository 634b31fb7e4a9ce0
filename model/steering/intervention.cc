#include "model/steering/intervention.h"

#include <algorithm>

namespace alignsae {

bool Intervention::AppliesAt(int position, int prompt_length) const {
  if (position >= prompt_length) return positions.generated;
  return std::binary_search(positions.prompt.begin(), positions.prompt.end(),
                            position);
}

}  // namespace alignsae
