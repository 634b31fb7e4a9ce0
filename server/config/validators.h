// What a setting may be, as validators of CLI11. Each answers nothing for what
// is fine, and else what follows the setting's name in the error; and says in
// --help what it takes.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_CONFIG_VALIDATORS_H_
#define ALIGNSAE_SERVER_CONFIG_VALIDATORS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace alignsae {

CLI::Validator IntIn(int64_t low, int64_t high);
CLI::Validator SecondsIn(double low, double high);
// "must be <rule>, got ..." unless it `holds`; `shown` is what --help says.
CLI::Validator TextThat(std::string rule, std::string shown,
                        std::function<bool(const std::string&)> holds);
CLI::Validator OneOf(std::vector<std::string> names);
CLI::Validator IsEndpoint();
CLI::Validator IsOrigin();
CLI::Validator IsHostName();
CLI::Validator Directory();
// Not a device, which may have no end.
CLI::Validator File();

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_CONFIG_VALIDATORS_H_
