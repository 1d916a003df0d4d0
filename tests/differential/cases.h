#pragma once

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/eval/request.h"
#include "compiler/eval/world.h"
#include "compiler/model/policy.h"
#include "tests/differential/random.h"

namespace heddle::differential {

/// How a request was aimed at one test of one rule.
enum class Shape { hit, miss, negated, truncated, over_long, repeated, absent };
inline constexpr std::array<const char*, 7> shape_names = {"hit",       "miss",     "negated", "truncated",
                                                           "over-long", "repeated", "absent"};

/// `path under`, `header is`, `cookie ends i` (ignoring case), …
std::string operator_name(const model::Test& test);

/// One request of the comparison.
struct Case {
  eval::Request request;
  std::optional<eval::World> world;  // how the endpoints are; none: as the requests before have left them
  std::optional<model::WorkloadId> caller;  // none: nobody, or who has request.spiffe by a certificate
  const model::Condition* aim = nullptr;  // one test of one rule; none: whatever comes to a tcp service
  const model::Service* service = nullptr;
  Shape shape = Shape::hit;
  bool damaged = false;
};

/// Whether the bytes became what the shape says: a well-formed request on which the test is true for a hit,
/// and false for a miss and a truncated value.
bool keeps_aim(const model::Policy& policy, const Case& made);

/// Whether there is such a case: a request always has one method and one path, and one caller at most.
bool is_possible(const std::string& name, Shape shape);

/// Cases per operator and shape.
class Table {
 public:
  void count(const std::string& name, Shape shape) { ++cells_[name][static_cast<std::size_t>(shape)]; }
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::size_t smallest() const;
  [[nodiscard]] std::size_t count_of(const std::string& name, Shape shape) const;
  /// The smallest cell of one operator.
  [[nodiscard]] std::size_t smallest_of(const std::string& name) const;
  [[nodiscard]] std::size_t rows() const { return cells_.size(); }
  void add(const Table& other);

 private:
  std::map<std::string, std::array<std::size_t, shape_names.size()>> cells_;
};

/// Makes requests and connections for the rules of a policy, rather those of which there are few so far.
class CaseMaker {
 public:
  CaseMaker(const model::Policy& policy, const Table& so_far, Random& random);

  Case make();

 private:
  struct Leaf {
    const model::Condition* condition = nullptr;
    bool negated = false;
  };
  /// A rule with something to aim at.
  struct Rule {
    const model::Service* service = nullptr;
    const model::Condition* when = nullptr;
    const model::Callers* from = nullptr;  // access rules
    std::vector<Leaf> leaves;
  };
  struct Aim {
    const Rule* rule = nullptr;
    const Leaf* leaf = nullptr;
  };
  Aim pick_aim();
  Shape pick_shape(const Leaf& leaf);
  void add_rule(const model::Service& service, const model::Condition& when, const model::Callers* from);
  static void collect(const model::Condition& condition, bool negated, std::vector<Leaf>& leaves);

  const model::Policy& policy_;
  const Table& so_far_;
  Random& random_;
  std::vector<Rule> rules_;
};

/// Endpoints of a policy in all states, and busy up to a little more than small bounds.
eval::World random_world(const model::Policy& policy, Random& random);

/// Every caller to every address and endpoint of every tcp service.
std::vector<Case> tcp_cases(const model::Policy& policy, Random& random);

}  // namespace heddle::differential
