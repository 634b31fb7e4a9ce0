// A model taken apart into the tensors that it multiplies by, by name, so that
// they can be kept in a file and put together again without preparing anything:
// the same bits, and so the same answers.
//
// Who has parts has Save(name, parts), which puts them under names that begin
// with `name`, and a constructor that takes them from there. Matrices say the
// layout that they are in; another one than the machine asks for throws.
//
// The file is in the safetensors container. Its metadata has what it is of
// (PreparedFacts) and a SHA-256 of every tensor, so that one that is damaged,
// or was not written whole, is told from one that is not. It is read by pread
// into large pages, which a mapping would not have, and so that one that is cut
// meanwhile is an error and not a SIGBUS.
//
// Thread-safety: value type; free functions. The file is read and hashed in
// LibTorch's parallel regions.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_PREPARED_PARTS_H_
#define ALIGNSAE_MODEL_TRANSFORMER_PREPARED_PARTS_H_

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace alignsae {

class PreparedParts {
 public:
  // An undefined tensor is left out.
  void Put(const std::string& name, const at::Tensor& tensor);
  void PutText(const std::string& name, const std::string& text);

  // Undefined where there is none.
  at::Tensor Find(const std::string& name) const;
  // Throws std::runtime_error where there is none.
  at::Tensor Get(const std::string& name) const;
  std::string GetText(const std::string& name) const;

  const std::map<std::string, at::Tensor>& all() const { return parts_; }

 private:
  std::map<std::string, at::Tensor> parts_;
};

// What prepared weights are of: key -> value. They are of use where all are the
// same.
using PreparedFacts = std::map<std::string, std::string>;

// Appears whole or not at all, but is not made to survive a power cut.
absl::Status WritePrepared(const std::string& path, const PreparedFacts& facts,
                           const PreparedParts& parts);

// NOT_FOUND: there is no such file. FAILED_PRECONDITION: it is of something
// else. DATA_LOSS and others of safetensors.h: it is damaged.
absl::StatusOr<PreparedParts> ReadPrepared(const std::string& path,
                                           const PreparedFacts& facts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_PREPARED_PARTS_H_
