#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/policy.h"
#include "tests/differential/random.h"

namespace heddle::differential {

/// What occurs a second time, with a value of its own.
struct Repeated {
  model::Attribute attribute = model::Attribute::header;
  std::string name;
  std::string value;
};

/// A request while it is being aimed at a rule: parts, not yet bytes.
struct Draft {
  std::string method = "GET";
  std::string path = "/";
  std::optional<std::string> host = "other.example";  // none: the request is HTTP/1.0 without it
  std::map<std::string, std::string> headers;          // one line each
  std::map<std::string, std::string> queries;
  std::map<std::string, std::string> cookies;
  std::optional<Repeated> repeated;
  std::optional<std::string> sni;  // of a tls service: none: the client asks for no name
  model::Paths paths;  // of the service
  std::optional<model::SocketAddress> source;
  std::optional<model::SocketAddress> destination;
  std::optional<model::WorkloadId> caller;
};

/// Aims drafts. Knows how to make a test true or false; whether it really became so is for the evaluator to
/// say.
class Aimer {
 public:
  Aimer(const model::Policy& policy, const model::Service& service, Random& random)
      : policy_(policy), service_(service), random_(random) {}

  void satisfy(const model::Condition& condition, Draft& draft, bool wanted);
  void satisfy(const model::Callers& callers, Draft& draft, bool wanted);
  void satisfy(const model::Test& test, Draft& draft, bool wanted);

  /// A value that one on which the test is true begins with; false if there is none.
  bool truncate(const model::Test& test, Draft& draft);
  /// A value that begins with one on which the test is true, and goes on.
  bool extend(const model::Test& test, Draft& draft);
  /// What the test looks at occurs twice, or not at all; false if a request always has it once.
  bool repeat(const model::Test& test, Draft& draft);
  bool leave_out(const model::Test& test, Draft& draft);

 private:
  void set(const model::Test& test, const std::string& value, Draft& draft);
  /// Headers, query parameters or cookies.
  static std::map<std::string, std::string>& named(const model::Test& test, Draft& draft);

  /// A workload whose id relates to an identity of the callers as `relation` says (id, pattern path).
  bool pick_caller(const model::Callers& callers, Draft& draft,
                   bool (*relation)(const std::string&, const std::string&));
  std::string near_miss(const std::string& literal);
  std::string tail();

  void satisfy_address(const model::Test& test, Draft& draft, bool wanted);
  void satisfy_port(const model::Test& test, Draft& draft, bool wanted);

  const model::Policy& policy_;
  const model::Service& service_;
  Random& random_;
};

/// One of a few clients, of both families.
model::SocketAddress random_source(Random& random);

}  // namespace heddle::differential
