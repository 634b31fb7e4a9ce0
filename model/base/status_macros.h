// Early returns for absl::Status and absl::StatusOr.
//
//   ALIGNSAE_RETURN_IF_ERROR(CheckShape(t));
//   ALIGNSAE_ASSIGN_OR_RETURN(std::string text, ReadFile(path, limit));

#ifndef ALIGNSAE_MODEL_BASE_STATUS_MACROS_H_
#define ALIGNSAE_MODEL_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define ALIGNSAE_RETURN_IF_ERROR(expr)                                      \
  do {                                                                      \
    if (::absl::Status alignsae_status_ = (expr); !alignsae_status_.ok()) { \
      return alignsae_status_;                                              \
    }                                                                       \
  } while (false)

#define ALIGNSAE_CONCAT_INNER_(a, b) a##b
#define ALIGNSAE_CONCAT_(a, b) ALIGNSAE_CONCAT_INNER_(a, b)

#define ALIGNSAE_ASSIGN_OR_RETURN(lhs, expr)                               \
  ALIGNSAE_ASSIGN_OR_RETURN_(ALIGNSAE_CONCAT_(alignsae_result_, __LINE__), \
                             lhs, expr)
#define ALIGNSAE_ASSIGN_OR_RETURN_(result, lhs, expr)  \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)

#endif  // ALIGNSAE_MODEL_BASE_STATUS_MACROS_H_
