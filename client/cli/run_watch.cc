// `alignsae watch`: what the slots do, second by second.

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/run.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::Status RunWatch(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::WatchSlotsRequest request;
  request.set_checkpoint(options.checkpoint);
  int64_t left = options.count;
  while (true) {
    absl::Status printed;
    bool some = false;
    const absl::Status status =
        client.WatchSlots(request, [&](const v1::WatchSlotsResponse& answer) {
          some = true;
          printed =
              options.json
                  ? PrintJson(answer, /*indented=*/false)
                  : PrintText(RenderActivity(answer, LookOf(stdout)) + "\n");
          return printed.ok() && --left != 0;
        });
    if (!printed.ok()) return printed;
    if (left == 0) return absl::OkStatus();
    // A watch lives as long as a call may: the next one goes on.
    if (!status.ok() || !some) return status;
  }
}

}  // namespace alignsae
