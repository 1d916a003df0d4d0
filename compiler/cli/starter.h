#pragma once

#include <string>
#include <vector>

#include "compiler/model/address.h"
#include "runtime/base/result.h"

/// The policy that `heddle init` writes.
namespace heddle::cli {

struct StarterService {
  std::string name;
  model::SocketAddress address;
};

/// Reads `name=address:port`, as `--service` takes it.
Result<StarterService> make_starter_service(const std::string& text);

/// Two servers on this machine, for whoever names none.
std::vector<StarterService> default_starter_services();

/// A whole policy that checks clean: the services as they stand, a workload `web` that may read them, and a
/// test.
Result<std::string> make_starter_policy(const std::vector<StarterService>& services);

}  // namespace heddle::cli
