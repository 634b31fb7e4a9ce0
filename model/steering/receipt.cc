#include "model/steering/receipt.h"

#include <algorithm>
#include <cstddef>

namespace alignsae {

void InterventionReceipt::Merge(const InterventionReceipt& later) {
  positions_applied += later.positions_applied;
  positions_checked += later.positions_checked;
  const size_t room = kMaxReceiptPositions -
                      std::min<size_t>(kMaxReceiptPositions, effects.size());
  const size_t taken = std::min(room, later.effects.size());
  effects.insert(effects.end(), later.effects.begin(),
                 later.effects.begin() + static_cast<std::ptrdiff_t>(taken));
}

}  // namespace alignsae
