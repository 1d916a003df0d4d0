#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::emit {

/// A filter of the policy, in BPF C.
struct FilterSource {
  std::string name;  // qualified, as the policy calls it
  std::string path;  // as a bundle calls its file
  std::string text;
};

/// What is wrong with a filter. Line and column count from 1; 0: the file as a whole.
struct FilterProblem {
  enum class Kind : std::uint8_t { language, shape, forbidden, loop, map };
  Kind kind = Kind::language;
  std::string what;
  std::string help;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  bool is_warning = false;  // the C compiler's
};

/// A map that a filter declares.
struct FilterMap {
  std::string name;    // as the filter calls it
  std::string symbol;  // and the object of the policy
  bool hash = false;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;
};

struct Filter {
  std::string name;
  std::string path;
  std::string function;  // in the object of the policy
  std::string bitcode;
  std::vector<FilterMap> maps;
};

struct CompiledFilter {
  Filter filter;
  std::vector<FilterProblem> problems;  // with one that is no warning there is no bitcode
};

/// The name of filter number `number`'s function in the object of a policy.
std::string filter_function(std::uint32_t number);

/// Compiles a filter and looks at everything that the verifier would refuse, or would let pass though no filter may do it. The
/// text is nobody's we trust: a child does the work, within bounds of time, and sees no file but this text and
/// <heddle/filter.h>. `number` is the filter's place in the policy.
CompiledFilter compile_filter(const FilterSource& source, std::uint32_t number);

}  // namespace heddle::emit
