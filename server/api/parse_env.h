// ParseEnv: what wire requests are checked against.
//
// The parse functions (parse_*.h) turn a request into a plain struct that can
// only be valid. They are the one place where a request is checked: everything
// behind them may assume the rules of the contracts.
//
// Each is called on a worker, reads only, and blocks for as long as it takes to
// tokenize the prompts (12 ms for 64 KiB at worst). Errors are FieldErrors:
// INVALID_ARGUMENT (a value outside its rule), NOT_FOUND (an unknown
// checkpoint, concept or slot), FAILED_PRECONDITION (needs what is not
// loaded). Entry points give whole paths; functions for parts of a request give
// paths in the part, and their caller adds where the part is (InField).
//
// Thread-safety: ParseEnv is read only; free functions.

#ifndef ALIGNSAE_SERVER_API_PARSE_ENV_H_
#define ALIGNSAE_SERVER_API_PARSE_ENV_H_

#include <functional>

#include "absl/status/status.h"
#include "model/steering/catalog.h"
#include "model/steering/intervention.h"
#include "model/tokenizer/tokenizer.h"
#include "server/config/server_config.h"

namespace alignsae {

// Borrows everything for the length of one parse.
struct ParseEnv {
  const Catalog* catalog = nullptr;
  const Tokenizer* tokenizer = nullptr;
  const Limits* limits = nullptr;
  // Whether the loaded checkpoint can run an intervention. Its FieldErrors name
  // the fields of Intervention.
  std::function<absl::Status(const Intervention&)> check_intervention;
  int default_checkpoint = 0;  // Of a request that names none.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_ENV_H_
