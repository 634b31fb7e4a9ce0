// The smallest client in C++: reads the top concept of a question, then swaps
// it for another one.
//
//   read_and_swap 127.0.0.1:50051 employer "Where was Beth Roach born?"
//
// In a CMake project of your own, with this repository beside it:
//
//   set(ALIGNSAE_TORCH OFF CACHE BOOL "")
//   set(ALIGNSAE_TESTS OFF CACHE BOOL "")
//   add_subdirectory(alignsae EXCLUDE_FROM_ALL)
//   target_link_libraries(mine PRIVATE alignsae::client)

#include <iostream>

#include "absl/strings/ascii.h"
#include "client/lib/client.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: read_and_swap SERVER TO QUESTION\n";
    return 64;
  }
  alignsae::ClientOptions options;
  options.target = argv[1];  // Several, "a:50051,b:50051", are used in turn.
  alignsae::Client client(options);
  alignsae::v1::SwapRequest request;
  request.mutable_prompt()->set_question(argv[3]);
  request.mutable_target()->set_name(argv[2]);
  const auto answer = client.Swap(request);
  if (!answer.ok()) {
    std::cerr << answer.status() << "\n";
    return 1;
  }
  std::cout << "top concept: "
            << answer->baseline().prompt_reading().top_concept()
            << "\nbaseline: "
            << absl::StripAsciiWhitespace(answer->baseline().text())
            << "\nsteered: "
            << absl::StripAsciiWhitespace(answer->steered().text()) << "\n";
  return 0;
}
