#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/sema/analysis.h"

namespace heddle::sema {

/// Gives the rules of one block their ids: the label that was written, else the ordinal.
class Labels {
 public:
  Labels(Analysis& analysis, std::string kind, std::string service)
      : analysis_(analysis), kind_(std::move(kind)), service_(std::move(service)) {}

  /// `service` is empty for the rules of `access every`.
  std::string id(const std::vector<ast::String>& written, std::size_t ordinal);
  /// The last rule of a route has its label already.
  std::string otherwise_id(const std::vector<ast::String>& written);

 private:
  [[nodiscard]] std::string id_of(const std::string& label) const;

  Analysis& analysis_;
  std::string kind_;
  std::string service_;
  std::map<std::string, source::Span> seen_;
};

}  // namespace heddle::sema
