#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/policy.h"
#include "tests/differential/random.h"

namespace heddle::differential {

/// A request while it is being aimed at a rule: parts, not yet bytes.
struct Draft {
  std::string method = "GET";
  std::string path = "/";
  std::string host = "other.example";
  std::map<std::string, std::string> headers;  // one line each
  std::optional<model::WorkloadId> caller;
};

/// Aims drafts. Knows how to make a test true or false; whether it really became so is for the evaluator to
/// say.
class Aimer {
 public:
  Aimer(const model::Policy& policy, Random& random) : policy_(policy), random_(random) {}

  void satisfy(const model::Condition& condition, Draft& draft, bool wanted);
  void satisfy(const model::Callers& callers, Draft& draft, bool wanted);
  void satisfy(const model::Test& test, Draft& draft, bool wanted);

  /// A value that the test's literal begins with, but is not; false if there is none.
  bool truncate(const model::Test& test, Draft& draft);
  /// A value that begins with the test's literal and goes on.
  bool extend(const model::Test& test, Draft& draft);

 private:
  void satisfy_path(const model::Test& test, Draft& draft, bool wanted);
  void satisfy_header(const model::Test& test, Draft& draft, bool wanted);
  void satisfy_host(const model::Test& test, Draft& draft, bool wanted);
  void satisfy_method(const model::Test& test, Draft& draft, bool wanted);

  /// A workload whose id relates to an identity of the callers as `relation` says (id, pattern path).
  bool pick_caller(const model::Callers& callers, Draft& draft,
                   bool (*relation)(const std::string&, const std::string&));
  std::string near_miss(const std::string& literal);
  std::string tail();

  const model::Policy& policy_;
  Random& random_;
};

}  // namespace heddle::differential
